"""What SES tells by SNS: taken once when Amazon says it, and from nobody else.

The server stands in a network of its own, in which Amazon's names lead to a host of the tests' own, with a certificate
of the tests' own authority: the binary knows no other way than the real one.
"""

import concurrent.futures
import itertools
import json
import pathlib
import shutil
import subprocess
import uuid

import pytest

from harness.amazon import (
    CERTIFICATE_NAME, CERTIFICATE_URL, REGION, SES_HOST, SNS_HOST, TOPIC, Amazon, SigningCertificate, now,
)
from harness.authority import Authority
from harness.network import Network
from harness.people import OTHER_PASSWORD, PASSWORD, signed_up_user
from harness.postgres import clusters
from harness.server import ENGINE, REPOSITORY, Server, eventually, rounds

_numbers = itertools.count(1)
PATH = "/v1/email/events/ses"


@pytest.fixture(scope="module")
def network():
    network = Network()
    names = pathlib.Path("/etc/netns") / network.name
    names.mkdir(parents=True)
    (names / "hosts").write_text(f"127.0.0.1 localhost\n{network.outside} {SNS_HOST} {SES_HOST}\n")
    yield network
    shutil.rmtree(names)
    network.close()


@pytest.fixture(scope="module")
def amazon(network, tmp_path_factory):
    amazon = Amazon(tmp_path_factory.mktemp("amazon"))
    amazon.listen(network.outside)
    yield amazon
    amazon.close()


@pytest.fixture(scope="module")
def database_server(network):
    if ENGINE == "sqlite":
        yield None
        return
    cluster = clusters().make(listen=f"127.0.0.1,{network.outside}")
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def start(network, amazon, database_server, tmp_path_factory):
    servers = []

    def start(**settings: str) -> Server:
        usual = {
            "SAFAWINET_LISTEN": f"{network.inside}:0",
            "SAFAWINET_OPERATIONS_LISTEN": f"{network.inside}:0",
            "SAFAWINET__LIMITS__EXEMPT_NETWORKS": "127.0.0.0/8,10.192.0.0/10",
            "SAFAWINET__BOUNCES__SNS_TOPICS": TOPIC,
            "SAFAWINET__TLS__CA_FILE": str(amazon.authority.ca_file),
            "REDIS_URL": "",
        }
        database = database_server and database_server.create_database()
        server = Server(tmp_path_factory.mktemp("ses") / "server", usual | settings, database=database,
                        prefix=network.prefix)
        servers.append(server)
        return server.start()

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def server(start) -> Server:
    return start()


class Recipient:
    """Somebody with an account, to whom a mail was sent by SES."""

    def __init__(self, server: Server):
        self.server = server
        self.person = signed_up_user(server)
        self.email = self.person.email
        eventually(lambda: self.mails(), "the first mail is recorded")
        self.mail_id = self.mails()[0]
        self.provider_id = f"0107-{next(_numbers):08}"
        # The file transport has no ids of a provider.
        server.sql("UPDATE mail_history SET provider_id = ? WHERE id = ?", self.provider_id, self.mail_id)

    def mails(self) -> list[str]:
        return [row[0] for row in self.server.sql("SELECT id FROM mail_history WHERE email = ? ORDER BY id", self.email)]

    def event(self, name: str, **options) -> dict:
        return Amazon.event(name, self.provider_id, self.email, **options)

    def standing(self) -> tuple[str, int, bool]:
        status, count, is_active = self.server.sql(
            "SELECT email_status, bounce_count, is_active FROM users WHERE email = ?", self.email)[0]
        return status, count, bool(is_active)

    def suppression(self) -> str | None:
        rows = self.server.sql("SELECT scope FROM mail_suppressions WHERE email = ?", self.email)
        return rows[0][0] if rows else None


@pytest.fixture
def ada(server) -> Recipient:
    return Recipient(server)


