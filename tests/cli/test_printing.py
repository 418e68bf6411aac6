"""Tables, colours and lengths of time: what a person sees, and what a pipe gets."""

import io
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.cli.printing import (
    Page,
    Style,
    clean,
    cut,
    page_of,
    progress_bar,
    styled,
    table,
    width_of,
)
from scheduler.cli.times import distance_in_words, length_in_words, moment_in_words

PIPE = Page()
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_and_the_last_is_not_padded() -> None:
    assert table([("a", "one"), ("long", "two")], PIPE) == ["  a     one", "  long  two"]


def test_columns_that_are_empty_are_left_out_with_their_title() -> None:
    rows = [("a", "", "x"), ("b", "", "")]
    assert table(rows, PIPE, header=("name", "gone", "about")) == [
        "  name  about",
        "  a     x",
        "  b",
    ]


def test_a_table_without_rows_has_no_lines() -> None:
    assert table([], PIPE, header=("name",)) == []


def test_wide_characters_take_two_columns() -> None:
    assert table([("日本", "x"), ("abc", "y")], PIPE) == ["  日本  x", "  abc   y"]
    assert [width_of(text) for text in ("é", "e\u0301", "日", "")] == [1, 1, 2, 0]


def test_a_terminal_gets_what_fits_and_a_pipe_gets_all() -> None:
    row = ("load", "exit code 1: ValueError: no rows in the table of yesterday")
    assert table([row], Page(width=40)) == ["  load  exit code 1: ValueError: no row…"]
    assert table([row], PIPE) == [f"  {row[0]}  {row[1]}"]
    assert width_of(table([row], Page(width=40))[0]) == 40
    # The last column keeps something, however narrow the window.
    assert table([row], Page(width=5)) == ["  load  exit code 1: ValueE…"]


@pytest.mark.parametrize(
    ("done", "total", "filled"), [(0, 4, 0), (1, 4, 10), (4, 4, 40), (0, 0, 40)]
)
def test_a_bar_is_filled_by_what_is_done(done: int, total: int, filled: int) -> None:
    line = progress_bar(done, total, "1 running", Page(width=80))
    bar = "#" * filled + "." * (40 - filled)
    assert line.rstrip() == f"\r[{bar}]  {done}/{total}  1 running".rstrip()


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_a_bar_covers_the_line_that_it_is_drawn_over(width: int) -> None:
    line = progress_bar(3, 7, "2 running, 1 without success", Page(width=width))
    assert width_of(line.removeprefix("\r")) == width - 1


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("abc", 3, "abc"),
        ("abcd", 3, "ab…"),
        ("日本語", 4, "日…"),
        ("日本語", 6, "日本語"),
        ("日本語", 1, "…"),
        ("abc", 1, "…"),
        ("abc", 0, ""),
        ("abc", -1, ""),
        ("", 0, ""),
    ],
)
def test_text_is_cut_by_columns(text: str, width: int, expected: str) -> None:
    assert cut(text, width) == expected


def test_colour_does_not_disturb_the_columns() -> None:
    page = Page(width=80, has_colour=True)
    rows = [(("a", Style.RED), "x"), (("bcd", None), "y")]
    assert table(rows, page) == ["  \x1b[31ma\x1b[0m    x", "  bcd  y"]
    assert styled("x", Style.RED, PIPE) == "x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain é 日本", "plain é 日本"),
        ("two\nlines", "two lines"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\u202eb", "a\\u202eb"),
        ("bad \udc80 byte", "bad \\udc80 byte"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, expected: str) -> None:
    assert clean(text) == expected


@pytest.mark.parametrize(
    ("variables", "has_colour"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": ""}, True),
        ({"TERM": "dumb"}, False),
        ({"TERM": "xterm"}, True),
    ],
)
def test_a_terminal_is_coloured_unless_told_otherwise(
    variables: dict[str, str], has_colour: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "TERM", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert page_of(Terminal()).has_colour is has_colour


def test_a_pipe_and_a_closed_stream_are_plain() -> None:
    assert page_of(io.StringIO()) == Page(width=None, has_colour=False)
    assert page_of(None) == Page(width=None, has_colour=False)


@pytest.mark.parametrize(("columns", "width"), [("100", 100), ("0", 80), ("wide", 80), ("", 80)])
def test_columns_sets_the_width(columns: str, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert page_of(Terminal()).width == width


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (timedelta(), "0 ms"),
        (timedelta(milliseconds=850), "850 ms"),
        (timedelta(seconds=12.9), "12 s"),
        (timedelta(minutes=3), "3 min"),
        (timedelta(minutes=3, seconds=20), "3 min 20 s"),
        (timedelta(hours=2, minutes=5, seconds=9), "2 h 5 min"),
        (timedelta(hours=2, seconds=9), "2 h"),
        (timedelta(days=3, hours=4), "3 d 4 h"),
        (timedelta(seconds=-5), "0 ms"),
    ],
)
def test_a_length_has_two_units_at_most(length: timedelta, expected: str) -> None:
    assert length_in_words(length) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T02:00:00+01:00", "02:00"),
        ("2026-11-23T02:00:09.5+01:00", "02:00:09"),
        ("2026-11-22T02:00:00+01:00", "2026-11-22 02:00"),
        # It is still the 23rd at noon UTC in Honolulu, and already the 24th in Kiritimati.
        ("2026-11-23T01:00:00-10:00", "01:00"),
        ("2026-11-23T23:00:00+14:00", "2026-11-23 23:00"),
        (None, ""),
    ],
)
def test_a_moment_is_short_where_it_is_of_today(moment: str | None, expected: str) -> None:
    assert moment_in_words(moment, NOON) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-23T13:12:00+01:00", "in 12 min"),
        ("2026-11-23T12:00:00+01:00", "1 h ago"),
        (None, ""),
    ],
)
def test_a_distance_says_in_which_direction(moment: str | None, expected: str) -> None:
    assert distance_in_words(moment, NOON) == expected
