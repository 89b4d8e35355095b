"""The rows of the table about mail: what comes back of it."""

import base64
import datetime
import json
import statistics
import uuid
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from runner.processes import Tools, run_tool
from runner.rows import Plan, Row, spread

TOPIC = "arn:aws:sns:eu-central-1:123456789012:mail-events"
AIM_PER_SECOND = 1000


def bounce_events(plan: Plan, tools: Tools, folder: Path, postgres_url: str | None) -> Row:
    """Without HTTP: from the body of the request until its effects are durable."""
    envelopes, certificate = _signed_bounces(plan.bounces, folder)
    place = ["--postgres", postgres_url] if postgres_url else ["--sqlite", folder / "bounces.db"]
    done = run_tool(tools.bounce_events, *place, "--envelopes", envelopes, "--certificate", certificate)
    events, inserts, transactions = (
        done[name] for name in ("eventsPerSecond", "insertsPerSecond", "transactionsPerSecond")
    )
    rate = statistics.median(events)
    to_inserts = statistics.median(mine / theirs for mine, theirs in zip(events, inserts, strict=True))
    to_transactions = statistics.median(mine / theirs for mine, theirs in zip(events, transactions, strict=True))
    return Row(
        what="Permanent bounces by SNS: signature checked, taken once, durable" + (", on PostgreSQL" if postgres_url else ""),
        against="the same database through the same layer: durable inserts of one row, of the short statement alone",
        aim=f"{AIM_PER_SECOND:,}/s, and a third of the inserts",
        result=f"{to_inserts:.0%}, {rate:,.0f}/s",
        is_met=rate >= AIM_PER_SECOND and to_inserts >= 1 / 3,
        figures=f"{spread(events)} bounces/s against {spread(inserts)} inserts/s; a bounce writes {done['rowsOfABounce']} rows, "
        f"and transactions of {done['rowsOfABounce']} such inserts are {spread(transactions)}/s: {to_transactions:.0%}; "
        f"{done['atOnce']} at once",
        raw=done,
    )


def _signed_bounces(count: int, folder: Path) -> tuple[Path, Path]:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    certificate_file = folder / "sns.pem"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    envelopes_file = folder / "bounces.jsonl"
    timestamp = now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    with envelopes_file.open("w", encoding="utf-8") as out:
        for number in range(count):
            out.write(json.dumps(_envelope(_bounce(number, timestamp), timestamp, key)) + "\n")
    return envelopes_file, certificate_file


def _bounce(number: int, timestamp: str) -> dict:
    email = f"person-{number}@example.com"
    recipient = {"emailAddress": email, "action": "failed", "status": "5.1.1", "diagnosticCode": "smtp; 550 5.1.1 user unknown"}
    return {
        "eventType": "Bounce",
        "mail": {"timestamp": timestamp, "messageId": f"0107-{number:012}", "source": "no-reply@example.com",
                 "destination": [email], "sendingAccountId": "123456789012"},
        "bounce": {"timestamp": timestamp, "feedbackId": str(uuid.uuid4()), "bounceType": "Permanent",
                   "bounceSubType": "General", "bouncedRecipients": [recipient]},
    }  # fmt: skip


def _envelope(event: dict, timestamp: str, key: rsa.RSAPrivateKey) -> dict:
    signed = {
        "Message": json.dumps(event),
        "MessageId": str(uuid.uuid4()),
        "Timestamp": timestamp,
        "TopicArn": TOPIC,
        "Type": "Notification",
    }
    text = "".join(f"{name}\n{value}\n" for name, value in signed.items())
    signature = base64.b64encode(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()
    return signed | {
        "SignatureVersion": "2",
        "Signature": signature,
        "SigningCertURL": "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0.pem",
    }
