"""Mail by SMTP, against a real server: its good days and its bad ones."""

import email.policy
import itertools
import socket
import threading
import time

import pytest

from harness.authority import Authority
from harness.people import OTHER_PASSWORD, PASSWORD
from harness.postgres import free_port
from harness.server import EXEMPT, eventually
from harness.smtp import SmtpServer

_numbers = itertools.count(1)


def address() -> str:
    return f"smtp-{next(_numbers)}@example.test"


@pytest.fixture
def smtp():
    server = SmtpServer(port=free_port())  # which stays free while it is down
    server.start()
    yield server
    server.stop()


@pytest.fixture
def sending(start_server, smtp):
    """A server of ours that sends through it."""
    return start_server(EXEMPT | smtp.settings)


def outbox(server) -> int:
    return server.sql("SELECT count(*) FROM mail_outbox")[0][0]


def outcomes(server, to: str) -> list[str]:
    return [row[0] for row in server.sql("SELECT outcome FROM mail_history WHERE email = ?", to)]


def register(server, to: str) -> None:
    assert server.api().register(to, PASSWORD).status == 202


def test_a_mail_arrives_whole_and_is_recorded(sending, smtp):
    to = address()
    register(sending, to)
    taken = smtp.wait_for(to)
    assert taken.sender == "no-reply@example.test"
    assert taken.recipients == [to]
    message = taken.mail.message
    assert message["From"].addresses[0].display_name == "Example Accounts"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Unsubscribe"] is None, "nobody unsubscribes from the proof of an address"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert not message.defects and not any(part.defects for part in message.walk())
    link = taken.mail.link("/verify-email")
    assert link and link in message.get_body(("html",)).get_content()
    assert sending.api().verify_email(taken.mail.token).status == 204
    eventually(lambda: outcomes(sending, to) == ["sent"], "it is recorded")
    assert outbox(sending) == 0


def test_connections_are_kept_between_mails(sending, smtp):
    recipients = [address() for _ in range(12)]
    for to in recipients:
        register(sending, to)
    for to in recipients:
        smtp.wait_for(to)
    assert smtp.connections <= 2, "as many as mail.connections"


def test_the_same_mail_has_the_same_id_at_every_try(sending, smtp):
    smtp.behaviour.drops_after_data = True
    to = address()
    register(sending, to)
    first = smtp.wait_for(to)
    smtp.behaviour.drops_after_data = False
    second = smtp.wait_for(to, 2)
    assert first.message_id == second.message_id
    eventually(lambda: outcomes(sending, to) == ["sent"], "it is recorded once")


@pytest.mark.parametrize("reply", ["450 4.2.0 greylisted", "451 try again"])
def test_a_recipient_that_is_refused_for_now_gets_the_mail_later(sending, smtp, reply):
    to = address()
    smtp.behaviour.recipient[to] = reply
    register(sending, to)
    eventually(lambda: sending.sql("SELECT last_error FROM mail_outbox")[0][0], "it was tried")
    assert reply in sending.sql("SELECT last_error FROM mail_outbox")[0][0]
    assert sending.api().get("/health").json["dependencies"]["mail"]["status"] == "ok", "one recipient is not the server"
    smtp.behaviour.recipient.clear()
    smtp.wait_for(to)


def test_a_recipient_that_does_not_exist_bounces_and_others_are_not_kept_waiting(sending, smtp):
    gone, there = address(), address()
    smtp.behaviour.recipient[gone] = "550 5.1.1 no such user"
    register(sending, gone)
    register(sending, there)
    smtp.wait_for(there)
    eventually(lambda: outcomes(sending, gone) == ["refused"], "it is over")
    assert sending.sql("SELECT email_status FROM users WHERE email = ?", gone)[0][0] == "bounced"
    admin = sending.admin()
    bounces = admin.get(f"/v1/email/bounces?email={gone}").json["items"]
    assert [(bounce["type"], bounce["source"]) for bounce in bounces] == [("permanent", "smtp")]
    assert "no such user" in bounces[0]["detail"]
    suppressed = admin.get(f"/v1/email/suppressions?query={gone}").json["items"]
    assert [(item["scope"], item["reason"]) for item in suppressed] == [("all", "bounce")]
    # It gets no more mail, and nobody who asks can tell.
    assert sending.api().forgot_password(gone).status == 202
    eventually(lambda: sorted(outcomes(sending, gone)) == ["refused", "suppressed"], "nothing more is sent")
    assert len(smtp.to(gone)) == 0


