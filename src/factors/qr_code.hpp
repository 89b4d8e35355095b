// A text as a QR code (ISO/IEC 18004), for a phone to read off a screen. Threading: any thread.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "base/encoding.hpp"
#include "base/secret.hpp"

namespace safawinet {

class QrCode {
 public:
  // At most some 2,000 bytes of text; throws std::runtime_error for more.
  explicit QrCode(std::string_view text);

  // A document of its own, black on white, that scales.
  [[nodiscard]] SecretText svg() const;
  // Grey, eight pixels for each module.
  [[nodiscard]] Bytes png() const;

  [[nodiscard]] std::size_t width() const { return width_; }  // in modules, without the quiet zone
  [[nodiscard]] bool is_dark(std::size_t column, std::size_t row) const { return modules_[row * width_ + column]; }

 private:
  std::size_t width_ = 0;
  std::vector<bool> modules_;
};

}  // namespace safawinet
