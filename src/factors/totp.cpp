#include "factors/totp.hpp"

#include <liboath/oath.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <stdexcept>

#include "crypto/digest.hpp"
#include "crypto/sealing.hpp"

namespace safawinet {
namespace {

constexpr std::size_t kLongestCode = 9;  // digits, and the NUL behind them

void check(int outcome) {
  if (outcome != OATH_OK) throw std::runtime_error(std::string("liboath: ") + oath_strerror(outcome));
}

const char* as_chars(ByteView bytes) { return reinterpret_cast<const char*>(bytes.data()); }

void initialise() {
  static const int outcome = oath_init();
  check(outcome);
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                          c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      out.append(1, '%').append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
    }
  }
  return out;
}

}  // namespace

std::int64_t totp_step_of(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()) / kTotpStep;
}

SecretText totp_code(ByteView secret, std::int64_t step, unsigned digits) {
  initialise();
  std::array<char, kLongestCode> code{};
  check(oath_hotp_generate(as_chars(secret), secret.size(), static_cast<std::uint64_t>(step), digits, false,
                           OATH_HOTP_DYNAMIC_TRUNCATION, code.data()));
  return SecretText(code.data());
}

UsedSteps UsedSteps::parse(std::string_view text) {
  UsedSteps used;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    std::int64_t step = 0;
    const auto [next, error] = std::from_chars(at, end, step);
    if (error != std::errc() || (next != end && *next != ',')) throw std::runtime_error("used_steps is no list");
    at = next == end ? end : next + 1;
    used.steps_.push_back(step);
  }
  return used;
}

bool UsedSteps::refuses(std::int64_t step, Time now) const {
  const auto furthest = totp_step_of(now) + kTotpDriftSteps;
  return std::ranges::any_of(steps_,
                             [=](std::int64_t used) { return used == step || (used > step && used <= furthest); });
}

void UsedSteps::add(std::int64_t step) {
  steps_.push_back(step);
  if (steps_.size() > kRemembered) steps_.erase(steps_.begin());
}

std::string UsedSteps::text() const {
  std::string text;
  for (const auto step : steps_) text.append(text.empty() ? "" : ",").append(std::to_string(step));
  return text;
}

std::optional<std::int64_t> find_totp_step(ByteView secret, std::string_view code, Time now, const UsedSteps& used) {
  std::optional<std::int64_t> found;
  const auto current = totp_step_of(now);
  for (auto step = current - kTotpDriftSteps; step <= current + kTotpDriftSteps; ++step) {
    const auto right = totp_code(secret, step);
    const bool is_it = constant_time_equal(as_bytes(right.reveal()), as_bytes(code));
    if (is_it && !used.refuses(step, now)) found = step;
  }
  return found;
}

SecretText totp_secret_text(ByteView secret) {
  char* encoded = nullptr;
  std::size_t length = 0;
  check(oath_base32_encode(as_chars(secret), secret.size(), &encoded, &length));
  const std::unique_ptr<char, decltype(&std::free)> owned(encoded, &std::free);
  std::string text(encoded, length);
  wipe(std::span(reinterpret_cast<std::uint8_t*>(encoded), length));
  while (text.ends_with('=')) text.pop_back();
  return SecretText(std::move(text));
}

SecretText totp_uri(ByteView secret, std::string_view issuer, std::string_view account) {
  const auto secret_text = totp_secret_text(secret);
  const auto issuer_text = percent_encoded(issuer);
  std::string uri = "otpauth://totp/";
  uri.append(issuer_text).append(":").append(percent_encoded(account));
  uri.append("?secret=").append(secret_text.reveal()).append("&issuer=").append(issuer_text);
  uri.append("&algorithm=SHA1&digits=").append(std::to_string(kTotpDigits));
  uri.append("&period=").append(std::to_string(kTotpStep.count()));
  return SecretText(std::move(uri));
}

}  // namespace safawinet