def test_a_message_that_is_refused_is_not_the_recipients_fault(sending, smtp):
    smtp.behaviour.data = "554 5.6.0 we do not like it"
    to = address()
    register(sending, to)
    eventually(lambda: outcomes(sending, to) == ["refused"], "it is over")
    assert sending.sql("SELECT email_status, bounce_count FROM users WHERE email = ?", to)[0] == ("ok", 0)


def test_while_the_server_is_down_everything_else_goes_on_and_mail_arrives_after(start_server, smtp):
    settings = smtp.settings
    port = smtp.port
    smtp.stop()
    server = start_server(EXEMPT | settings)
    to = address()
    began = time.monotonic()
    register(server, to)
    assert server.api().forgot_password(to).status == 202
    assert time.monotonic() - began < 10
    eventually(lambda: server.api().get("/health").json["dependencies"]["mail"]["status"] == "failing", "it is known")
    again = SmtpServer(port=port)
    again.start()
    try:
        again.wait_for(to, 2, patience_seconds=60)
        eventually(lambda: server.api().get("/health").json["dependencies"]["mail"]["status"] == "ok", "it is well again")
    finally:
        again.stop()


def test_a_slow_server_delays_mail_and_nothing_else(sending, smtp):
    smtp.behaviour.seconds_before_data = 3.0
    to = address()
    register(sending, to)
    began = time.monotonic()
    for _ in range(10):
        assert sending.api().get("/health").status == 200
    assert time.monotonic() - began < 3.0
    smtp.wait_for(to)


def test_what_is_being_sent_is_neither_retried_nor_dropped(sending, smtp):
    smtp.behaviour.seconds_before_data = 3.0
    to = address()
    register(sending, to)
    admin = sending.admin()

    def waiting() -> list[dict]:
        return [mail for mail in admin.get("/v1/email/outbox").json["items"] if mail["email"] == to]

    mail = eventually(lambda: [one for one in waiting() if one["beingSent"]], "it is being sent")[0]
    path = f"/v1/email/outbox/{mail['id']}"
    assert admin.post(f"{path}/retry", {}).status == 409
    assert admin.request("DELETE", path).status == 409
    person = sending.sql("SELECT id FROM users WHERE email = ?", to)[0][0]
    shown = admin.get(f"/v1/admin/users/{person}/mails").json["items"]
    assert [(one["kind"], one["state"]) for one in shown] == [("verify-email", "waiting")]
    smtp.wait_for(to)
    eventually(lambda: not waiting(), "it is recorded")
    assert len(smtp.to(to)) == 1


def test_what_is_being_sent_when_the_server_stops_is_sent_once_and_recorded(start_server, smtp):
    smtp.behaviour.seconds_before_data = 2.0
    server = start_server(EXEMPT | smtp.settings)
    people = [address() for _ in range(6)]
    for to in people:
        register(server, to)
    eventually(lambda: smtp.in_data >= 1, "one is being sent")
    assert server.stop() == 0
    smtp.behaviour.seconds_before_data = 0.0
    server.start()
    # Nobody has to wait until the claims of before are over.
    for to in people:
        smtp.wait_for(to, patience_seconds=20)
    eventually(lambda: all(outcomes(server, to) == ["sent"] for to in people), "all are recorded")
    assert [len(smtp.to(to)) for to in people] == [1] * len(people)


