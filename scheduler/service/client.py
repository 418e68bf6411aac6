"""The HTTP client that the command line talks to a live scheduler with.

One request over a socket of its own: ``http.client`` brings a parser of mails, and TLS, which would
be a sixth of the time that `status` takes.  Printing is the command line's business.
"""

import json
import socket
from typing import cast

from scheduler.errors import SchedulerError
from scheduler.service.instance import Instance

#: seconds; the loop answers within milliseconds, but a long forecast takes its time
DEFAULT_TIMEOUT = 60.0

_OK = 200
_PIECE = 2**16
_LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


class Client:
    """Asks one live scheduler."""

    def __init__(self, instance: Instance, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._instance = instance
        # One that listens everywhere is asked here.
        self._host = _LOOPBACK.get(instance.host, instance.host)
        self._timeout = timeout

    def get(self, verb: str, **parameters: str | int | None) -> object:
        """Return the answer of a verb that reads; parameters that are None are left out.

        Raises:
            SchedulerError: the scheduler refused, or does not answer.
        """
        given = {key: value for key, value in parameters.items() if value is not None}
        # A word may hold bytes that are no text: it names nothing, which the answer will say.
        query = ""
        if given:
            from urllib.parse import urlencode  # only some verbs give any

            query = f"?{urlencode(given, errors='backslashreplace')}"
        return self._ask("GET", f"/api/{verb}{query}", None)

    def post(self, verb: str, **parameters: str | int | bool | None) -> object:
        """Return the answer of a verb that changes something, once the scheduler has done it.

        Raises:
            SchedulerError: the scheduler refused, or does not answer.
        """
        given = {key: value for key, value in parameters.items() if value is not None}
        return self._ask("POST", f"/api/{verb}", json.dumps(given).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> object:
        try:
            status, content = self._exchanged(self._request(method, path, body))
        except TimeoutError as error:
            instance = self._instance
            raise SchedulerError(
                f"scheduler {instance.name!r} (pid {instance.pid}) has not answered for"
                f" {self._timeout:.0f} s; what was asked is done once it can be (scheduler status"
                " says what it waits for)"
            ) from error
        except (OSError, ValueError, LookupError) as error:
            raise SchedulerError(self._unreachable()) from error
        return self._answer(status, content)

    def _request(self, method: str, path: str, body: bytes | None) -> bytes:
        host = f"[{self._host}]" if ":" in self._host else self._host
        lines = [
            f"{method} {path} HTTP/1.0",  # so that the answer does not come in chunks
            f"Host: {host}:{self._instance.port}",
            f"Authorization: Bearer {self._instance.token}",
            "Connection: close",  # the end of the answer is the end of what is sent
        ]
        if body is not None:
            lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
        return "\r\n".join((*lines, "", "")).encode() + (body or b"")

    def _exchanged(self, request: bytes) -> tuple[int, bytes]:
        """Return status and content of the answer.

        Raises:
            ValueError: it is not whole, or no answer of ours.
        """
        address = (self._host, self._instance.port)
        with socket.create_connection(address, timeout=self._timeout) as connection:
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(_PIECE), b""))
        head, _, content = answer.partition(b"\r\n\r\n")
        status, *fields = head.split(b"\r\n")
        named = dict(field.lower().split(b":", 1) for field in fields)
        length = named.get(b"content-length")
        if length is not None and len(content) != int(length):
            raise ValueError("the answer was cut off")
        return int(status.split()[1]), content

    def _answer(self, status: int, content: bytes) -> object:
        try:
            answer: object = json.loads(content)
        except ValueError as error:
            raise SchedulerError(self._unreachable()) from error
        if status == _OK:
            return answer
        fields = cast("dict[str, object]", answer) if isinstance(answer, dict) else {}
        message = fields.get("error")
        raise SchedulerError(str(message or f"scheduler answered with status {status}"))

    def _unreachable(self) -> str:
        instance = self._instance
        host = f"[{self._host}]" if ":" in self._host else self._host
        return (
            f"scheduler {instance.name!r} (pid {instance.pid}) is running but does not answer"
            f" at {host}:{instance.port}"
        )
