"""The words after a script's name: split, checked as templates, formatted for an attempt.

Split first, then formatted: what a value holds never makes another word.  No shell, no escapes:
quotes group, a backslash is plain.  A field is one of `FIELDS`, with an optional format after a
colon; nothing of an object can be reached through it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from scheduler.errors import quoted
from scheduler.registry.flaws import Flaw, closest
from scheduler.registry.masking import masked_text, masked_words

FIELDS = ("instant", "nominal", "previous_instant", "since", "routine", "attempt")
_OF_INSTANT = ("instant", "nominal", "previous_instant")

_PIECE = re.compile(r"""[^ \t\r\n'"]+|'[^']*'|"[^"]*"|[ \t\r\n]+|['"]""")
_TEMPLATE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_DIRECTIVE = re.compile(r"%[^A-Za-z%]*[EO]?(?:[A-Za-z%]|$)")
_SAMPLE = datetime(2026, 10, 1, 2, 3, 4, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentValues:
    """What the fields stand for in one attempt; instants are aware, in the routine's zone.

    ``nominal`` is None for an instant that no holiday moved.
    """

    instant: datetime
    previous_instant: datetime | None
    since: datetime | None
    routine: str
    attempt: int
    nominal: datetime | None = None


def read_arguments(text: str) -> tuple[str, ...]:
    """Return the words of ``arguments``, each a valid template.

    Raises:
        Flaw: a quote or a brace is not closed, a field or its format is unknown.
    """
    words = split_arguments(text)
    for word, shown in zip(words, masked_words(words), strict=True):
        for field, spec in _fields(word, shown):
            _check_field(_Piece(field=field, spec=spec, is_secret=word != shown, word=shown))
    return words


def split_arguments(text: str) -> tuple[str, ...]:
    """Return the words of a line; quotes group and are dropped, a backslash is plain."""
    words: list[str] = []
    pieces: list[str] = []
    for found in _PIECE.finditer(text):
        piece = found[0]
        if piece in ("'", '"'):
            where = f"the {piece} at character {found.start() + 1}"
            message = f"arguments {quoted(masked_text(text))}: {where}"
            raise Flaw(
                f"{message} is never closed", "close it, or put it into quotes of the other kind"
            )
        if piece[0] in " \t\r\n":
            if pieces:
                words.append("".join(pieces))
            pieces = []
        else:
            pieces.append(piece[1:-1] if piece[0] in "'\"" else piece)
    if pieces:
        words.append("".join(pieces))
    return tuple(words)


def format_arguments(words: Sequence[str], values: ArgumentValues) -> tuple[str, ...]:
    """Return the words of an attempt: each field replaced by its value, ``{{`` by a brace.

    An instant that there is not (of the first task, of no success) is empty, whatever its format.
    """
    return tuple(_formatted(word, values) for word in words)


def instant_field(words: Sequence[str]) -> str | None:
    """Return the first field that tells a task its own instant, but not if it is told `since`."""
    found = [field for word in words if "{" in word for field, _ in _fields(word, word)]
    if "since" in found:  # what lies between the two is told as well
        return None
    return next((field for field in found if field in _OF_INSTANT), None)


def _formatted(word: str, values: ArgumentValues) -> str:
    if "{" not in word and "}" not in word:
        return word
    parts: list[str] = []
    for found in _TEMPLATE.finditer(word):
        if found[1] is not None:
            field, _, spec = found[1].partition(":")
            parts.append(_shown(_value(field, values), spec))
        else:
            parts.append({"{{": "{", "}}": "}"}.get(found[0], found[0]))
    return "".join(parts)


def _value(field: str, values: ArgumentValues) -> datetime | str | int | None:
    return {
        "instant": values.instant,
        "nominal": values.nominal or values.instant,
        "previous_instant": values.previous_instant,
        "since": values.since,
        "routine": values.routine,
        "attempt": values.attempt,
    }[field]


def _shown(value: datetime | str | int | None, spec: str) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime) and not spec:
        return value.isoformat()
    return format(value, spec)


def _fields(word: str, shown: str) -> list[tuple[str, str]]:
    """Return the (field, format) pairs of a template, which problems call ``shown``."""
    fields: list[tuple[str, str]] = []
    for found in _TEMPLATE.finditer(word):
        if found[1] is not None:
            field, _, spec = found[1].partition(":")
            fields.append((field, spec))
        elif found[0] in ("{", "}"):
            message = f"arguments: in {quoted(shown)} a {found[0]} is alone"
            hint = f"write {found[0] * 2} for a brace; quote a word that holds spaces"
            raise Flaw(message, hint)
    return fields


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A field of a word, and how problems call the word."""

    field: str
    spec: str
    is_secret: bool  # the word holds a secret, and this may be a part of it
    word: str


def _check_field(piece: _Piece) -> None:
    word, field, spec = piece.word, piece.field, piece.spec
    if field not in FIELDS:
        near = closest(field, FIELDS)
        known = ", ".join(f"{{{name}}}" for name in FIELDS)
        hint = f"did you mean {{{near}}}?" if near else f"there are {known}; {{{{ is a brace"
        if piece.is_secret:
            raise Flaw(f"arguments: in {quoted(word)} what stands in braces is not a field", hint)
        raise Flaw(f"arguments: {quoted('{' + field + '}')} is not a field", hint)
    is_instant = field not in ("routine", "attempt")
    parts = _DIRECTIVE.findall(spec) if is_instant else [spec]
    # A width of a billion would be a billion characters.
    if any(re.search("[0-9]{4}", part) for part in parts):
        raise Flaw(f"arguments: the format in {quoted(word)} is too wide")
    if spec and is_instant:
        _check_instant_format(piece, parts)
    elif spec:
        _check_plain_format(word, field, spec)


def _check_plain_format(word: str, field: str, spec: str) -> None:
    try:
        format("x" if field == "routine" else 1, spec)
    except ValueError:
        example = "{routine:>20}" if field == "routine" else "{attempt:02d}"
        message = f"arguments: the format in {quoted(word)} does not fit {{{field}}}"
        raise Flaw(message, f"as in {example}") from None


def _check_instant_format(piece: _Piece, directives: Sequence[str]) -> None:
    word = piece.word
    example = "as in {instant:%Y-%m-%d}"
    if not directives:
        raise Flaw(f"arguments: the format in {quoted(word)} names no part of a date", example)
    for directive in directives:
        try:
            shown = _SAMPLE.strftime(directive)
        except ValueError:
            shown = directive
        # What the system does not know it refuses, or repeats.
        if shown == directive:
            part = "a format" if piece.is_secret else quoted(directive, 20)
            message = f"arguments: in {quoted(word)} {part} is no part of a date"
            raise Flaw(message, example)
