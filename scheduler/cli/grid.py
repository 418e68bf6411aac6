"""``status --grid``: routines by periods of time, root failures first.

A letter for each state, so that it reads without colour as well.  As a page: `grid_page`.
"""

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import cast

from scheduler.cli.printing import (
    STATE_STYLES,
    Page,
    Style,
    clean,
    cut,
    page_of,
    say,
    say_json,
    styled,
    width_of,
)
from scheduler.cli.sources import source_of
from scheduler.cli.status import scheduler_lines
from scheduler.cli.times import moment_in_words, now
from scheduler.cli.words import routine_of
from scheduler.errors import SchedulerError
from scheduler.service.answers import GridCellView, GridRowView, GridView

#: what stands in a cell, the worst state first
LETTERS = {
    "failed": "F",
    "blocked": "B",
    "cancelled": "C",
    "running": "R",
    "ready": "r",
    "waiting": "w",
    "succeeded": ".",
    "skipped": "-",
}
UNREAD = "~"
UNREAD_IN_WORDS = "too many to show: take a shorter --by"

_COLUMNS_OF_PAGE = 72
_COLUMNS_OF_PIPE = 48
_MOST_COLUMNS = 400
_CELL = 2  # columns of the terminal that a cell takes
_LONGEST_NAME = 40
_SPARE = 9  # columns that the last time above may take beyond its cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A time that is written above a column."""

    column: int
    text: str


def grid(arguments: Namespace) -> int:
    """Print the grid, or write it as a page."""
    routine = routine_of(arguments)
    ways = {"--watch": arguments.watch, "--json": arguments.json, "--html": arguments.html}
    if len(given := [name for name, value in ways.items() if value]) > 1:
        raise SchedulerError(f"give {' or '.join(given)}, not both")
    if arguments.watch:
        from scheduler.cli.watching import watch

        source_of(arguments)  # what is wrong with the words is said at once
        return watch(lambda page: grid_lines(_asked(arguments, routine, page), page, now()))
    if arguments.html:
        _write(Path(arguments.html), _asked(arguments, routine, None))
        return 0
    page = page_of(sys.stdout)
    view = _asked(arguments, routine, page)
    if arguments.json:
        say_json(view)
    else:
        say(*grid_lines(view, page, now()))
    return 0


