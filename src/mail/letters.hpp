// What our mails say. Links are built from the configured public URL and nothing else.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "mail/mail.hpp"

namespace safawinet {

// Threading: immutable.
class Letters {
 public:
  explicit Letters(std::string public_url) : public_url_(std::move(public_url)) {}

  [[nodiscard]] Mail verify_email(std::string_view to, const SecretText& token) const;
  // Somebody registered with the address of an account that exists.
  [[nodiscard]] Mail already_registered(std::string_view to) const;
  [[nodiscard]] Mail reset_password(std::string_view to, const SecretText& token) const;
  [[nodiscard]] Mail password_changed(std::string_view to, Time at) const;
  // To the new address, to prove it.
  [[nodiscard]] Mail confirm_new_email(std::string_view to, const SecretText& token) const;
  // To the old address, after the change.
  [[nodiscard]] Mail email_changed(std::string_view to, std::string_view new_email, Time at) const;
  [[nodiscard]] Mail invitation(std::string_view to, const SecretText& token) const;
  // A refresh token was used again after its successor: the session was ended.
  [[nodiscard]] Mail session_ended_for_reuse(std::string_view to, std::string_view device_name, Time at) const;
  // What has happened to the second factor: "was added", "was removed", …
  [[nodiscard]] Mail second_factor_changed(std::string_view to, std::string_view what_happened, Time at) const;
  // Somebody gave the right password and wrong codes, until there may be no more for a while.
  [[nodiscard]] Mail codes_guessed(std::string_view to, Time at) const;
  [[nodiscard]] Mail account_deleted(std::string_view to) const;

 private:
  std::string public_url_;
};

}  // namespace safawinet
