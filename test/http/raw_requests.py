"""Requests as bytes, and what must become of each: the table that the strictness of the HTTP reader is measured by.

A refused request is answered with its status, the connection is closed, and nothing behind it runs. An accepted request
reaches the handler, which sees what the case says; the request behind it runs unless the case says that the connection
closes. Clauses name the rule: RFC 9112 (HTTP/1.1), RFC 9110 (semantics), RFC 3986 (URIs), or "limit" for our own limits.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    clause: str
    raw: bytes
    status: int = 200
    seen: dict | None = None  # what the handler saw; none: it never ran
    closes: bool = False
    answers: int = 1  # to `raw` alone
    echo_only: bool = False  # needs a path that only the test server has

    @property
    def is_refused(self) -> bool:
        return self.seen is None


HOST = b"Host: localhost"


def lines(*texts: bytes, body: bytes = b"") -> bytes:
    return b"".join(text + b"\r\n" for text in texts) + b"\r\n" + body


def get(*fields: bytes, target: bytes = b"/first") -> bytes:
    return lines(b"GET " + target + b" HTTP/1.1", HOST, *fields)


def post(*fields: bytes, body: bytes = b"", target: bytes = b"/first") -> bytes:
    return lines(b"POST " + target + b" HTTP/1.1", HOST, *fields, body=body)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked", body=body)


def refused(name: str, clause: str, raw: bytes, status: int = 400, **more) -> Case:
    return Case(name, clause, raw, status, closes=True, **more)


def accepted(name: str, clause: str, raw: bytes, **more) -> Case:
    options = {field.name for field in dataclasses.fields(Case)}
    seen = {key: value for key, value in more.items() if key not in options}
    return Case(name, clause, raw, seen=seen, **{key: value for key, value in more.items() if key in options})


REQUEST_LINES = [
    refused("line feed without carriage return", "RFC 9112 2.2", b"GET /first HTTP/1.1\nHost: localhost\n\n"),
    refused("line feed alone after the request line", "RFC 9112 2.2", b"GET /first HTTP/1.1\nHost: localhost\r\n\r\n"),
    refused("carriage return in the request line", "RFC 9112 2.2", b"GET /first\r HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    refused("carriage return instead of CRLF", "RFC 9112 2.2", b"GET /first HTTP/1.1\rHost: localhost\r\n\r\n"),
    refused("two empty lines first", "RFC 9112 2.2", b"\r\n\r\n" + get()),
    refused("line feed first", "RFC 9112 2.2", b"\n" + get()),
    refused("carriage return first", "RFC 9112 2.2", b"\r" + get()),
    refused("space first", "RFC 9112 3", b" " + get()),
    refused("two spaces after the method", "RFC 9112 3", lines(b"GET  /first HTTP/1.1", HOST)),
    refused("two spaces before the version", "RFC 9112 3", lines(b"GET /first  HTTP/1.1", HOST)),
    refused("space at the end", "RFC 9112 3", lines(b"GET /first HTTP/1.1 ", HOST)),
    refused("tab instead of space", "RFC 9112 3", lines(b"GET\t/first\tHTTP/1.1", HOST)),
    refused("tab in the target", "RFC 9112 3", lines(b"GET /first\t HTTP/1.1", HOST)),
    refused("space in the target", "RFC 9112 3.2", lines(b"GET /first second HTTP/1.1", HOST)),
    refused("no target", "RFC 9112 3", lines(b"GET HTTP/1.1", HOST)),
    refused("no version (HTTP/0.9)", "RFC 9112 3", lines(b"GET /first")),
    refused("method only", "RFC 9112 3", lines(b"GET", HOST)),
    refused("method with a character that is none of a token", "RFC 9110 9.1", lines(b"GE(T /first HTTP/1.1", HOST)),
    refused("NUL in the method", "RFC 9110 9.1", lines(b"GE\0T /first HTTP/1.1", HOST)),
    refused("TLS handshake on a plain port", "RFC 9112 3", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    refused("preface of HTTP/2", "RFC 9112 2.3", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    refused("lower-case method", "RFC 9110 9.1", lines(b"get /first HTTP/1.1", HOST), 501),
    refused("unknown method", "RFC 9110 9.1", lines(b"BREW /first HTTP/1.1", HOST), 501),
    refused("TRACE", "RFC 9110 9.3.8", lines(b"TRACE /first HTTP/1.1", HOST), 501),
    refused("CONNECT", "RFC 9112 3.2.3", lines(b"CONNECT localhost:443 HTTP/1.1", HOST), 501),
    refused("version 2.0", "RFC 9110 15.6.6", lines(b"GET /first HTTP/2.0", HOST), 505),
    refused("version 1.2", "RFC 9110 15.6.6", lines(b"GET /first HTTP/1.2", HOST), 505),
    refused("version 0.9", "RFC 9110 15.6.6", lines(b"GET /first HTTP/0.9", HOST), 505),
    refused("lower-case version", "RFC 9112 2.3", lines(b"GET /first http/1.1", HOST)),
    refused("version of two digits", "RFC 9112 2.3", lines(b"GET /first HTTP/1.10", HOST)),
    refused("version with a leading zero", "RFC 9112 2.3", lines(b"GET /first HTTP/01.1", HOST)),
    refused("version without a minor", "RFC 9112 2.3", lines(b"GET /first HTTP/1", HOST)),
    refused("version of another protocol", "RFC 9112 2.3", lines(b"GET /first ICAP/1.0", HOST)),
    refused("request line too long", "limit", lines(b"GET /" + b"a" * 8200 + b" HTTP/1.1", HOST), 414),
    refused("request line that never ends", "limit", b"GET /" + b"a" * 9000, 414),
    accepted("one empty line first", "RFC 9112 2.2", b"\r\n" + get(), path="/first"),
    accepted("longest request line", "limit", get(target=b"/" + b"a" * 8177), path="/" + "a" * 8177),
]

TARGETS = [
    refused("fragment", "RFC 9112 3.2", get(target=b"/first#part")),
    refused("not ASCII", "RFC 3986 2", get(target="/fürst".encode())),
    refused("not ASCII in the query", "RFC 3986 2", get(target="/first?ü".encode())),
    refused("NUL in the target", "RFC 3986 2", get(target=b"/fi\0rst")),
    refused("DEL in the target", "RFC 3986 2", get(target=b"/fi\x7frst")),
    refused("quotation mark", "RFC 3986 2", get(target=b'/"first"')),
    refused("backslash", "RFC 3986 2", get(target=b"/a\\b")),
    refused("braces", "RFC 3986 2", get(target=b"/{first}")),
    refused("percent without digits", "RFC 3986 2.1", get(target=b"/%")),
    refused("percent with one digit", "RFC 3986 2.1", get(target=b"/%4")),
    refused("percent with letters that are no digits", "RFC 3986 2.1", get(target=b"/%zz")),
    refused("percent in the query", "RFC 3986 2.1", get(target=b"/first?a=%4")),
    refused("encoded NUL", "RFC 3986 7.3", get(target=b"/first%00")),
    refused("encoded NUL in the query", "RFC 3986 7.3", get(target=b"/first?a=%00")),
    refused("encoded line feed", "RFC 3986 7.3", get(target=b"/first%0d%0aX:%20y")),
    refused("encoded slash", "RFC 3986 2.2", get(target=b"/a%2fb")),
    refused("encoded slash in capitals", "RFC 3986 2.2", get(target=b"/a%2Fb")),
    refused("encoded backslash", "RFC 3986 2.2", get(target=b"/a%5cb")),
    refused("dot segment", "RFC 3986 5.2.4", get(target=b"/a/./b")),
    refused("two dots", "RFC 3986 5.2.4", get(target=b"/a/../first")),
    refused("two dots at the end", "RFC 3986 5.2.4", get(target=b"/a/..")),
    refused("encoded dots", "RFC 3986 5.2.4", get(target=b"/a/%2e%2E/first")),
    refused("half-encoded dots", "RFC 3986 5.2.4", get(target=b"/a/.%2e/first")),
    refused("empty segment", "RFC 3986 3.3", get(target=b"/a//b")),
    refused("two slashes first", "RFC 3986 3.3", get(target=b"//example.org/first")),
    refused("overlong UTF-8", "RFC 3629 3", get(target=b"/%c0%af")),
    refused("encoded byte that is no UTF-8", "RFC 3629 3", get(target=b"/%ff")),
    refused("no slash first", "RFC 9112 3.2.1", get(target=b"first")),
    refused("asterisk with GET", "RFC 9112 3.2.4", get(target=b"*")),
    refused("authority form with GET", "RFC 9112 3.2.3", get(target=b"localhost:80")),
    refused("absolute form of another host", "RFC 9112 3.2.2", get(target=b"http://other.example/first")),
    refused("absolute form with another port", "RFC 9112 3.2.2", get(target=b"http://localhost:81/first")),
    refused("absolute form with user information", "RFC 9110 4.2.4", get(target=b"http://user@localhost/first")),
    refused("absolute form without a host", "RFC 9110 4.2.1", get(target=b"http:///first")),
    refused("absolute form of another scheme", "RFC 9112 3.2.2", get(target=b"ftp://localhost/first")),
    accepted("query", "RFC 9112 3.2.1", get(target=b"/first?a=b&c=%2F?/"), path="/first", query="a=b&c=%2F?/"),
    accepted("empty query", "RFC 9112 3.2.1", get(target=b"/first?"), path="/first", query="", target="/first?"),
    accepted("encoded letters", "RFC 3986 2.1", get(target=b"/%66irst%20%C3%BC"), path="/first ü", target="/%66irst%20%C3%BC"),
    accepted("decoded once only", "RFC 3986 2.4", get(target=b"/%2541"), path="/%41"),
    accepted("sub-delimiters", "RFC 3986 3.3", get(target=b"/a;b=c,d:e@f!$&'()*+~"), path="/a;b=c,d:e@f!$&'()*+~"),
    accepted("absolute form", "RFC 9112 3.2.2", get(target=b"http://LOCALHOST/first?a"), path="/first", query="a"),
    accepted("absolute form without a path", "RFC 9112 3.2.2", get(target=b"https://localhost"), path="/", target="/"),
    accepted("asterisk with OPTIONS", "RFC 9112 3.2.4", lines(b"OPTIONS * HTTP/1.1", HOST), path="*", method="OPTIONS"),
]

FIELDS = [
    refused("folded line", "RFC 9112 5.2", get(b"X-Long: a", b" b")),
    refused("folded line with a tab", "RFC 9112 5.2", get(b"X-Long: a", b"\tb")),
    refused("first field line folded", "RFC 9112 2.2", lines(b"GET /first HTTP/1.1", b" X: a", HOST)),
    refused("space before the colon", "RFC 9112 5.1", get(b"X-Name : a")),
    refused("tab before the colon", "RFC 9112 5.1", get(b"X-Name\t: a")),
    refused("space before the colon of a framing field", "RFC 9112 5.1", post(b"Content-Length : 3", body=b"abc")),
    refused("no colon", "RFC 9112 5", get(b"X-Name")),
    refused("empty name", "RFC 9112 5", get(b": a")),
    refused("space in the name", "RFC 9110 5.1", get(b"X Name: a")),
    refused("name with brackets", "RFC 9110 5.1", get(b"X[0]: a")),
    refused("name that is not ASCII", "RFC 9110 5.1", get("Größe: a".encode())),
    refused("NUL in the name", "RFC 9110 5.1", get(b"X\0: a")),
    refused("NUL in the value", "RFC 9110 5.5", get(b"X-Name: a\0b")),
    refused("control character in the value", "RFC 9110 5.5", get(b"X-Name: a\x08b")),
    refused("DEL in the value", "RFC 9110 5.5", get(b"X-Name: a\x7fb")),
    refused("carriage return in the value", "RFC 9110 5.5", get(b"X-Name: a\rb")),
    refused("line feed in the value", "RFC 9112 2.2", get(b"X-Name: a\nX-Other: b")),
    refused("value that is not UTF-8", "RFC 9110 5.5", get(b"X-Name: caf\xe9")),
    refused("carriage return before CRLF", "RFC 9112 2.2", get(b"X-Name: a\r")),
    refused("carriage return before the empty line", "RFC 9112 2.2", b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\r\n\r\n"),
    refused("line feed as the empty line", "RFC 9112 2.2", b"GET /first HTTP/1.1\r\nHost: localhost\r\n\n"),
    refused("no Host", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1")),
    refused("no Host but an absolute form", "RFC 9112 3.2", lines(b"GET http://localhost/first HTTP/1.1")),
    refused("two Hosts", "RFC 9112 3.2", get(b"Host: other.example")),
    refused("two equal Hosts", "RFC 9112 3.2", get(HOST)),
    refused("two Hosts in other letters", "RFC 9112 3.2", get(b"hOST: localhost")),
    refused("empty Host", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host:")),
    refused("Host with a path", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: localhost/first")),
    refused("Host with user information", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: user@localhost")),
    refused("list of Hosts", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: localhost, other.example")),
    refused("Host with a space", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: local host")),
    refused("Host with a bad port", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: localhost:80a")),
    refused("Host with a port out of range", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: localhost:65536")),
    refused("bad Host in HTTP/1.0", "RFC 9112 3.2", lines(b"GET /first HTTP/1.0", b"Host: a b")),
    refused("two Authorizations", "RFC 9110 5.3", get(b"Authorization: Bearer a", b"Authorization: Bearer b")),
    refused("two Cookies", "RFC 6265 5.4", get(b"Cookie: a=b", b"Cookie: a=c")),
    refused("two Content-Types", "RFC 9110 8.3", post(b"Content-Type: a/b", b"Content-Type: c/d", b"Content-Length: 0")),
    refused("two Origins", "RFC 6454 7", get(b"Origin: https://a.example", b"Origin: https://b.example")),
    refused("two Idempotency-Keys", "RFC 9110 5.3", post(b"Idempotency-Key: a", b"Idempotency-Key: b", b"Content-Length: 0")),
    refused("two X-Request-Ids", "RFC 9110 5.3", get(b"X-Request-Id: a", b"X-Request-Id: b")),
    refused("two X-Forwarded-Fors", "RFC 9110 5.3", get(b"X-Forwarded-For: 192.0.2.1", b"X-Forwarded-For: 192.0.2.2")),
    refused("two User-Agents", "RFC 9110 5.3", get(b"User-Agent: a", b"User-Agent: b")),
    refused("Connection that is no list of tokens", "RFC 9110 7.6.1", get(b"Connection: close;now")),
    refused("101 fields", "limit", get(*(b"X-%d: a" % number for number in range(100))), 431),
    refused("fields too large", "limit", get(b"X-Large: " + b"a" * 17_000), 431),
    refused("field line that never ends", "limit", get()[:-2] + b"X-Large: " + b"a" * 20_000, 431),
    accepted("100 fields", "limit", get(*(b"X-%d: a" % number for number in range(99))), path="/first"),
    accepted("15 KiB of fields", "limit", get(b"X-Large: " + b"a" * 15_000), path="/first"),
    accepted("white space around the value", "RFC 9112 5.1", get(b"X-Name: \t a b\t "), field=["X-Name", "a b"]),
    accepted("no white space", "RFC 9112 5.1", get(b"X-Name:a"), field=["X-Name", "a"]),
    accepted("empty value", "RFC 9110 5.5", get(b"X-Name:"), field=["X-Name", ""]),
    accepted("value with colons", "RFC 9112 5.1", get(b"X-Name: a:b: c"), field=["X-Name", "a:b: c"]),
    accepted("UTF-8 in the value", "RFC 9110 5.5", get("User-Agent: Zürich 🏠".encode()), field=["User-Agent", "Zürich 🏠"]),
    accepted("list over two lines", "RFC 9110 5.3", get(b"Accept: a/b", b"Accept: c/d"), field=["Accept", "c/d"]),
    accepted("every character of a token in the name", "RFC 9110 5.6.2", get(b"!#$%&'*+-.^_`|~9Aa: b"), path="/first"),
    accepted("Host with a port", "RFC 9112 3.2", lines(b"GET /first HTTP/1.1", b"Host: localhost:8080"), path="/first"),
    accepted("Host of an IPv6 address", "RFC 3986 3.2.2", lines(b"GET /first HTTP/1.1", b"Host: [::1]:8080"), path="/first"),
]

FRAMING = [
    refused("two Content-Lengths", "RFC 9112 6.3", post(b"Content-Length: 3", b"Content-Length: 5", body=b"abcde")),
    refused("two equal Content-Lengths", "RFC 9112 6.3", post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc")),
    refused("list of Content-Lengths", "RFC 9112 6.3", post(b"Content-Length: 3, 3", body=b"abc")),
    refused("Content-Length with a plus", "RFC 9110 8.6", post(b"Content-Length: +3", body=b"abc")),
    refused("Content-Length with a minus", "RFC 9110 8.6", post(b"Content-Length: -3", body=b"abc")),
    refused("minus zero", "RFC 9110 8.6", post(b"Content-Length: -0")),
    refused("hexadecimal Content-Length", "RFC 9110 8.6", post(b"Content-Length: 0x3", body=b"abc")),
    refused("Content-Length with a leading zero", "RFC 9110 8.6", post(b"Content-Length: 010", body=b"abcdefghij")),
    refused("Content-Length with a fraction", "RFC 9110 8.6", post(b"Content-Length: 3.0", body=b"abc")),
    refused("Content-Length with words", "RFC 9110 8.6", post(b"Content-Length: 3 bytes", body=b"abc")),
    refused("empty Content-Length", "RFC 9110 8.6", post(b"Content-Length:", body=b"abc")),
    refused("Content-Length beyond 64 bits", "RFC 9110 8.6", post(b"Content-Length: 18446744073709551619", body=b"abc")),
    refused("Content-Length in other digits", "RFC 9110 8.6", post("Content-Length: ３".encode(), body=b"abc")),
    refused(
        "Content-Length and Transfer-Encoding", "RFC 9112 6.1",
        post(b"Content-Length: 4", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    ),
    refused(
        "Transfer-Encoding and Content-Length", "RFC 9112 6.1",
        post(b"Transfer-Encoding: chunked", b"Content-Length: 0", body=b"0\r\n\r\n"),
    ),
    refused("chunked twice in a list", "RFC 9112 6.1", post(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n")),
    refused(
        "chunked twice in two lines", "RFC 9112 6.1",
        post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    ),
    refused("gzip, chunked", "RFC 9112 6.1", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n")),
    refused("chunked, identity", "RFC 9112 6.1", post(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n")),
    refused("identity", "RFC 9112 6.1", post(b"Transfer-Encoding: identity", b"Content-Length: 3", body=b"abc")),
    refused("chunked with a parameter", "RFC 9112 7", post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n")),
    refused("chunked with a comma", "RFC 9112 6.1", post(b"Transfer-Encoding: chunked,", body=b"0\r\n\r\n")),
    refused("chunked in quotes", "RFC 9112 6.1", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n")),
    refused("xchunked", "RFC 9112 6.1", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n")),
    refused("vertical tab before chunked", "RFC 9110 5.5", post(b"Transfer-Encoding: \x0bchunked", body=b"0\r\n\r\n")),
    refused("empty Transfer-Encoding", "RFC 9112 6.1", post(b"Transfer-Encoding:", body=b"0\r\n\r\n")),
    refused(
        "Transfer-Encoding in HTTP/1.0", "RFC 9112 6.1",
        lines(b"POST /first HTTP/1.0", HOST, b"Transfer-Encoding: chunked", b"Connection: keep-alive", body=b"0\r\n\r\n"),
    ),
    refused("other expectation", "RFC 9110 10.1.1", post(b"Expect: 200-ok", b"Content-Length: 3", body=b"abc"), 417),
    refused("body announced too large", "limit", post(b"Content-Length: 65537"), 413),
    refused(
        "body announced too large, with an expectation", "RFC 9110 10.1.1",
        post(b"Content-Length: 65537", b"Expect: 100-continue"), 413,
    ),
    accepted("no body", "RFC 9112 6.3", post(), body=b"", method="POST"),
    accepted("empty body", "RFC 9110 8.6", post(b"Content-Length: 0"), body=b""),
    accepted("body with a length", "RFC 9110 8.6", post(b"Content-Length: 3", body=b"abc"), body=b"abc"),
    accepted("body that looks like a request", "RFC 9112 6.3", post(b"Content-Length: 18", body=b"GET /x HTTP/1.1\r\n\r"), body=b"GET /x HTTP/1.1\r\n\r"),
    accepted("body with NUL", "RFC 9112 6", post(b"Content-Length: 3", body=b"\0\xff\n"), body=b"\0\xff\n"),
    accepted("largest body", "limit", post(b"Content-Length: 65536", body=b"a" * 65536), body=b"a" * 65536),
    accepted(
        "larger body on a path that allows it", "limit",
        post(b"Content-Length: 262144", body=b"a" * 262144, target=b"/webhook"), body=b"a" * 262144, echo_only=True,
    ),
    accepted("GET with a body", "RFC 9110 9.3.1", get(b"Content-Length: 3") + b"abc", body=b"abc", method="GET"),
    accepted(
        "DELETE with a body", "RFC 9110 9.3.5", lines(b"DELETE /first HTTP/1.1", HOST, b"Content-Length: 3", body=b"abc"),
        body=b"abc", method="DELETE",
    ),
    accepted("TE asks for trailers", "RFC 9110 10.1.4", get(b"TE: trailers"), path="/first"),
]

CHUNKED = [
    refused("size with a plus", "RFC 9112 7.1", chunked(b"+3\r\nabc\r\n0\r\n\r\n")),
    refused("size with a minus", "RFC 9112 7.1", chunked(b"-1\r\nabc\r\n0\r\n\r\n")),
    refused("size with 0x", "RFC 9112 7.1", chunked(b"0x3\r\nabc\r\n0\r\n\r\n")),
    refused("size with an underscore", "RFC 9112 7.1", chunked(b"1_0\r\nabc\r\n0\r\n\r\n")),
    refused("size after a space", "RFC 9112 7.1", chunked(b" 3\r\nabc\r\n0\r\n\r\n")),
    refused("size before a space", "RFC 9112 7.1", chunked(b"3 \r\nabc\r\n0\r\n\r\n")),
    refused("size before a tab", "RFC 9112 7.1", chunked(b"3\t\r\nabc\r\n0\r\n\r\n")),
    refused("size of no digits", "RFC 9112 7.1", chunked(b"\r\nabc\r\n0\r\n\r\n")),
    refused("size of letters that are no digits", "RFC 9112 7.1", chunked(b"g\r\nabc\r\n0\r\n\r\n")),
    refused("size beyond 64 bits", "RFC 9112 7.1", chunked(b"10000000000000003\r\nabc\r\n0\r\n\r\n")),
    refused("size of too many zeros", "RFC 9112 7.1", chunked(b"00000000000000003\r\nabc\r\n0\r\n\r\n")),
    refused("line feed after the size", "RFC 9112 7.1", chunked(b"3\nabc\r\n0\r\n\r\n")),
    refused("carriage return after the size", "RFC 9112 7.1", chunked(b"3\rabc\r\n0\r\n\r\n")),
    refused("line feed after the data", "RFC 9112 7.1", chunked(b"3\r\nabc\n0\r\n\r\n")),
    refused("nothing after the data", "RFC 9112 7.1", chunked(b"3\r\nabc0\r\n\r\n")),
    refused("more data than announced", "RFC 9112 7.1", chunked(b"3\r\nabcdef\r\n0\r\n\r\n")),
    refused("less data than announced", "RFC 9112 7.1", chunked(b"5\r\nabc\r\n0\r\n\r\n")),
    refused("line feed after the last chunk", "RFC 9112 7.1", chunked(b"0\r\n\n")),
    refused("extension after a space", "RFC 9112 7.1.1", chunked(b"3 ;a=b\r\nabc\r\n0\r\n\r\n")),
    refused("extension without a name", "RFC 9112 7.1.1", chunked(b"3;\r\nabc\r\n0\r\n\r\n")),
    refused("extension with a line feed", "RFC 9112 7.1.1", chunked(b"3;a\nb\r\nabc\r\n0\r\n\r\n")),
    refused("extension with a carriage return", "RFC 9112 7.1.1", chunked(b"3;a\rb\r\nabc\r\n0\r\n\r\n")),
    refused("extension with an open quote", "RFC 9112 7.1.1", chunked(b'3;a="b\r\nabc\r\n0\r\n\r\n')),
    refused("extension that never ends", "limit", chunked(b"3;" + b"a" * 1000)),
    refused("many extensions", "limit", chunked((b"1;" + b"a" * 200 + b"\r\nx\r\n") * 30 + b"0\r\n\r\n")),
    refused("trailer that frames", "RFC 9110 6.5.1", chunked(b"3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n")),
    refused("trailer that identifies", "RFC 9110 6.5.1", chunked(b"3\r\nabc\r\n0\r\nAuthorization: Bearer x\r\n\r\n")),
    refused("trailer that is no field", "RFC 9112 7.1.2", chunked(b"3\r\nabc\r\n0\r\nno field\r\n\r\n")),
    refused("folded trailer", "RFC 9112 7.1.2", chunked(b"3\r\nabc\r\n0\r\nX-A: b\r\n c\r\n\r\n")),
    refused("trailers too large", "limit", chunked(b"0\r\nX-A: " + b"a" * 5000 + b"\r\n\r\n")),
    refused("body too large by one chunk", "limit", chunked(b"10001\r\n"), 413),
    refused("body too large by many chunks", "limit", chunked((b"1000\r\n" + b"a" * 4096 + b"\r\n") * 17), 413),
    refused("chunk of 2^64 - 1 bytes", "limit", chunked(b"3\r\nabc\r\nffffffffffffffff\r\n"), 413),
    accepted("chunks", "RFC 9112 7.1", chunked(b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), body=b"abcde"),
    accepted("only the last chunk", "RFC 9112 7.1", chunked(b"0\r\n\r\n"), body=b""),
    accepted("size in capitals with leading zeros", "RFC 9112 7.1", chunked(b"00A\r\n0123456789\r\n000\r\n\r\n"), body=b"0123456789"),
    accepted("extensions", "RFC 9112 7.1.1", chunked(b'3;a;b=c;d="e;\\" f"\r\nabc\r\n0;last\r\n\r\n'), body=b"abc"),
    accepted(
        "trailer dropped", "RFC 9110 6.5.1", chunked(b"3\r\nabc\r\n0\r\nX-Checksum: 1\r\n\r\n"), body=b"abc",
        absent_field="X-Checksum",
    ),
    accepted("chunked in other letters", "RFC 9112 7", post(b"tRANSFER-eNCODING: cHUNKED", body=b"1\r\na\r\n0\r\n\r\n"), body=b"a"),
    accepted("data that looks like the end", "RFC 9112 7.1", chunked(b"5\r\n0\r\n\r\n\r\n0\r\n\r\n"), body=b"0\r\n\r\n"),
]

CONNECTIONS = [
    accepted("HTTP/1.0", "RFC 9112 9.3", lines(b"GET /first HTTP/1.0"), path="/first", closes=True),
    accepted(
        "HTTP/1.0 kept alive", "RFC 9112 C.2.2", lines(b"GET /first HTTP/1.0", HOST, b"Connection: keep-alive"), path="/first",
    ),
    accepted(
        "HTTP/1.0 ignores 100-continue", "RFC 9110 10.1.1",
        lines(b"POST /first HTTP/1.0", b"Expect: 100-continue", b"Content-Length: 3", body=b"abc"), body=b"abc", closes=True,
    ),
    accepted("close", "RFC 9112 9.6", get(b"Connection: close"), path="/first", closes=True),
    accepted("close in a list", "RFC 9112 9.6", get(b"Connection: upgrade, Close"), path="/first", closes=True),
    accepted("close in another line", "RFC 9112 9.6", get(b"Connection: keep-alive", b"Connection: close"), closes=True, path="/first"),
    accepted("keep-alive in HTTP/1.1", "RFC 9112 9.3", get(b"Connection: keep-alive"), path="/first"),
    accepted("upgrade is ignored", "RFC 9110 7.8", get(b"Connection: upgrade", b"Upgrade: h2c"), path="/first"),
    accepted("HEAD", "RFC 9110 9.3.2", lines(b"HEAD /first HTTP/1.1", HOST), method="HEAD"),
    accepted("PUT", "RFC 9110 9.3.4", lines(b"PUT /first HTTP/1.1", HOST, b"Content-Length: 1", body=b"a"), method="PUT"),
    accepted("PATCH", "RFC 5789 2", lines(b"PATCH /first HTTP/1.1", HOST, b"Content-Length: 1", body=b"a"), method="PATCH"),
    accepted(
        "pipelined", "RFC 9112 9.3.2", get() + post(b"Content-Length: 3", body=b"abc") + chunked(b"1\r\na\r\n0\r\n\r\n"),
        path="/first", answers=3,
    ),
    accepted(
        "empty line after a body", "RFC 9112 2.2", post(b"Content-Length: 3", body=b"abc") + b"\r\n", body=b"abc",
    ),
    accepted(
        "100-continue with the body already there", "RFC 9110 10.1.1",
        post(b"Expect: 100-continue", b"Content-Length: 3", body=b"abc"), body=b"abc",
    ),
    accepted(
        "100-continue without a body", "RFC 9110 10.1.1", post(b"Expect: 100-continue", b"Content-Length: 0"), body=b"",
    ),
]

CASES = REQUEST_LINES + TARGETS + FIELDS + FRAMING + CHUNKED + CONNECTIONS
