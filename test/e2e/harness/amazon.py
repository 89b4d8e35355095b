"""Amazon, as far as mail goes: the hosts of SNS and SES behind TLS, with a certificate authority of the tests' own.

What it signs and checks follows Amazon's documentation, and botocore, and none of our code.
"""

import base64
import datetime
import http.server
import itertools
import json
import pathlib
import ssl
import threading
import urllib.parse
import uuid

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

from .authority import Authority
from .mail import Mail

REGION = "eu-central-1"
SNS_HOST = f"sns.{REGION}.amazonaws.com"
SES_HOST = f"email.{REGION}.amazonaws.com"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:mail-events"
CERTIFICATE_NAME = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
CERTIFICATE_URL = f"https://{SNS_HOST}/{CERTIFICATE_NAME}"
ACCESS_KEY = "AKIDOFTHETESTS"
SECRET_KEY = "the/secret+key of the tests"


def now(shift_seconds: float = 0) -> str:
    moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=shift_seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


class SigningCertificate:
    """What signs notifications."""

    def __init__(self, bits: int = 2048, days_from: int = -1, days_to: int = 30, is_rsa: bool = True):
        self.key = rsa.generate_private_key(65537, bits) if is_rsa else ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        today = datetime.datetime.utcnow()
        certificate = (
            x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(today + datetime.timedelta(days=days_from))
            .not_valid_after(today + datetime.timedelta(days=days_to))
            .sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def sign(self, text: str, version: str) -> str:
        digest = hashes.SHA256() if version == "2" else hashes.SHA1()
        return base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()


def canonical(message: dict) -> str:
    """What is signed: name and value on a line each, in the order of the names."""
    if message["Type"] == "Notification":
        names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{message[name]}\n" for name in names if name in message)


class Amazon:
    """Listens at `address`:443 for its hosts, when told so; `certificates` is what SNS has under which name."""

    def __init__(self, folder: pathlib.Path):
        self.authority = Authority(folder)
        self.files = self.authority.files_for(SNS_HOST, SES_HOST, "localhost")
        self.signing = SigningCertificate()
        self.certificates: dict[str, bytes] = {CERTIFICATE_NAME: self.signing.pem}
        self.redirections: dict[str, str] = {}  # from which name to which address
        self.requests: list[tuple[str, str]] = []  # method and target
        self.confirmed: list[dict] = []
        self.sent: list[tuple[dict, Mail]] = []  # what SendEmail was told, and the message
        self.refusals: list[tuple[int, str, str]] = []  # status, type and message of the next calls of SendEmail
        self.end_of_message_ids = "-000000"
        self.wrong_signatures: list[str] = []
        self.session_token: str | None = None
        self._ids = itertools.count(1)
        self._servers: list[http.server.ThreadingHTTPServer] = []

    def listen(self, address: str, port: int = 443) -> int:
        amazon = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                amazon.requests.append(("GET", self.path))
                if (name := self.path.removeprefix("/")) in amazon.redirections:
                    self._answer(302, b"", {"Location": amazon.redirections[name]})
                else:
                    self._answer(*amazon._get(self.path))

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                amazon.requests.append(("POST", self.path))
                self._answer(*amazon._send_email(self.headers, self.path, body))

            def _answer(self, status: int, body: bytes, fields: dict[str, str] | None = None):
                self.send_response(status)
                for name, value in (fields or {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        server = http.server.ThreadingHTTPServer((address, port), Handler)
        server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self._servers.append(server)
        return server.server_address[1]

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        self._servers = []

    # --- SNS

    def _get(self, target: str) -> tuple[int, bytes]:
        path, _, query = target.partition("?")
        name = path.removeprefix("/")
        if name in self.certificates:
            return 200, self.certificates[name]
        if path == "/" and query:
            self.confirmed.append(dict(urllib.parse.parse_qsl(query)))
            return 200, b"<ConfirmSubscriptionResponse/>"
        return 404, b"no such thing"

    def envelope(self, message: str | dict, kind: str = "Notification", version: str = "2", signer=None, **changes) -> dict:
        """A signed message of SNS. `changes` are made before it is signed; those of None take a member away."""
        whole = {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Message": message if isinstance(message, str) else json.dumps(message),
            "Timestamp": now(),
            "SignatureVersion": version,
            "SigningCertURL": CERTIFICATE_URL,
            "UnsubscribeURL": f"https://{SNS_HOST}/?Action=Unsubscribe",
        }
        if kind != "Notification":
            whole |= {"Token": "t" * 64, "SubscribeURL": f"https://{SNS_HOST}/?Action=ConfirmSubscription"}
            del whole["UnsubscribeURL"]
        for name, value in changes.items():
            if value is None:
                del whole[name]
            else:
                whole[name] = value
        return whole | {"Signature": (signer or self.signing).sign(canonical(whole), version)}

    # --- SES

    def _send_email(self, headers, target: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        if self.refusals:
            status, kind, text = self.refusals.pop(0)
            return status, json.dumps({"message": text}).encode(), {"x-amzn-ErrorType": kind}
        if not self._is_rightly_signed(headers, target, body):
            self.wrong_signatures.append(headers.get("Authorization", ""))
            return 403, b'{"message":"The request signature does not match"}', {"x-amzn-ErrorType": "SignatureDoesNotMatch"}
        told = json.loads(body)
        self.sent.append((told, Mail(base64.b64decode(told["Content"]["Raw"]["Data"]))))
        message_id = f"0107018b-{next(self._ids):08}{self.end_of_message_ids}"
        return 200, json.dumps({"MessageId": message_id}).encode(), {"Content-Type": "application/json"}

    def _is_rightly_signed(self, headers, target: str, body: bytes) -> bool:
        """botocore signs the same request again."""
        given = headers.get("Authorization", "")
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        signed = {name: headers[name] for name in names if name not in ("x-amz-date", "x-amz-security-token")}
        request = AWSRequest("POST", f"https://{headers['Host']}{target}", signed, body)
        request.context["timestamp"] = headers["X-Amz-Date"]
        auth = SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY, self.session_token), "ses", REGION)
        request.headers["X-Amz-Date"] = headers["X-Amz-Date"]
        if self.session_token:
            request.headers["X-Amz-Security-Token"] = self.session_token
        text = auth.string_to_sign(request, auth.canonical_request(request))
        return given.endswith("Signature=" + auth.signature(text, request))

    # --- what SES publishes

    @staticmethod
    def event(name: str, message_id: str, recipient: str, shape: str = "eventType", mail: str | None = None,
              sent_at: str | None = None, **told) -> dict:
        """`told`: what stands in the object of the event's own name."""
        tags = {"tags": {"safawinet-mail": [mail], "ses:configuration-set": ["x"]}} if mail else {}
        recipients = [{"emailAddress": recipient, "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]
        body = {"timestamp": now(), "feedbackId": str(uuid.uuid4())}
        if name == "Bounce":
            body |= {"bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": recipients}
        elif name == "Complaint":
            body |= {"complainedRecipients": recipients, "complaintFeedbackType": "abuse"}
        elif name == "Delivery":
            body = {"timestamp": now(), "recipients": [recipient], "smtpResponse": "250 ok"}
        elif name == "Reject":
            body = {"reason": "Bad content"}
        return {
            shape: name,
            "mail": {"timestamp": sent_at or now(-600), "messageId": message_id, "source": "no-reply@example.test",
                     "destination": [recipient], "sendingAccountId": "123456789012"} | tags,
            name.lower(): body | told,
            "somethingNew": {"unheard": ["of"]},
        }
