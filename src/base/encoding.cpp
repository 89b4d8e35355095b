#include "base/encoding.hpp"

#include <array>

namespace safawinet {
namespace {

constexpr std::string_view kUrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view kPlainAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> values_of(std::string_view alphabet) {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < alphabet.size(); ++i) {
    values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kUrlValues = values_of(kUrlAlphabet);
constexpr auto kPlainValues = values_of(kPlainAlphabet);

// Three bytes at a time: the audit log is verified with three of these for each entry.
std::string encode(ByteView bytes, std::string_view alphabet) {
  std::string out((bytes.size() * 4 + 2) / 3, '\0');
  char* to = out.data();
  const auto digit = [&alphabet](std::uint32_t bits) { return alphabet[bits & 63]; };
  std::size_t at = 0;
  for (; at + 3 <= bytes.size(); at += 3) {
    const std::uint32_t bits = std::uint32_t{bytes[at]} << 16 | std::uint32_t{bytes[at + 1]} << 8 | bytes[at + 2];
    *to++ = digit(bits >> 18);
    *to++ = digit(bits >> 12);
    *to++ = digit(bits >> 6);
    *to++ = digit(bits);
  }
  if (at + 1 == bytes.size()) {
    const std::uint32_t bits = std::uint32_t{bytes[at]} << 4;
    *to++ = digit(bits >> 6);
    *to++ = digit(bits);
  } else if (at + 2 == bytes.size()) {
    const std::uint32_t bits = std::uint32_t{bytes[at]} << 10 | std::uint32_t{bytes[at + 1]} << 2;
    *to++ = digit(bits >> 12);
    *to++ = digit(bits >> 6);
    *to++ = digit(bits);
  }
  return out;
}

std::optional<Bytes> decode(std::string_view text, const std::array<std::int8_t, 256>& values) {
  if (text.size() % 4 == 1) return std::nullopt;
  Bytes out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const auto value = values[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      out.push_back(static_cast<std::uint8_t>(bits >> count));
    }
  }
  if ((bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return out;
}

}  // namespace

std::string to_base64url(ByteView bytes) { return encode(bytes, kUrlAlphabet); }
std::optional<Bytes> from_base64url(std::string_view text) { return decode(text, kUrlValues); }

std::string to_base64(ByteView bytes) {
  auto out = encode(bytes, kPlainAlphabet);
  while (out.size() % 4 != 0) out += '=';
  return out;
}

std::optional<Bytes> from_base64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  if (padding != (4 - text.size() % 4) % 4) return std::nullopt;
  return decode(text, kPlainValues);
}

std::string to_hex(ByteView bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

}  // namespace safawinet