def post(server: Server, envelope: dict | bytes):
    body = envelope if isinstance(envelope, bytes) else json.dumps(envelope).encode()
    return server.api().request("POST", PATH, body=body, headers={"Content-Type": "text/plain; charset=UTF-8"})


def take(server: Server, envelope: dict) -> str:
    reply = post(server, envelope)
    assert reply.status == 200, reply
    return reply.json["outcome"]


# --- what is true


def test_what_another_implementation_of_sns_signs_is_believed_and_nothing_that_was_changed_after(server, amazon, ada):
    python = REPOSITORY / "build/python/bin/python"
    if not python.exists():
        pytest.skip("moto is missing: script/packages test installs it")
    message = json.dumps(ada.event("Bounce") | {"note": "grüße, سلام \U0001f9ff"}, ensure_ascii=False)
    signer = pathlib.Path(__file__).parent / "harness/moto_signer.py"
    done = subprocess.run([python, signer, REGION, TOPIC.rpartition(":")[2]], input=message, capture_output=True,
                          text=True, check=True, timeout=120)
    sent = json.loads(done.stdout)
    envelope = json.loads(sent["body"])
    amazon.certificates[envelope["SigningCertURL"].rpartition("/")[2]] = sent["certificate"].encode()
    refused(server, envelope | {"Message": envelope["Message"].replace("Permanent", "Transient")})
    reply = server.api().request("POST", PATH, body=sent["body"].encode(), headers={"Content-Type": sent["contentType"]})
    assert (reply.status, reply.json["outcome"]) == (200, "acted")
    assert ada.standing() == ("bounced", 0, True)


@pytest.mark.parametrize("shape", ["eventType", "notificationType"])
def test_a_permanent_bounce_marks_and_suppresses(server, amazon, ada, shape):
    assert take(server, amazon.envelope(ada.event("Bounce", shape=shape), Subject="Amazon SES")) == "acted"
    assert ada.standing() == ("bounced", 0, True)
    assert ada.suppression() == "all"
    shown = server.admin().get(f"/v1/email/bounces?email={ada.email}").json["items"]
    assert [(item["type"], item["source"], item["mailId"]) for item in shown] == [("permanent", "ses", ada.mail_id)]


def test_by_the_tag_alone_a_mail_is_found_too(server, amazon, ada):
    event = Amazon.event("Bounce", "an-id-that-we-never-wrote-down", ada.email, mail=ada.mail_id)
    assert take(server, amazon.envelope(event)) == "acted"
    assert ada.standing()[0] == "bounced"


def test_a_notification_counts_once_however_often_and_wherever_it_comes(server, amazon, ada):
    envelope = amazon.envelope(ada.event("Bounce", bounceType="Transient"))
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda _: take(server, envelope), range(rounds(40))))
    assert sorted(set(outcomes)) == ["acted", "again"] and outcomes.count("acted") == 1
    assert ada.standing() == ("ok", 1, True)
    # The same feedback under another MessageId, as SES redrives it.
    again = amazon.envelope(json.loads(envelope["Message"]))
    assert take(server, again) == "again"
    assert ada.standing()[1] == 1


def test_five_bounces_hold_the_account_and_another_address_brings_it_back(server, amazon, ada):
    assert ada.person.device.is_signed_in()
    for _ in range(5):
        assert take(server, amazon.envelope(ada.event("Bounce", bounceType="Transient"))) == "acted"
    assert ada.standing() == ("ok", 5, False)
    assert not ada.person.device.is_signed_in()
    api = server.api()
    assert api.login(ada.email, OTHER_PASSWORD).problem == "invalid-credentials", "a wrong password learns nothing"
    assert api.login(ada.email, PASSWORD).problem == "account-held"
    other = f"new-{ada.email}"
    body = {"email": ada.email, "newEmail": other}
    assert api.post("/v1/auth/new-address", body | {"password": OTHER_PASSWORD}).status == 401
    assert api.post("/v1/auth/new-address", body | {"password": PASSWORD}).status == 202
    assert api.login(ada.email, PASSWORD).problem == "account-held", "nothing has changed before it is proved"
    assert api.verify_email(server.mail.wait_for(other).token).status == 204
    assert api.login(other, PASSWORD).status == 200
    row = server.sql("SELECT email_status, bounce_count, disabled_reason FROM users WHERE email = ?", other)
    assert row == [("ok", 0, None)]


