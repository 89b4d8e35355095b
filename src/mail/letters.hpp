// Our mails: what each kind says, to whom. Links are built from the configured public URL and nothing else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/secret.hpp"
#include "mail/addressee.hpp"
#include "mail/letter_source.hpp"
#include "mail/mail.hpp"

namespace safawinet {

// What has happened to the second factor of an account.
enum class FactorChange { added, removed, codes_renewed, taken_away };

// Threading: immutable.
class Letters {
 public:
  // `service`: what the recipients know it by, such as the display name of the sender.
  explicit Letters(std::string public_url, std::string service = "Safawinet")
      : public_url_(std::move(public_url)), service_(std::move(service)) {}

  [[nodiscard]] Mail verify_email(const Addressee& to, const SecretText& token) const;
  // Somebody registered with the address of an account that exists.
  [[nodiscard]] Mail already_registered(const Addressee& to) const;
  [[nodiscard]] Mail reset_password(const Addressee& to, const SecretText& token) const;
  [[nodiscard]] Mail password_changed(const Addressee& to, Time at) const;
  // To the new address, to prove it.
  [[nodiscard]] Mail confirm_new_email(const Addressee& to, const SecretText& token) const;
  // To the old address, after the change.
  [[nodiscard]] Mail email_changed(const Addressee& to, std::string_view new_email, Time at) const;
  [[nodiscard]] Mail invitation(const Addressee& to, const SecretText& token) const;
  // A refresh token was used again after its successor: the session was ended.
  [[nodiscard]] Mail session_ended_for_reuse(const Addressee& to, std::string_view device_name, Time at) const;
  [[nodiscard]] Mail second_factor_changed(const Addressee& to, FactorChange change, Time at) const;
  // Somebody gave the right password and wrong codes, until there may be no more for a while.
  [[nodiscard]] Mail codes_guessed(const Addressee& to, Time at) const;
  // A login from where this account has not logged in before.
  [[nodiscard]] Mail new_device(const Addressee& to, std::string_view device_name, std::string_view network,
                                Time at) const;
  // An operator has ended all sessions.
  [[nodiscard]] Mail forced_logout(const Addressee& to, Time at) const;
  // The account was disabled.
  [[nodiscard]] Mail account_held(const Addressee& to, Time at) const;
  [[nodiscard]] Mail account_deleted(const Addressee& to) const;
  [[nodiscard]] Mail announcement(const Addressee& to, std::string_view title, std::string_view message) const;
  // To see whether mail arrives at all.
  [[nodiscard]] Mail test(const Addressee& to, Time at) const;

  // As it would be sent, with made-up links, codes and devices.
  [[nodiscard]] Mail sample(MailKind kind, const Addressee& to, Time at) const;

 private:
  [[nodiscard]] Mail write(MailKind kind, const Addressee& to, const LetterValues& values) const;

  std::string public_url_;
  std::string service_;
};

// The languages that all letters are written in; the first one is for who asks for another.
std::vector<Language> letter_languages();

}  // namespace safawinet
