"""The HTTP side: who is answered, what each verb takes, and what a client makes of it."""

import http.client
import json
import logging
import re
import select
import socket
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, cast

import pytest
from fastapi import FastAPI

from scheduler.errors import SchedulerError
from scheduler.service.client import Client
from scheduler.service.inbox import Ask, Inbox
from scheduler.service.instance import Instance
from scheduler.service.web.api import make_app
from scheduler.service.web.description import SHAPES
from scheduler.service.web.server import ControlServer

TOKEN = "the-token"
DEADLINE = 10.0


def echo(parameters: Mapping[str, str]) -> object:
    return dict(parameters)


def refuse(parameters: Mapping[str, str]) -> object:
    raise SchedulerError("there is no task 'x'")


def break_down(parameters: Mapping[str, str]) -> object:
    raise RuntimeError("a mistake of ours")


def odd_text(parameters: Mapping[str, str]) -> object:
    return {"text": "é \udc80 \u0000 ☂"}


ANSWERS: dict[str, Callable[[Mapping[str, str]], object]] = {
    "ping": odd_text,
    "status": echo,
    "list": break_down,
    "why": refuse,
    "history": echo,
    "plan": echo,
    "logs": echo,
}


class AnsweringLoop:
    """Takes asks out of the inbox, as the scheduler's loop does, and replies with what it got."""

    def __init__(self) -> None:
        self.inbox: Inbox[Ask] = Inbox()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while True:
            select.select([self.inbox], [], [])
            for ask in self.inbox.take():
                if ask.verb == "end":
                    return
                if ask.verb == "cancel":
                    ask.reply.set_exception(SchedulerError("it has ended"))
                elif ask.verb != "mark":  # that one is never answered
                    ask.reply.set_result({"verb": ask.verb, **ask.parameters})

    def close(self) -> None:
        self.inbox.put(Ask(verb="end"))
        self._thread.join(DEADLINE)
        self.inbox.close()


@contextmanager
def serving(host: str = "127.0.0.1") -> Generator[int]:
    loop = AnsweringLoop()
    app = make_app(
        token=TOKEN,
        inbox=loop.inbox,
        answers=ANSWERS,
        version="1.2.3",
        host=host,
        reply_timeout=0.2,
    )
    server = ControlServer(app, host, 0)
    try:
        yield server.start()
    finally:
        server.stop()
        loop.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving() as port:
        yield port


@pytest.fixture
def client(port: int) -> Client:
    return Client(an_instance(port))


def an_instance(port: int, token: str = TOKEN) -> Instance:
    return Instance(
        name="prod",
        pid=123,
        process_start=0.0,
        host="127.0.0.1",
        port=port,
        token=token,
        config="",
        database="",
        started_at="",
        mode="prod",
    )


def asked(
    port: int,
    path: str = "/api/status",
    *,
    method: str = "GET",
    body: str | None = None,
    **headers: str | None,
) -> tuple[int, dict[str, object], dict[str, str]]:
    """Return (status, answer, headers) of a request; a header that is None is left out."""
    given: dict[str, str | None] = {"Authorization": f"Bearer {TOKEN}", **headers}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.putrequest(method, path, skip_host="Host" in given)
        for name, value in given.items():
            if value is not None:
                connection.putheader(name, value)
        if body is not None and "Content-Length" not in given:
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body.encode() if body is not None else None)
        response = connection.getresponse()
        return response.status, json.loads(response.read()), dict(response.getheaders())
    finally:
        connection.close()


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}"])
@pytest.mark.parametrize("path", ["/api/status", "/api/openapi.json", "/", "/api/nothing"])
def test_without_the_token_nobody_is_answered(
    port: int, path: str, authorization: str | None
) -> None:
    status, answer, headers = asked(port, path, Authorization=authorization)
    assert status == 401
    assert list(answer) == ["error"]
    assert headers["www-authenticate"] == "Bearer"


