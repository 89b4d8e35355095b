// For tests of accounts and of what stands on them: the service at work, on a real database.
#pragma once

#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "accounts/account_service.hpp"
#include "sessions/testing.hpp"

namespace safawinet::testing {

// Passwords that the policy accepts.
inline constexpr std::string_view kPassword = "violet tugboat ponders 42 lagoons";
inline constexpr std::string_view kOtherPassword = "amber walrus juggles nine teacups";
inline constexpr std::string_view kWrongPassword = "quiet comet repairs old bicycles";

inline EmailAddress email(std::string_view text) { return EmailAddress::parse(text).value(); }
inline SecretText secret(std::string_view text) { return SecretText(std::string(text)); }

// None: it was done.
template <class T>
std::optional<ErrorCode> refusal_of(const Result<T>& result) {
  return result ? std::nullopt : std::optional(result.error().code);
}
// "/password wrong-password"
template <class T>
std::vector<std::string> faults_of(const Result<T>& result) {
  std::vector<std::string> faults;
  if (result) return faults;
  for (const auto& field : result.error().fields) faults.push_back(field.pointer + " " + field.code);
  return faults;
}

// The one-time token in a mail, if there is one.
inline std::optional<std::string> find_token(const Mail& mail) {
  static const std::regex pattern("sf_(ev|pr|ec|in)_[A-Za-z0-9_-]{43}");
  std::smatch match;
  if (!std::regex_search(mail.text, match, pattern)) return std::nullopt;
  return match.str();
}

struct AccountsAtWork : SessionsAtWork {
  explicit AccountsAtWork(const sql::testing::Engine& engine, RegistrationMode mode = RegistrationMode::open,
                          std::size_t loop_count = 1)
      : SessionsAtWork(engine, usual_rules(), loop_count), registration(mode) {}

  Result<void> register_user(std::string_view address, std::string_view password = kPassword, std::string name = "Ada",
                             std::optional<std::string> invitation = {}) {
    std::optional<SecretText> invited;
    if (invitation) invited.emplace(*invitation);
    Registration registering{
        .email = email(address), .password = secret(password), .name = std::move(name), .invitation = invited};
    return run(accounts.register_user(std::move(registering), visitor));
  }
  Result<void> verify(std::string_view token) { return run(accounts.verify_email(secret(token), visitor)); }
  Result<void> reset(std::string_view token, std::string_view password) {
    return run(accounts.reset_password(secret(token), secret(password), visitor));
  }
  Result<void> forgot(std::string_view address) { return run(accounts.forgot_password(email(address), visitor)); }

  // The token of the one mail that came since the last look.
  std::string mailed_token() {
    const auto mails = take_mails();
    if (mails.size() != 1) throw std::logic_error(std::to_string(mails.size()) + " mails came, not one");
    return find_token(mails.front()).value();
  }

  // A verified account.
  UserId sign_up(std::string_view address, std::string_view password = kPassword, std::string name = "Ada") {
    register_user(address, password, std::move(name)).value();
    verify(mailed_token()).value();
    return run(accounts.find(email(address))).value().id;
  }

  Task<Result<LoggedIn>> log_in_task(std::string_view address, std::string_view password) {
    Login login{.email = email(address), .password = secret(password), .device_name = "laptop"};
    return accounts.log_in(std::move(login), visitor);
  }
  Result<LoggedIn> log_in(std::string_view address, std::string_view password = kPassword) {
    return run(log_in_task(address, password));
  }
  Caller caller_of(const LoggedIn& logged_in) {
    return guard.authenticate(logged_in.tokens.access_token.reveal()).value();
  }

  // What is on record of this action.
  std::int64_t audited(const char* action) {
    return number("SELECT count(*) FROM audit_log WHERE action = $1", action);
  }

  RegistrationMode registration;
  Visitor visitor{.origin = origin, .has_gone = {}, .is_exempt_from_limits = true};
  HashPool hash_pool{2, std::chrono::minutes(5)};
  // A cost that lets a thousand hashes pass in a test.
  PasswordHasher hasher{{.memory_kib = 64, .passes = 1}};
  Passwords passwords{hash_pool, PasswordPolicy(), hasher};
  UnderAttack under_attack{
      {.database = database, .audit = audit, .hash_pool = hash_pool, .clock = clock, .setting = AttackMode::automatic}};
  Attempts attempts{database, clock, MacKey(root.derive("attempts")), [this] { return under_attack.is_on(); }};
  KnownOrigins known_origins{database, clock, MacKey(root.derive("known-origins"))};
  MemoryRateLimiter limits{clock};
  int superadmin_password_changes = 0;
  AccountService accounts{{.database = database,
                           .sessions = sessions,
                           .passwords = passwords,
                           .attempts = attempts,
                           .known_origins = known_origins,
                           .under_attack = under_attack,
                           .limits = limits,
                           .mode = mode_in_force,
                           .audit = audit,
                           .outbox = outbox,
                           .letters = letters,
                           .clock = clock,
                           .random = random,
                           .slow_loop = *loops.front(),
                           .registration = registration,
                           .on_superadmin_password_changed = [this] { ++superadmin_password_changes; }}};
};

}  // namespace safawinet::testing
