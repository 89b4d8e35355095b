#include "http/characters.hpp"

namespace safawinet::http {
namespace {

// Bytes that follow the first byte of a sequence, and the least value of the second one; RFC 3629 section 4.
struct Sequence {
  std::size_t length;
  unsigned char second_least;
  unsigned char second_most;
};

constexpr Sequence sequence_of(unsigned char first) {
  if (first >= 0xc2 && first <= 0xdf) return {2, 0x80, 0xbf};
  if (first == 0xe0) return {3, 0xa0, 0xbf};
  if (first == 0xed) return {3, 0x80, 0x9f};
  if (first >= 0xe1 && first <= 0xef) return {3, 0x80, 0xbf};
  if (first == 0xf0) return {4, 0x90, 0xbf};
  if (first >= 0xf1 && first <= 0xf3) return {4, 0x80, 0xbf};
  if (first == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

}  // namespace

bool is_utf8(std::string_view text) {
  const auto byte = [text](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  for (std::size_t at = 0; at < text.size();) {
    if (byte(at) < 0x80) {
      ++at;
      continue;
    }
    const Sequence sequence = sequence_of(byte(at));
    if (sequence.length == 0 || text.size() - at < sequence.length) return false;
    if (byte(at + 1) < sequence.second_least || byte(at + 1) > sequence.second_most) return false;
    for (std::size_t next = 2; next < sequence.length; ++next) {
      if ((byte(at + next) & 0xc0) != 0x80) return false;
    }
    at += sequence.length;
  }
  return true;
}

}  // namespace safawinet::http
