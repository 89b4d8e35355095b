// What operators do to the accounts of others: disabling, enabling, another role, deleting.
#pragma once

#include <string>

#include "access/operator.hpp"
#include "accounts/user.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "mail/letters.hpp"
#include "mail/outbox.hpp"
#include "sessions/session_service.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct AdministrativeAct {
  Operator acting;
  UserId target;
  std::string reason;  // for the record
  Origin origin;
};

// Each act is one transaction with its audit row; what is so already stays as it is, without a row. Gives the user as
// the act left them. By these acts there is never nobody left who is a superadmin, active and verified.
//
// Threading: any event loop. Errors: forbidden (the operator may no longer do it, or the user is not below them),
// not_found, conflict (the last superadmin), Unavailable.
class Administration {
 public:
  struct Parts {
    sql::Database& database;
    SessionService& sessions;
    AuditLog& audit;
    Outbox& outbox;
    const Letters& letters;
    const Clock& clock;
  };
  explicit Administration(Parts parts) : parts_(parts) {}

  // Ends all sessions, on every node by the time it returns or within the bound of propagation. The user is told.
  Task<Result<User>> disable(AdministrativeAct act);
  Task<Result<User>> enable(AdministrativeAct act);
  // Access tokens with the former role die as those of ended sessions do; the sessions go on. Nobody gives a role above
  // their own: forbidden.
  Task<Result<User>> change_role(AdministrativeAct act, Role role);
  // With everything that is kept of the user. Errors: conflict, also for the operator's own account.
  Task<Status> delete_user(AdministrativeAct act);

 private:
  // Before anything else, so that what `confirm` reads is what stays: the rows that the act needs, in one order.
  Task<void> lock_rows(sql::Transaction& transaction, const AdministrativeAct& act);
  // The user, locked, if the operator may govern them now.
  Task<Result<User>> lock_governed(sql::Transaction& transaction, const Operator& acting, UserId target);
  Task<Status> keep_a_superadmin(sql::Transaction& transaction, const User& user);
  Task<void> record(sql::Transaction& transaction, std::string_view action, const AdministrativeAct& act,
                    std::string reason);

  Parts parts_;
  UserStore store_;
};

}  // namespace safawinet
