#include "sessions/bulk_logout_confirmation.hpp"

#include <algorithm>
#include <cstring>
#include <span>

#include "base/encoding.hpp"

namespace safawinet {
namespace {

constexpr std::string_view kPrefix = "sf_bl_";
// What the MAC covers begins with this, so that a MAC made for another purpose fits no confirmation.
constexpr std::string_view kDomain = "safawinet bulk logout";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kIssuedAtAt = 1;
constexpr std::size_t kSessionsAt = kIssuedAtAt + 8;
constexpr std::size_t kNonceAt = kSessionsAt + 8;
constexpr std::size_t kBodyBytes = kNonceAt + 16;

using Body = std::array<std::uint8_t, kBodyBytes>;

void put_big_endian(std::uint8_t* at, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof bits; ++i) at[i] = static_cast<std::uint8_t>(bits >> 8 * (sizeof bits - 1 - i));
}

std::int64_t get_big_endian(const std::uint8_t* at) {
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < sizeof bits; ++i) bits = bits << 8 | at[i];
  return static_cast<std::int64_t>(bits);
}

Body body_of(const BulkLogoutConfirmation& confirmation) {
  Body body{};
  body[0] = kVersion;
  put_big_endian(&body[kIssuedAtAt], confirmation.issued_at.time_since_epoch().count());
  put_big_endian(&body[kSessionsAt], confirmation.sessions);
  std::ranges::copy(confirmation.nonce, &body[kNonceAt]);
  return body;
}

// Parts before the criteria have one length each, or it stands in front; so no two requests give the same bytes.
std::string signed_text(const std::uint8_t* body, const BulkLogoutRequest& request) {
  std::string text(kDomain);
  text.append(reinterpret_cast<const char*>(body), kBodyBytes);
  text += std::to_string(request.acting.actor.text.size()) + ':' + request.acting.actor.text;
  text += static_cast<char>('0' + static_cast<int>(request.acting.rank));
  text += request.includes_own_session ? '1' : '0';
  append_json(text, request.criteria);
  return text;
}

// The random part of an id that is to be found again.
class NonceAsRandom final : public Random {
 public:
  explicit NonceAsRandom(const std::array<std::uint8_t, 16>& nonce) : nonce_(nonce) {}
  void fill(std::span<std::byte> bytes) override { std::memcpy(bytes.data(), nonce_.data(), bytes.size()); }

 private:
  const std::array<std::uint8_t, 16>& nonce_;
};

}  // namespace

BulkLogoutConfirmation BulkLogoutConfirmation::make(Time now, std::int64_t sessions, Random& random) {
  BulkLogoutConfirmation made{.issued_at = now, .sessions = sessions};
  random.fill(std::as_writable_bytes(std::span(made.nonce)));
  return made;
}

std::optional<BulkLogoutConfirmation> BulkLogoutConfirmation::parse(std::string_view text,
                                                                    const BulkLogoutRequest& request,
                                                                    const MacKey& key) {
  if (!text.starts_with(kPrefix)) return std::nullopt;
  const auto bytes = from_base64url(text.substr(kPrefix.size()));
  if (!bytes || bytes->size() != kBodyBytes + kSha256Bytes || bytes->front() != kVersion) return std::nullopt;
  const auto covered = signed_text(bytes->data(), request);
  if (!key.verify(as_bytes(covered), ByteView(*bytes).subspan(kBodyBytes))) return std::nullopt;
  BulkLogoutConfirmation parsed{
      .issued_at = Time(std::chrono::microseconds(get_big_endian(bytes->data() + kIssuedAtAt))),
      .sessions = get_big_endian(bytes->data() + kSessionsAt)};
  std::copy_n(bytes->data() + kNonceAt, parsed.nonce.size(), parsed.nonce.begin());
  return parsed;
}

std::string BulkLogoutConfirmation::format(const BulkLogoutRequest& request, const MacKey& key) const {
  const auto body = body_of(*this);
  const auto mac = key.sign(as_bytes(signed_text(body.data(), request)));
  Bytes bytes(body.begin(), body.end());
  bytes.insert(bytes.end(), mac.begin(), mac.end());
  return std::string(kPrefix) + to_base64url(bytes);
}

BulkLogoutId BulkLogoutConfirmation::order_id() const {
  NonceAsRandom random(nonce);
  return BulkLogoutId{Uuid::version7(issued_at, random)};
}

}  // namespace safawinet