def test_the_same_address_may_be_given_again_and_gets_that_mail(server, amazon, ada):
    for _ in range(5):
        take(server, amazon.envelope(ada.event("Bounce", bounceType="Transient")))
    before = len(server.mail.to(ada.email))
    reply = server.api().post("/v1/auth/new-address", {"email": ada.email, "password": PASSWORD, "newEmail": ada.email})
    assert reply.status == 202
    assert server.api().verify_email(server.mail.wait_for(ada.email, number=before + 1).token).status == 204
    assert server.api().login(ada.email, PASSWORD).status == 200


def test_a_new_address_is_for_held_accounts_alone(server, ada):
    body = {"email": ada.email, "password": PASSWORD, "newEmail": f"x-{ada.email}"}
    assert server.api().post("/v1/auth/new-address", body).status == 409
    assert server.api().post("/v1/auth/new-address", body | {"password": OTHER_PASSWORD}).status == 401
    nobody = body | {"email": "nobody@example.test"}
    assert server.api().post("/v1/auth/new-address", nobody).status == 401


def test_a_setting_suppresses_instead_of_holding(start, amazon):
    server = start(SAFAWINET__BOUNCES__ACTION="suppress", SAFAWINET__BOUNCES__THRESHOLD="2")
    ada = Recipient(server)
    for _ in range(3):
        take(server, amazon.envelope(ada.event("Bounce", bounceType="Undetermined")))
    assert ada.standing() == ("ok", 3, True)
    assert ada.suppression() == "all"


def test_a_delivery_sets_the_count_back(server, amazon, ada):
    take(server, amazon.envelope(ada.event("Bounce", bounceType="Transient")))
    old = ada.event("Delivery") | {"delivery": {"timestamp": now(-3600), "recipients": [ada.email]}}
    assert take(server, amazon.envelope(old)) == "acted"
    assert ada.standing()[1] == 1, "a bounce came after that"
    assert take(server, amazon.envelope(ada.event("Delivery"))) == "acted"
    assert ada.standing()[1] == 0
    history = server.admin().get(f"/v1/admin/users/{ada.person.id}/mails").json["items"]
    assert history[0]["feedback"] == "delivered"


def test_complaints(server, amazon, ada):
    several = ada.event("Complaint", complainedRecipients=[{"emailAddress": ada.email}, {"emailAddress": "b@example.test"}])
    assert take(server, amazon.envelope(several)) == "acted"
    assert ada.suppression() is None, "nobody knows who of the two complained"
    assert take(server, amazon.envelope(ada.event("Complaint"))) == "acted"
    assert ada.suppression() == "not-security" and ada.standing()[0] == "complained"
    before = len(server.mail.to(ada.email))
    assert server.api().forgot_password(ada.email).status == 202
    server.mail.wait_for(ada.email, number=before + 1)
    assert take(server, amazon.envelope(ada.event("Complaint", complaintFeedbackType="not-spam"))) == "acted"
    assert ada.suppression() is None and ada.standing()[0] == "ok"


def test_a_message_at_fault_counts_against_nobody(server, amazon, ada):
    for subtype in ("MessageTooLarge", "ContentRejected", "AttachmentRejected"):
        take(server, amazon.envelope(ada.event("Bounce", bounceType="Transient", bounceSubType=subtype)))
    assert ada.standing() == ("ok", 0, True)


def test_a_rejection_raises_an_alarm(server, amazon, ada):
    assert take(server, amazon.envelope(ada.event("Reject"))) == "acted"
    assert server.wait_for_event("mail-rejected")["cause"] == "Bad content"
    warnings = {warning["name"] for warning in server.admin().get("/v1/email/statistics").json["warnings"]}
    assert "mail-rejected" in warnings


