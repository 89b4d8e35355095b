"""Each request of the table, with a second complete request behind it: what is refused is the last thing that is read."""

import uuid

import pytest

from http_client import Stream, Target, exchange
from raw_requests import CASES, HOST, Case, get, lines

REFUSED = [case for case in CASES if case.is_refused]
ACCEPTED = [case for case in CASES if not case.is_refused]
# What the reader itself answers; the handlers behind it answer an unknown path otherwise.
STATUSES_OF_THE_READER = {400, 408, 413, 414, 417, 431, 501, 505}


def name_of(case: Case) -> str:
    return case.name.replace(" ", "-").replace("/", "|")


def second_request(marker: str) -> bytes:
    return lines(b"GET " + marker.encode() + b" HTTP/1.1", HOST, b"Connection: close")


@pytest.fixture
def marker() -> str:
    return f"/second-{uuid.uuid4()}"


def assert_never_ran(target: Target, marker: str):
    # What was read before this request has run before it.
    fence = f"/fence-{uuid.uuid4()}"
    exchange(target, get(b"Connection: close", target=fence.encode()))
    if target.log is not None:
        assert target.has_run(fence)
        assert not target.has_run(marker)


def test_the_table_is_large_and_its_names_are_unique():
    assert len({case.name for case in CASES}) == len(CASES) >= 110
    assert len(REFUSED) >= 80
    assert len(ACCEPTED) >= 30


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_refused(target: Target, marker: str, case: Case):
    with Stream(target.connect()) as stream:
        stream.send_as_far_as_it_is_read(case.raw + second_request(marker))
        answer = stream.answer()

        assert answer is not None and answer.status == case.status, answer
        assert answer.fields["Connection"] == "close"
        assert stream.is_at_end()
    assert_never_ran(target, marker)


@pytest.mark.parametrize("case", REFUSED, ids=name_of)
def test_refused_however_it_is_cut(target: Target, marker: str, case: Case):
    raw = case.raw + second_request(marker)
    half = len(case.raw) // 2
    with Stream(target.connect()) as stream:
        stream.send(raw[:half])
        # An answer to another connection: by then the server has read the first half.
        exchange(target, get(b"Connection: close", target=b"/between"))
        stream.send_as_far_as_it_is_read(raw[half:])
        answer = stream.answer()

        assert answer is not None and answer.status == case.status, answer
        assert stream.is_at_end()
    assert_never_ran(target, marker)


@pytest.mark.parametrize("case", ACCEPTED, ids=name_of)
def test_accepted(target: Target, marker: str, case: Case):
    if case.echo_only and target.log is None:
        pytest.skip("needs a path that only the test server has")
    with Stream(target.connect()) as stream:
        stream.send(case.raw + second_request(marker))
        answers = [stream.answer(case.seen.get("method", "GET")) for _ in range(case.answers)]
        if case.closes:
            assert answers[0].fields["Connection"] == "close"
            assert stream.is_at_end()
        else:
            answers.append(stream.answer())
            assert answers[-1].fields["Connection"] == "close"
            assert stream.is_at_end()
    if case.closes:
        assert_never_ran(target, marker)
    if target.log is None:
        assert not {answer.status for answer in answers} & STATUSES_OF_THE_READER, answers
        return
    assert {answer.status for answer in answers} == {200}
    assert case.closes or answers[-1].seen["path"] == marker
    if case.seen.get("method") != "HEAD":
        assert_seen(answers[0].seen, case.seen)


def assert_seen(seen: dict, expected: dict):
    for name, value in expected.items():
        match name:
            case "field":
                assert value in seen["fields"]
            case "absent_field":
                assert value.lower() not in {name.lower() for name, _ in seen["fields"]}
            case "body":
                assert bytes.fromhex(seen["body"]) == value
            case _:
                assert seen[name] == value
