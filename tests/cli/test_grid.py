"""``status --grid``: on a terminal, in a pipe, and as a page of its own."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, cast

import pytest

from scheduler.cli.grid import LETTERS, grid_lines, rulers
from scheduler.cli.grid_page import html_of
from scheduler.cli.main import main
from scheduler.cli.printing import STATE_STYLES, Page
from scheduler.cli.verbs import PERIODS
from scheduler.engine.states import TaskState
from scheduler.service import grid as service_grid
from scheduler.service.answers import GridView
from tests.support.cli_views import a_scheduler
from tests.support.served import Served

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)  # 10:00 in Paris


def a_cell(routine: str, wall: str, state: str = "succeeded", **changes: object) -> dict[str, Any]:
    cell: dict[str, Any] = {
        "task": f"{routine}.{wall}:00",
        "state": state,
        "reason": "",
        "instant": f"{wall}:00+01:00",
        "count": 1,
    }
    return {**cell, **changes}


def a_row(routine: str, *cells: object, **changes: object) -> dict[str, Any]:
    row: dict[str, Any] = {
        "routine": routine,
        "is_root": False,
        "held_by": None,
        "last": next((cell for cell in reversed(cells) if cell), None),
        "cells": list(cells),
        "unread": 0,
    }
    return {**row, **changes}


def a_view(**changes: object) -> GridView:
    walls = ["2026-11-22T22:00", "2026-11-22T23:00", "2026-11-23T00:00", "2026-11-23T01:00"]
    failed = a_cell("load", walls[3], "failed", reason="exit code 3")
    view: dict[str, object] = {
        "scheduler": a_scheduler(),
        "at": "2026-11-23T10:00:00+01:00",
        "timezone": "Europe/Paris",
        "period": "1h",
        "columns": [f"{wall}:00+01:00" for wall in walls],
        "rows": [
            a_row("load", None, a_cell("load", walls[1]), None, failed, is_root=True),
            a_row(
                "report", None, None, None, a_cell("report", walls[3], "blocked"), held_by="load"
            ),
            a_row("rates", None, None, None, None, last=a_cell("rates", "2026-11-01T00:00")),
        ],
        "more": 0,
    }
    return cast("GridView", {**view, **changes})


def plain(view: GridView, page: Page | None = None) -> list[str]:
    return grid_lines(view, page or Page(), NOW)[2:]


def test_the_grid_reads_without_colour() -> None:
    assert plain(a_view()) == [
        "                                  2026-11-23",
        "                              22:00 01:00",
        "load      F 01:00               .   F",
        "  report  B 01:00                   B",
        "rates     . 2026-11-01 00:00",
        "",
        "F failed  B blocked  . succeeded",
        "a column is 1h (--by); of several tasks the worst is shown; times of Europe/Paris",
    ]


def test_on_a_terminal_a_cell_has_the_colour_of_its_state() -> None:
    lines = grid_lines(a_view(), Page(width=80, has_colour=True), NOW)
    assert lines[4].startswith("\x1b[31mload\x1b[0m ")
    assert lines[4].endswith("\x1b[7;32m.\x1b[0m   \x1b[7;31mF\x1b[0m")


def test_columns_that_do_not_fit_are_left_out_the_oldest_first() -> None:
    lines = plain(a_view(), Page(width=42))
    assert lines[2:4] == [
        "load      F 01:00             F",
        "  report  B 01:00             B",
    ]


def test_cells_that_were_not_read_are_no_empty_ones() -> None:
    row = a_row("load", None, None, None, a_cell("load", "2026-11-23T01:00"), unread=2)
    lines = plain(a_view(rows=[row]))
    assert lines[2] == "load  . 01:00  ~ ~   ."
    assert "~ too many to show: take a shorter --by" in lines[4]


def test_names_are_printed_but_not_obeyed() -> None:
    lines = plain(a_view(rows=[a_row("lo\x1b[31mad", None, None, None, None)]))
    assert "lo\\x1b[31mad" in lines[2]


def test_an_empty_registry_has_an_empty_grid() -> None:
    assert plain(a_view(rows=[]))[-1] == "There are no routines."


def test_each_state_has_a_letter_of_its_own() -> None:
    assert set(LETTERS) == {state.value for state in TaskState}
    assert len(set(LETTERS.values())) == len(LETTERS)
    assert set(STATE_STYLES) - {"unknown"} <= set(LETTERS)


def test_the_periods_of_the_option_are_those_of_the_grid() -> None:
    assert tuple(service_grid.PERIODS) == PERIODS


@pytest.mark.parametrize(
    ("period", "first", "step", "expected"),
    [
        ("1h", "2026-11-22T20:00:00+01:00", 3600, "4 2026-11-23 | 1 21:00, 4 00:00, 7 03:00"),
        (
            "1d",
            "2026-11-26T00:00:00+01:00",
            86400,
            "0 2026-11, 5 2026-12 | 1 27, 3 29, 5 01, 7 03, 9 05",
        ),
    ],
)
def test_the_times_above_are_those_that_have_room(
    period: str, first: str, step: int, expected: str
) -> None:
    begin = datetime.fromisoformat(first)
    columns = [(begin + timedelta(seconds=step * number)).isoformat() for number in range(10)]
    lines = (
        ", ".join(f"{mark.column} {mark.text}" for mark in ruler)
        for ruler in rulers(columns, period, 2)
    )
    assert " | ".join(lines) == expected


# -- the command -------------------------------------------------------------------------------


def test_the_grid_of_a_live_scheduler_is_asked_for(
    served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[dict[str, str]] = []

    def answer(parameters: Mapping[str, str]) -> object:
        asked.append(dict(parameters))
        return a_view()

    served.answers["grid"] = answer
    assert main(["status", "report", "--grid", "--by", "1h"]) == 0
    assert "load      F" in capsys.readouterr().out
    assert asked[0]["routine"] == "report" and asked[0]["by"] == "1h"
    assert main(["status", "--grid", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["routine"] == "load"


def test_the_page_is_written_to_a_file(
    served: Served, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served.answers["grid"] = lambda _: a_view()
    assert main(["status", "--grid", "--html", "grid.html"]) == 0
    assert capsys.readouterr().out == "the grid is in grid.html\n"
    assert (home / "grid.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--grid", "--html", "x", "--json"], "give --json or --html, not both"),
        (["--grid", "--watch", "--json"], "give --watch or --json, not both"),
        (["--watch", "--json"], "give --watch or --json, not both"),
        (["--grid", "--by", "2h"], "invalid choice: '2h'"),
        (["--grid", "--html", "no/such/folder"], "no/such/folder cannot be written"),
        (["--grid", "--watch"], "--watch draws in place, which takes a terminal: leave it out"),
        (["--watch"], "--watch draws in place, which takes a terminal: leave it out"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(
    served: Served, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served.answers["grid"] = lambda _: a_view()
    assert main(["status", *words]) == 2
    shown = capsys.readouterr()
    assert message in shown.err and shown.err.count("\n") == 1 and shown.out == ""


# -- the page ----------------------------------------------------------------------------------


class Checked(HTMLParser):
    """Reads a page: that each element is closed, its attributes, its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def titles(self) -> list[str]:
        return [attrs["title"] or "" for _, attrs in self.elements if "title" in attrs]


