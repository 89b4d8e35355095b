"""Mail by Amazon SES: what we send, signed as botocore would, and what we make of its answers."""

import itertools
import json
import secrets
import threading
import http.server

import pytest

from harness.amazon import ACCESS_KEY, REGION, SECRET_KEY, Amazon
from harness.people import PASSWORD
from harness.server import EXEMPT, eventually

_numbers = itertools.count(1)


def address() -> str:
    return f"ses-{next(_numbers)}@example.test"


@pytest.fixture
def amazon(tmp_path):
    amazon = Amazon(tmp_path)
    amazon.port = amazon.listen("127.0.0.1", 0)
    yield amazon
    amazon.close()


def settings_for(amazon: Amazon) -> dict[str, str]:
    return EXEMPT | {
        "SAFAWINET__MAIL__TRANSPORT": "ses",
        "SAFAWINET__MAIL__SES_REGION": REGION,
        "SAFAWINET__MAIL__SES_ENDPOINT": f"https://localhost:{amazon.port}",
        "SAFAWINET__MAIL__SES_CONFIGURATION_SET": "accounts",
        "SAFAWINET__MAIL__FROM": "Example Accounts <no-reply@example.test>",
        "SAFAWINET__TLS__CA_FILE": str(amazon.authority.ca_file),
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def register(server, to: str) -> None:
    assert server.api().register(to, PASSWORD).status == 202


def sent_to(amazon: Amazon, to: str):
    return [(told, mail) for told, mail in amazon.sent if told["Destination"]["ToAddresses"] == [to]]


def test_a_mail_is_sent_signed_and_tagged(start_server, amazon):
    server = start_server(settings_for(amazon))
    to = address()
    register(server, to)
    [(told, mail)] = eventually(lambda: sent_to(amazon, to), "it is sent")
    assert amazon.wrong_signatures == []
    assert told["FromEmailAddress"] == "no-reply@example.test"
    assert told["ConfigurationSetName"] == "accounts"
    tags = {tag["Name"]: tag["Value"] for tag in told["EmailTags"]}
    assert tags["safawinet-kind"] == "verify-email"
    rows = eventually(lambda: server.sql("SELECT id, provider_id, outcome FROM mail_history WHERE email = ?", to), "recorded")
    assert rows[0][0] == tags["safawinet-mail"] and rows[0][1].startswith("0107018b-") and rows[0][2] == "sent"
    assert mail.recipient == to and server.api().verify_email(mail.token).status == 204


def test_a_session_token_is_signed_along(start_server, amazon):
    amazon.session_token = "the+session/token=="
    server = start_server(settings_for(amazon) | {"AWS_SESSION_TOKEN": amazon.session_token})
    to = address()
    register(server, to)
    eventually(lambda: sent_to(amazon, to), "it is sent")
    assert amazon.wrong_signatures == []


@pytest.mark.parametrize("refusal", [
    (429, "TooManyRequestsException", "Maximum sending rate exceeded."),
    (400, "AccountSuspendedException", "suspended"),
    (400, "MessageRejected", "Email address is not verified."),
    (503, "ServiceUnavailable", ""),
])
def test_what_is_not_about_the_mail_is_tried_again(start_server, amazon, refusal):
    amazon.refusals.append(refusal)
    server = start_server(settings_for(amazon))
    to = address()
    register(server, to)
    eventually(lambda: server.sql("SELECT last_error FROM mail_outbox")[0][0], "it was tried")
    assert str(refusal[0]) in server.sql("SELECT last_error FROM mail_outbox")[0][0]
    eventually(lambda: sent_to(amazon, to), "it is sent later")


def test_an_answer_beyond_all_bounds_is_an_answer_too(start_server, amazon):
    """What cannot be kept whole must not keep us from recording that the mail was sent: it would be sent again and again."""
    amazon.end_of_message_ids = "-\u00e9" + secrets.token_hex(15_000)
    server = start_server(settings_for(amazon))
    to = address()
    register(server, to)
    rows = eventually(lambda: server.sql("SELECT outcome, provider_id FROM mail_history WHERE email = ?", to), "recorded")
    assert rows[0][0] == "sent" and rows[0][1].startswith("0107018b-")
    assert len(sent_to(amazon, to)) == 1


@pytest.mark.parametrize("text", ["It looks like spam", "It looks like spam:" + " \u0628\u0631\u064a\u062f" * 200], ids=["short", "cut-in-a-character"])
def test_a_mail_that_is_rejected_is_over_and_nobodys_fault(start_server, amazon, text):
    amazon.refusals.append((400, "MessageRejected", text))
    server = start_server(settings_for(amazon))
    to = address()
    register(server, to)
    rows = eventually(lambda: server.sql("SELECT outcome, detail FROM mail_history WHERE email = ?", to), "it is over")
    assert rows[0][0] == "refused" and "spam" in rows[0][1]
    assert server.sql("SELECT email_status FROM users WHERE email = ?", to) == [("ok",)]


def test_without_credentials_mail_waits_and_the_log_says_why(start_server, amazon):
    settings = settings_for(amazon) | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    server = start_server(settings)
    register(server, address())
    failed = server.wait_for_event("mail-failed")
    assert "AWS_ACCESS_KEY_ID" in failed["cause"]
    assert server.api().get("/health").json["dependencies"]["mail"]["status"] == "failing"


class Metadata:
    """The endpoints of a container and of a machine, which give credentials that expire."""

    def __init__(self, lifetime_seconds: float):
        metadata = self
        self.requests: list[tuple[str, str, dict]] = []
        self.lifetime_seconds = lifetime_seconds

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *arguments):
                pass

            def _answer(self, status, body):
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_PUT(self):
                metadata.requests.append(("PUT", self.path, dict(self.headers)))
                is_right = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
                self._answer(200 if is_right else 400, b"the-token")

            def do_GET(self):
                metadata.requests.append(("GET", self.path, dict(self.headers)))
                if self.path.startswith("/latest") and self.headers.get("X-aws-ec2-metadata-token") != "the-token":
                    return self._answer(401, b"")
                if self.path == "/latest/meta-data/iam/security-credentials/":
                    return self._answer(200, b"the-role")
                if self.path == "/container" and self.headers.get("Authorization") != "Bearer container":
                    return self._answer(401, b"")
                if self.path in ("/latest/meta-data/iam/security-credentials/the-role", "/container"):
                    return self._answer(200, metadata.credentials())
                return self._answer(404, b"")

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def credentials(self) -> bytes:
        import datetime

        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=self.lifetime_seconds)
        return json.dumps({
            "AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET_KEY, "Token": "temporary",
            "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }).encode()


@pytest.fixture(params=["container", "machine"])
def source(request):
    metadata = Metadata(lifetime_seconds=301)
    metadata.kind = request.param
    yield metadata
    metadata.server.shutdown()


def test_credentials_of_a_container_or_a_machine_are_renewed_before_they_expire(start_server, amazon, source):
    amazon.session_token = "temporary"
    settings = settings_for(amazon) | {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_EC2_METADATA_DISABLED": ""}
    if source.kind == "container":
        settings |= {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{source.url}/container",
                     "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer container"}
    else:
        settings |= {"AWS_EC2_METADATA_SERVICE_ENDPOINT": source.url}
    server = start_server(settings | {"SAFAWINET__MAIL__CONNECTIONS": "1"})
    first = address()
    register(server, first)
    eventually(lambda: sent_to(amazon, first), "it is sent")
    asked = len(source.requests)
    second = address()
    eventually(lambda: True, "")
    import time

    time.sleep(1.5)  # five minutes before they expire, others are asked for
    register(server, second)
    eventually(lambda: sent_to(amazon, second), "it is sent with new ones")
    assert len(source.requests) > asked
    assert amazon.wrong_signatures == []


def test_a_token_goes_nowhere_in_the_clear(start_server, amazon):
    settings = settings_for(amazon) | {
        "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.99.99/container",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": "Bearer container",
    }
    server = start_server(settings)
    register(server, address())
    assert "must be https" in server.wait_for_event("mail-failed")["cause"]
