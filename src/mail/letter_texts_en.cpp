#include <utility>

#include "mail/letter_texts.hpp"

namespace safawinet {

LetterSource english_letter(MailKind kind) {
  switch (kind) {
    case MailKind::verify_email:
      return {.subject = "Confirm your e-mail address", .body = R"(
Somebody, probably you, signed up with this e-mail address. To confirm that it is yours, open:

-> {{link}} Confirm the address

The link works once, for 24 hours. If it was not you, ignore this mail: nothing happens until the address is confirmed.
)"};
    case MailKind::already_registered:
      return {.subject = "You already have an account", .body = R"(
Somebody, probably you, tried to sign up with this e-mail address, which has an account already. Nothing was changed.

If you have forgotten your password, ask for a new one at:

-> {{link}} Choose a new password

If it was not you, you need not do anything.
)"};
    case MailKind::reset_password:
      return {.subject = "Choose a new password", .body = R"(
Somebody, probably you, asked for a new password for this account. To choose one, open:

-> {{link}} Choose a new password

The link works once, for 30 minutes. It signs you out on every device. If it was not you, ignore this mail: your
password stays as it is.
)"};
    case MailKind::password_changed:
      return {.subject = "Your password was changed", .body = R"(
The password of your account was changed at {{at}}. Other devices were signed out.

If it was not you, choose a new password at once:

-> {{link}} Choose a new password
)"};
    case MailKind::confirm_new_email:
      return {.subject = "Confirm your new e-mail address", .body = R"(
To make this the e-mail address of your account, open:

-> {{link}} Confirm the address

The link works once, for one hour. If you did not ask for this, ignore this mail.
)"};
    case MailKind::email_changed:
      return {.subject = "Your e-mail address was changed", .body = R"(
The e-mail address of your account was changed to {{email}} at {{at}}.

If it was not you, tell the people who run this service.
)"};
    case MailKind::invitation:
      return {.subject = "You are invited", .body = R"(
You are invited to open an account. To accept, sign up with this invitation code:

== {{token}}

Sign up at:

-> {{link}} Sign up

It works once, for 7 days.
)"};
    case MailKind::session_ended_for_reuse:
      return {.subject = "We signed one of your devices out", .body = R"(
A copy of the sign-in of your device "{{device}}" was used at {{at}}. That should never happen, so we signed that device
out.

Sign in there again. If you see devices that you do not know in your list of devices, end them and choose a new
password:

-> {{link}} Choose a new password
)"};
    case MailKind::second_factor_changed:
      return {.subject = "The second factor of your account was changed", .body = R"(
{{#added}}A second factor was added to your account{{/added}}{{#removed}}The second factor of your account was
removed{{/removed}}{{#renewed}}The backup codes of your account were made anew{{/renewed}}{{#taken}}The second factor of
your account was taken away by an administrator{{/taken}} at {{at}}. Other devices were signed out.

If it was not you, choose a new password at once, and tell the people who run this service:

-> {{link}} Choose a new password
)"};
    case MailKind::codes_guessed:
      return {.subject = "Somebody knows your password", .body = R"(
Somebody gave the password of your account, and then wrong codes of your second factor, several times, the last time at
{{at}}. Nobody got in with them.

If it was not you, choose a new password at once:

-> {{link}} Choose a new password
)"};
    case MailKind::new_device:
      return {.subject = "A new sign-in to your account", .body = R"(
Somebody signed in to your account at {{at}}, from where you have not signed in before: device "{{device}}", network
{{network}}.

If it was you, you need not do anything. If it was not, choose a new password at once; that signs out every device:

-> {{link}} Choose a new password
)"};
    case MailKind::forced_logout:
      return {.subject = "You were signed out on all devices", .body = R"(
The people who run this service signed your account out on all devices at {{at}}. Your password is as it was: sign in
again.
)"};
    case MailKind::account_held:
      return {.subject = "Your account was suspended", .body = R"(
Your account was suspended at {{at}}, and signed out on all devices.

If you do not know why, ask the people who run this service.
)"};
    case MailKind::account_deleted:
      return {.subject = "Your account was deleted", .body = R"(
Your account was deleted, as you asked. Its sessions have ended.

If it was not you, tell the people who run this service.
)"};
    case MailKind::announcement:
      return {.subject = "{{title}}", .body = R"(
{{message}}
)"};
    case MailKind::test:
      return {.subject = "A test of the mail of this service", .body = R"(
This mail was sent at {{at}} by somebody who runs this service, to see whether its mail arrives. It did.
)"};
  }
  std::unreachable();
}

}  // namespace safawinet
