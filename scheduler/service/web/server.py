"""The HTTP server in a thread of its own: sockets, start and stop.

What is served is `api`'s and `pages`' business.  While nobody asks, nothing wakes up.
"""

import asyncio
import logging
import socket
import threading

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from scheduler.errors import SchedulerError
from scheduler.service.web import limits

log = logging.getLogger(__name__)

# Open requests get so many seconds to finish when the server stops.
_FAREWELL = 3
_START_LIMIT = 30.0


class ControlServer:
    """Serves an application on one address until it is stopped."""

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        self._host = host
        self._port = port
        config = uvicorn.Config(
            app,
            http=_PunctualProtocol,
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=_FAREWELL,
            timeout_keep_alive=limits.LONGEST_IDLE,
            limit_concurrency=limits.MOST_CONNECTIONS,
            h11_max_incomplete_event_size=limits.MOST_UNREAD,
        )
        self._server = _QuietServer(config)
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> int:
        """Serve, and return the port once connections are answered.

        Raises:
            SchedulerError: the address cannot be had.
        """
        self._socket = _listening(self._host, self._port)
        port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)
        self._thread.start()
        self._server.serving.wait(_START_LIMIT)
        if not self._server.started:
            raise SchedulerError("the HTTP server did not start: the scheduler's log says why")
        return port

    def stop(self) -> None:
        """Close the socket, let open requests finish for some seconds, and end the thread."""
        if self._thread is None:
            return
        self._server.leave()
        self._thread.join(_FAREWELL + 5.0)
        if self._thread.is_alive():
            log.warning("http server still busy, left to the end of the process")
        self._thread = None

    def _serve(self) -> None:
        assert self._socket is not None
        try:
            self._server.run(sockets=[self._socket])
        except Exception:
            log.exception("http server failed")
        finally:
            self._socket.close()
            self._server.serving.set()  # whoever waits for it learns that it is not


class _PunctualProtocol(H11Protocol):
    """uvicorn's side of a connection, but for requests that never come to their end.

    It closes idle connections only after an answer: one that sends nothing, or a letter now and
    then, would be kept for ever.
    """

    _end: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Give what is still to come of a request so long and no longer."""
        if self.conn.their_state not in (h11.IDLE, h11.SEND_BODY):
            self._stop_watching()
        elif self._end is None and not self.transport.is_closing():
            self._end = self.loop.call_later(limits.LONGEST_REQUEST, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None


class _QuietServer(uvicorn.Server):
    """uvicorn, but for its main loop, which wakes ten times a second to look for the end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.serving = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    async def main_loop(self) -> None:
        """Wait for the end."""
        await self.on_tick(0)  # sets the headers that every answer gets
        self._end = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.serving.set()
        await self._end.wait()

    def leave(self) -> None:
        """End the main loop, from any thread."""
        self.should_exit = True
        if self._loop is None or self._end is None:
            return
        try:
            self._loop.call_soon_threadsafe(self._end.set)
        except RuntimeError:
            log.debug("http server had ended already")


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=128)
    except OSError as error:
        raise SchedulerError(
            f"cannot listen at {host}:{port}: {error.strerror or error}"
            " (choose another host or port in [http]; port 0 is any free one)"
        ) from error
