"""The pure parts of the benchmarks: statistics, ratios, tables, and the page they are put on."""

import pytest

from benchmarks.figures import BARE, PROMISED, Figure, p99, summarised
from benchmarks.tables import number, table


def figure(who: str, *samples: float, **fields: int | str) -> Figure:
    """Return a figure of the hand-off."""
    return Figure(what="hand-off", who=who, unit="ms", samples=samples, **fields)  # type: ignore[arg-type] # the fields are few


def test_a_figure_is_the_median_of_the_rounds_medians() -> None:
    (summary,) = summarised([[figure("us", 1, 2, 9)], [figure("us", 4)], [figure("us", 3, 100)]])
    assert (summary.median, summary.lowest, summary.highest) == (4, 2, 51.5)
    assert (summary.rounds, summary.samples) == (3, 6)


def test_each_round_is_held_against_its_own_floor() -> None:
    quiet = [figure(BARE, 1), figure("us", 3)]
    busy = [figure(BARE, 10), figure("us", 20)]
    noisy = [figure(BARE, 2), figure("us", 5)]
    ratios = {one.who: one.ratios for one in summarised([quiet, busy, noisy])}
    assert ratios == {BARE: {BARE: 1}, "us": {BARE: 2.5}}


def test_what_a_round_measures_twice_counts_as_one() -> None:
    around = [figure(BARE, 1, 2), figure("us", 6), figure(BARE, 3, 4, 5)]
    floor, us = summarised([around])
    assert (floor.median, floor.samples, floor.rounds) == (3, 5, 1)
    assert us.ratios == {BARE: 2}


def test_what_is_compared_bears_one_name_and_one_size() -> None:
    curve = [figure(BARE, 1, size=10), figure("us", 3, size=10), figure("us", 4, size=100)]
    assert [one.ratios for one in summarised([curve])] == [{BARE: 1}, {BARE: 3}, {}]


@pytest.mark.parametrize(("count", "expected"), [(0, None), (49, None), (101, 99.0)])
def test_a_percentile_needs_enough_samples(count: int, expected: float | None) -> None:
    assert p99(range(count)) == expected


def test_tails_are_held_against_the_floors_tail() -> None:
    samples = [float(one) for one in range(101)]
    floor, us = figure(PROMISED, *samples), figure("us", *(2 * one for one in samples))
    summary = summarised([[floor, us]])[1]
    assert (summary.p99, summary.p99_ratios) == (198, {PROMISED: 2})


def test_what_could_not_be_measured_says_why() -> None:
    summaries = summarised([[figure("us", 2), figure("cron", missing="there is no cron")]])
    assert table(summaries).splitlines() == [
        "| who | median, ms | of the rounds |",
        "| --- | ---: | ---: |",
        "| us | 2.00 |  |",
        "| cron | not measured |  |",
        "",
        "cron: there is no cron.",
    ]


def test_a_table_shows_ratios_to_the_floors_that_were_measured() -> None:
    rounds = [[figure(BARE, 2), figure("us", 3)], [figure(BARE, 2), figure("us", 5)]]
    assert table(summarised(rounds)).splitlines() == [
        "| who | median, ms | of the rounds | times bare |",
        "| --- | ---: | ---: | ---: |",
        "| bare floor | 2.00 | 2.00 to 2.00 | 1.00 |",
        "| us | 4.00 | 3.00 to 5.00 | 2.00 |",
    ]


def test_a_curve_has_a_column_for_each_size() -> None:
    curve = [figure("us", 3, size=10), figure("us", 4000, size=1000), figure("huey", 5, size=10)]
    assert table(summarised([curve])).splitlines() == [
        "| median, ms | 10 | 1,000 |",
        "| --- | ---: | ---: |",
        "| us | 3.00 | 4,000 |",
        "| huey | 5.00 |  |",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.01234, "0.012"), (1.2345, "1.23"), (12.345, "12.3"), (12345.6, "12,346")],
)
def test_numbers_keep_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text
