"""safawinet mail, bounce, suppression and outbox."""

import itertools

import pytest

from harness.cli import Cli
from harness.people import PASSWORD
from harness.server import EXEMPT, eventually
from harness.smtp import SmtpServer

_numbers = itertools.count(1)


def address() -> str:
    return f"desk-{next(_numbers)}@example.test"


@pytest.fixture
def cli(tmp_path, shared_server) -> Cli:
    return Cli(tmp_path / "home", shared_server).log_in(shared_server)


def test_a_sample_is_sent_and_what_became_of_it_is_said(cli, shared_server):
    to = address()
    shown = cli.ok("mail", "send-test", to)
    assert "State     sent" in shown
    assert shared_server.mail.wait_for(to).subject == "A test of the mail of this service"
    sent = cli.json("mail", "send-test", address(), "--kind", "new-device", "--locale", "ar", "--json")
    assert sent["state"] == "sent" and sent["kind"] == "new-device"


def test_a_preview_shows_what_would_be_sent(cli):
    text = cli.ok("mail", "preview", "verify-email")
    assert text.startswith("Subject: Confirm your e-mail address\n\n")
    assert "/verify-email?token=an-example-that-opens-nothing" in text
    html = cli.ok("mail", "preview", "verify-email", "--locale", "ar", "--html")
    assert html.startswith("<!doctype html>") and 'dir="rtl"' in html
    refused = cli.run("mail", "preview", "love-letter")
    assert refused.returncode == 2 and "love-letter" in refused.stderr


def test_statistics_say_how_mail_stands(cli, shared_server):
    before = cli.json("mail", "statistics", "--json")
    cli.ok("mail", "send-test", address())
    after = cli.json("mail", "statistics", "--json")
    assert after["totals"]["sent"] == before["totals"]["sent"] + 1
    assert after["bounceRateLimit"] == 0.05 and after["complaintRateLimit"] == 0.001
    shown = cli.ok("mail", "statistics", "--points")
    assert "Guard" in shown and "watching" in shown and "FROM" in shown


def test_a_bounce_is_recorded_after_a_look_at_what_it_does(cli, shared_server):
    to = address()
    assert shared_server.api().register(to, PASSWORD).status == 202
    dry = cli.ok("bounce", "record", to, "--reason", "A letter", "--dry-run")
    assert "no more mail" in dry
    assert cli.json("suppression", "list", "--query", to, "--json") == []
    assert cli.run("bounce", "record", to, "--reason", "A letter").returncode == 1, "nobody can be asked"
    cli.ok("bounce", "record", to, "--reason", "A letter", "--yes")
    [bounce] = cli.json("bounce", "list", "--email", to, "--json")
    assert bounce["type"] == "permanent" and bounce["source"] == "operator" and bounce["detail"] == "A letter"
    shown = cli.ok("user", "show", to)
    assert "Mail        bounced" in " ".join(shown.split("\n")) or "bounced" in shown
    cli.ok("suppression", "remove", to, "--reason", "It is back", "--yes")
    assert shared_server.sql("SELECT email_status FROM users WHERE email = ?", to) == [("ok",)]
    gone = cli.run("suppression", "remove", to, "--yes")
    assert gone.returncode == 1 and not gone.stdout


def test_a_suppressed_address_gets_nothing_and_with_an_exception_what_it_must_know(cli, shared_server):
    to = address()
    cli.ok("suppression", "add", to, "--reason", "Asked for it", "--except-security", "--yes")
    assert cli.json("suppression", "list", "--query", to, "--json")[0]["scope"] == "not-security"
    refused = cli.run("mail", "send-test", to)
    assert refused.returncode == 1 and "suppressed" in refused.stderr
    cli.ok("mail", "send-test", to, "--kind", "verify-email")
    cli.ok("suppression", "add", to, "--reason", "Altogether", "--yes")
    assert cli.json("suppression", "list", "--query", to, "--json")[0]["scope"] == "all"
    assert cli.run("mail", "send-test", to, "--kind", "verify-email").returncode == 1


def test_what_waits_is_listed_retried_and_dropped(tmp_path, start_server):
    smtp = SmtpServer()
    smtp.start()
    try:
        server = start_server(EXEMPT | smtp.settings)
        cli = Cli(tmp_path / "home", server).log_in(server)
        to, other = address(), address()
        smtp.behaviour.recipient = {to: "450 4.2.0 later", other: "450 4.2.0 later"}
        for one in (to, other):
            assert server.api().register(one, PASSWORD).status == 202
        failing = eventually(lambda: (mails := cli.json("outbox", "list", "--failing", "--json")) and len(mails) == 2 and mails,
                             "both were tried")
        by_address = {mail["email"]: mail for mail in failing}
        assert "450 4.2.0 later" in by_address[to]["lastError"]
        assert to in cli.ok("outbox", "list")
        smtp.behaviour.recipient.clear()
        cli.ok("outbox", "retry", by_address[to]["id"])
        smtp.wait_for(to)
        smtp.behaviour.recipient = {other: "450 4.2.0 later"}
        dropped = cli.run("outbox", "drop", by_address[other]["id"], "--reason", "By hand", "--yes")
        if dropped.returncode == 0:
            mail = cli.json("mail", "history", other, "--json")[0]
            assert mail["state"] == "dropped" and mail["detail"] == "By hand"
        else:
            smtp.wait_for(other)  # it was sent meanwhile
        again = cli.run("outbox", "drop", by_address[to]["id"], "--yes")
        assert again.returncode == 1 and "sent" in again.stderr
        assert cli.run("outbox", "retry", "nonsense").returncode == 2
        history = cli.json("mail", "history", to, "--json")
        assert history[0]["state"] == "sent" and history[0]["attempts"] >= 2
    finally:
        smtp.stop()


def test_support_may_look_and_not_touch(tmp_path, shared_server):
    from harness.people import with_role

    support = with_role(shared_server, "support")
    cli = Cli(tmp_path / "home", shared_server).log_in(shared_server, support.email, PASSWORD)
    cli.ok("mail", "statistics")
    cli.ok("bounce", "list")
    refused = cli.run("suppression", "add", address(), "--reason", "x", "--yes")
    assert refused.returncode == 1 and not refused.stdout
