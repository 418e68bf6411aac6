"""The bytes of a registry file -> its text.

Decoded here and not by the XML parser, so that only the encodings that SPEC names are accepted
and an undecodable byte is shown with its place.  A byte-order mark wins over what the first line
declares: editors that change the encoding of a file leave that line as it was.
"""

import codecs
import re
from dataclasses import dataclass

from scheduler.errors import quoted

# Refused before it is parsed: a registry of a million routines has less.
MOST_BYTES = 200_000_000

_UTF8 = "utf-8"
_DECLARED = re.compile(rb"<\?xml\s[^>]{0,500}?encoding\s*=\s*[\"']([^\"'>]{0,500})[\"']")
_UTF_HINT = "save the file as UTF-8"

#: the one-byte encodings that are ASCII below 128, by the names of their codecs
_LATIN = frozenset(
    [
        "ascii",
        *(f"iso8859-{part}" for part in range(1, 17) if part != 12),
        *(f"cp125{part}" for part in range(9)),
        *("cp437", "cp850", "cp852", "cp855", "cp858", "cp866"),
        *(
            "koi8-r",
            "koi8-u",
            "mac-roman",
            "mac-latin2",
            "mac-cyrillic",
            "mac-greek",
            "mac-turkish",
        ),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingFlaw:
    """Why, and from where on, bytes are no text."""

    line: int
    column: int
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """The text up to the first byte that is none, and what is wrong there."""

    text: str
    flaw: DecodingFlaw | None = None


def decode(data: bytes) -> Decoded:
    """Return the text of a file, without its byte-order mark."""
    if len(data) > MOST_BYTES:
        message = f"the file has {len(data)} bytes, more than {MOST_BYTES}"
        return _refused(message, "split it and <include> its parts")
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return _refused("the file is in UTF-32", _UTF_HINT)
    if data.startswith(codecs.BOM_UTF8):
        return _decoded(data[3:], _UTF8)
    if data.startswith(codecs.BOM_UTF16_LE):
        return _decoded(data[2:], "utf-16-le")
    if data.startswith(codecs.BOM_UTF16_BE):
        return _decoded(data[2:], "utf-16-be")
    if b"\0" in data[:4]:
        return _refused("the file looks like UTF-16 without a byte-order mark", _UTF_HINT)
    found = _DECLARED.match(data)
    if found is None:
        return _decoded(data, _UTF8)
    declared = found[1].decode("latin-1")
    encoding = _codec(declared)
    if encoding is None:
        line, column = place_after(found.string[: found.start(1)].decode("latin-1"))
        message = f"encoding {quoted(declared)} is not supported here"
        if declared.lower().startswith(("utf-16", "utf16")):
            message = "the file is declared as UTF-16 but has no byte-order mark"
        hint = f'{_UTF_HINT}, declared as encoding="UTF-8" or not at all'
        return _refused(message, hint, line, column)
    return _decoded(data, encoding)


def _codec(declared: str) -> str | None:
    # What XML calls a name of an encoding; a codec is looked for in files, by its name.
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]{0,40}", declared):
        return None
    try:
        name = codecs.lookup(declared).name
    except LookupError:
        return None
    return name if name == _UTF8 or name in _LATIN else None


def _decoded(data: bytes, encoding: str) -> Decoded:
    try:
        return Decoded(text=data.decode(encoding))
    except UnicodeDecodeError as error:
        text = data[: error.start].decode(encoding)
        line, column = place_after(text)
        byte = data[error.start]
        message = f"byte 0x{byte:02x} is not {encoding.upper()}"
        hint = f"{_UTF_HINT}, or declare its encoding in the first line"
        return Decoded(
            text=text, flaw=DecodingFlaw(line=line, column=column, message=message, hint=hint)
        )


def _refused(message: str, hint: str, line: int = 1, column: int = 1) -> Decoded:
    return Decoded(text="", flaw=DecodingFlaw(line=line, column=column, message=message, hint=hint))


def place_after(before: str) -> tuple[int, int]:
    """Return the line and column of what follows the text, counting lines as XML does."""
    lines = re.split(r"\r\n|\r|\n", before)
    return len(lines), len(lines[-1]) + 1
