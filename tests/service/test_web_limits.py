"""How much and how often the HTTP side lets itself be asked, and what it takes for one request."""

import http.client
import logging
import secrets
import socket
import time
from collections.abc import Iterator

import pytest

from scheduler.service.web import limits
from scheduler.service.web.limits import Allowance
from tests.service.test_web import DEADLINE, TOKEN, asked, serving

WRONG = "Bearer wrong"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


def test_so_many_at_once_and_so_many_a_second_from_then_on() -> None:
    allowance = Allowance(3, 2.0)
    assert allowance.is_full(10.0)
    assert [allowance.has_any(10.0) for _ in range(4)] == [True, True, True, False]
    assert [allowance.has_any(10.5) for _ in range(2)] == [True, False]
    assert not allowance.is_full(11.0)
    assert [allowance.has_any(100.0) for _ in range(4)] == [True, True, True, False]


def test_what_waits_takes_its_turn_one_after_the_other() -> None:
    allowance = Allowance(1, 2.0)
    assert [allowance.wait_for_one(0.0) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert allowance.wait_for_one(1.0) == 0.5


def test_whoever_tries_tokens_is_told_less_and_less_but_the_owner_is_answered(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "REFUSED_AT_ONCE", 5)
    monkeypatch.setattr(limits, "REFUSED_EACH_SECOND", 0.001)
    with serving() as port:
        statuses = [asked(port, Authorization=WRONG)[0] for _ in range(5)]
        statuses += [asked(port, Host="attacker.example")[0] for _ in range(2)]
        status, answer, headers = asked(port, Authorization=WRONG)
        assert statuses == [401] * 5 + [429] * 2
        assert (status, headers["retry-after"]) == (429, "1")
        assert "too many requests" in str(answer["error"])
        assert asked(port)[0] == 200
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert len([one for one in warnings if one.startswith("many requests are refused")]) == 1


def test_the_owner_is_never_refused_for_asking_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "ANSWERED_AT_ONCE", 5)
    monkeypatch.setattr(limits, "ANSWERED_EACH_SECOND", 50.0)
    with serving() as port:
        begun = time.monotonic()
        assert [asked(port)[0] for _ in range(20)] == [200] * 20
        assert time.monotonic() - begun > 0.2


def test_tokens_are_compared_in_constant_time(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    real = secrets.compare_digest

    def compare(given: bytes, own: bytes) -> bool:
        compared.append(given)
        return real(given, own)

    monkeypatch.setattr(secrets, "compare_digest", compare)
    assert asked(port, Authorization=WRONG)[0] == 401
    assert asked(port)[0] == 200
    assert compared == [b"wrong", TOKEN.encode()]


@pytest.mark.parametrize(
    ("path", "header", "status"),
    [
        ("/api/status?routine=" + "a" * limits.MOST_ADDRESS, "", 414),
        ("/" + "a" * limits.MOST_ADDRESS, "", 414),
        ("/api/status", "a" * limits.MOST_HEADERS, 431),
        ("/api/status?routine=" + "a" * 9_000, "a" * 20_000, 200),
    ],
)
def test_a_request_that_is_too_long_is_refused(
    port: int, path: str, header: str, status: int
) -> None:
    assert asked(port, path, Further=header)[0] == status


@pytest.mark.parametrize(
    "data",
    [
        b"GET /" + b"a" * 2 * limits.MOST_UNREAD,
        b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * limits.MOST_UNREAD,
        b"GET / HTTP/1.1\r\na: " + b"a" * 2 * limits.MOST_UNREAD,
    ],
)
def test_a_request_without_end_is_not_read_to_its_end(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        try:
            connection.sendall(data)
            answer = connection.recv(100)
        except ConnectionError:
            answer = b""
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("name", ["Host", "Origin", "Authorization", "Content-Length"])
def test_what_is_looked_at_may_stand_there_once_only(port: int, name: str) -> None:
    values = {
        "Host": f"127.0.0.1:{port}",
        "Origin": f"http://127.0.0.1:{port}",
        "Authorization": f"Bearer {TOKEN}",
        "Content-Length": "0",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.putrequest("GET", "/api/status", skip_host=True)
    for header, value in values.items():
        for _ in range(2 if header == name else 1):
            connection.putheader(header, value)
    connection.endheaders()
    # Some of it the server refuses itself; a length that is given twice and the same it takes once.
    assert connection.getresponse().status in (
        (200, 403) if name == "Content-Length" else (400, 403)
    )
    connection.close()


HEAD = f"POST /api/stop HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"


@pytest.mark.parametrize("begun", ["", "G", HEAD, HEAD + "Content-Length: 20\r\n\r\n{"])
def test_a_request_that_never_ends_is_hung_up_on(
    begun: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LONGEST_REQUEST", 0.2)
    with (
        serving() as port,
        socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection,
    ):
        connection.sendall(begun.encode())
        until, is_open = time.monotonic() + DEADLINE, True
        connection.settimeout(0.05)
        while is_open and time.monotonic() < until:
            try:
                connection.sendall(b"x")  # a letter now and then does not help
                is_open = connection.recv(65536) != b""
            except TimeoutError:
                continue
            except ConnectionError:
                is_open = False
        assert not is_open


def test_an_answer_that_takes_long_is_not_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LONGEST_REQUEST", 0.05)
    with serving() as port:
        # The loop of these tests never replies to it, and the server gives up after 0.2 s.
        status, _, _ = asked(
            port,
            "/api/mark",
            method="POST",
            body='{"unknown": true, "as": "skipped"}',
            **{"Content-Type": "application/json"},
        )
        assert status == 503


def test_idle_connections_do_not_keep_others_out_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MOST_CONNECTIONS", 4)
    monkeypatch.setattr(limits, "LONGEST_REQUEST", 0.5)
    with serving() as port:
        idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        connection.request("GET", "/api/status", headers={"Authorization": f"Bearer {TOKEN}"})
        assert connection.getresponse().status == 503
        connection.close()
        for one in idle:
            one.settimeout(DEADLINE)
            assert one.recv(1) == b""
            one.close()
        assert asked(port)[0] == 200
