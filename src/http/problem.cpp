#include "http/problem.hpp"

#include <utility>

#include "base/json.hpp"

namespace safawinet::http {

namespace {

constexpr std::chrono::seconds kUsualRetry{1};

void append_member(std::string& body, std::string_view name, std::string_view value) {
  body += body.size() > 1 ? "," : "";
  append_json_text(body, name);
  body += ':';
  append_json_text(body, value);
}

Response render(const ProblemType& type, std::string_view detail, const std::vector<FieldError>& fields,
                std::string_view request_id) {
  Response response{.status = type.status, .content_type = "application/problem+json", .body = "{"};
  append_member(response.body, "type", "urn:safawinet:problem:" + std::string(type.name));
  append_member(response.body, "title", type.title);
  response.body += ",\"status\":" + std::to_string(type.status);
  if (!detail.empty()) append_member(response.body, "detail", detail);
  append_member(response.body, "requestId", request_id);
  if (!fields.empty()) {
    response.body += ",\"errors\":[";
    for (const auto& field : fields) {
      if (response.body.back() != '[') response.body += ',';
      response.body += R"({"pointer":)";
      append_json_text(response.body, field.pointer);
      response.body += R"(,"code":)";
      append_json_text(response.body, field.code);
      response.body += R"(,"detail":)";
      append_json_text(response.body, field.detail);
      response.body += '}';
    }
    response.body += ']';
  }
  response.body += '}';
  return response;
}

}  // namespace

const ProblemType& problem_type(ErrorCode code) {
  static constexpr ProblemType kUnreadable{400, "unreadable-request", "The request cannot be read."};
  static constexpr ProblemType kUnauthenticated{401, "unauthenticated", "A valid credential is needed."};
  static constexpr ProblemType kCredentials{401, "invalid-credentials", "The e-mail address or the password is wrong."};
  static constexpr ProblemType kToken{422, "invalid-token", "The link or code is not valid (any more)."};
  static constexpr ProblemType kForbidden{403, "forbidden", "You may not do this."};
  static constexpr ProblemType kNotVerified{403, "email-not-verified", "The e-mail address must be confirmed first."};
  static constexpr ProblemType kOrigin{403, "origin-not-allowed", "Pages of this origin may not do this."};
  static constexpr ProblemType kFrozen{403, "frozen", "This is suspended for a while, for the safety of all accounts."};
  static constexpr ProblemType kCode{401, "invalid-code", "The code is wrong, or was used already."};
  static constexpr ProblemType kSecondFactor{403, "second-factor-required", "A code of the second factor is needed."};
  static constexpr ProblemType kNoSecondFactor{403, "second-factor-enrolment-required",
                                               "Your role asks for a second factor: enrol one first."};
  static constexpr ProblemType kHeld{403, "account-held",
                                     "Mails to this account's address come back: give another address."};
  static constexpr ProblemType kStepUp{401, "step-up-required", "Prove again that it is you."};
  static constexpr ProblemType kNotFound{404, "not-found", "There is no such thing here."};
  static constexpr ProblemType kMethod{405, "method-not-allowed", "The method is not allowed here."};
  static constexpr ProblemType kConflict{409, "conflict", "This is not possible in the present state."};
  static constexpr ProblemType kTooLarge{413, "payload-too-large", "The body is too large."};
  static constexpr ProblemType kMediaType{415, "unsupported-media-type",
                                          "The body is of a type that is not read here."};
  static constexpr ProblemType kFields{422, "invalid-fields", "Some fields are not valid."};
  static constexpr ProblemType kTooMany{429, "too-many-requests", "You have done this too often."};
  static constexpr ProblemType kOverloaded{503, "overloaded", "The server is busy."};
  static constexpr ProblemType kUnavailable{503, "unavailable", "The service is not available at the moment."};
  switch (code) {
    case ErrorCode::unreadable_request:
      return kUnreadable;
    case ErrorCode::unauthenticated:
      return kUnauthenticated;
    case ErrorCode::invalid_credentials:
      return kCredentials;
    case ErrorCode::invalid_token:
      return kToken;
    case ErrorCode::forbidden:
      return kForbidden;
    case ErrorCode::email_not_verified:
      return kNotVerified;
    case ErrorCode::account_held:
      return kHeld;
    case ErrorCode::origin_not_allowed:
      return kOrigin;
    case ErrorCode::frozen:
      return kFrozen;
    case ErrorCode::invalid_code:
      return kCode;
    case ErrorCode::second_factor_required:
      return kSecondFactor;
    case ErrorCode::second_factor_missing:
      return kNoSecondFactor;
    case ErrorCode::step_up_required:
      return kStepUp;
    case ErrorCode::not_found:
      return kNotFound;
    case ErrorCode::method_not_allowed:
      return kMethod;
    case ErrorCode::conflict:
      return kConflict;
    case ErrorCode::payload_too_large:
      return kTooLarge;
    case ErrorCode::unsupported_media_type:
      return kMediaType;
    case ErrorCode::invalid_fields:
      return kFields;
    case ErrorCode::too_many_requests:
      return kTooMany;
    case ErrorCode::overloaded:
      return kOverloaded;
    case ErrorCode::unavailable:
      return kUnavailable;
  }
  std::unreachable();
}

Response to_response(const Error& error, std::string_view request_id) {
  const auto& type = problem_type(error.code);
  auto response = render(type, error.detail.text, error.fields, request_id);
  response.body.pop_back();
  for (const auto& [name, figure] : error.figures) {
    response.body += ',';
    append_json_text(response.body, name);
    response.body += ':' + std::to_string(figure);
  }
  for (const auto& [name, text] : error.texts) append_member(response.body, name, text);
  for (const auto& [name, list] : error.lists) {
    response.body += ',';
    append_json_text(response.body, name);
    response.body += ":[";
    for (const auto& text : list) {
      if (response.body.back() != '[') response.body += ',';
      append_json_text(response.body, text);
    }
    response.body += ']';
  }
  response.body += '}';
  if (type.status == 429 || type.status == 503 || error.retry_after) {
    response.with("Retry-After", std::to_string(error.retry_after.value_or(kUsualRetry).count()));
  }
  if (error.code == ErrorCode::unauthenticated) response.with("WWW-Authenticate", R"(Bearer error="invalid_token")");
  if (error.code == ErrorCode::step_up_required) {
    response.with("WWW-Authenticate", R"(Bearer error="insufficient_user_authentication", max_age=)" +
                                          std::to_string(error.max_age.count()));
  }
  if (error.code == ErrorCode::invalid_credentials || error.code == ErrorCode::invalid_code)
    response.with("WWW-Authenticate", "Bearer");
  return response;
}

Response refusal_response(unsigned status, std::string_view detail, std::string_view request_id) {
  const ProblemType type{
      status, status < 500 ? "unreadable-request" : "unavailable",
      status < 500 ? "The request cannot be served as it is." : "The server cannot serve the request."};
  auto response = render(type, detail, {}, request_id);
  if (status == 503) response.with("Retry-After", std::to_string(kUsualRetry.count()));
  return response;
}

}  // namespace safawinet::http