def test_with_the_token_one_is_answered(port: int) -> None:
    for authorization in (f"Bearer {TOKEN}", f"bearer  {TOKEN}"):
        status, answer, _ = asked(port, "/api/status?routine=load", Authorization=authorization)
        assert (status, answer) == (200, {"routine": "load"})


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:{port}", 200),
        ("localhost:{port}", 200),
        ("LOCALHOST:{port}", 200),
        ("[::1]:{port}", 200),
        ("127.0.0.1:1", 403),
        ("127.0.0.1", 403),
        ("attacker.example:{port}", 403),
        ("", 403),
        ("]:[", 403),
    ],
)
def test_the_host_must_be_this_machine(port: int, host: str, status: int) -> None:
    assert asked(port, Host=host.format(port=port))[0] == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{port}", 200),
        ("http://attacker.example", 403),
        ("https://127.0.0.1:{port}", 403),
        ("http://127.0.0.1:1", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_page_of_another_site_is_refused(port: int, origin: str, status: int) -> None:
    assert asked(port, Origin=origin.format(port=port))[0] == status


def test_one_that_listens_everywhere_is_reached_by_its_addresses() -> None:
    with serving("0.0.0.0") as port:
        assert asked(port, Host=f"192.168.7.7:{port}")[0] == 200
        assert asked(port, Host=f"attacker.example:{port}")[0] == 403


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Length": "1000001"}, 413),
        ({"Content-Length": "9" * 100}, 413),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
)
def test_a_body_that_is_too_long_is_refused_unread(
    port: int, headers: dict[str, str], status: int
) -> None:
    # The server may refuse such a length itself, and then not in our words.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    connection.putrequest("POST", "/api/stop")
    connection.putheader("Authorization", f"Bearer {TOKEN}")
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status in (status, 400)
    connection.close()


def test_the_api_describes_itself_and_fetches_nothing_from_elsewhere(port: int) -> None:
    status, document, headers = asked(port, "/api/openapi.json")
    assert status == 200
    assert sorted(cast("dict[str, object]", document["paths"])) == sorted(
        f"/api/{verb}"
        for verb in (
            "ping status list why history plan grid logs stop execute cancel mark"
            " pause resume reload backfill"
        ).split()
    )
    assert document["info"] == {"title": "scheduler", "version": "1.2.3"}
    assert not {"date", "server"} & set(headers)
    for page in ("/docs", "/redoc"):
        assert asked(port, page)[0] == 404


def test_the_description_tells_of_the_token_the_answers_and_the_errors(port: int) -> None:
    document = cast("dict[str, Any]", asked(port, "/api/openapi.json")[1])
    described = {
        f"{method.upper()} {path}": operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    assert set(described) == set(SHAPES)
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    schemas = document["components"]["schemas"]
    for operation in described.values():
        assert operation["security"] == [{"token": []}]
        assert {"200", "400", "401", "403", "413", "429", "503"} < set(operation["responses"])
        assert "422" not in operation["responses"]
    answer = described["GET /api/why"]["responses"]["200"]["content"]["application/json"]
    assert answer == {"schema": {"$ref": "#/components/schemas/WhyView"}}
    assert schemas["WhyView"]["properties"]["root"] == {
        "anyOf": [{"type": "string"}, {"type": "null"}]
    }
    references = re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document))
    assert set(references) <= set(schemas)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/status", {}),
        ("/api/history?routine=load", {"routine": "load", "limit": "50"}),
        (
            "/api/history?state=failed&since=2026-10-01&until=2026-10-02",
            {"state": "failed", "since": "2026-10-01", "until": "2026-10-02", "limit": "50"},
        ),
        ("/api/plan?from=2026-10-01&if=load+fails", {"from": "2026-10-01", "if": "load fails"}),
        ("/api/plan?expected=yes", {"expected": "yes"}),
        ("/api/logs?task=%C3%A9.x&attempt=2", {"task": "é.x", "attempt": "2"}),
    ],
)
def test_a_verb_that_reads_gets_its_parameters(
    port: int, path: str, expected: dict[str, str]
) -> None:
    assert asked(port, path)[:2] == (200, expected)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/api/status?rotine=load", "rotine: there is no such parameter"),
        ("/api/why", "task: Field required"),
        ("/api/logs", "give exactly one of task, routine"),
        ("/api/logs?routine=load&offset=5", "offset: there is no such parameter"),
        ("/api/history?limit=0", "limit: Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_parameter_is_named(port: int, path: str, message: str) -> None:
    assert asked(port, path)[:2] == (400, {"error": message})


@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("stop", {}, {"now": False, "detach": False}),
        ("stop", {"now": True}, {"now": True, "detach": False}),
        ("stop", {"detach": True}, {"now": False, "detach": True}),
        ("execute", {"task": "a.b"}, {"task": "a.b"}),
        ("execute", {"routine": "a", "arguments": ""}, {"routine": "a", "arguments": ""}),
        (
            "execute",
            {"failed": True, "since": "2026-10-01"},
            {"failed": True, "since": "2026-10-01"},
        ),
        ("execute", {"unknown": True}, {"unknown": True}),
        ("execute", {"late": True}, {"late": True}),
    ],
)
def test_a_verb_that_changes_something_is_answered_by_the_loop(
    client: Client, verb: str, body: dict[str, str | bool], expected: dict[str, object]
) -> None:
    assert client.post(verb, **body) == {"verb": verb, **expected}


