"""What owners are told of their accounts, and when they are not bothered."""

import time

import pytest

from harness.people import PASSWORD, signed_up_user, with_role
from harness.server import eventually

NEW_SIGN_IN = "A new sign-in to your account"
SIGNED_OUT = "You were signed out on all devices"
SUSPENDED = "Your account was suspended"


def subjects(server, email: str) -> list[str]:
    return [mail.subject for mail in server.mail.to(email)]


def test_a_login_from_elsewhere_is_told_once_and_the_first_one_is_not(shared_server):
    person = signed_up_user(shared_server)
    assert shared_server.api().login(person.email, PASSWORD).status == 200
    elsewhere = shared_server.api(source="127.0.77.1")
    assert elsewhere.login(person.email, PASSWORD, device_name="Phone https://evil.test").status == 200
    mail = eventually(
        lambda: next((mail for mail in shared_server.mail.to(person.email) if mail.subject == NEW_SIGN_IN), None), "told"
    )
    assert "127.0.77.0/24" in mail.text.replace("\u2060", "") and "Phone" in mail.text
    assert "evil.test" not in mail.text, "what the stranger wrote is no link"
    assert elsewhere.login(person.email, PASSWORD).status == 200
    assert shared_server.api(source="127.0.77.2").login(person.email, PASSWORD).status == 200
    time.sleep(0.5)
    assert subjects(shared_server, person.email).count(NEW_SIGN_IN) == 1, "the network is known by now"


def test_a_forced_logout_and_a_suspension_are_told(shared_server):
    person = signed_up_user(shared_server)
    admin = shared_server.admin()
    assert admin.post("/v1/auth/force-logout", {"userId": person.id}).json["sessionsEnded"] == 1
    eventually(lambda: SIGNED_OUT in subjects(shared_server, person.email), "the logout is told")
    assert admin.post("/v1/auth/force-logout", {"userId": person.id}).json["sessionsEnded"] == 0
    assert admin.post(f"/v1/admin/users/{person.id}/disable", {"reason": "a dispute"}).status == 200
    mail = eventually(
        lambda: next((mail for mail in shared_server.mail.to(person.email) if mail.subject == SUSPENDED), None), "told"
    )
    assert "dispute" not in mail.text, "the reason is the operators' own"
    assert subjects(shared_server, person.email).count(SIGNED_OUT) == 1, "nothing was ended the second time"


@pytest.mark.parametrize(("locale", "subject", "direction"), [
    ("ar-EG", "تم تسجيل خروجك من كل الأجهزة", "rtl"), ("en", SIGNED_OUT, "ltr"), ("tlh", SIGNED_OUT, "ltr"),
])
def test_mail_is_in_the_language_of_the_account(shared_server, locale, subject, direction):
    person = signed_up_user(shared_server)
    assert person.api.change_profile(locale=locale).status == 200
    assert shared_server.admin().post("/v1/auth/force-logout", {"userId": person.id}).status == 200
    mail = eventually(
        lambda: next((mail for mail in shared_server.mail.to(person.email) if mail.subject == subject), None), "told"
    )
    assert f'dir="{direction}"' in mail.message.get_body(("html",)).get_content()


def test_the_last_mails_are_shown_to_support(shared_server):
    person = signed_up_user(shared_server)
    support = with_role(shared_server, "support")
    items = eventually(lambda: support.api.get(f"/v1/admin/users/{person.id}/mails").json["items"], "the mail is recorded")
    assert items[0]["kind"] == "verify-email" and items[0]["state"] == "sent"
    assert "token" not in str(items).lower()
    assert person.api.get(f"/v1/admin/users/{person.id}/mails").status == 403
    assert person.api.delete_account(PASSWORD).status == 204
    assert shared_server.sql("SELECT count(*) FROM mail_history WHERE user_id = ?", person.id) == [(0,)]
