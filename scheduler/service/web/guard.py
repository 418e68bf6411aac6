"""Who is answered at all: the token, the host, the origin, the size of a request; and how often.

It stands before every route, also before those that do not exist.
"""

import asyncio
import ipaddress
import json
import logging
import secrets
import socket
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from scheduler.service.web import limits
from scheduler.service.web.limits import Allowance

log = logging.getLogger(__name__)

# Given twice, one of them could be checked and the other one heeded.
_ONCE = (b"host", b"origin", b"authorization", b"content-length")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Lets requests through that bear the token and were meant for this scheduler.

    A page of another site cannot know the token.  That its browser is refused by host and origin
    as well guards against a name that is made to point at this machine.

    Whoever has the token is never refused for asking often, only answered a little later.  Of
    the others those beyond the allowance are not even told what was wrong.
    """

    def __init__(
        self, app: ASGIApp, *, token: str, host: str, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._app = app
        self._token = token.encode()
        self._names = _LOOPBACK | {host.casefold()}
        if host in ("0.0.0.0", "::"):
            self._names |= {socket.gethostname().casefold()}
        self._is_everywhere = host in ("0.0.0.0", "::")
        self._now = now
        self._answers = Allowance(limits.ANSWERED_AT_ONCE, limits.ANSWERED_EACH_SECOND)
        self._refusals = Allowance(limits.REFUSED_AT_ONCE, limits.REFUSED_EACH_SECOND)
        self._has_warned = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        assert scope["type"] == "http", "nothing else is served"
        refusal = self._refusal(scope)
        if refusal is None:
            delay = self._answers.wait_for_one(self._now())
            if delay:
                await asyncio.sleep(delay)
            await self._app(scope, receive, send)
            return
        status, message = self._counted(refusal)
        headers = [(b"content-type", b"application/json")]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        if status == 429:
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps({"error": message}).encode()})

    def _counted(self, refusal: tuple[int, str]) -> tuple[int, str]:
        """Return the refusal, or that there were too many of those who lack the token."""
        if refusal[0] not in (401, 403):
            return refusal
        if self._refusals.is_full(self._now()):
            self._has_warned = False
        if self._refusals.has_any(self._now()):
            return refusal
        if not self._has_warned:
            self._has_warned = True
            log.warning("many requests are refused; the last one: %s", refusal[1])
        return 429, "too many requests that were refused: ask again in a while, with the token"

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        given: list[tuple[bytes, bytes]] = scope["headers"]
        headers = dict(given)
        if any(sum(name == key for key, _ in given) > 1 for name in _ONCE):
            return 403, "a header is given twice"
        host = headers.get(b"host", b"").decode("latin-1").casefold()
        if not self._is_ours(host, scope):
            return 403, "the Host header names another server"
        origin = headers.get(b"origin")
        if origin is not None and origin.decode("latin-1").casefold() != f"http://{host}":
            return 403, "the request comes from a page of another server"
        kind, _, token = headers.get(b"authorization", b"").partition(b" ")
        if kind.lower() != b"bearer" or not secrets.compare_digest(token.strip(), self._token):
            return 401, "the token is missing or wrong: it stands in the instance file"
        if b"transfer-encoding" in headers:
            return 411, "send the length of the body"
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or len(length) > 10 or int(length) > limits.MOST_BODY:
            return 413, f"the body is longer than {limits.MOST_BODY} bytes"
        if len(scope["raw_path"]) + len(scope["query_string"]) > limits.MOST_ADDRESS:
            return 414, f"the address is longer than {limits.MOST_ADDRESS} bytes"
        if sum(len(name) + len(value) for name, value in given) > limits.MOST_HEADERS:
            return 431, f"the headers are longer than {limits.MOST_HEADERS} bytes"
        return None

    def _is_ours(self, host: str, scope: Scope) -> bool:
        name, port = _split(host)
        server = scope.get("server")
        if server is None or port != str(server[1]):
            return False
        return name in self._names or (self._is_everywhere and _is_address(name))


def _split(host: str) -> tuple[str, str]:
    """Return name and port of a Host header; brackets of an IPv6 address are taken off."""
    name, colon, port = host.rpartition(":")
    if not colon or "]" in port:
        return host.strip("[]"), "80"
    return name.strip("[]"), port


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
