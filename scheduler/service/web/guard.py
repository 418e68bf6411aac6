"""Who is answered at all: the token, the host, the origin, the size of a request.

It stands before every route, also before those that do not exist.
"""

import ipaddress
import json
import secrets
import socket

from starlette.types import ASGIApp, Receive, Scope, Send

_MOST_BYTES = 1_000_000
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Guard:
    """Lets requests through that bear the token and were meant for this scheduler.

    A page of another site cannot know the token.  That its browser is refused by host and origin
    as well guards against a name that is made to point at this machine.
    """

    def __init__(self, app: ASGIApp, *, token: str, host: str) -> None:
        self._app = app
        self._token = token.encode()
        self._names = _LOOPBACK | {host.casefold()}
        if host in ("0.0.0.0", "::"):
            self._names |= {socket.gethostname().casefold()}
        self._is_everywhere = host in ("0.0.0.0", "::")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, message = refusal
        headers = [(b"content-type", b"application/json")]
        if status == 401:
            headers.append((b"www-authenticate", b"Bearer"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": json.dumps({"error": message}).encode()})

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
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
        if not length.isdigit() or len(length) > 10 or int(length) > _MOST_BYTES:
            return 413, f"the body is longer than {_MOST_BYTES} bytes"
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