def _asked(arguments: Namespace, routine: str | None, page: Page | None) -> GridView:
    """Return the grid with as many columns as the page may have room for; None is an HTML page."""
    columns = _COLUMNS_OF_PAGE if page is None else _COLUMNS_OF_PIPE
    if page is not None and page.width is not None:
        columns = min(max(page.width // _CELL, 1), _MOST_COLUMNS)
    source = source_of(arguments)
    return cast("GridView", source.get("grid", routine=routine, by=arguments.by, columns=columns))


def _write(path: Path, view: GridView) -> None:
    from scheduler.cli.grid_page import html_of

    try:
        # Half a character of a broken file name has no encoding.
        path.write_bytes(html_of(view).encode("utf-8", "replace"))
    except OSError as error:
        raise SchedulerError(f"{path} cannot be written: {error.strerror or error}") from error
    say(clean(f"the grid is in {path}"))


def grid_lines(view: GridView, page: Page, at: datetime) -> list[str]:
    """Return the lines of the grid; columns that do not fit are left out, the oldest first."""
    lines = list(scheduler_lines(view["scheduler"], page, at))
    if not view["rows"]:
        return [*lines, "", "There are no routines."]
    longest = _LONGEST_NAME if page.width is None else min(page.width // 3, _LONGEST_NAME)
    names = [cut(clean(_indented(row)), longest) for row in view["rows"]]
    lasts = [_last_of(row["last"], at) for row in view["rows"]]
    name_width, last_width = max(map(width_of, names)), max(map(width_of, lasts))
    left = name_width + 2 + last_width + 2
    count = len(view["columns"])
    if page.width is not None:
        count = max(min(count, (page.width - left - _SPARE) // _CELL), 1)
    first = len(view["columns"]) - count
    for ruler in rulers(view["columns"][first:], view["period"], _CELL, spare=_SPARE):
        lines.append(styled((" " * left + _ruled(ruler)).rstrip(), Style.DIM, page))
    for row, name, last in zip(view["rows"], names, lasts, strict=True):
        style = Style.RED if row["is_root"] else Style.MAGENTA if row["held_by"] else None
        head = styled(name, style, page) + " " * (name_width - width_of(name) + 2)
        gap = " " * (last_width - width_of(last) + 2)
        lines.append(f"{head}{last}{gap}{_cells(row, first, page)}".rstrip())
    return [*lines, "", *_legend(view, page)]


def _indented(row: GridRowView) -> str:
    return f"{'  ' if row['held_by'] else ''}{row['routine']}"


def _last_of(cell: GridCellView | None, at: datetime) -> str:
    return (
        "" if cell is None else f"{LETTERS[cell['state']]} {moment_in_words(cell['instant'], at)}"
    )


def _cells(row: GridRowView, first: int, page: Page) -> str:
    parts: list[str] = []
    for number, cell in enumerate(row["cells"][first:], first):
        if cell is None:
            parts.append(UNREAD if number < row["unread"] else " ")
        else:
            parts.append(_coloured(LETTERS[cell["state"]], STATE_STYLES.get(cell["state"]), page))
    return " ".join(parts).rstrip()


def _coloured(letter: str, style: Style | None, page: Page) -> str:
    """Return the letter on a ground of its colour."""
    if not page.has_colour:
        return letter
    return f"\x1b[7{f';{style.value}' if style else ''}m{letter}\x1b[0m"


def _legend(view: GridView, page: Page) -> Iterator[str]:
    rows = view["rows"]
    shown = {cell["state"] for row in rows for cell in (*row["cells"], row["last"]) if cell}
    parts = [
        f"{_coloured(letter, STATE_STYLES.get(state), page)} {state}"
        for state, letter in LETTERS.items()
        if state in shown
    ]
    if any(row["unread"] for row in rows):
        parts.append(f"{UNREAD} {UNREAD_IN_WORDS}")
    if parts:
        yield "  ".join(parts)
    yield styled(clean(caption(view)), Style.DIM, page)
    if view["more"]:
        yield f"… and {view['more']} more routines: scheduler status ROUTINE --grid shows one"


def caption(view: GridView) -> str:
    """Return what a column and a cell are."""
    period = view["period"]
    length = period if period[0].isdigit() else f"a {period}"
    return (
        f"a column is {length} (--by); of several tasks the worst is shown;"
        f" times of {view['timezone']}"
    )


# -- the times above the columns ---------------------------------------------------------------


def rulers(
    columns: Sequence[str], period: str, width: int, *, spare: int = 0
) -> tuple[list[Mark], list[Mark]]:
    """Return two lines of times: in the first what is common to several columns.

    ``width`` is that of a column, in letters, and ``spare`` what is free behind the last one: a
    time that has no room is left out.
    """
    moments = [datetime.fromisoformat(text) for text in columns]
    common, own = {"1d": ("%Y-%m", "%d"), "week": ("%Y-%m", "%d"), "month": ("%Y", "%m")}.get(
        period, ("%Y-%m-%d", "%H:%M")
    )
    texts = [f"{moment:{common}}" for moment in moments]
    changes = [
        Mark(column=number, text=text)
        for number, text in enumerate(texts)
        if number == 0 or texts[number - 1] != text
    ]
    each = [Mark(column=number, text=f"{moment:{own}}") for number, moment in enumerate(moments)]
    end = len(columns) * width + spare
    return _fitting(changes, width, end), _fitting(each, width, end)


def _fitting(marks: Sequence[Mark], width: int, end: int) -> list[Mark]:
    """Return the marks that have room, the newest first of all."""
    found: list[Mark] = []
    free = end + 1
    for mark in reversed(marks):
        if mark.column * width + len(mark.text) < free:
            found.append(mark)
            free = mark.column * width
    return found[::-1]


def _ruled(marks: Sequence[Mark]) -> str:
    line = ""
    for mark in marks:
        line = line.ljust(mark.column * _CELL) + mark.text
    return line
