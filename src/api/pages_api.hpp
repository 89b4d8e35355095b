// The pages behind the links in our mails. Looking at one changes nothing: each shows a form, and the form acts.
#pragma once

#include "accounts/account_service.hpp"
#include "api/call.hpp"

namespace safawinet::api {

// Plain HTML: no script, no style, no asset, under the strictest policy.
class PagesApi {
 public:
  explicit PagesApi(AccountService& accounts) : accounts_(accounts) {}

  Task<Result<http::Response>> show_verify_email(Call& call);
  Task<Result<http::Response>> verify_email(Call& call);
  Task<Result<http::Response>> show_forgot_password(Call& call);
  Task<Result<http::Response>> forgot_password(Call& call);
  Task<Result<http::Response>> show_reset_password(Call& call);
  Task<Result<http::Response>> reset_password(Call& call);

 private:
  AccountService& accounts_;
};

// Text as it may stand in HTML, in an attribute too.
std::string escape_html(std::string_view text);

}  // namespace safawinet::api
