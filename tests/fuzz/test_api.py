"""Anything may be sent to the API: it answers as its description says, and never breaks down.

Requests are made by schemathesis, from the description.  Names and times that mean something are
put into some of them, or nearly all would be refused at the first look.
"""

import copy
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from scheduler.service.web.api import make_app
from scheduler.service.web.description import SHAPES
from tests.fuzz.live_api import TOKEN, LiveApi, a_live_api
from tests.support.fuzzing import answered, inputs, tried
from tests.system.data_folder import DEADLINE, a_folder

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MOMENTS = ["2026-09-01", "2026-10-01T02:00Z", "2026-10-03T00:00", "2026-08-01T00:00+02:00"]
NAMES = ["load", "rates é", "report", "by hand", "nothing"]
#: what means something, by the name of the parameter
SENSIBLE: dict[str, list[Any]] = {
    "routine": NAMES,
    "task": [
        f"{name}.{at}" for name in NAMES for at in ("2026-10-01T02:00:00", "2026-09-01T02:30")
    ],
    "from": MOMENTS,
    "to": MOMENTS,
    "since": MOMENTS,
    "until": [*MOMENTS, "+2h", "06:00"],
    "tag": ["night", "day"],
    "if": ["load fails", "down 02:00-05:00", "load fails, down 01:00-02:00"],
    "by": ["1h", "1d", "week", "month"],
    "arguments": ["--token x", "", "{instant:%d}"],
    "attempt": [1, 2],
}
#: Characters of a query, which is part of the head of its request.
LONGEST_QUERY = 50_000

EACH = settings(inputs(6), suppress_health_check=list(HealthCheck), database=None, print_blob=True)

EACH_BYTES = settings(inputs(40), suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveApi]:
    with a_folder(tmp_path_factory.mktemp("fuzz")) as folder, a_live_api(folder) as live:
        yield live


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


def operation_of(route: str) -> Any:
    """Return what schemathesis makes of a route; answers may hold nothing that is not described."""
    app: Any = make_app(token="", inbox=None, answers={}, version="0")  # type: ignore[arg-type]
    document = copy.deepcopy(app.openapi())
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    method, path = route.split()
    return schemathesis.openapi.from_dict(document)[path][method]


@st.composite
def requests_of(draw: st.DrawFn, operation: Any) -> Any:
    """Make a request as the description has it, or as it has not."""
    mode = draw(st.sampled_from(GenerationMode))
    case = draw(operation.as_strategy(generation_mode=mode))
    for container in (case.query, case.body):
        if isinstance(container, dict):
            for name in container:
                if name in SENSIBLE and draw(st.booleans()):
                    container[name] = draw(st.sampled_from(SENSIBLE[name]))
    # The server reads no longer head, and says so in words of its own.
    assume(len(urlencode(case.query or {}, doseq=True)) < LONGEST_QUERY)
    return case


# A scheduler that has been asked to stop answers nothing else: that one is asked by others.
@pytest.mark.parametrize("route", [route for route in SHAPES if route != "POST /api/stop"])
def test_the_owner_is_answered_as_the_description_says(
    route: str, live: LiveApi, session: requests.Session
) -> None:
    @EACH
    @given(requests_of(operation_of(route)))
    def ask(case: Any) -> None:
        tried["API, requests with the token"] += 1
        headers = {"Authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{live.port}"
        response = case.call(base_url=url, session=session, headers=headers)
        case.validate_response(response, checks=CHECKS)
        if response.status_code == 200:
            answered["API, requests with the token"] += 1

    ask()


@pytest.mark.parametrize("route", SHAPES)
def test_without_the_token_nothing_comes_of_anything(
    route: str, live: LiveApi, session: requests.Session
) -> None:
    @EACH
    @given(
        requests_of(operation_of(route)),
        st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), max_size=50),
    )
    def ask(case: Any, token: str) -> None:
        tried["API, requests without the token"] += 1
        before = len(live.asked)
        headers = {"Authorization": f"Bearer {token}".encode().strip()}
        url = f"http://127.0.0.1:{live.port}"
        response = case.call(base_url=url, session=session, headers=headers)
        assert response.status_code in (400, 401)
        if response.status_code == 401:
            case.validate_response(response, checks=CHECKS)
        assert len(live.asked) == before

    ask()


REQUEST = (
    b"POST /api/pause HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: Bearer %s\r\n"
    b"Content-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"all": true}'
)
PARTS = [
    b"\r\n",
    b"\r",
    b"\0",
    b" ",
    b":",
    b"HTTP/1.1",
    b"Transfer-Encoding: chunked\r\n",
    b"/../",
    b"%00",
]


def said_to(port: int, data: bytes) -> bytes:
    """Return what the server answers to these bytes, until it hangs up."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        received = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while more := connection.recv(65536):
                received += more
        except ConnectionError:
            pass  # it has hung up in the middle: what it said until then is lost
    return received


@EACH_BYTES
@given(st.data(), st.lists(st.tuples(st.integers(0, 150), st.integers(0, 8)), max_size=6))
def test_any_bytes_are_answered_or_hung_up_on(
    live: LiveApi, data: st.DataObject, places: list[tuple[int, int]]
) -> None:
    tried["HTTP, bytes without the token"] += 1
    sent = bytearray(REQUEST % (live.port, b"wrong"))
    for place, length in places:
        part = data.draw(st.sampled_from(PARTS) | st.binary(max_size=4))
        sent[place : place + length] = part
    before = len(live.asked)
    received = said_to(live.port, bytes(sent))
    assert received == b"" or received[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 401", b"HTTP/1.1 403")
    assert len(live.asked) == before
    # The next one is answered as ever.
    assert said_to(live.port, REQUEST % (live.port, b"wrong")).startswith(b"HTTP/1.1 401")
