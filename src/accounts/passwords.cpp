#include "accounts/passwords.hpp"

#include <utility>

namespace safawinet {

Task<Result<std::string>> Passwords::hash_new(HashClient client, SecretText password, Owner owner,
                                              std::string pointer) {
  auto work = [this, &password, &owner, &pointer] { return hash_new_now(password, owner, pointer); };
  auto outcome = co_await pool_.run(std::move(client), std::move(work));
  if (!outcome) co_return std::unexpected(outcome.error());
  co_return std::move(*outcome);
}

Task<Result<PasswordVerification>> Passwords::verify(HashClient client, SecretText password, std::string stored) {
  auto work = [this, &password, &stored] {
    // What can be no password costs what a wrong one does.
    const auto text = PasswordText::from(password.reveal());
    const bool may_match = text.has_value() && !stored.empty();
    return hasher_.verify(may_match ? stored : hasher_.dummy_hash(), text ? *text : *PasswordText::from("x"));
  };
  const auto outcome = co_await pool_.run(std::move(client), std::move(work));
  if (outcome) ++(outcome->matches ? matched_ : mismatched_);
  co_return outcome;
}

Task<Result<std::string>> Passwords::rehash(HashClient client, SecretText password) {
  auto work = [this, &password] { return hasher_.hash(*PasswordText::from(password.reveal())); };
  // Awaited here: `work` refers to the parameters, which end with this coroutine.
  auto outcome = co_await pool_.run(std::move(client), std::move(work));
  co_return outcome;
}

Result<std::string> Passwords::hash_new_now(const SecretText& password, const Owner& owner,
                                            std::string_view pointer) const {
  const PasswordContext context{.email = owner.email, .name = owner.name};
  const auto accepted = policy_.accept(password.reveal(), context);
  if (accepted) return hasher_.hash(*accepted);
  Error error{.code = ErrorCode::invalid_fields};
  for (const auto& fault : accepted.error()) error.fields.push_back({std::string(pointer), fault.code, fault.detail});
  return std::unexpected(std::move(error));
}

}  // namespace safawinet
