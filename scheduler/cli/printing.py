"""How the command line prints: tables, colours, JSON.

Colour and cutting on a terminal only; a pipe gets the same content, plain and whole.  The tables
are our own: the import of a library for them costs `status` a third of its time.
"""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TextIO

_GAP = 2  # columns between two cells
_LEAST = 20  # columns that the last cell keeps, however narrow the terminal


class Style(StrEnum):
    """How a text stands out; the value is its ANSI code."""

    BOLD = "1"
    DIM = "2"
    RED = "31"
    GREEN = "32"
    YELLOW = "33"
    MAGENTA = "35"
    CYAN = "36"


Cell = str | tuple[str, Style | None]

STATE_STYLES = {
    "running": Style.CYAN,
    "succeeded": Style.GREEN,
    "failed": Style.RED,
    "blocked": Style.MAGENTA,
    "cancelled": Style.YELLOW,
    "unknown": Style.YELLOW,
    "skipped": Style.DIM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is printed on."""

    width: int | None = None  # of the terminal; None: a pipe or file, where nothing is cut
    has_colour: bool = False


def page_of(stream: TextIO | None) -> Page:
    """Return what a stream prints on; None is one that was closed."""
    if stream is None or not stream.isatty():
        return Page()
    is_plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Page(width=_width_of(stream), has_colour=not is_plain and _understands_codes())


def _width_of(stream: TextIO) -> int:
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and 0 < int(given[:6]):
        return int(given[:6])
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except OSError:
        return 80


def _understands_codes() -> bool:
    """Return whether the terminal takes ANSI codes; on Windows it has to be asked to."""
    if sys.platform != "win32":
        return True
    import ctypes

    kernel = ctypes.windll.kernel32
    handle, mode = kernel.GetStdHandle(-11), ctypes.c_ulong()
    if not kernel.GetConsoleMode(handle, ctypes.byref(mode)):
        return False
    return bool(kernel.SetConsoleMode(handle, mode.value | 0x0004))


def say(*lines: str) -> None:
    """Print lines on stdout."""
    for line in lines:
        print(line)


def say_aside(*lines: str) -> None:
    """Print lines on stderr, unless the caller closed it."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison] print would take stdout
        return
    for line in lines:
        print(line, file=sys.stderr)


def say_json(value: object) -> None:
    """Print a value as JSON: indented on a terminal, one line in a pipe."""
    is_wide = page_of(sys.stdout).width is not None
    print(json.dumps(value, ensure_ascii=False, indent=2 if is_wide else None))


def keep_line_ends(encoding: str | None = None) -> None:
    """Let stdout print line ends as they are, in an encoding if one is given."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:  # Windows would make two of each end
        reconfigure(newline="", encoding=encoding, errors="backslashreplace")


def styled(text: str, style: Style | None, page: Page) -> str:
    """Return the text in its style, where the page has colour."""
    if not page.has_colour or style is None or not text:
        return text
    return f"\x1b[{style.value}m{text}\x1b[0m"


def clean(text: str) -> str:
    """Return the text on one line, and with nothing that a terminal would obey."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    return " " if character in "\r\n\t" else ascii(character)[1:-1]


def width_of(text: str) -> int:
    """Return how many columns of a terminal the text takes."""
    # Up to here every printable character takes one.
    if text.isascii() or max(text) < "\u0300":
        return len(text)
    from wcwidth import wcswidth  # slow to import, and seldom needed

    return max(wcswidth(text), 0)


def cut(text: str, width: int) -> str:
    """Return the text, cut where it is wider than that."""
    if width_of(text) <= width:
        return text
    if width <= 0:
        return ""  # not even the mark of a cut has room
    kept = text[: width - 1]
    while width_of(kept) > width - 1:
        kept = kept[:-1]
    return f"{kept}…"


def progress_bar(done: int, total: int, words: str, page: Page) -> str:
    """Return a line that shows how much of something is done, to be drawn over the last one."""
    width = (page.width or 80) - 1
    counts = f"{done}/{total}"
    room = max(min(40, width - width_of(words) - len(counts) - 8), 5)
    filled = room * done // total if total else room
    bar = styled("#" * filled, Style.GREEN, page) + "." * (room - filled)
    words = cut(words, max(width - room - len(counts) - 6, 1))
    plain = room + len(counts) + width_of(words) + 6
    return f"\r[{bar}]  {counts}  {words}" + " " * max(width - plain, 0)


def table(rows: Iterable[Sequence[Cell]], page: Page, *, header: Sequence[str] = ()) -> list[str]:
    """Return the lines of a table, indented, without the columns that are empty.

    On a terminal the last column is cut to its width.
    """
    cells = [[_parted(cell) for cell in row] for row in rows]
    used = [column for column in range(_columns(cells)) if any(row[column][0] for row in cells)]
    if header and cells:
        cells.insert(0, [(title, Style.DIM) for title in header])
    widths = [max(width_of(row[column][0]) for row in cells) for column in used]
    return [_line([row[column] for column in used], widths, page) for row in cells]


def _parted(cell: Cell) -> tuple[str, Style | None]:
    text, style = (cell, None) if isinstance(cell, str) else cell
    return clean(text), style


def _columns(rows: Sequence[Sequence[object]]) -> int:
    return len(rows[0]) if rows else 0


def _line(row: Sequence[tuple[str, Style | None]], widths: Sequence[int], page: Page) -> str:
    parts: list[str] = []
    place = _GAP
    for number, ((text, style), width) in enumerate(zip(row, widths, strict=True)):
        if number == len(row) - 1:
            if page.width is not None:
                text = cut(text, max(page.width - place, _LEAST))
            parts.append(styled(text, style, page))
        else:
            # Padded outside of the style, or the codes would count.
            parts.append(styled(text, style, page) + " " * (width - width_of(text) + _GAP))
            place += width + _GAP
    return " " * _GAP + "".join(parts).rstrip()