def test_a_mailbox_that_is_there_again_gets_its_owner_back_in(sending, smtp):
    to = address()
    register(sending, to)
    assert sending.api().verify_email(smtp.wait_for(to).mail.token).status == 204
    smtp.behaviour.recipient[to] = "550 5.1.1 no such user"
    assert sending.api().forgot_password(to).status == 202
    eventually(lambda: outcomes(sending, to).count("refused") == 1, "it bounces")
    smtp.behaviour.recipient.clear()
    assert sending.api().forgot_password(to).status == 202
    eventually(lambda: outcomes(sending, to).count("suppressed") == 1, "it was tried today")
    # A day later.
    sending.sql("UPDATE mail_history SET created_at = ? WHERE email = ?", "2020-01-01T00:00:00.000000Z", to)
    assert sending.api().forgot_password(to).status == 202
    link = smtp.wait_for(to, 2).mail
    assert sending.api().reset_password(link.token, OTHER_PASSWORD).status == 204
    assert sending.sql("SELECT email_status FROM users WHERE email = ?", to) == [("ok",)]
    assert sending.sql("SELECT * FROM mail_suppressions WHERE email = ?", to) == []


def test_nobody_drops_mail_about_the_account_of_somebody_above_them(sending, smtp):
    admin = with_role_and_mail(sending, smtp, "admin")
    chief = with_role_and_mail(sending, smtp, "superadmin")
    other = address()
    smtp.behaviour.recipient[other] = "450 4.2.0 not now"
    assert chief.change_email(PASSWORD, other).status == 202
    find = "SELECT id FROM mail_outbox WHERE last_error IS NOT NULL"
    mail = eventually(lambda: sending.sql(find), "it waits")[0][0]
    assert admin.request("DELETE", f"/v1/email/outbox/{mail}").status == 403
    assert chief.request("DELETE", f"/v1/email/outbox/{mail}").status == 204


def with_role_and_mail(server, smtp, role: str):
    """The API as somebody with a role, who has signed up by SMTP."""
    to = address()
    register(server, to)
    assert server.api().verify_email(smtp.wait_for(to).mail.token).status == 204
    server.sql("UPDATE users SET role = ? WHERE email = ?", role, to)
    api = server.api()
    return api.with_token(api.login(to, PASSWORD).json["accessToken"])


def test_the_log_names_no_recipient(sending, smtp):
    to = address()
    smtp.behaviour.recipient[to] = f"450 4.2.0 <{to}>: not now"
    register(sending, to)
    events = eventually(lambda: sending.events("mail-failed"), "the log says so")
    assert events[0]["cause"] == "450 4.2.0"
    assert to in sending.sql("SELECT last_error FROM mail_outbox")[0][0]


def test_a_relay_that_does_not_take_our_mail_loses_none(sending, smtp):
    to = address()
    smtp.behaviour.recipient[to] = "554 5.7.1 Relay access denied"
    register(sending, to)
    eventually(lambda: sending.api().get("/health").json["dependencies"]["mail"]["status"] == "failing", "it is seen")
    smtp.behaviour.recipient.clear()
    smtp.wait_for(to)
    assert sending.sql("SELECT bounce_count FROM users WHERE email = ?", to) == [(0,)]


def test_a_server_that_says_nothing_does_not_keep_ours_from_stopping(start_server):
    listener = socket.create_server(("127.0.0.1", 0))
    server = start_server(EXEMPT | {
        "SAFAWINET__MAIL__TRANSPORT": "smtp",
        "SAFAWINET__MAIL__SMTP_HOST": "127.0.0.1",
        "SAFAWINET__MAIL__SMTP_PORT": str(listener.getsockname()[1]),
        "SAFAWINET__MAIL__SMTP_SECURITY": "none",
    })
    register(server, address())
    listener.accept()
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 15
    listener.close()


def test_a_server_that_talks_nonsense_is_not_believed(start_server):
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.sendall(b"220 hello\r\n250 2.1.5 taken, before you said anything\r\n" + b"\xff\x00" * 2000)
            connection.close()

    threading.Thread(target=talk, daemon=True).start()
    server = start_server(EXEMPT | {
        "SAFAWINET__MAIL__TRANSPORT": "smtp",
        "SAFAWINET__MAIL__SMTP_HOST": "127.0.0.1",
        "SAFAWINET__MAIL__SMTP_PORT": str(listener.getsockname()[1]),
        "SAFAWINET__MAIL__SMTP_SECURITY": "none",
    })
    to = address()
    register(server, to)
    eventually(lambda: server.sql("SELECT last_error FROM mail_outbox")[0][0], "it was tried")
    assert outcomes(server, to) == []
    listener.close()