@pytest.mark.parametrize(
    ("verb", "body", "message"),
    [
        ("execute", {}, "give exactly one of task, routine, failed, late, unknown, stale"),
        (
            "execute",
            {"task": "a", "routine": "b"},
            "give exactly one of task, routine, failed, late, unknown, stale",
        ),
        ("execute", {"task": "a", "since": "x"}, "since goes with failed only"),
        ("cancel", {"task": ""}, "task: String should have at least 1 character"),
        ("cancel", {"task": "a", "force": True}, "force: there is no such parameter"),
        ("mark", {"task": "a"}, "as: Field required"),
        ("mark", {"task": "a", "as": "done"}, "as: Input should be 'succeeded' or 'skipped'"),
        ("mark", {"routine": "a", "as": "skipped"}, "routine, from and to go together"),
        ("mark", {"as": "skipped"}, "give exactly one of task, routine, unknown"),
        ("nothing", {}, "POST /api/nothing: Not Found"),
        ("status", {}, "POST /api/status: Method Not Allowed"),
    ],
)
def test_a_request_that_makes_no_sense_never_reaches_the_loop(
    client: Client, verb: str, body: dict[str, str | bool], message: str
) -> None:
    with pytest.raises(SchedulerError) as caught:
        client.post(verb, **body)
    assert str(caught.value) == message


@pytest.mark.parametrize("body", ["", "{", "[]", "null", "é"])
def test_a_body_that_is_not_an_object_is_refused(port: int, body: str) -> None:
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body.encode()))}
    status, answer, _ = asked(port, "/api/execute", method="POST", body=body, **headers)
    assert status == 400
    assert list(answer) == ["error"]


def test_a_refusal_of_the_loop_reaches_the_user(client: Client) -> None:
    with pytest.raises(SchedulerError, match=r"^it has ended$"):
        client.post("cancel", task="load.2026-10-01T02:00:00", downstream=True)


def test_a_refusal_of_a_query_reaches_the_user(client: Client) -> None:
    with pytest.raises(SchedulerError, match=r"^there is no task 'x'$"):
        client.get("why", task="x")


def test_a_loop_that_does_not_reply_is_said_to_be_busy(port: int) -> None:
    body = json.dumps({"unknown": True, "as": "succeeded"})
    headers = {"Content-Type": "application/json"}
    status, answer, _ = asked(port, "/api/mark", method="POST", body=body, **headers)
    assert status == 503
    assert "has not replied" in str(answer["error"])


def test_our_own_mistake_is_logged_and_not_shown(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SchedulerError, match=r"^internal error, see the scheduler's log$"):
        client.get("list")
    (record,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.exc_info and "a mistake of ours" in str(record.exc_info[1])


def test_any_text_gets_through(client: Client) -> None:
    assert client.get("ping") == {"text": "é \udc80 \u0000 ☂"}


def test_parameters_that_are_none_are_left_out(client: Client) -> None:
    assert client.get("status", routine=None) == {}
    assert client.get("history", limit=3, routine="a b&c") == {"limit": "3", "routine": "a b&c"}


def test_a_scheduler_that_cannot_be_reached_is_said_to_run() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(SchedulerError) as caught:
        Client(an_instance(port)).get("ping")
    assert str(caught.value) == (
        f"scheduler 'prod' (pid 123) is running but does not answer at 127.0.0.1:{port}"
    )


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0\r\n", b"HTTP/1.1 200 OK\r\n\r\n<html>"])
def test_another_program_at_the_port_is_no_scheduler(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(65536)
            connection.sendall(answer)
            connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(SchedulerError, match="does not answer"):
            Client(an_instance(server.getsockname()[1]), timeout=DEADLINE).get("ping")
        thread.join(DEADLINE)


def test_a_wrong_token_is_said(port: int) -> None:
    with pytest.raises(SchedulerError, match="token is missing or wrong"):
        Client(an_instance(port, token="old")).get("ping")


@pytest.fixture
def app() -> Iterator[FastAPI]:
    """Return what is not served."""
    with closing(Inbox[Ask]()) as inbox:
        yield make_app(token=TOKEN, inbox=inbox, answers=ANSWERS, version="1")


def test_a_port_that_is_taken_is_named_with_the_way_out(port: int, app: FastAPI) -> None:
    with pytest.raises(SchedulerError) as caught:
        ControlServer(app, "127.0.0.1", port).start()
    assert str(caught.value).startswith(f"cannot listen at 127.0.0.1:{port}: ")
    assert "port 0 is any free one" in str(caught.value)


def test_a_host_that_is_not_there_is_named(app: FastAPI) -> None:
    with pytest.raises(SchedulerError, match=r"cannot listen at 203\.0\.113\.1:0"):
        ControlServer(app, "203.0.113.1", 0).start()


def test_it_stops_while_a_connection_is_open() -> None:
    with serving() as port:
        idle = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        idle.request("GET", "/")
        idle.getresponse().read()
        assert idle.sock is not None
    idle.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()
