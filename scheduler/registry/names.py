"""What may be the name of a routine, and which two names would be one folder somewhere.

A name is a folder below ``logs/`` on every system, and the first half of a task id.
"""

import re
import unicodedata

from scheduler.errors import SchedulerError, quoted
from scheduler.registry.flaws import Flaw
from scheduler.registry.task_id import split_task_id

MOST_BYTES = 200

_ALLOWED = "letters, digits, marks, _ - + @, and inside also . and single spaces"
_PLAIN = re.compile(r"[A-Za-z0-9_@+-]+(?:[.]+[A-Za-z0-9_@+-]+)*")
_DEVICES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))]
)


def check_name(name: str) -> None:
    """Raise a `Flaw` if ``name`` cannot be the name of a routine."""
    if not name:
        raise Flaw("name is empty", "give it a name")
    if name != name.strip():
        trimmed = name.strip()
        hint = f"write {quoted(trimmed)}" if trimmed else "give it a name"
        raise Flaw(f"name {quoted(name)} begins or ends with a space", hint)
    if "." in name and _is_task_id(name):
        raise Flaw(f"name {quoted(name)} reads like the id of a task", "leave out the time")
    if not _PLAIN.fullmatch(name):
        _check_characters(name)
    length = len(name.encode(errors="surrogatepass"))
    if length > MOST_BYTES:
        raise Flaw(f"name {quoted(name)} has {length} bytes of UTF-8, more than {MOST_BYTES}")
    if name.partition(".")[0].rstrip(" ").upper() in _DEVICES:
        raise Flaw(f"name {quoted(name)} is a device on Windows", "choose another name")


def folder_key(name: str) -> str:
    """Return what is equal for names that are one folder where case or Unicode form don't count."""
    if name.isascii():
        return name.lower()
    folded = unicodedata.normalize("NFD", name).casefold()
    return unicodedata.normalize("NFC", folded)


def _is_task_id(name: str) -> bool:
    try:
        split_task_id(name)
    except SchedulerError:
        return False
    return True


def _check_characters(name: str) -> None:
    for position, character in enumerate(name):
        if _stands_anywhere(character):
            continue
        if character not in (".", " "):
            raise Flaw(f"name {quoted(name)} holds {_described(character)}", f"allowed: {_ALLOWED}")
        what = "a dot" if character == "." else "a space"
        if position in (0, len(name) - 1):
            where = "begins" if position == 0 else "ends"
            raise Flaw(f"name {quoted(name)} {where} with {what}", f"allowed: {_ALLOWED}")
        if name[position : position + 2] == "  ":
            raise Flaw(
                f"name {quoted(name)} holds two spaces in a row", "single spaces are allowed"
            )


def _stands_anywhere(character: str) -> bool:
    category = unicodedata.category(character)
    return character in "_-+@" or category[0] in "LM" or category == "Nd"


def _described(character: str) -> str:
    code = f"U+{ord(character):04X}"
    if character.isprintable() and not character.isspace():
        return f"{character!r}" if character.isascii() else f"{character!r} ({code})"
    return f"{code} ({unicodedata.name(character, 'a control character').lower()})"
