"""What the server does with connections: deadlines, drain, full tables, TLS, clients that leave."""

import os
import resource
import signal
import socket
import ssl
import struct
import subprocess
import time

import pytest

from echo_server import ECHO, eventually
from http_client import PATIENCE_SECONDS, Stream, Target, exchange
from raw_requests import HOST, get, lines, post

# Long enough that a test that must not run into it does not, short enough to wait for.
SHORT_TIMEOUT_MILLISECONDS = 400


@pytest.fixture
def echo(start_echo):
    return start_echo()


def slow(path: bytes, milliseconds: int, *fields: bytes) -> bytes:
    return get(*fields, target=path + b"?sleep-ms=%d" % milliseconds)


def test_a_request_may_come_byte_by_byte(echo):
    raw = post(b"Content-Length: 3", body=b"abc")
    with Stream(echo.target.connect()) as stream:
        stream.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in raw:
            stream.send(bytes([byte]))
        assert stream.answer().seen["body"] == b"abc".hex()


def test_a_connection_serves_many_requests(echo):
    with Stream(echo.target.connect()) as stream:
        for number in range(100):
            stream.send(get(target=b"/%d" % number))
            answer = stream.answer()
            assert answer.seen["path"] == f"/{number}"
            assert "Connection" not in answer.fields
            assert answer.fields["Date"].endswith(" GMT")


