// Adds the credential of a context to what is sent: an API key from its file, or the tokens of a person's session.
#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "cli/api_client.hpp"
#include "cli/console.hpp"
#include "cli/contexts.hpp"

namespace safawinet::cli {

// As they are kept, mode 0600.
struct Tokens {
  SecretText access_token;
  Time access_expires_at;  // by this machine's clock
  SecretText refresh_token;
  std::optional<std::string> email;  // who logged in
};
BOOST_DESCRIBE_STRUCT(Tokens, (), (access_token, access_expires_at, refresh_token, email))

void keep_tokens(const std::filesystem::path& file, const Tokens& tokens);
// None when nobody is logged in. Throws Failure, also when others may read the file.
std::optional<Tokens> read_tokens(const std::filesystem::path& file);
// What a login or a refresh answered. Throws Failure when it cannot be understood.
Tokens tokens_from(const ApiResponse& answer);
// The key in a file that only its owner may read. Throws Failure.
SecretText read_api_key(const std::filesystem::path& file);

// Where the server wants to know again who is there ("step-up"), it asks on the terminal for the code of the second
// factor, or for the password where there is none, and sends the request once more.
//
// The access token is used for as long as it lives. The refresh token is exchanged under a lock on its file, so that
// two commands at once do not take each other's successor away; who comes second uses what the first has got.
class SignedInClient final : public ApiClient {
 public:
  // All outlive it. `tokens_file` is not looked at when the context has an API key.
  SignedInClient(ApiClient& server, Console& console, const Context& context, std::filesystem::path tokens_file);
  ApiResponse send(const ApiRequest& request) override;

 private:
  [[nodiscard]] Tokens get_tokens() const;
  // Other tokens than these.
  Tokens refresh(const Tokens& used);
  // Tokens that were proved just now.
  Tokens step_up(const Tokens& used);

  ApiClient& server_;
  Console& console_;
  const Context& context_;
  std::filesystem::path tokens_file_;
};

}  // namespace safawinet::cli
