"""What the client makes of answers that are none."""

import socket
from collections.abc import Iterator
from contextlib import closing
from threading import Thread

import pytest

from scheduler.errors import SchedulerError
from scheduler.service.client import Client
from scheduler.service.instance import Instance

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nconnection: close\r\n\r\n"


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield server


def answering(server: socket.socket, answer: bytes) -> Instance:
    """Return a scheduler that answers so, once."""

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(answer)

    Thread(target=serve, daemon=True).start()
    return Instance(
        name="prod",
        pid=123,
        process_start=0.0,
        host="127.0.0.1",
        port=server.getsockname()[1],
        token="secret",
        config="",
        database="",
        started_at="",
        mode="prod",
    )


def test_an_answer_is_read_to_its_end(listening: socket.socket) -> None:
    assert Client(answering(listening, GOOD + b"[42]")).get("status", routine="a b") == [42]


def test_an_answer_without_its_length_ends_with_the_connection(listening: socket.socket) -> None:
    assert Client(answering(listening, b"HTTP/1.0 200 OK\r\n\r\n[42]")).get("status") == [42]


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        GOOD,
        GOOD + b"[4",
        GOOD + b"[42]]",
        GOOD + b"[42}",
        b"HTTP/1.1 200 OK\r\n\r\n[4",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 many\r\ncontent-length: 4\r\n\r\n[42]",
        b"HTTP/1.1 200 OK\r\ncontent-length: few\r\n\r\n[42]",
        b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n[42]",
        b"\xff\xfe",
    ],
)
def test_what_is_no_whole_answer_of_ours_is_no_answer(
    listening: socket.socket, answer: bytes
) -> None:
    with pytest.raises(SchedulerError, match="is running but does not answer"):
        Client(answering(listening, answer)).get("status")


def test_the_reason_of_a_refusal_is_told(listening: socket.socket) -> None:
    refusal = b'HTTP/1.1 400 Bad Request\r\nContent-Length: 16\r\n\r\n{"error": "why"}'
    with pytest.raises(SchedulerError, match=r"^why$"):
        Client(answering(listening, refusal)).post("execute", task="a")
