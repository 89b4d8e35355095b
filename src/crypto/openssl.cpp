#include "crypto/openssl.hpp"

#include <openssl/err.h>

#include <array>
#include <string>

namespace safawinet::openssl {
namespace {

std::string describe(const char* operation) {
  std::array<char, 256> text{};
  ERR_error_string_n(ERR_peek_last_error(), text.data(), text.size());
  ERR_clear_error();
  return std::string(operation) + " failed: " + text.data();
}

}  // namespace

Failure::Failure(const char* operation) : std::runtime_error(describe(operation)) {}

}  // namespace safawinet::openssl
