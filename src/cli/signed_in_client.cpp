#include "cli/signed_in_client.hpp"

#include <chrono>
#include <utility>

#include "access/api_key.hpp"
#include "base/json.hpp"
#include "cli/api.hpp"
#include "cli/console.hpp"
#include "cli/failure.hpp"
#include "cli/private_file.hpp"

namespace safawinet::cli {
namespace {

constexpr std::chrono::seconds kExpiresSoon{20};

Time now() { return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now()); }

std::string login_hint(const Context& context) { return "safawinet context login " + context.name; }

bool asks_for_step_up(const ApiResponse& response) {
  return response.status == 401 && refusal_of(response).type == "step-up-required";
}

}  // namespace

void keep_tokens(const std::filesystem::path& file, const Tokens& tokens) {
  const SecretText text(to_json(tokens) + "\n");
  write_private_file(file, text.reveal());
}

std::optional<Tokens> read_tokens(const std::filesystem::path& file) {
  const auto text = read_private_file(file);
  if (!text) return std::nullopt;
  const auto json = parse_json(text->reveal());
  auto tokens = json ? from_json<Tokens>(*json) : Result<Tokens>(std::unexpected(json.error()));
  if (!tokens) throw Failure(file.string() + " cannot be understood", "log in again: safawinet context login");
  return std::move(*tokens);
}

Tokens tokens_from(const ApiResponse& answer) {
  const auto json = parse_json(answer.body);
  const auto object = json && json->is_object() ? json->get_object() : boost::json::object();
  Tokens tokens{.access_token = SecretText(text_in(object, "accessToken")),
                .access_expires_at = now(),
                .refresh_token = SecretText(text_in(object, "refreshToken")),
                .email = {}};
  const auto* lifetime = object.if_contains("expiresIn");
  if (tokens.access_token.empty() || tokens.refresh_token.empty() || lifetime == nullptr || !lifetime->is_int64()) {
    throw Failure("the server's answer to a login cannot be understood", "is the URL that of a Safawinet?");
  }
  tokens.access_expires_at += std::chrono::seconds(lifetime->get_int64());
  return tokens;
}

SecretText read_api_key(const std::filesystem::path& file) {
  const auto content = read_private_file(file);
  if (!content) throw Failure("there is no API key in " + file.string(), "put it there, and chmod 600 the file");
  auto text = content->reveal();
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  if (!text.starts_with(kApiKeyPrefix) || text.find_first_of(" \r\n\t") != std::string_view::npos) {
    throw Failure(file.string() + " holds no API key: it would begin with " + std::string(kApiKeyPrefix));
  }
  return SecretText(std::string(text));
}

SignedInClient::SignedInClient(ApiClient& server, Console& console, const Context& context,
                               std::filesystem::path tokens_file)
    : server_(server), console_(console), context_(context), tokens_file_(std::move(tokens_file)) {}

ApiResponse SignedInClient::send(const ApiRequest& request) {
  auto signed_request = request;
  if (context_.api_key_file) {
    signed_request.credential = read_api_key(*context_.api_key_file);
    auto response = server_.send(signed_request);
    if (response.status == 401) {
      throw Failure("the API key is not valid, not valid any more, or not valid from here",
                    "put another one into " + *context_.api_key_file);
    }
    return response;
  }
  auto tokens = get_tokens();
  if (tokens.access_expires_at - kExpiresSoon <= now()) tokens = refresh(tokens);
  signed_request.credential = tokens.access_token;
  auto response = server_.send(signed_request);
  if (asks_for_step_up(response)) {
    tokens = step_up(tokens);
    signed_request.credential = tokens.access_token;
    response = server_.send(signed_request);
  }
  if (response.status != 401 || asks_for_step_up(response)) return response;
  // Its life may have ended early: by a new role, or because the clocks differ.
  tokens = refresh(tokens);
  signed_request.credential = tokens.access_token;
  response = server_.send(signed_request);
  if (asks_for_step_up(response)) {
    signed_request.credential = step_up(tokens).access_token;
    response = server_.send(signed_request);
  }
  if (response.status == 401) throw Failure("the session has ended", login_hint(context_));
  return response;
}

Tokens SignedInClient::get_tokens() const {
  auto tokens = read_tokens(tokens_file_);
  if (!tokens) throw Failure("nobody is logged in to " + context_.name, login_hint(context_));
  return std::move(*tokens);
}

Tokens SignedInClient::refresh(const Tokens& used) {
  const FileLock lock(tokens_file_.string() + ".lock");
  auto kept = get_tokens();
  if (kept.access_token.reveal() != used.access_token.reveal()) return kept;
  const InterruptsPutOff until_kept;
  const boost::json::object body{{"refreshToken", std::string(kept.refresh_token.reveal())}};
  const auto answer =
      server_.send({.method = "POST", .target = "/v1/auth/refresh", .body = SecretText(boost::json::serialize(body))});
  if (answer.status == 401) throw Failure("the session has ended", login_hint(context_));
  if (answer.status != 200) {
    throw Failure("the session could not be continued (status " + std::to_string(answer.status) + ")",
                  "try again in a moment");
  }
  auto email = std::move(kept.email);
  kept = tokens_from(answer);
  kept.email = std::move(email);
  keep_tokens(tokens_file_, kept);
  return kept;
}

Tokens SignedInClient::step_up(const Tokens& used) {
  const auto factors =
      server_.send({.method = "GET", .target = "/v1/users/me/factors", .credential = used.access_token});
  if (factors.status != 200) fail(refusal_of(factors));
  const auto json = parse_json(factors.body);
  const bool has_factor = json && json->is_object() && !object_at(json->get_object(), "totp").empty();
  const auto otherwise = "log in right before it (" + login_hint(context_) + "), or use an API key with the permission";
  console_.note("This needs to know again that it is you.");
  boost::json::object body;
  if (has_factor) {
    body["code"] = console_.ask("Code of your authenticator app, or a backup code: ", otherwise);
  } else {
    body["password"] = std::string(console_.ask_secret("Password: ", otherwise).reveal());
  }
  const FileLock lock(tokens_file_.string() + ".lock");
  const InterruptsPutOff until_kept;
  const auto answer = server_.send({.method = "POST",
                                    .target = "/v1/auth/step-up",
                                    .body = SecretText(boost::json::serialize(body)),
                                    .credential = used.access_token});
  if (answer.status != 200) fail(refusal_of(answer));
  const auto proved = parse_json(answer.body);
  const auto* object = proved ? proved->if_object() : nullptr;
  if (object == nullptr || text_at(*object, "accessToken").empty()) {
    throw Failure("the server's answer cannot be understood");
  }
  auto kept = get_tokens();
  kept.access_token = SecretText(text_at(*object, "accessToken"));
  kept.access_expires_at = now() + std::chrono::seconds(number_at(*object, "expiresIn"));
  keep_tokens(tokens_file_, kept);
  return kept;
}

}  // namespace safawinet::cli