def test_events_about_other_mail_change_nothing_and_are_counted(server, amazon, ada):
    before = server.admin().get("/v1/email/statistics").json["totals"]["foreign"]
    assert take(server, amazon.envelope(Amazon.event("Bounce", "not-ours", ada.email))) == "foreign"
    assert take(server, amazon.envelope(Amazon.event("Bounce", ada.provider_id, "somebody@else.test"))) == "foreign"
    assert ada.standing() == ("ok", 0, True) and ada.suppression() is None
    assert server.admin().get("/v1/email/statistics").json["totals"]["foreign"] == before + 2


def test_an_event_that_is_faster_than_our_own_record_is_asked_for_again(server, amazon, ada):
    young = Amazon.event("Bounce", "not-yet-written-down", ada.email, sent_at=now())
    envelope = amazon.envelope(young)
    assert post(server, envelope).status == 503
    server.sql("UPDATE mail_history SET provider_id = ? WHERE id = ?", "not-yet-written-down", ada.mail_id)
    assert take(server, envelope) == "acted"


@pytest.mark.parametrize("message", [
    "Successfully validated SNS topic for Amazon SES event publishing.", "{}", "[]", "null",
    json.dumps({"eventType": "Open", "mail": {}}), json.dumps({"eventType": "DeliveryDelay"}),
])
def test_what_is_of_no_consequence_is_taken(server, amazon, message):
    assert take(server, amazon.envelope(message)) == "ignored"


def test_a_subscription_is_confirmed_at_an_address_that_we_make(server, amazon):
    envelope = amazon.envelope("You have chosen to subscribe", "SubscriptionConfirmation",
                               SubscribeURL="https://169.254.169.254/steal?x=1")
    assert take(server, envelope) == "subscribed"
    assert amazon.confirmed[-1] == {"Action": "ConfirmSubscription", "TopicArn": TOPIC, "Token": envelope["Token"],
                                    "AuthenticateOnUnsubscribe": "true"}


def test_an_unsubscription_raises_an_alarm(server, amazon):
    assert take(server, amazon.envelope("You have chosen to deactivate", "UnsubscribeConfirmation")) == "unsubscribed"
    assert server.wait_for_event("sns-unsubscribed")["topic"] == TOPIC


# --- what is false


def refused(server: Server, envelope, statuses=(403,)) -> None:
    reply = post(server, envelope)
    assert reply.status in statuses, reply


def test_what_is_no_envelope_is_refused(server):
    for body in (b"", b"null", b"[]", b"{}", b"\xff\xfe", b'{"Type":"Notification"', b"x" * 1000,
                 b'{"Type":"Notification","Type":"Notification"}', b'{"Type":"Notification","MessageId":1}'):
        refused(server, body, (400,))
    refused(server, b"{" + b" " * 250_000, (400,))
    assert post(server, b"{" + b" " * 270_000).status == 413


def test_forged_and_foreign_messages_are_refused_and_nothing_is_fetched_for_them(server, amazon, ada):
    event = ada.event("Bounce")
    good = amazon.envelope(event)
    before = list(amazon.requests)
    other_topic = TOPIC.replace("mail-events", "others")
    forged = {
        "topic": amazon.envelope(event, TopicArn=other_topic),
        "version 1": amazon.envelope(event, version="1"),
        "version 3": good | {"SignatureVersion": "3"},
    }
    for url in (
        f"http://{SNS_HOST}/{CERTIFICATE_NAME}", f"https://evil.test/{CERTIFICATE_NAME}",
        f"https://{SNS_HOST}.evil.test/{CERTIFICATE_NAME}", f"https://{SNS_HOST}@evil.test/{CERTIFICATE_NAME}",
        f"https://sns.us-east-1.amazonaws.com/{CERTIFICATE_NAME}", f"https://{SNS_HOST}/x/../{CERTIFICATE_NAME}",
        f"https://{SNS_HOST}:443/{CERTIFICATE_NAME}", CERTIFICATE_URL + "?x", CERTIFICATE_URL.upper(),
        f"https://{SNS_HOST}/evil.pem", "", "file:///etc/passwd",
    ):
        forged[url or "no url"] = amazon.envelope(event, SigningCertURL=url)
    for name, envelope in forged.items():
        refused(server, envelope), name
    assert amazon.requests == before, "nothing is fetched before the pins hold"
    assert ada.standing() == ("ok", 0, True)


