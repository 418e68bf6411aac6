"""The words after a script's name."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.registry.arguments import (
    ArgumentValues,
    format_arguments,
    instant_field,
    read_arguments,
    split_arguments,
)
from scheduler.registry.flaws import Flaw

PARIS = ZoneInfo("Europe/Paris")
VALUES = ArgumentValues(
    instant=datetime(2026, 10, 1, 2, 30, tzinfo=PARIS),
    previous_instant=datetime(2026, 9, 30, 2, 30, tzinfo=PARIS),
    since=None,
    routine="daily report",
    attempt=3,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("   ", ()),
        ("a", ("a",)),
        ("a b", ("a", "b")),
        ("  a \t b\r\n", ("a", "b")),
        ("'a b' c", ("a b", "c")),
        ('"a b" c', ("a b", "c")),
        ("--x='a b'", ("--x=a b",)),
        ("""a'b'"c"d""", ("abcd",)),
        ("''", ("",)),
        ("a '' b", ("a", "", "b")),
        ("""'"' "'" """, ('"', "'")),
        (r"C:\new\table", (r"C:\new\table",)),
        (r"'a\' b", ("a\\", "b")),
        (r'"\"', ("\\",)),
        ("a # b", ("a", "#", "b")),
        ("$HOME * ~ `x` | >", ("$HOME", "*", "~", "`x`", "|", ">")),
        ("a\N{NO-BREAK SPACE}b", ("a\N{NO-BREAK SPACE}b",)),
    ],
)
def test_quotes_group_and_a_backslash_is_plain(text: str, words: tuple[str, ...]) -> None:
    assert split_arguments(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{instant}", ("2026-10-01T02:30:00+02:00",)),
        ("{instant:%Y-%m-%d}", ("2026-10-01",)),
        ("--day={instant:%d}/{instant:%m}", ("--day=01/10",)),
        ("'{instant:%Y-%m-%d %H:%M}'", ("2026-10-01 02:30",)),
        ("{instant:%H:%M}", ("02:30",)),
        ("{instant:%z}", ("+0200",)),
        ("{instant:100%%-%Y}", ("100%-2026",)),
        ("{previous_instant:%Y%m%d}", ("20260930",)),
        ("{since}", ("",)),
        ("{since:%Y-%m-%d}", ("",)),
        ("{routine}", ("daily report",)),  # one word: split first, then formatted
        ("{routine:>14}", ("  daily report",)),
        ("{attempt}", ("3",)),
        ("{attempt:02d}", ("03",)),
        ("{{}}", ("{}",)),
        ("{{instant}}", ("{instant}",)),
        ("{{{attempt}}}", ("{3}",)),
        ('{{"day":1}}', ("{day:1}",)),
        ("%Y", ("%Y",)),
    ],
)
def test_each_word_is_formatted(text: str, words: tuple[str, ...]) -> None:
    assert format_arguments(read_arguments(text), VALUES) == words


@pytest.mark.parametrize(
    ("text", "reason", "hint"),
    [
        ("'a", "the ' at character 1 is never closed", "close it"),
        ('ab "', 'the " at character 4 is never closed', "close it"),
        ("it's", "the ' at character 3 is never closed", "other kind"),
        ("{", "a { is alone", "{{"),
        ("}", "a } is alone", "}}"),
        ("{instant:%Y %m}", "a { is alone", "quote a word that holds spaces"),
        ("{}", "'{}' is not a field", "there are {instant}"),
        ("{0}", "'{0}' is not a field", "there are {instant}"),
        ("{instnt}", "'{instnt}' is not a field", "did you mean {instant}?"),
        ("{Instant}", "'{Instant}' is not a field", "did you mean {instant}?"),
        ("'{ instant}'", "'{ instant}' is not a field", "did you mean {instant}?"),
        ("{instant.year}", "'{instant.year}' is not a field", None),
        ("{instant.__class__}", "is not a field", None),
        ("{instant[0]}", "'{instant[0]}' is not a field", None),
        ("{instant!r}", "'{instant!r}' is not a field", None),
        ("{routine:{attempt}}", "is alone", None),
        ("{instant:abc}", "names no part of a date", "%Y-%m-%d"),
        ("{instant:>20}", "names no part of a date", "%Y-%m-%d"),
        ("{instant:%}", "'%' is no part of a date", "%Y-%m-%d"),
        ("{since:%Y-%é}", "is no part of a date", None),
        ("{attempt:x2}", "does not fit {attempt}", "{attempt:02d}"),
        ("{attempt:%Y}", "does not fit {attempt}", "{attempt:02d}"),
        ("{routine:d}", "does not fit {routine}", "{routine:>20}"),
        ("{attempt:9999999999}", "is too wide", None),
        ("{routine:>99999999999}", "is too wide", None),
        ("{instant:%999999999Y}", "is too wide", None),
    ],
)
def test_a_wrong_template_is_refused_when_it_is_read(
    text: str, reason: str, hint: str | None
) -> None:
    with pytest.raises(Flaw) as caught:
        read_arguments(text)
    assert reason in caught.value.reason
    assert (hint or "") in (caught.value.hint or "")


def test_a_value_never_makes_another_word() -> None:
    values = ArgumentValues(
        instant=VALUES.instant,
        previous_instant=None,
        since=None,
        routine="a 'b {attempt}",
        attempt=1,
    )
    assert format_arguments(read_arguments("x {routine}"), values) == ("x", "a 'b {attempt}")


def test_the_nominal_instant_is_the_instant_unless_a_holiday_moved_it() -> None:
    words = read_arguments("{nominal:%d} {instant:%d}")
    assert format_arguments(words, VALUES) == ("01", "01")
    moved = replace(VALUES, nominal=datetime(2026, 9, 29, 2, 30, tzinfo=PARIS))
    assert format_arguments(words, moved) == ("29", "01")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("--day {instant:%Y-%m-%d}", "instant"),
        ("{routine} {previous_instant} {instant}", "previous_instant"),
        ("x{nominal}", "nominal"),
        ("{since} {instant}", None),
        ("{{instant}} {routine}", None),
        ("", None),
    ],
)
def test_which_field_tells_a_task_its_own_instant(text: str, field: str | None) -> None:
    assert instant_field(read_arguments(text)) == field


@given(st.text(alphabet="ab {}'\":%YQ-0.!r\\instaep") | st.text())
def test_what_is_read_can_be_formatted(text: str) -> None:
    try:
        words = read_arguments(text)
    except Flaw:
        return
    assert len(format_arguments(words, VALUES)) == len(words)
