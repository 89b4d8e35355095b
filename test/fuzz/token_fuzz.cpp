// Access and refresh tokens against hostile text. The first byte of the input chooses what the rest is:
//   t  a token as a client may send it: what is accepted is spelt exactly as we would spell it (one that an older
//      version signed is accepted too, and spelt otherwise: a seed of ours is made anew when the spelling changes)
//   m  edits (position high, position low, new byte) of a valid token of each kind: none of them is accepted
//   p  a payload, truly signed: what is accepted comes through another issue and verification unchanged
//   h  a header, truly signed: what is accepted has our three members
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/json.hpp"
#include "crypto/keyring.hpp"

namespace safawinet {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kIssuer = "https://api.safawinet.com";
constexpr Time kNow{1'800'000'000s};

void require(bool holds) {
  if (!holds) std::abort();
}

// The key of RFC 8037 appendix A.1, so that the corpus' tokens stay valid.
SigningKey fixed_key() {
  const auto der = from_base64url("MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v_VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g");
  return *SigningKey::from_pkcs8(*der);
}

std::string payload_of(std::string_view token) {
  token.remove_prefix(token.find('.') + 1);
  const auto bytes = from_base64url(token.substr(0, token.find('.')));
  return std::string(bytes->begin(), bytes->end());
}

struct Fixture {
  Keyring ring{
      {.active = fixed_key(), .verifying = {}, .mac_keys = {{7, MacKey(Bytes(32, 1))}}, .active_mac_key_id = 7}};
  AccessClaims claims{.issuer = std::string(kIssuer),
                      .audience = std::string(kIssuer),
                      .client_id = "safawinet",
                      .token_id = "zWZQw0Q1Kx6m",
                      .issued_at = kNow,
                      .expires_at = kNow + 10min,
                      .subject = *UserId::parse("01890a5d-ac96-774b-bcce-b302099a8057"),
                      .session = *SessionId::parse("01890a5d-ac96-774b-bcce-b302099a8058"),
                      .role = "customer",
                      .methods = {"pwd"},
                      .authenticated_at = kNow,
                      .epoch = 1,
                      .token_version = 2};
  std::string access_token = ring.issue_access_token(claims);
  std::string payload = payload_of(access_token);
  std::string refresh_token = ring.format_refresh_token({.key_id = 7, .session = claims.session, .generation = 3});
};

const Fixture& fixture() {
  static const Fixture made;
  return made;
}

std::expected<AccessClaims, TokenFault> verify(std::string_view token) {
  return fixture().ring.verify_access_token(token, {.issuer = kIssuer, .audience = kIssuer, .now = kNow});
}

std::string encode(std::string_view text) { return to_base64url(as_bytes(text)); }

std::string sign_parts(std::string_view header, std::string_view payload) {
  std::string token = encode(header) + "." + encode(payload);
  const auto signature = fixture().ring.signing_key().sign(as_bytes(token));
  return token + "." + to_base64url(signature);
}

void try_text(std::string_view text) {
  const auto claims = verify(text);
  if (claims) require(fixture().ring.issue_access_token(*claims) == text);
  const auto refresh = fixture().ring.parse_refresh_token(text);
  if (refresh) require(fixture().ring.format_refresh_token(*refresh) == text);
}

std::string edited(std::string text, std::string_view edits) {
  for (; edits.size() >= 3; edits.remove_prefix(3)) {
    const auto position =
        static_cast<std::size_t>(static_cast<std::uint8_t>(edits[0]) << 8 | static_cast<std::uint8_t>(edits[1]));
    text[position % text.size()] = edits[2];
  }
  return text;
}

void try_edits(std::string_view edits) {
  const auto access = edited(fixture().access_token, edits);
  require(verify(access).has_value() == (access == fixture().access_token));
  const auto refresh = edited(fixture().refresh_token, edits);
  require(fixture().ring.parse_refresh_token(refresh).has_value() == (refresh == fixture().refresh_token));
}

void try_payload(std::string_view payload) {
  const auto claims = verify(
      sign_parts(R"({"alg":"EdDSA","typ":"at+jwt","kid":")" + fixture().ring.signing_key().id() + R"("})", payload));
  if (!claims) return;
  const auto again = verify(fixture().ring.issue_access_token(*claims));
  require(again && *again == *claims);
}

void try_header(std::string_view header) {
  if (!verify(sign_parts(header, fixture().payload))) return;
  const auto members = parse_json(header);
  require(members && members->is_object() && members->get_object().size() == 3);
  require(members->at("alg") == "EdDSA");
  require(members->at("kid").as_string() == fixture().ring.signing_key().id());
}

}  // namespace
}  // namespace safawinet

// libFuzzer names it so. NOLINTNEXTLINE(readability-identifier-naming)
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 't') safawinet::try_text(rest);
  if (data[0] == 'm') safawinet::try_edits(rest);
  if (data[0] == 'p') safawinet::try_payload(rest);
  if (data[0] == 'h') safawinet::try_header(rest);
  return 0;
}
