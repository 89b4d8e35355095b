#include "factors/factor_secrets.hpp"

#include <algorithm>
#include <span>
#include <stdexcept>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

std::string purpose_for(UserId user) { return "totp-secret/" + user.text(); }

}  // namespace

FactorSecrets FactorSecrets::make(Random& random) {
  FactorSecrets secrets;
  random.fill(std::as_writable_bytes(std::span(secrets.bytes_)));
  return secrets;
}

FactorSecrets FactorSecrets::open(const MasterKey& master_key, UserId user, std::string_view sealed) {
  const auto bytes = from_base64(sealed);
  auto plain = bytes ? master_key.open(purpose_for(user), *bytes) : std::nullopt;
  FactorSecrets secrets;
  if (!plain || plain->size() != secrets.bytes_.size()) {
    throw std::runtime_error("the second factor of user " + user.text() + " is not sealed with this master key");
  }
  std::ranges::copy(*plain, secrets.bytes_.begin());
  wipe(*plain);
  return secrets;
}

FactorSecrets::FactorSecrets(FactorSecrets&& other) noexcept : bytes_(other.bytes_) { wipe(other.bytes_); }

FactorSecrets::~FactorSecrets() { wipe(bytes_); }

std::string FactorSecrets::seal(const MasterKey& master_key, UserId user) const {
  return to_base64(master_key.seal(purpose_for(user), bytes_));
}

}  // namespace safawinet