def test_the_page_says_the_reason_of_each_cell() -> None:
    page = Checked(html_of(a_view()))
    assert "load.2026-11-23T01:00:00 failed: exit code 3" in page.titles()
    assert "report is blocked by load" in page.titles()


def test_a_row_ends_with_the_newest_task_whenever_that_was() -> None:
    page = Checked(html_of(a_view()))
    classes = [attrs["class"] for tag, attrs in page.elements if tag == "td"]
    assert classes[:5] == ["none", "succeeded", "none", "failed", "failed last"]
    assert classes[-5:] == ["none", "none", "none", "none", "succeeded last"]
    # Of today the time, else the day: on a telephone there is room for no more.
    assert "newest" in page.text and "F 01:00" in page.text and ". 2026-11-01" in page.text


def test_the_name_of_a_routine_is_told_in_full_where_it_is_cut() -> None:
    name = "a-name-as-long-as-people-have-them-in-warehouses"
    page = html_of(a_view(rows=[a_row(name, None, None, None, None)]))
    assert name in Checked(page).titles() and f"--longest: {len(name)}ch" in page


def test_a_page_says_what_is_not_on_it() -> None:
    row = a_row("load", None, None, None, a_cell("load", "2026-11-23T01:00"), unread=2)
    assert "~ too many to show: take a shorter --by" in Checked(html_of(a_view(rows=[row]))).text
    assert "too many" not in html_of(a_view())
    assert "… and 3 more routines" in Checked(html_of(a_view(more=3))).text
    empty = Checked(html_of(a_view(rows=[])))
    assert "There are no routines." in empty.text and "table" not in dict(empty.elements)


def luminance(colour: str) -> float:
    """Return how bright a colour is, as the Web Content Accessibility Guidelines count."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_each_letter_and_word_stands_out_from_its_ground(scheme: int) -> None:
    block = html_of(a_view()).split(":root")[scheme + 1].split("}")[0]
    colours = dict(re.findall(r"--([\w-]+): (#\w{6})", block))
    inks = {state: colours["ink"] for state in LETTERS} | {"skipped": colours["ink-of-skipped"]}
    pairs = [(inks[state], colours[state]) for state in LETTERS]
    words = ("text", "faint", "failed", "blocked")
    pairs += [(colours[word], colours["ground"]) for word in words]
    assert min(contrast(*pair) for pair in pairs) >= 4.5


def test_the_page_needs_nothing_but_itself() -> None:
    text = html_of(a_view())
    page = Checked(text)
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.elements}
    assert not re.search(r"https?:|url\(|@import|src=|href=", text)
    assert "prefers-color-scheme: dark" in text


def test_nothing_of_a_name_becomes_part_of_the_page() -> None:
    evil = "<script>alert('x')</script>\"&"
    cell = a_cell(evil, "2026-11-23T01:00", "failed", reason=evil)
    view = a_view(
        rows=[a_row(evil, None, None, None, cell, is_root=True), a_row("b", held_by=evil)],
        scheduler=a_scheduler(name=evil, notices=[evil]),
        timezone=evil,
    )
    page = Checked(html_of(view))
    assert "script" not in {tag for tag, _ in page.elements}
    assert f"{evil}.2026-11-23T01:00:00 failed: {evil}" in page.titles()
    assert page.text.count(evil) >= 4


def test_a_count_of_several_is_told_where_the_mouse_is() -> None:
    row = a_row("load", a_cell("load", "2026-11-23T01:00", "failed", count=60))
    assert (
        "load.2026-11-23T01:00:00 failed (the worst of 60)"
        in Checked(html_of(a_view(rows=[row]))).titles()
    )
