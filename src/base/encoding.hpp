// Bytes as text: base64url without padding (RFC 4648 section 5), base64, hexadecimal.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace safawinet {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string to_base64url(ByteView bytes);
// Strict: none for padding, for characters outside the alphabet and for unused trailing bits that are not zero, so that
// each byte string has exactly one spelling.
std::optional<Bytes> from_base64url(std::string_view text);

// The ordinary alphabet with padding (RFC 4648 section 4); equally strict.
std::string to_base64(ByteView bytes);
std::optional<Bytes> from_base64(std::string_view text);

std::string to_hex(ByteView bytes);

}  // namespace safawinet