# --- TLS and AUTH


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.mark.parametrize("is_implicit", [False, True], ids=["starttls", "tls"])
def test_mail_travels_encrypted_and_by_a_login(start_server, authority, is_implicit):
    smtp = SmtpServer(tls=authority.files_for("localhost"), is_implicit=is_implicit, login=("sender", "s3cret: word"))
    smtp.start()
    try:
        settings = smtp.settings | {"SAFAWINET__MAIL__SMTP_HOST": "localhost",
                                    "SAFAWINET__TLS__CA_FILE": str(authority.ca_file)}
        server = start_server(EXEMPT | settings)
        to = address()
        register(server, to)
        taken = smtp.wait_for(to)
        assert taken.was_encrypted and taken.user == "sender"
        assert "s3cret" not in "\n".join(server.lines)
    finally:
        smtp.stop()


def test_a_certificate_of_another_host_or_authority_is_refused(start_server, authority, tmp_path):
    smtp = SmtpServer(tls=authority.files_for("elsewhere.example.test"))
    smtp.start()
    try:
        for ca_file in (authority.ca_file, Authority(tmp_path).ca_file):
            settings = smtp.settings | {"SAFAWINET__MAIL__SMTP_HOST": "localhost", "SAFAWINET__TLS__CA_FILE": str(ca_file)}
            server = start_server(EXEMPT | settings, folder=f"server-{ca_file.parent.name}")
            register(server, address())
            eventually(lambda: server.sql("SELECT last_error FROM mail_outbox")[0][0], "it was tried")
            assert server.sql("SELECT count(*) FROM mail_history") == [(0,)]
        assert smtp.taken == []
    finally:
        smtp.stop()


def test_a_server_without_starttls_gets_nothing_in_the_clear(start_server, smtp, authority):
    settings = smtp.settings | {"SAFAWINET__MAIL__SMTP_SECURITY": "starttls",
                                "SAFAWINET__TLS__CA_FILE": str(authority.ca_file)}
    server = start_server(EXEMPT | settings)
    register(server, address())
    eventually(lambda: server.sql("SELECT last_error FROM mail_outbox")[0][0], "it was tried")
    assert smtp.taken == []


def test_a_wrong_password_is_a_server_in_trouble_and_no_bounce(start_server, authority):
    smtp = SmtpServer(tls=authority.files_for("localhost"), login=("sender", "right"))
    smtp.start()
    try:
        settings = smtp.settings | {"SAFAWINET__MAIL__SMTP_HOST": "localhost", "SAFAWINET_SMTP_PASSWORD": "wrong",
                                    "SAFAWINET__TLS__CA_FILE": str(authority.ca_file)}
        server = start_server(EXEMPT | settings)
        to = address()
        register(server, to)
        eventually(lambda: server.api().get("/health").json["dependencies"]["mail"]["status"] == "failing", "it is known")
        assert server.sql("SELECT email_status FROM users WHERE email = ?", to)[0][0] == "ok"
        assert outbox(server) == 1
    finally:
        smtp.stop()


# --- priorities, rates, death


def test_security_mail_goes_before_what_can_wait(start_server, smtp):
    settings = smtp.settings
    port = smtp.port
    smtp.stop()
    server = start_server(EXEMPT | settings | {"SAFAWINET__MAIL__CONNECTIONS": "1"})
    admin = server.admin()
    invited = [address() for _ in range(8)]
    for to in invited:
        assert admin.post("/v1/admin/invitations", {"email": to}).status == 202
    urgent = address()
    register(server, urgent)
    # What is being tried at this moment would be due later than the rest: nobody tries anything meanwhile.
    assert server.stop() == 0
    server.sql("UPDATE mail_outbox SET next_attempt_at = ?", "2020-01-01T00:00:00.000000Z")
    again = SmtpServer(port=port)
    again.start()
    server.start()
    try:
        again.wait_for(urgent)
        order = [taken.recipients[0] for taken in again.taken]
        assert order[0] == urgent, order
        for to in invited:
            again.wait_for(to, patience_seconds=60)
    finally:
        again.stop()