def test_pipelined_requests_are_answered_in_order(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(slow(b"/0", 50) + b"".join(get(target=b"/%d" % number) for number in range(1, 200)))
        assert [stream.answer().seen["path"] for _ in range(200)] == [f"/{number}" for number in range(200)]


def test_continue_is_sent_before_the_body_and_only_then(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(post(b"Expect: 100-continue", b"Content-Length: 3"))
        assert stream.answer().status == 100
        stream.send(b"abc")
        assert stream.answer().seen["body"] == b"abc".hex()
        stream.send(post(b"Expect: 100-continue", b"Transfer-Encoding: chunked"))
        assert stream.answer().status == 100
        stream.send(b"3\r\nabc\r\n0\r\n\r\n")
        assert stream.answer().seen["body"] == b"abc".hex()
        stream.send(post(b"Expect: 100-continue", b"Content-Length: 70000"))
        assert stream.answer().status == 413
        assert stream.is_at_end()


def test_head_has_the_length_of_the_body_and_no_body(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(lines(b"HEAD /first HTTP/1.1", HOST) + get(target=b"/second"))
        head = stream.answer("HEAD")
        assert int(head.fields["Content-Length"]) > 0
        assert stream.answer().seen["path"] == "/second"


def test_a_refused_head_has_no_body_either(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(lines(b"HEAD /first HTTP/1.1"))
        assert stream.answer("HEAD").status == 400
        assert stream.is_at_end()


def test_an_answer_without_content_has_no_length(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(get(target=b"/empty") + get(target=b"/second"))
        empty = stream.answer()
        assert (empty.status, empty.fields.keys() & {"Content-Length", "Content-Type"}) == (204, set())
        assert stream.answer().seen["path"] == "/second"


def test_an_answer_larger_than_the_buffers_of_the_kernel_arrives_whole(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(get(target=b"/large") + get(target=b"/second"))
        assert stream.answer().body == b"x" * 8 * 1024 * 1024
        assert stream.answer().seen["path"] == "/second"


def test_a_handler_may_close_the_connection(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(get(target=b"/close") + get(target=b"/second"))
        assert stream.answer().fields["Connection"] == "close"
        assert stream.is_at_end()
    exchange(echo.target, get(b"Connection: close", target=b"/fence"))
    assert not echo.target.has_run("/second")


def test_a_handler_that_fails_is_a_bare_500_and_logged(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(get(target=b"/throws?secret") + get(target=b"/second"))
        answer = stream.answer()
        assert (answer.status, b"thrown" in answer.body) == (500, False)
        assert stream.answer().seen["path"] == "/second"
    assert echo.has_logged("failure the handler failed: GET /throws: thrown by the handler\n")
    assert not echo.has_logged("secret")


def test_a_handler_cannot_split_its_answer(echo):
    answer = exchange(echo.target, get(target=b"/split"))
    assert answer.status == 500
    assert "X-Injected" not in answer.fields
    assert echo.has_logged("failure the handler gave an answer that cannot be sent: GET /split")


def test_a_handler_that_waits_keeps_nobody_else_waiting(echo):
    with Stream(echo.target.connect()) as waiting:
        waiting.send(slow(b"/waits", 60_000))
        eventually(lambda: echo.target.has_run("/waits"), "the handler waits")
        started = time.monotonic()
        for _ in range(20):
            assert exchange(echo.target, get(b"Connection: close")).status == 200
        assert time.monotonic() - started < 30


def test_a_handler_can_tell_that_its_client_has_gone(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(get())
        assert stream.answer().seen["gone"] is False
        # Corked, so that the end comes in the segment of the request: the handler looks at once.
        stream.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        stream.send(get(target=b"/left"))
        stream.connection.shutdown(socket.SHUT_WR)
        assert stream.answer().seen["gone"] is True


def test_a_request_that_ends_too_early_is_refused(echo):
    for raw in (b"GET /fir", get()[:-2], post(b"Content-Length: 3", body=b"ab")):
        with Stream(echo.target.connect()) as stream:
            stream.send(raw)
            stream.connection.shutdown(socket.SHUT_WR)
            assert stream.answer().status == 400
            assert stream.is_at_end()


def test_a_refused_client_that_goes_on_sending_still_reads_its_answer(echo):
    with Stream(echo.target.connect()) as stream:
        stream.send(post(b"Content-Length: 500000"))
        stream.send_as_far_as_it_is_read(b"a" * 500_000)
        assert stream.answer().status == 413
        assert stream.is_at_end()


class TestDeadlines:
    @pytest.fixture
    def echo(self, start_echo):
        return start_echo("--timeout-ms", str(SHORT_TIMEOUT_MILLISECONDS))

    def test_a_head_that_takes_too_long(self, echo):
        for raw in (b"G", get()[:-2]):
            with Stream(echo.target.connect()) as stream:
                stream.send(raw)
                assert stream.answer().status == 408
                assert stream.is_at_end()

    def test_a_head_that_trickles_has_no_more_time(self, echo):
        started = time.monotonic()
        with Stream(echo.target.connect()) as stream:
            stream.connection.settimeout(0.05)
            while True:
                stream.send_as_far_as_it_is_read(b"G")
                try:
                    assert stream.answer().status in (408, 414)
                    break
                except TimeoutError:
                    assert time.monotonic() - started < PATIENCE_SECONDS

    def test_a_body_that_takes_too_long(self, echo):
        for raw in (post(b"Content-Length: 3", body=b"ab"), post(b"Transfer-Encoding: chunked", body=b"3\r\na")):
            with Stream(echo.target.connect()) as stream:
                stream.send(raw)
                assert stream.answer().status == 408
                assert stream.is_at_end()

    def test_an_idle_connection_is_closed_without_a_word(self, echo):
        with Stream(echo.target.connect()) as fresh, Stream(echo.target.connect()) as kept:
            kept.send(get())
            assert kept.answer().status == 200
            assert fresh.is_at_end()
            assert kept.is_at_end()

    def test_a_client_that_reads_nothing_is_dropped(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/large"))
            time.sleep(5 * SHORT_TIMEOUT_MILLISECONDS / 1000)
            with pytest.raises((AssertionError, ConnectionResetError)):
                stream.answer()

    def test_a_handler_has_the_time_that_it_takes(self, echo):
        assert exchange(echo.target, slow(b"/first", 3 * SHORT_TIMEOUT_MILLISECONDS)).status == 200


class TestStreams:
    """Bodies that are produced piece by piece."""

    def test_a_stream_is_sent_in_chunks_and_the_connection_goes_on(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream") + get(target=b"/second"))
            head = stream.head()
            assert (head.status, head.fields["Transfer-Encoding"]) == (200, "chunked")
            assert "Content-Length" not in head.fields
            assert list(stream.chunks()) == [b"one\n", b"two\n", b"three\n"]
            assert stream.answer().seen["path"] == "/second"

    def test_a_client_of_http_1_0_reads_until_the_end_of_the_connection(self, echo):
        for fields in ((), (b"Connection: keep-alive",)):
            with Stream(echo.target.connect()) as stream:
                stream.send(lines(b"GET /stream HTTP/1.0", HOST, *fields))
                head = stream.head()
                assert (head.fields["Connection"], "Transfer-Encoding" in head.fields) == ("close", False)
                assert stream.rest() == b"one\ntwo\nthree\n"

    def test_a_client_that_wants_to_close_gets_chunks_and_the_end(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(get(b"Connection: close", target=b"/stream"))
            assert stream.head().fields["Connection"] == "close"
            assert b"".join(stream.chunks()) == b"one\ntwo\nthree\n"
            assert stream.is_at_end()

    def test_head_has_no_body_and_nothing_is_produced(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(lines(b"HEAD /stream-waits HTTP/1.1", HOST) + get(target=b"/second"))
            assert stream.answer("HEAD").status == 200
            assert stream.answer().seen["path"] == "/second"
        assert not echo.has_logged("ended /stream-waits")

    def test_a_producer_is_woken_from_another_thread(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream-woken"))
            stream.head()
            assert list(stream.chunks()) == [b"asleep\n", b"awake\n"]

    def test_a_stream_keeps_nobody_else_waiting(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream-flood"))
            assert stream.head().status == 200
            assert exchange(echo.target, get(b"Connection: close")).status == 200

    def test_the_producer_ends_when_its_client_has_gone(self, echo):
        for path, how in ((b"/stream-waits", "close"), (b"/stream-waits", "reset"), (b"/stream-flood", "reset")):
            with Stream(echo.target.connect()) as stream:
                stream.send(get(target=path))
                stream.head()
                next(stream.chunks())
                if how == "reset":
                    linger = struct.pack("ii", 1, 0)
                    stream.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            ended = f"ended {path.decode()}"
            eventually(lambda: echo.has_logged(ended), ended)
            echo.log.write_text("")
        assert exchange(echo.target, get(b"Connection: close")).status == 200

    def test_a_producer_that_fails_cuts_the_body_off_and_is_logged(self, echo):
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream-throws") + get(target=b"/second"))
            stream.head()
            with pytest.raises(AssertionError, match="cut off"):
                list(stream.chunks())
        eventually(lambda: echo.has_logged("a streamed body was cut off: thrown by the producer"), "it is logged")
        assert not echo.target.has_run("/second")

    def test_a_client_that_reads_nothing_is_dropped_and_fills_no_memory(self, start_echo):
        echo = start_echo("--timeout-ms", str(SHORT_TIMEOUT_MILLISECONDS))
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream-flood"))
            stream.head()
            eventually(lambda: echo.has_logged("ended /stream-flood after"), "the producer ends")
            with pytest.raises((AssertionError, ConnectionResetError)):
                list(stream.chunks())
        pieces = int(echo.log.read_text().rsplit("after ", 1)[1])
        # What the kernel took: its buffers on both sides, not what the producer could make meanwhile.
        assert pieces * 64 * 1024 < 32 * 1024 * 1024

    def test_a_stream_that_waits_is_never_too_slow(self, start_echo):
        echo = start_echo("--timeout-ms", str(SHORT_TIMEOUT_MILLISECONDS))
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream-waits"))
            stream.head()
            assert next(stream.chunks()) == b"first\n"
            time.sleep(5 * SHORT_TIMEOUT_MILLISECONDS / 1000)
            assert not echo.has_logged("ended /stream-waits")

    def test_a_drain_ends_streams_at_once_and_properly(self, start_echo):
        echo = start_echo()
        with Stream(echo.target.connect()) as waiting, Stream(echo.target.connect()) as flooded:
            waiting.send(get(target=b"/stream-waits"))
            flooded.send(get(target=b"/stream-flood"))
            waiting.head()
            flooded.head()
            pieces = waiting.chunks()
            assert next(pieces) == b"first\n"
            echo.terminate()
            assert list(pieces) == []
            assert waiting.is_at_end()
            assert set(flooded.chunks()) == {b"x" * 64 * 1024}
            assert flooded.is_at_end()
        assert echo.wait() == 0
        assert echo.has_logged("drained")
        assert not echo.has_logged("sent too late")

    def test_a_drain_does_not_wait_for_a_client_that_reads_nothing(self, start_echo):
        echo = start_echo()
        with Stream(echo.target.connect()) as stream:
            stream.send(get(target=b"/stream-flood"))
            stream.head()
            echo.terminate()
            assert echo.wait() == 0
            assert echo.has_logged("drained")


class TestDrain:
    def test_idle_connections_are_closed_and_the_process_ends(self, echo):
        with Stream(echo.target.connect()) as kept:
            kept.send(get())
            assert kept.answer().status == 200
            echo.terminate()
            assert kept.is_at_end()
            assert echo.wait() == 0

    def test_what_is_in_flight_is_answered_and_closed(self, echo):
        with Stream(echo.target.connect()) as waiting, Stream(echo.target.connect()) as half:
            waiting.send(slow(b"/waits", 1000))
            half.send(b"GET /half HTTP/1.1\r\n")
            eventually(lambda: echo.target.has_run("/waits"), "the handler waits")
            echo.terminate()
            eventually(lambda: refuses_connections(echo.target), "the listener is closed")
            half.send(HOST + b"\r\n\r\n")
            for stream in (half, waiting):
                answer = stream.answer()
                assert (answer.status, answer.fields["Connection"]) == (200, "close")
                assert stream.is_at_end()
        assert echo.wait() == 0
        assert echo.has_logged("drained")

    def test_a_fresh_connection_may_still_send_its_request(self, echo):
        with Stream(echo.target.connect()) as fresh, Stream(echo.target.connect()) as silent:
            exchange(echo.target, get(b"Connection: close"))
            echo.terminate()
            eventually(lambda: refuses_connections(echo.target), "the listener is closed")
            fresh.send(get())
            assert fresh.answer().fields["Connection"] == "close"
            assert silent.is_at_end()
        assert echo.wait() == 0

    def test_nobody_waits_for_ever(self, start_echo):
        echo = start_echo("--drain-ms", "300")
        with Stream(echo.target.connect()) as stream:
            stream.send(slow(b"/waits", 3_600_000))
            eventually(lambda: echo.target.has_run("/waits"), "the handler waits")
            echo.terminate()
            assert echo.wait() == 0
            assert echo.has_logged("drain timed out")


def refuses_connections(target: Target) -> bool:
    try:
        target.connect().close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


class TestFullTables:
    def test_a_new_client_takes_the_place_of_the_longest_idle_one(self, start_echo):
        echo = start_echo("--max-connections", "3")
        streams = [Stream(echo.target.connect()) for _ in range(3)]
        for stream in streams:
            stream.send(get())
            assert stream.answer().status == 200
        streams[0].send(get())
        assert streams[0].answer().status == 200
        with Stream(echo.target.connect()) as fourth:
            fourth.send(get())
            assert fourth.answer().status == 200
        assert streams[1].is_at_end()
        streams[0].send(get())
        assert streams[0].answer().status == 200
        for stream in streams:
            stream.connection.close()

    def test_a_client_is_told_when_all_are_busy(self, start_echo):
        echo = start_echo("--max-connections", "2")
        busy = [Stream(echo.target.connect()) for _ in range(2)]
        for number, stream in enumerate(busy):
            stream.send(slow(b"/busy%d" % number, 1500))
            eventually(lambda: echo.target.has_run(f"/busy{number}"), "the handler waits")
        with Stream(echo.target.connect()) as third:
            answer = third.answer()
            assert (answer.status, answer.fields["Connection"]) == (503, "close")
            assert third.is_at_end()
        for stream in busy:
            assert stream.answer().status == 200
            stream.connection.close()
        assert exchange(echo.target, get()).status == 200

    def test_the_soft_limit_of_descriptors_does_not_bind_it(self, start_echo):
        # Not the default, so that the hard limit of the machine is enough.
        limits = (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        echo = start_echo(
            "--max-connections", "200", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        )
        streams = [Stream(echo.target.connect()) for _ in range(150)]
        for stream in streams:
            stream.send(get())
            assert stream.answer().status == 200
        for stream in streams:
            stream.connection.close()
        assert not echo.has_logged("failure")

    # The undefined-behaviour sanitizer itself needs descriptors, and reports errors when it gets none.
    @pytest.mark.release_only
    def test_running_out_of_descriptors_turns_clients_away_and_nothing_else(self, start_echo):
        limit = 64
        echo = start_echo(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        with Stream(echo.target.connect()) as first:
            first.send(get())
            assert first.answer().status == 200
            clients = [echo.target.connect() for _ in range(2 * limit)]
            assert echo.has_logged("failure fewer descriptors than connections are allowed: 64 of ")
            eventually(lambda: echo.has_logged("failure a connection could not be accepted"), "no descriptor is left")
            spent = processor_seconds(echo.process.pid)
            turned_away = clients[-1]
            assert turned_away.recv(1) == b""
            first.send(get(target=b"/still"))
            assert first.answer().seen["path"] == "/still"
            assert processor_seconds(echo.process.pid) - spent < 2
            for client in clients:
                client.close()
        assert exchange(echo.target, get(b"Connection: close")).status == 200


def processor_seconds(process_id: int) -> float:
    with open(f"/proc/{process_id}/stat", encoding="ascii") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class TestListening:
    def test_several_loops_share_the_port_and_end_together(self, start_echo):
        echo = start_echo("--loops", "3")
        streams = [Stream(echo.target.connect()) for _ in range(60)]
        for stream in streams:
            stream.send(get())
        for stream in streams:
            assert stream.answer().status == 200
        echo.terminate()
        for stream in streams:
            assert stream.is_at_end()
            stream.connection.close()
        assert echo.wait() == 0

    def test_a_port_that_is_taken_is_refused_with_a_sentence(self, echo):
        port = echo.target.address.rsplit(":", 1)[1]
        other = subprocess.run([ECHO, "--port", port], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert other.returncode == 2
        assert f"cannot listen on 127.0.0.1:{port}: another program listens there" in other.stderr

    @pytest.mark.parametrize("loops", [1, 2])
    def test_sockets_are_inherited_so_that_a_restart_drops_nobody(self, start_echo, loops):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = "127.0.0.1:%d" % listener.getsockname()[1]

            def start():
                def pass_on():
                    os.dup2(listener.fileno(), 3)
                    os.set_inheritable(3, True)
                    os.environ["LISTEN_PID"] = str(os.getpid())

                # LISTEN_PID is that of the child, which only the child knows.
                shell = ["/bin/sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"', str(ECHO), "--loops", str(loops)]
                return start_echo(command=shell, preexec_fn=pass_on, close_fds=False)

            first = start()
            assert first.target.address == address
            assert exchange(first.target, get(target=b"/one")).seen["path"] == "/one"
            first.terminate()
            assert first.wait() == 0
            with Stream(first.target.connect()) as waiting:
                waiting.send(get(target=b"/two"))
                second = start()
                assert waiting.answer().seen["path"] == "/two"
            assert second.target.has_run("/two")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    files = (str(folder / "certificate.pem"), str(folder / "key.pem"))
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )
    return files


class TestTls:
    @pytest.fixture
    def echo(self, start_echo, certificate):
        return start_echo("--certificate", certificate[0], "--key", certificate[1])

    def connect(self, echo, certificate, protocols=("http/1.1",), **options) -> Stream:
        context = ssl.create_default_context(cafile=certificate[0])
        context.set_alpn_protocols(list(protocols))
        for name, value in options.items():
            setattr(context, name, value)
        return Stream(context.wrap_socket(echo.target.connect(), server_hostname="localhost"))

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_it_serves_over_tls(self, echo, certificate, version):
        with self.connect(echo, certificate, maximum_version=version) as stream:
            assert stream.connection.selected_alpn_protocol() == "http/1.1"
            for number in range(3):
                stream.send(get(target=b"/%d" % number))
                assert (stream.answer().seen.items() & {("path", f"/{number}"), ("encrypted", True)}).__len__() == 2
            stream.send(get(target=b"/large"))
            assert len(stream.answer().body) == 8 * 1024 * 1024
            stream.send(get(target=b"/stream"))
            stream.head()
            assert list(stream.chunks()) == [b"one\n", b"two\n", b"three\n"]
            stream.send(get(b"Connection: close"))
            assert stream.answer().fields["Connection"] == "close"
            assert stream.is_at_end()

    def test_refusals_are_read_over_tls_too(self, echo, certificate):
        with self.connect(echo, certificate) as stream:
            stream.send(post(b"Content-Length: 1", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n") + get(target=b"/second"))
            assert stream.answer().status == 400
            assert stream.is_at_end()
        assert not echo.target.has_run("/second")

    def test_older_versions_and_other_protocols_are_refused(self, echo, certificate):
        with pytest.raises(ssl.SSLError):
            self.connect(echo, certificate, protocols=["h2"])
        with pytest.raises(ssl.SSLError), pytest.warns(DeprecationWarning):
            self.connect(echo, certificate, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)

    def test_a_handshake_that_takes_too_long(self, start_echo, certificate):
        echo = start_echo("--timeout-ms", str(SHORT_TIMEOUT_MILLISECONDS), "--certificate", certificate[0], "--key", certificate[1])
        with Stream(echo.target.connect()) as stream:
            stream.send(b"\x16\x03\x01")
            assert stream.is_at_end()

    def test_drain_ends_tls_connections(self, echo, certificate):
        with self.connect(echo, certificate) as stream:
            stream.send(get())
            assert stream.answer().status == 200
            echo.terminate()
            try:
                assert stream.is_at_end()
            except ssl.SSLEOFError:
                pass
        assert echo.wait() == 0

    def test_a_certificate_that_cannot_be_used_is_named(self, certificate, tmp_path):
        nonsense = tmp_path / "nonsense.pem"
        nonsense.write_text("no certificate")
        missing = str(tmp_path / "missing.pem")
        for chosen, key in ((str(nonsense), certificate[1]), (missing, certificate[1]), (certificate[0], missing)):
            other = subprocess.run(
                [ECHO, "--certificate", chosen, "--key", key], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
            )
            assert other.returncode == 2
            assert (chosen if chosen != certificate[0] else key) in other.stderr


def test_signals_end_it(echo):
    echo.process.send_signal(signal.SIGINT)
    assert echo.wait() == 0
