"""The HTTP API as its callers see it."""

import dataclasses
import http.client
import json
import ssl
import urllib.parse

TIMEOUT_SECONDS = 30.0
NOT_GIVEN = object()


@dataclasses.dataclass(repr=False)
class Reply:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def pointers(self) -> set[str]:
        """The fields that a 422 names."""
        return {error["pointer"] for error in self.json["errors"]}

    @property
    def problem(self) -> str:
        """The last part of a problem's type, such as `email-not-verified`."""
        assert self.headers["Content-Type"] == "application/problem+json", self
        return self.json["type"].rpartition("/")[2].rpartition(":")[2]

    def without_request_id(self) -> dict:
        """The body, to be compared with another one."""
        return {name: value for name, value in self.json.items() if name not in ("requestId", "instance")}

    def __repr__(self) -> str:
        return f"{self.status} {dict(self.headers)} {self.body[:600]!r}"


class Api:
    """Speaks to one server. Every request is a connection of its own, so an Api may be used from several threads.

    `source`: another loopback address to come from. `tls`: the host name and the authority's file; none: plain HTTP.
    """

    def __init__(
        self,
        address: str,
        token: str | None = None,
        source: str | None = None,
        tls: tuple[str, str] | None = None,
    ):
        self.address = address
        self.token = token
        self.source = source
        self.tls = tls

    def with_token(self, token: str | None) -> "Api":
        return Api(self.address, token, self.source, self.tls)

    # --- anything

    def request(self, method: str, path: str, json_body=NOT_GIVEN, body: bytes | None = None, headers=None) -> Reply:
        """`headers` with the value None take away what would be sent."""
        fields = {}
        if self.token is not None:
            fields["Authorization"] = f"Bearer {self.token}"
        if json_body is not NOT_GIVEN:
            body = json.dumps(json_body).encode()
        if body is not None:
            fields["Content-Type"] = "application/json"
        fields |= headers or {}
        fields = {name: value for name, value in fields.items() if value is not None}
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def connect(self) -> http.client.HTTPConnection:
        source = (self.source, 0) if self.source else None
        host, _, port = self.address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=TIMEOUT_SECONDS, source_address=source)
        if self.tls is not None:
            name, ca_file = self.tls
            connection.connect()
            context = ssl.create_default_context(cafile=ca_file)
            connection.sock = context.wrap_socket(connection.sock, server_hostname=name)
        return connection

    def get(self, path: str, **options) -> Reply:
        return self.request("GET", path, **options)

    def post(self, path: str, json_body=NOT_GIVEN, **options) -> Reply:
        return self.request("POST", path, json_body, **options)

    # --- accounts

    def register(self, email: str, password: str, name: str | None = None, **more) -> Reply:
        body = {"email": email, "password": password} | ({"name": name} if name is not None else {}) | more
        return self.post("/v1/auth/register", body)

    def verify_email(self, token: str) -> Reply:
        return self.post("/v1/auth/verify-email", {"token": token})

    def resend_verification(self, email: str) -> Reply:
        return self.post("/v1/auth/resend-verification", {"email": email})

    def forgot_password(self, email: str) -> Reply:
        return self.post("/v1/auth/forgot-password", {"email": email})

    def reset_password(self, token: str, new_password: str) -> Reply:
        return self.post("/v1/auth/reset-password", {"token": token, "newPassword": new_password})

    def me(self) -> Reply:
        return self.get("/v1/users/me")

    def change_profile(self, **fields) -> Reply:
        return self.request("PATCH", "/v1/users/me", fields)

    def change_password(self, current: str, new: str) -> Reply:
        return self.post("/v1/users/me/change-password", {"currentPassword": current, "newPassword": new})

    def change_email(self, password: str, new_email: str) -> Reply:
        return self.post("/v1/users/me/change-email", {"password": password, "newEmail": new_email})

    def delete_account(self, password: str) -> Reply:
        return self.request("DELETE", "/v1/users/me", {"password": password})

    # --- sessions

    def login(self, email: str, password: str, device_name: str | None = None, **options) -> Reply:
        body = {"email": email, "password": password}
        if device_name is not None:
            body["deviceName"] = device_name
        return self.post("/v1/auth/login", body, **options)

    def refresh(self, refresh_token: str) -> Reply:
        return self.post("/v1/auth/refresh", {"refreshToken": refresh_token})

    def logout(self, refresh_token: str | None = None) -> Reply:
        """By the refresh token, or by the bearer token of this client."""
        if refresh_token is None:
            return self.post("/v1/auth/logout")
        return self.post("/v1/auth/logout", {"refreshToken": refresh_token})

    def sessions(self, query: str = "") -> Reply:
        return self.get("/v1/sessions" + query)

    def end_session(self, session_id: str) -> Reply:
        return self.request("DELETE", f"/v1/sessions/{session_id}")

    def end_other_sessions(self) -> Reply:
        return self.post("/v1/sessions/end-others")

    # --- administration

    def force_logout(self, **fields) -> Reply:
        return self.post("/v1/auth/force-logout", fields)

    def force_logout_all(self, **fields) -> Reply:
        return self.post("/v1/auth/force-logout-all", fields)

    def find_users(self, query: str) -> Reply:
        return self.get("/v1/admin/users?query=" + urllib.parse.quote(query))
