"""The HTTP client that the command line talks to a live scheduler with.

Only ``http.client``: it imports fast.  Printing is the command line's business.
"""

import http.client
import json
from typing import cast
from urllib.parse import urlencode

from scheduler.errors import SchedulerError
from scheduler.service.instance import Instance

#: seconds; the loop answers within milliseconds, but a long forecast takes its time
DEFAULT_TIMEOUT = 60.0

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
        query = f"?{urlencode(given, errors='backslashreplace')}" if given else ""
        return self._ask("GET", f"/api/{verb}{query}", None)

    def post(self, verb: str, **parameters: str | int | bool | None) -> object:
        """Return the answer of a verb that changes something, once the scheduler has done it.

        Raises:
            SchedulerError: the scheduler refused, or does not answer.
        """
        given = {key: value for key, value in parameters.items() if value is not None}
        return self._ask("POST", f"/api/{verb}", json.dumps(given).encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> object:
        headers = {"Authorization": f"Bearer {self._instance.token}", "Connection": "close"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection(
            self._host, self._instance.port, timeout=self._timeout
        )
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            status, content = response.status, response.read()
        except TimeoutError as error:
            instance = self._instance
            raise SchedulerError(
                f"scheduler {instance.name!r} (pid {instance.pid}) has not answered for"
                f" {self._timeout:.0f} s; what was asked is done once it can be (scheduler status"
                " says what it waits for)"
            ) from error
        except (OSError, http.client.HTTPException) as error:
            raise SchedulerError(self._unreachable()) from error
        finally:
            connection.close()
        return self._answer(status, content)

    def _answer(self, status: int, content: bytes) -> object:
        try:
            answer: object = json.loads(content)
        except ValueError as error:
            raise SchedulerError(self._unreachable()) from error
        if status == http.client.OK:
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
