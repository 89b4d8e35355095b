// For staff: everything below /v1/admin/users, and invitations.
#pragma once

#include "accounts/account_service.hpp"
#include "accounts/administration.hpp"
#include "accounts/assistance.hpp"
#include "accounts/user_import.hpp"
#include "accounts/user_making.hpp"
#include "api/admin_bodies.hpp"
#include "api/call.hpp"
#include "api/route.hpp"
#include "api/types.hpp"
#include "factors/enrolment.hpp"
#include "sessions/session_service.hpp"

namespace safawinet::api {

// What the path says of whom, and who is asking. Errors: not_found.
Result<AdministrativeAct> act_of(const Call& call, std::string reason = {});
// The same with ?reason=, as long as that of a body may be. Errors: invalid_fields too.
Result<AdministrativeAct> act_with_reason(const Call& call);

class UsersAdminApi {
 public:
  struct Parts {
    AccountService& accounts;
    SessionService& sessions;
    Administration& administration;
    Assistance& assistance;
    UserMaking& making;
    UserImport& import;
    Enrolment& enrolment;
  };
  explicit UsersAdminApi(Parts parts) : parts_(parts) {}

  Task<Result<UserPage>> list_users(Call& call);
  Task<Result<UserDetails>> get_user(Call& call);
  // ?limit=1..1000 &cursor=
  Task<Result<UserPage>> export_users(Call& call);
  Task<Result<ImportAnswer>> import_users(Call& call, ImportInput input);
  Task<Result<Created<AdminUserAnswer>>> create(Call& call, CreateUserInput input);
  Task<Result<Accepted>> invite(Call& call, EmailInput input);

  Task<Result<AdminUserAnswer>> disable(Call& call, DisableInput input);
  Task<Result<AdminUserAnswer>> enable(Call& call, EnableInput input);
  Task<Result<AdminUserAnswer>> change_role(Call& call, ChangeRoleInput input);
  // ?reason=
  Task<Result<NoContent>> delete_user(Call& call);

  Task<Result<Accepted>> send_reset(Call& call);
  Task<Result<NoContent>> unlock(Call& call);
  Task<Result<AdminUserAnswer>> verify(Call& call);

  Task<Result<SessionPage>> list_sessions_of(Call& call);
  // ?reason=
  Task<Result<NoContent>> end_session(Call& call);

 private:
  Parts parts_;
};

}  // namespace safawinet::api