def test_every_signed_member_is_under_the_signature(server, amazon, ada):
    good = amazon.envelope(ada.event("Bounce"), Subject="Amazon SES Email Event Notification")
    for name in ("Message", "MessageId", "Subject", "Timestamp"):
        refused(server, good | {name: good[name] + " "}, (400, 403))
    refused(server, good | {"Signature": "AAAA"})
    refused(server, good | {"Signature": "not base64!"})
    refused(server, good | {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://x"})
    without_subject = dict(good)
    del without_subject["Subject"]
    refused(server, without_subject)
    assert ada.standing() == ("ok", 0, True)
    assert take(server, good) == "acted"


def certificate_under(amazon: Amazon, pem: bytes) -> str:
    name = f"SimpleNotificationService-{uuid.uuid4().hex}.pem"
    amazon.certificates[name] = pem
    return f"https://{SNS_HOST}/{name}"


@pytest.mark.parametrize("signing", [
    {"bits": 1024}, {"days_from": -30, "days_to": -1}, {"days_from": 2, "days_to": 30},
], ids=["short", "expired", "not yet valid"])
def test_a_certificate_that_is_not_good_is_not_believed(server, amazon, ada, signing):
    bad = SigningCertificate(**signing)
    url = certificate_under(amazon, bad.pem)
    refused(server, amazon.envelope(ada.event("Bounce"), signer=bad, SigningCertURL=url))
    assert ada.standing()[0] == "ok"


def test_what_is_no_certificate_is_not_believed(server, amazon, ada):
    for content in (b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                    SigningCertificate(is_rsa=False).pem):
        url = certificate_under(amazon, content)
        refused(server, amazon.envelope(ada.event("Bounce"), SigningCertURL=url))
    huge = certificate_under(amazon, amazon.signing.pem + b"x" * 100_000)
    refused(server, amazon.envelope(ada.event("Bounce"), SigningCertURL=huge), (403, 503))


def test_a_redirection_is_not_followed(server, amazon, ada):
    url = certificate_under(amazon, b"")
    amazon.redirections[url.rpartition("/")[2]] = CERTIFICATE_URL
    before = len(amazon.requests)
    refused(server, amazon.envelope(ada.event("Bounce"), SigningCertURL=url), (403, 503))
    assert len(amazon.requests) - before == 1
    assert ada.standing()[0] == "ok"


def test_a_host_that_another_authority_vouches_for_is_asked_nothing(start, amazon, tmp_path):
    server = start(SAFAWINET__TLS__CA_FILE=str(Authority(tmp_path).ca_file))
    before = len(amazon.requests)
    refused(server, amazon.envelope("{}"), (503,))
    assert len(amazon.requests) == before


def test_certificates_that_are_not_there_are_looked_for_only_so_often(start, amazon):
    server = start()
    before = len(amazon.requests)
    for _ in range(40):
        url = f"https://{SNS_HOST}/SimpleNotificationService-{uuid.uuid4().hex}.pem"
        refused(server, amazon.envelope("{}", SigningCertURL=url), (403, 503))
    assert len(amazon.requests) - before <= 10


def test_the_certificate_is_fetched_once(start, amazon):
    server = start()
    before = len(amazon.requests)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda _: take(server, amazon.envelope("{}")), range(64))) == {"ignored"}
    assert amazon.requests[before:] == [("GET", f"/{CERTIFICATE_NAME}")]


