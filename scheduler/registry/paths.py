"""The paths in a registry: ``/`` between their parts on every system, relative to their file."""

import re
from typing import Protocol

from scheduler.errors import quoted
from scheduler.registry.flaws import Flaw

# A drive or a server of Windows.
_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FIELD = re.compile(r"\{\w*\}")
_STATICS = "{statics}/"


class Paths(Protocol):
    """What makes a path absolute."""

    def resolve(self, folder: str, path: str) -> str:
        """Return the path, absolute and normal; a relative one starts at ``folder``.

        ``path`` has ``/`` between its parts and no drive.
        """
        ...


def absolute_path(attribute: str, text: str, folder: str, paths: Paths) -> str:
    """Return the path that an attribute gives; one with a drive is absolute and stays as it is.

    Raises:
        Flaw: it begins or ends with a space, or with a field that a path does not have.
    """
    if text != text.strip():
        raise Flaw(f"{attribute} {quoted(text)} begins or ends with a space", "remove it")
    if _CONTROL.search(text):
        raise Flaw(f"{attribute} {quoted(text)} holds a control character", "remove it")
    if _DRIVE.match(text):
        return text
    path = text.replace("\\", "/")
    if _FIELD.match(path) and not path.startswith(_STATICS):
        raise Flaw(f"{attribute} {quoted(text)}: of braces only {_STATICS} is known in a path")
    return paths.resolve(folder, path)


def shown_path(path: str, limit: int = 120) -> str:
    """Return a path for a message: on one line, and its end where it is too long to read."""
    # The end tells more than the beginning.
    shown = path if len(path) <= limit else "…" + path[1 - limit :]
    return shown if shown.isprintable() else ascii(shown)
