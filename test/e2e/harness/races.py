"""Many requests that arrive in the same instant."""

import http.client
import json
import socket

from .client import TIMEOUT_SECONDS, Reply
from .server import Server


def request_bytes(method: str, path: str, body: dict | None = None, token: str | None = None) -> bytes:
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    if token is not None:
        lines.append(f"Authorization: Bearer {token}")
    if method != "GET":
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def connected(server: Server, source: str | None = None) -> socket.socket:
    host, _, port = server.address.rpartition(":")
    connection = socket.create_connection((host, int(port)), TIMEOUT_SECONDS, (source, 0) if source else None)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def together(server: Server, requests: list[bytes], sources: list[str] | None = None) -> list[Reply]:
    """Sends all of every request but its last byte, then all the last bytes at once, and reads the answers."""
    sockets = []
    try:
        for number, request in enumerate(requests):
            connection = connected(server, sources[number % len(sources)] if sources else None)
            sockets.append(connection)
            connection.sendall(request[:-1])
        for connection, request in zip(sockets, requests):
            connection.sendall(request[-1:])
        return [read_reply(connection, request) for connection, request in zip(sockets, requests)]
    finally:
        for connection in sockets:
            connection.close()


def read_reply(connection: socket.socket, request: bytes) -> Reply:
    response = http.client.HTTPResponse(connection, method=request.partition(b" ")[0].decode())
    try:
        response.begin()
        return Reply(response.status, response.headers, response.read())
    finally:
        response.close()


def refresh_request(refresh_token: str) -> bytes:
    return request_bytes("POST", "/v1/auth/refresh", {"refreshToken": refresh_token})


def login_request(email: str, password: str) -> bytes:
    return request_bytes("POST", "/v1/auth/login", {"email": email, "password": password})
