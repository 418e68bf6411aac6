"""The page of results: what is generated stays between its marks, and each benchmark has some."""

from pathlib import Path

import pytest

from benchmarks.catalogue import BENCHMARKS, chosen
from benchmarks.figures import Figure, summarised
from benchmarks.page import machine_part, part_of, with_part

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def test_what_stands_between_the_marks_is_replaced_and_nothing_else() -> None:
    text = "before\n<!-- generated: a -->\nold\n<!-- end of a -->\nafter\n"
    once = with_part(text, "a", r"new \1")
    assert once == ("before\n<!-- generated: a -->\n\nnew \\1\n\n<!-- end of a -->\nafter\n")
    assert with_part(once, "a", r"new \1") == once


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="no marks for 'b'"):
        with_part("<!-- generated: a --><!-- end of a -->", "b", "new")


@pytest.mark.parametrize("name", ["machine", "goals", *(one.name for one in BENCHMARKS)])
def test_each_benchmark_has_its_place_on_the_page(name: str) -> None:
    assert "\n\nnew\n\n" in with_part(PAGE.read_text(encoding="utf-8"), name, "new")


def test_a_part_has_tables_a_plot_and_their_source() -> None:
    figures = [Figure(what="hand-off", who="us", unit="ms", samples=(2.0,))]
    assert part_of(summarised([figures]), plot="a.svg", source="2026").splitlines() == [
        "**Hand-off**",
        "",
        "| who | median, ms | of the rounds |",
        "| --- | ---: | ---: |",
        "| us | 2.00 |  |",
        "",
        "![The same as a plot](a.svg)",
        "",
        "2026",
    ]


def test_the_machine_is_a_table_of_text() -> None:
    assert machine_part([("date", "2026-11-27")]).splitlines()[-2:] == [
        "| --- | --- |",
        "| date | 2026-11-27 |",
    ]


def test_benchmarks_are_chosen_by_name_in_the_usual_order() -> None:
    names = [one.name for one in BENCHMARKS]
    assert [one.name for one in chosen(reversed(names[:2]))] == names[:2]
    assert [one.name for one in chosen([])] == names


def test_an_unknown_benchmark_is_refused() -> None:
    with pytest.raises(KeyError, match="speed"):
        chosen(["speed"])
