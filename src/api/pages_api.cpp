#include "api/pages_api.hpp"

#include <utility>

#include "http/problem.hpp"

namespace safawinet::api {
namespace {

// Forms may be sent to us and nowhere else; everything else stays forbidden.
constexpr std::string_view kPagePolicy =
    "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

http::Response page(unsigned status, std::string_view title, std::string_view content) {
  http::Response response{.status = status, .content_type = "text/html; charset=utf-8"};
  response.body =
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width\">\n<title>";
  response.body.append(title).append("</title>\n</head>\n<body>\n<main>\n<h1>").append(title).append("</h1>\n");
  response.body.append(content).append("\n</main>\n</body>\n</html>\n");
  response.with("Content-Security-Policy", std::string(kPagePolicy));
  return response;
}

std::string hidden(std::string_view name, std::string_view value) {
  return "<input type=\"hidden\" name=\"" + std::string(name) + "\" value=\"" + escape_html(value) + "\">\n";
}

std::string form(std::string_view action, std::string_view fields, std::string_view button) {
  std::string out = "<form method=\"post\" action=\"";
  out.append(action)
      .append("\">\n")
      .append(fields)
      .append("<p><button>")
      .append(button)
      .append("</button></p>\n</form>");
  return out;
}

// A field of a form, as the page calls it.
std::string_view label_of(std::string_view pointer) {
  if (pointer == "/newPassword") return "new password";
  if (pointer == "/email") return "e-mail address";
  return "link";
}

http::Response error_page(const Error& error) {
  const auto& type = http::problem_type(error.code);
  std::string content;
  for (const auto& field : error.fields) {
    content.append("<p>The ")
        .append(label_of(field.pointer))
        .append(" ")
        .append(escape_html(field.detail))
        .append("</p>\n");
  }
  if (content.empty()) content = "<p>" + escape_html(type.title) + "</p>";
  auto response = page(type.status, "That did not work", content);
  if (type.status == 429 || type.status == 503) {
    response.with("Retry-After", std::to_string(error.retry_after.value_or(std::chrono::seconds(1)).count()));
  }
  return response;
}

Result<std::string> required_form_value(const Call& call, std::string_view name) {
  const auto type = call.request.field("Content-Type").value_or("");
  if (!type.starts_with("application/x-www-form-urlencoded")) {
    return refuse(ErrorCode::unsupported_media_type, "This page takes what its form sends.");
  }
  auto value = form_value(call.request.body, name);
  if (!value || value->empty()) {
    return refuse(Error{.code = ErrorCode::invalid_fields,
                        .fields = {{"/" + std::string(name), "required", "must be filled in"}}});
  }
  return std::move(*value);
}

std::string reset_form(std::string_view token) {
  return form("/reset-password",
              hidden("token", token) +
                  "<p><label>New password <input type=\"password\" name=\"newPassword\" autocomplete=\"new-password\" "
                  "required></label></p>\n",
              "Set this password");
}

}  // namespace

Task<Result<http::Response>> PagesApi::show_verify_email(Call& call) {
  const auto token = call.query("token");
  if (!token) co_return std::unexpected(token.error());
  co_return page(200, "Confirm your e-mail address",
                 form("/verify-email", hidden("token", token->value_or("")), "Confirm"));
}

Task<Result<http::Response>> PagesApi::verify_email(Call& call) {
  auto token = required_form_value(call, "token");
  if (!token) co_return error_page(token.error());
  const auto status = co_await accounts_.verify_email(SecretText(std::move(*token)), call.visitor());
  if (!status) co_return error_page(status.error());
  co_return page(200, "Your e-mail address is confirmed", "<p>You can close this page and sign in.</p>");
}

Task<Result<http::Response>> PagesApi::show_forgot_password(Call&) {
  co_return page(200, "Choose a new password",
                 form("/forgot-password",
                      "<p><label>E-mail address <input type=\"email\" name=\"email\" autocomplete=\"email\" "
                      "required></label></p>\n",
                      "Send me a link"));
}

Task<Result<http::Response>> PagesApi::forgot_password(Call& call) {
  const auto text = required_form_value(call, "email");
  if (!text) co_return error_page(text.error());
  auto email = EmailAddress::parse(*text);
  if (!email) {
    co_return error_page(
        Error{.code = ErrorCode::invalid_fields, .fields = {{"/email", "invalid", "must be an e-mail address"}}});
  }
  const auto status = co_await accounts_.forgot_password(std::move(*email), call.visitor());
  if (!status) co_return error_page(status.error());
  co_return page(200, "Look into your mail", "<p>If there is an account with this address, a link is on its way.</p>");
}

Task<Result<http::Response>> PagesApi::show_reset_password(Call& call) {
  const auto token = call.query("token");
  if (!token) co_return std::unexpected(token.error());
  co_return page(200, "Choose a new password", reset_form(token->value_or("")));
}

Task<Result<http::Response>> PagesApi::reset_password(Call& call) {
  auto token = required_form_value(call, "token");
  if (!token) co_return error_page(token.error());
  auto password = required_form_value(call, "newPassword");
  if (!password) co_return error_page(password.error());
  const std::string again = reset_form(*token);
  const auto status = co_await accounts_.reset_password(SecretText(std::move(*token)), SecretText(std::move(*password)),
                                                        call.visitor());
  if (status) {
    co_return page(200, "Your password is changed",
                   "<p>You were signed out on every device. You can close this page and sign in.</p>");
  }
  auto response = error_page(status.error());
  // The token is still good when only the password was refused.
  if (status.error().code == ErrorCode::invalid_fields) {
    response.body.insert(response.body.find("\n</main>"), "\n" + again);
  }
  co_return response;
}

std::string escape_html(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace safawinet::api
