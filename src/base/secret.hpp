// Text that must not be shown: passwords, tokens, keys.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace safawinet {

// Owns its text, wipes it when it ends, and has no conversion to text but the one that says so, and no stream operator:
// it cannot slip into a log line.
class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(const SecretText&) = default;
  SecretText& operator=(const SecretText& other) {
    if (this != &other) {
      wipe();
      text_ = other.text_;
    }
    return *this;
  }
  SecretText(SecretText&& other) noexcept : text_(std::move(other.text_)) { other.wipe(); }
  SecretText& operator=(SecretText&& other) noexcept {
    if (this != &other) {
      wipe();
      text_ = std::move(other.text_);
      other.wipe();
    }
    return *this;
  }
  ~SecretText() { wipe(); }

  [[nodiscard]] std::string_view reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }

 private:
  void wipe() noexcept;

  std::string text_;
};

}  // namespace safawinet
