#include "factors/factor_codes.hpp"

#include <algorithm>
#include <utility>

#include "factors/backup_code.hpp"
#include "factors/factor_secrets.hpp"

namespace safawinet {
namespace {

constexpr RateLimit kWarningsPerUser{"warning-of-wrong-codes", 1, std::chrono::minutes(15)};
constexpr std::size_t kLongestTyped = 64;  // bytes

// Six digits, however they were grouped.
std::optional<SecretText> parse_totp_code(std::string_view typed) {
  std::string digits;
  for (const char c : typed) {
    if (c == ' ' || c == '-') continue;
    if (c < '0' || c > '9' || digits.size() == kTotpDigits) return std::nullopt;
    digits += c;
  }
  if (digits.size() != kTotpDigits) return std::nullopt;
  return SecretText(std::move(digits));
}

}  // namespace

// What was typed; neither of both: it can be no code.
struct FactorCodes::Typed {
  std::optional<SecretText> totp;
  std::optional<SecretText> backup;

  [[nodiscard]] Guessable secret() const { return backup ? Guessable::backup_code : Guessable::second_factor; }
};

std::string_view CheckedCode::methods() const {
  return backup_mac ? sign_in_methods::kPasswordAndBackupCode : sign_in_methods::kPasswordAndTotp;
}

Task<Result<CheckedCode>> FactorCodes::check(UserId user, SecretText code, CodeOf of, const Visitor& visitor) {
  Typed typed;
  if (code.reveal().size() <= kLongestTyped) {
    typed.totp = parse_totp_code(code.reveal());
    if (!typed.totp && of == CodeOf::confirmed) typed.backup = parse_backup_code(code.reveal());
  }
  // No network: whoever comes so far knows the password, and all of them count together.
  const Guess guess{.secret = typed.secret(), .account = user.text()};
  const auto may_try = co_await parts_.attempts.may_try(guess);
  if (!may_try) {
    co_await parts_.accounts.record_refusal("user.code-refused", Actor::anonymous(), user, "too many wrong ones before",
                                            visitor);
    co_return std::unexpected(may_try.error());
  }
  const auto factor = co_await store_.find(parts_.database, user);
  std::optional<CheckedCode> match;
  if (factor && factor->confirmed_at.has_value() == (of == CodeOf::confirmed)) {
    match = co_await find_match(user, *factor, typed);
  }
  const auto verdict = match ? Attempts::Verdict::right : Attempts::Verdict::wrong;
  const auto may_tell = co_await parts_.attempts.may_tell(guess, verdict);
  if (!may_tell) {
    co_await parts_.accounts.record_refusal("user.code-refused", Actor::anonymous(), user, "too many wrong ones before",
                                            visitor);
    co_return std::unexpected(may_tell.error());
  }
  if (match) co_return std::move(*match);
  co_await parts_.accounts.record_refusal("user.code-refused", Actor::anonymous(), user, "a wrong code", visitor);
  const auto may_go_on = co_await parts_.attempts.may_try(guess);
  if (!may_go_on && of == CodeOf::confirmed) co_await warn_owner(user);
  co_return refuse(ErrorCode::invalid_code);
}

Task<std::optional<CheckedCode>> FactorCodes::find_match(UserId user, const TotpFactor& factor, const Typed& typed) {
  const auto secrets = FactorSecrets::open(parts_.master_key, user, factor.sealed);
  CheckedCode match{.user = user, .sealed = factor.sealed, .step = 0, .backup_mac = {}};
  if (typed.totp) {
    const auto step = find_totp_step(secrets.totp(), typed.totp->reveal(), parts_.clock.now(), factor.used);
    if (!step) co_return std::nullopt;
    match.step = *step;
    co_return match;
  }
  if (!typed.backup) co_return std::nullopt;
  match.backup_mac = mac_of_backup_code(secrets.backup_codes(), user, *typed.backup);
  const bool is_there = co_await store_.has_backup_code(parts_.database, user, *match.backup_mac);
  if (!is_there) co_return std::nullopt;
  co_return match;
}

Task<bool> FactorCodes::use(sql::Transaction& transaction, CheckedCode checked) {
  auto factor = co_await store_.find(transaction, checked.user);
  if (!factor || !factor->confirmed_at || factor->sealed != checked.sealed) co_return false;
  const auto now = parts_.clock.now();
  if (checked.backup_mac) {
    const bool is_taken = co_await store_.take_backup_code(transaction, checked.user, *checked.backup_mac);
    if (!is_taken) co_return false;
  } else {
    if (factor->used.refuses(checked.step, now)) co_return false;
    factor->used.add(checked.step);
  }
  co_await store_.set_used(transaction, checked.user, factor->used, now);
  co_return true;
}

Task<void> FactorCodes::warn_owner(UserId user) {
  const auto full = co_await parts_.limits.take(kWarningsPerUser, user.text());
  if (full) co_return;
  auto body = [&](sql::Transaction& transaction) -> Task<Result<bool>> {
    const auto owner = co_await users_.find(transaction, user);
    if (!owner) co_return false;
    auto letter = parts_.letters.codes_guessed(addressee_of(*owner), parts_.clock.now());
    co_await parts_.outbox.enqueue(transaction, std::move(letter));
    co_return true;
  };
  co_await parts_.database.transact(std::move(body));
}

}  // namespace safawinet