def test_old_messages_of_a_dead_letter_queue_are_taken_and_older_ones_and_future_ones_are_not(server, amazon, ada):
    day = 86_400
    event = ada.event("Bounce", bounceType="Transient")
    assert take(server, amazon.envelope(event, Timestamp=now(-14 * day))) == "acted"
    refused(server, amazon.envelope(event, Timestamp=now(-15 * day - 60)))
    assert take(server, amazon.envelope(event, Timestamp=now(240))) == "again"
    refused(server, amazon.envelope(event, Timestamp=now(360)))
    refused(server, amazon.envelope(event, Timestamp="yesterday"), (400,))


def test_version_1_is_taken_where_the_setting_says_so(start, amazon):
    server = start(SAFAWINET__BOUNCES__SNS_SIGNATURE_VERSION="1")
    assert take(server, amazon.envelope("{}", version="1")) == "ignored"
    assert take(server, amazon.envelope("{}", version="2")) == "ignored"


def test_without_topics_nothing_is_taken(start, amazon):
    server = start(SAFAWINET__BOUNCES__SNS_TOPICS="")
    refused(server, amazon.envelope("{}"))


def test_an_event_that_lacks_what_it_is_about_is_refused(server, amazon, ada):
    for event in ({"eventType": "Bounce"}, ada.event("Bounce") | {"mail": None}, ada.event("Bounce") | {"bounce": []},
                  ada.event("Bounce", feedbackId=None), ada.event("Bounce", timestamp=17)):
        refused(server, amazon.envelope(event), (400,))
    assert ada.standing() == ("ok", 0, True)


# --- faults


def test_a_storm_of_bounces_counts_every_one_and_others_are_served(server, amazon):
    people = [Recipient(server) for _ in range(4)]
    envelopes = []
    for person in people:
        for _ in range(4):
            one = amazon.envelope(person.event("Bounce", bounceType="Transient"))
            envelopes += [one, one, one]
    with concurrent.futures.ThreadPoolExecutor(24) as pool:
        outcomes = list(pool.map(lambda envelope: take(server, envelope), envelopes))
    assert outcomes.count("acted") == 16
    assert [person.standing() for person in people] == [("ok", 4, True)] * 4


@pytest.mark.release_only
def test_kill_9_neither_loses_nor_doubles_what_was_acknowledged(start, amazon):
    server = start(SAFAWINET__BOUNCES__THRESHOLD="0")
    ada = Recipient(server)
    acknowledged = 0
    pending = []
    for _ in range(rounds(3)):
        envelopes = [amazon.envelope(ada.event("Bounce", bounceType="Transient")) for _ in range(40)]
        answered = []

        def send(envelope):
            try:
                reply = post(server, envelope)
            except OSError:
                return None
            return reply.status == 200 and reply.json["outcome"]

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            futures = [pool.submit(send, envelope) for envelope in envelopes]
            eventually(lambda: sum(future.done() for future in futures) >= 10, "some are answered")
            server.kill()
            answered = [future.result() for future in futures]
        server.start()
        acknowledged += sum(outcome in ("acted", "again") for outcome in answered)
        assert ada.standing()[1] >= acknowledged
        pending = [envelope for envelope, outcome in zip(envelopes, answered) if not outcome]
        for envelope in pending:  # as SNS does
            acknowledged += take(server, envelope) in ("acted", "again")
    assert ada.standing()[1] == acknowledged == 40 * rounds(3)


def test_while_the_database_is_away_sns_is_told_to_come_again(start, amazon, database_server):
    if ENGINE == "sqlite":
        pytest.skip("the embedded database does not go away")
    server = start()
    ada = Recipient(server)
    envelope = amazon.envelope(ada.event("Bounce"))
    take(server, amazon.envelope("{}"))
    database_server.stop()
    try:
        reply = post(server, envelope)
        assert reply.status == 503 and reply.headers["Retry-After"]
    finally:
        database_server.start()
    eventually(lambda: post(server, envelope).status == 200, "it is taken when it comes again")
    assert ada.standing()[0] == "bounced"
