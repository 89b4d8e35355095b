// The way back in for an account that is held because its mails bounce.
#pragma once

#include <optional>

#include "accounts/account_service.hpp"
#include "accounts/user_store.hpp"
#include "audit/audit_log.hpp"
#include "base/clock.hpp"
#include "base/error.hpp"
#include "base/secret.hpp"
#include "factors/factor_codes.hpp"
#include "mail/mail_store.hpp"
#include "sql/database.hpp"

namespace safawinet {

struct NewAddress {
  EmailAddress email;  // of the account
  SecretText password;
  EmailAddress new_email;
  std::optional<SecretText> code{};  // of the second factor, where there is one
};

// Threading: any event loop.
class Readmission {
 public:
  struct Parts {
    sql::Database& database;
    AccountService& accounts;
    FactorCodes& codes;
    AuditLog& audit;
    Outbox& outbox;
    const Letters& letters;
    const Clock& clock;
  };
  explicit Readmission(Parts parts) : parts_(parts) {}

  // Mails a link to the new address; who opens it has the account again, with that address. The old address may be
  // given again, when its mailbox is in order: it gets this mail in spite of its bounces. Errors: invalid_credentials,
  // conflict (the right password of an account that is not held for this), invalid_fields (/code), frozen,
  // too_many_requests, overloaded, Unavailable.
  Task<Status> give_new_address(NewAddress request, Visitor visitor);

 private:
  Parts parts_;
  UserStore users_;
  MailStore mails_;
};

}  // namespace safawinet
