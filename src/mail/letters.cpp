#include "mail/letters.hpp"

#include <array>
#include <utility>

#include "mail/letter_texts.hpp"

namespace safawinet {
namespace {

struct Translation {
  Language language;
  LetterSource (*letter)(MailKind kind);
};
constexpr std::array kTranslations{
    Translation{{.tag = "en"}, english_letter},
    Translation{{.tag = "ar", .direction = Direction::right_to_left}, arabic_letter},
};

// By the first part of the tag: "ar-EG" is Arabic.
const Translation& translation_for(std::string_view locale) {
  const auto language = locale.substr(0, locale.find_first_of("-_"));
  for (const auto& translation : kTranslations) {
    if (translation.language.tag == language) return translation;
  }
  return kTranslations.front();
}

// "2026-11-29 18:20 UTC"
std::string for_people(Time time) {
  auto text = to_rfc3339(time);
  text.resize(sizeof "2026-11-29T18:20" - 1);
  text.replace(text.find('T'), 1, " ");
  return text + " UTC";
}

const char* flag_of(FactorChange change) {
  switch (change) {
    case FactorChange::added:
      return "added";
    case FactorChange::removed:
      return "removed";
    case FactorChange::codes_renewed:
      return "renewed";
    case FactorChange::taken_away:
      return "taken";
  }
  std::unreachable();
}

constexpr std::string_view kForgotten = "/forgot-password";

}  // namespace

std::vector<Language> letter_languages() {
  std::vector<Language> languages;
  for (const auto& translation : kTranslations) languages.push_back(translation.language);
  return languages;
}

Mail Letters::write(MailKind kind, const Addressee& to, const LetterValues& values) const {
  const auto& translation = translation_for(to.locale);
  auto written = write_letter(translation.letter(kind), values, translation.language, service_);
  return {.to = to.email,
          .kind = kind,
          .user = to.user,
          .subject = std::move(written.subject),
          .text = std::move(written.text),
          .html = std::move(written.html)};
}

Mail Letters::verify_email(const Addressee& to, const SecretText& token) const {
  LetterValues values;
  values.trusted("link", public_url_ + "/verify-email?token=" + std::string(token.reveal()));
  return write(MailKind::verify_email, to, values);
}

Mail Letters::already_registered(const Addressee& to) const {
  LetterValues values;
  values.trusted("link", public_url_ + std::string(kForgotten));
  return write(MailKind::already_registered, to, values);
}

Mail Letters::reset_password(const Addressee& to, const SecretText& token) const {
  LetterValues values;
  values.trusted("link", public_url_ + "/reset-password?token=" + std::string(token.reveal()));
  return write(MailKind::reset_password, to, values);
}

Mail Letters::password_changed(const Addressee& to, Time at) const {
  LetterValues values;
  values.trusted("at", for_people(at)).trusted("link", public_url_ + std::string(kForgotten));
  return write(MailKind::password_changed, to, values);
}

Mail Letters::confirm_new_email(const Addressee& to, const SecretText& token) const {
  LetterValues values;
  values.trusted("link", public_url_ + "/verify-email?token=" + std::string(token.reveal()));
  return write(MailKind::confirm_new_email, to, values);
}

Mail Letters::email_changed(const Addressee& to, std::string_view new_email, Time at) const {
  LetterValues values;
  values.trusted("email", std::string(new_email)).trusted("at", for_people(at));
  return write(MailKind::email_changed, to, values);
}

Mail Letters::invitation(const Addressee& to, const SecretText& token) const {
  LetterValues values;
  values.trusted("token", std::string(token.reveal())).trusted("link", public_url_);
  return write(MailKind::invitation, to, values);
}

Mail Letters::session_ended_for_reuse(const Addressee& to, std::string_view device_name, Time at) const {
  LetterValues values;
  values.untrusted("device", device_name)
      .trusted("at", for_people(at))
      .trusted("link", public_url_ + std::string(kForgotten));
  return write(MailKind::session_ended_for_reuse, to, values);
}

Mail Letters::second_factor_changed(const Addressee& to, FactorChange change, Time at) const {
  LetterValues values;
  values.flag(flag_of(change)).trusted("at", for_people(at)).trusted("link", public_url_ + std::string(kForgotten));
  return write(MailKind::second_factor_changed, to, values);
}

Mail Letters::codes_guessed(const Addressee& to, Time at) const {
  LetterValues values;
  values.trusted("at", for_people(at)).trusted("link", public_url_ + std::string(kForgotten));
  return write(MailKind::codes_guessed, to, values);
}

Mail Letters::new_device(const Addressee& to, std::string_view device_name, std::string_view network, Time at) const {
  LetterValues values;
  values.untrusted("device", device_name)
      .untrusted("network", network)
      .trusted("at", for_people(at))
      .trusted("link", public_url_ + std::string(kForgotten));
  return write(MailKind::new_device, to, values);
}

Mail Letters::forced_logout(const Addressee& to, Time at) const {
  LetterValues values;
  values.trusted("at", for_people(at));
  return write(MailKind::forced_logout, to, values);
}

Mail Letters::account_held(const Addressee& to, Time at) const {
  LetterValues values;
  values.trusted("at", for_people(at));
  return write(MailKind::account_held, to, values);
}

Mail Letters::account_deleted(const Addressee& to) const { return write(MailKind::account_deleted, to, {}); }

Mail Letters::announcement(const Addressee& to, std::string_view title, std::string_view message) const {
  LetterValues values;
  values.trusted("title", std::string(title)).trusted("message", std::string(message));
  return write(MailKind::announcement, to, values);
}

Mail Letters::test(const Addressee& to, Time at) const {
  LetterValues values;
  values.trusted("at", for_people(at));
  return write(MailKind::test, to, values);
}

Mail Letters::sample(MailKind kind, const Addressee& to, Time at) const {
  const SecretText token("an-example-that-opens-nothing");
  switch (kind) {
    case MailKind::verify_email:
      return verify_email(to, token);
    case MailKind::reset_password:
      return reset_password(to, token);
    case MailKind::confirm_new_email:
      return confirm_new_email(to, token);
    case MailKind::already_registered:
      return already_registered(to);
    case MailKind::password_changed:
      return password_changed(to, at);
    case MailKind::email_changed:
      return email_changed(to, "new.address@example.com", at);
    case MailKind::second_factor_changed:
      return second_factor_changed(to, FactorChange::added, at);
    case MailKind::codes_guessed:
      return codes_guessed(to, at);
    case MailKind::session_ended_for_reuse:
      return session_ended_for_reuse(to, "Firefox on Linux", at);
    case MailKind::new_device:
      return new_device(to, "Firefox on Linux", "192.0.2.0/24", at);
    case MailKind::forced_logout:
      return forced_logout(to, at);
    case MailKind::account_held:
      return account_held(to, at);
    case MailKind::account_deleted:
      return account_deleted(to);
    case MailKind::invitation:
      return invitation(to, token);
    case MailKind::test:
      return test(to, at);
    case MailKind::announcement:
      return announcement(to, "Maintenance on Sunday",
                          "On Sunday from 02:00 to 04:00 UTC nobody can sign in. Whoever is signed in stays so.");
  }
  std::unreachable();
}

}  // namespace safawinet
