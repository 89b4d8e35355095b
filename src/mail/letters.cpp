#include "mail/letters.hpp"

#include <kainjow/mustache.hpp>

#include <utility>

namespace safawinet {
namespace {

using kainjow::mustache::data;

struct Template {
  const char* subject;
  const char* text;
};

constexpr Template kVerifyEmail{"Confirm your e-mail address",
                                R"(Somebody, probably you, signed up with this e-mail address.

To confirm that it is yours, open:

{{link}}

The link works once, for 24 hours. If it was not you, ignore this mail: nothing
happens until the address is confirmed.
)"};

constexpr Template kAlreadyRegistered{
    "You already have an account",
    R"(Somebody, probably you, tried to sign up with this e-mail address, which has an account
already. Nothing was changed.

If you have forgotten your password, ask for a new one at:

{{link}}

If it was not you, you need not do anything.
)"};

constexpr Template kResetPassword{"Choose a new password",
                                  R"(Somebody, probably you, asked for a new password for this account.

To choose one, open:

{{link}}

The link works once, for 30 minutes. It signs you out on every device. If it was not
you, ignore this mail: your password stays as it is.
)"};

constexpr Template kPasswordChanged{
    "Your password was changed",
    R"(The password of your account was changed at {{at}}. Other devices were signed out.

If it was not you, choose a new password at once:

{{link}}
)"};

constexpr Template kConfirmNewEmail{"Confirm your new e-mail address",
                                    R"(To make this the e-mail address of your account, open:

{{link}}

The link works once, for one hour. If you did not ask for this, ignore this mail.
)"};

constexpr Template kEmailChanged{"Your e-mail address was changed",
                                 R"(The e-mail address of your account was changed to {{email}} at {{at}}.

If it was not you, tell the people who run this service.
)"};

constexpr Template kInvitation{"You are invited",
                               R"(You are invited to open an account. To accept, sign up with this invitation code:

{{token}}

at {{link}}

It works once, for 7 days.
)"};

constexpr Template kSessionReuse{
    "We signed one of your devices out",
    R"(A copy of the sign-in of your device "{{device}}" was used at {{at}}. That should never
happen, so we signed that device out.

Sign in there again. If you see devices that you do not know in your list of devices,
end them and choose a new password:

{{link}}
)"};

constexpr Template kSecondFactorChanged{"The second factor of your account was changed",
                                        R"({{what}} at {{at}}. Other devices were signed out.

If it was not you, choose a new password at once, and tell the people who run this
service:

{{link}}
)"};

constexpr Template kCodesGuessed{
    "Somebody knows your password",
    R"(Somebody gave the password of your account, and then wrong codes of your second factor,
several times, the last time at {{at}}. Nobody got in with them.

If it was not you, choose a new password at once:

{{link}}
)"};

constexpr Template kAccountDeleted{"Your account was deleted",
                                   R"(Your account was deleted, as you asked. Its sessions have ended.

If it was not you, tell the people who run this service.
)"};

// Plain text: nothing is escaped for HTML.
Mail render(std::string_view to, const Template& source, data values) {
  kainjow::mustache::mustache text(source.text);
  text.set_custom_escape([](const std::string& plain) { return plain; });
  return {.to = std::string(to), .subject = source.subject, .text = text.render(values)};
}

}  // namespace

Mail Letters::verify_email(std::string_view to, const SecretText& token) const {
  data values;
  values.set("link", public_url_ + "/verify-email?token=" + std::string(token.reveal()));
  return render(to, kVerifyEmail, std::move(values));
}

Mail Letters::already_registered(std::string_view to) const {
  data values;
  values.set("link", public_url_ + "/forgot-password");
  return render(to, kAlreadyRegistered, std::move(values));
}

Mail Letters::reset_password(std::string_view to, const SecretText& token) const {
  data values;
  values.set("link", public_url_ + "/reset-password?token=" + std::string(token.reveal()));
  return render(to, kResetPassword, std::move(values));
}

Mail Letters::password_changed(std::string_view to, Time at) const {
  data values;
  values.set("at", to_rfc3339(at));
  values.set("link", public_url_ + "/forgot-password");
  return render(to, kPasswordChanged, std::move(values));
}

Mail Letters::confirm_new_email(std::string_view to, const SecretText& token) const {
  data values;
  values.set("link", public_url_ + "/verify-email?token=" + std::string(token.reveal()));
  return render(to, kConfirmNewEmail, std::move(values));
}

Mail Letters::email_changed(std::string_view to, std::string_view new_email, Time at) const {
  data values;
  values.set("email", std::string(new_email));
  values.set("at", to_rfc3339(at));
  return render(to, kEmailChanged, std::move(values));
}

Mail Letters::invitation(std::string_view to, const SecretText& token) const {
  data values;
  values.set("token", std::string(token.reveal()));
  values.set("link", public_url_);
  return render(to, kInvitation, std::move(values));
}

Mail Letters::session_ended_for_reuse(std::string_view to, std::string_view device_name, Time at) const {
  data values;
  values.set("device", std::string(device_name));
  values.set("at", to_rfc3339(at));
  values.set("link", public_url_ + "/forgot-password");
  return render(to, kSessionReuse, std::move(values));
}

Mail Letters::second_factor_changed(std::string_view to, std::string_view what_happened, Time at) const {
  data values;
  values.set("what", std::string(what_happened));
  values.set("at", to_rfc3339(at));
  values.set("link", public_url_ + "/forgot-password");
  return render(to, kSecondFactorChanged, std::move(values));
}

Mail Letters::codes_guessed(std::string_view to, Time at) const {
  data values;
  values.set("at", to_rfc3339(at));
  values.set("link", public_url_ + "/forgot-password");
  return render(to, kCodesGuessed, std::move(values));
}

Mail Letters::account_deleted(std::string_view to) const { return render(to, kAccountDeleted, data()); }

}  // namespace safawinet