def test_the_rate_holds(start_server, smtp):
    server = start_server(EXEMPT | smtp.settings | {"SAFAWINET__MAIL__RATE_PER_SECOND": "4"})
    recipients = [address() for _ in range(12)]
    began = time.monotonic()
    for to in recipients:
        register(server, to)
    for to in recipients:
        smtp.wait_for(to)
    assert time.monotonic() - began >= 1.9, "twelve at four in any second"


@pytest.mark.release_only
def test_kill_9_loses_no_mail(start_server, smtp):
    server = start_server(EXEMPT | smtp.settings)
    smtp.behaviour.seconds_before_data = 0.05
    accepted = []
    for _ in range(3):
        for _ in range(10):
            to = address()
            if server.api().register(to, PASSWORD).status == 202:
                accepted.append(to)
        server.kill()
        server.start()
    smtp.behaviour.seconds_before_data = 0.0
    # Those that were in its hands are taken up when their lease is over.
    for to in accepted:
        smtp.wait_for(to, patience_seconds=180)
    for to in accepted:
        assert len({taken.message_id for taken in smtp.to(to)}) == 1, "twice is the same mail"
    eventually(lambda: outbox(server) == 0, "nothing waits")


def test_headers_cannot_be_smuggled_in_by_an_address(sending, smtp):
    api = sending.api()
    for bad in (
        "a@example.test\r\nBcc: x@evil.test", "a@example.test\nBcc: x@evil.test", "a@example.test,b@evil.test",
        "a@example.test, b@evil.test", '"a@evil.test"@example.test', "<a@example.test>", "a@example.test>",
        "Name <a@example.test>", "a@[127.0.0.1]", "a@example.test b", "a;b@example.test", "a(c)@example.test",
        "аda@example.test", "ada@exämple.test",
    ):
        reply = api.register(bad, PASSWORD)
        assert reply.status == 422, (bad, reply)
    assert outbox(sending) == 0 and smtp.taken == []


def test_an_address_with_utf_8_gets_its_mail_from_a_server_that_can(sending, smtp):
    to = f"jürgen-{next(_numbers)}@example.test"
    register(sending, to)
    taken = smtp.wait_for(to)
    assert taken.recipients == [to] and f"\r\nTo: {to}\r\n".encode() in taken.mail.source, "as RFC 6532 has it"
    assert sending.api().verify_email(taken.mail.token).status == 204
    assert sending.api().login(to, PASSWORD).status == 200


def test_a_mail_is_what_another_parser_makes_of_it(sending, smtp):
    """Every kind, in both languages, without defects, with both parts saying the same links."""
    admin = sending.admin()
    kinds = ["verify-email", "reset-password", "confirm-new-email", "already-registered", "password-changed",
             "email-changed", "second-factor-changed", "codes-guessed", "session-ended-for-reuse", "new-device",
             "forced-logout", "account-held", "account-deleted", "invitation", "test", "announcement"]
    for kind in kinds:
        for locale in ("en", "ar"):
            to = address()
            assert admin.post("/v1/email/test", {"email": to, "kind": kind, "locale": locale}).status == 200, kind
            taken = smtp.wait_for(to)
            message = taken.mail.message
            assert not message.defects and not any(part.defects for part in message.walk()), (kind, locale)
            source = taken.mail.source
            assert all(byte < 128 for byte in source) and max(map(len, source.split(b"\r\n"))) <= 998
            html = message.get_body(("html",)).get_content()
            assert f'lang="{locale}"' in html and "<img" not in html and "http-equiv" not in html
            for link in taken.mail.links:
                assert link in html, (kind, link)
            assert message["Subject"] and "\n" not in message["Subject"]
            assert email.message_from_bytes(source, policy=email.policy.SMTP)["Date"].datetime.tzinfo is not None
