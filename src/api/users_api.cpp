#include "api/users_api.hpp"

#include <utility>

namespace safawinet::api {
namespace {

// A token of a user who has just been deleted: valid a moment ago, nobody's now.
Result<UserAnswer> answer_of(const Result<User>& user) {
  if (user) return to_answer(*user);
  return refuse(user.error().code == ErrorCode::not_found ? Error{.code = ErrorCode::unauthenticated} : user.error());
}

}  // namespace

Task<Result<UserAnswer>> UsersApi::get_me(Call& call) {
  const auto user = co_await accounts_.get(call.caller->user);
  co_return answer_of(user);
}

Task<Result<UserAnswer>> UsersApi::patch_me(Call& call, ProfileInput input) {
  std::optional<std::string> name;
  if (input.name) name = std::move(input.name->value);
  std::optional<std::string> locale;
  if (input.locale) locale = std::move(input.locale->tag);
  const auto user = co_await accounts_.set_profile(call.caller->user, std::move(name), std::move(locale));
  co_return answer_of(user);
}

Task<Result<NoContent>> UsersApi::delete_me(Call& call, PasswordInput input) {
  const auto status = co_await accounts_.delete_account(*call.caller, std::move(input.password), call.visitor());
  if (!status) co_return std::unexpected(status.error());
  co_return NoContent{};
}

Task<Result<NoContent>> UsersApi::change_password(Call& call, ChangePasswordInput input) {
  const auto status = co_await accounts_.change_password(*call.caller, std::move(input.current_password),
                                                         std::move(input.new_password), call.visitor());
  if (!status) co_return std::unexpected(status.error());
  co_return NoContent{};
}

Task<Result<Accepted>> UsersApi::change_email(Call& call, ChangeEmailInput input) {
  const auto status = co_await accounts_.change_email(*call.caller, std::move(input.password),
                                                      std::move(input.new_email), call.visitor());
  if (!status) co_return std::unexpected(status.error());
  co_return Accepted{};
}

}  // namespace safawinet::api
