"""The goals, held against what was measured."""

from benchmarks.figures import BARE, OURS, PROMISED, Figure, summarised
from benchmarks.goals import goals_table
from benchmarks.page import part_of


def rows_of(*figures: Figure) -> list[str]:
    """Return the rows of goals that were measured."""
    page = part_of(summarised([figures]), plot=None, source="from a run")
    rows = goals_table(f"# Performance\n\n{page}\n").splitlines()
    return [row for row in rows[2:] if "not measured" not in row]


def throughput(who: str, value: float) -> Figure:
    """Return a figure of the throughput."""
    return Figure(what="throughput, two at a time", who=who, unit="tasks/s", samples=(value,))


def test_a_goal_is_held_against_the_floor_that_it_names() -> None:
    assert rows_of(throughput(BARE, 1000), throughput(PROMISED, 500), throughput(OURS, 450)) == [
        "| throughput, two at a time | at least 0.800 times the promised floor | 0.900 | yes |",
        "| throughput, two at a time | at least 0.500 times the bare floor | 0.450 | no |",
    ]


def test_a_tail_is_held_against_the_floors_tail() -> None:
    what = "hand-off, from the end of the process"
    samples = tuple(float(one) for one in range(1, 102))
    floor = Figure(what=what, who=PROMISED, unit="ms", samples=samples)
    ours = Figure(what=what, who=OURS, unit="ms", samples=tuple(3 * one for one in samples))
    assert rows_of(floor, ours) == [
        f"| {what} | at most 1.50 times the promised floor | 3.00 | no |",
        f"| {what} | p99 at most 4.00 times the promised floor's | 3.00 | yes |",
    ]


def test_a_goal_may_be_a_figure_at_a_size() -> None:
    curve = [
        Figure(what="until it serves, by routines", who=OURS, unit="s", samples=(value,), size=size)
        for size, value in ((10, 0.5), (100_000, 9.0))
    ]
    assert rows_of(*curve) == [
        "| until it serves, by routines: 100,000 | at most 10.0 s | 9.00 | yes |"
    ]


def test_a_goal_may_be_held_against_what_is_usual() -> None:
    what = "10,000 due at once: hand-off of others"
    usual = Figure(what=what, who=OURS, unit="ms", samples=(10.0,))
    meanwhile = Figure(what=what, who=f"{OURS}, meanwhile", unit="ms", samples=(25.0,))
    assert rows_of(usual, meanwhile) == [
        f"| {what} | at most 2.00 times the usual median | 2.50 | no |"
    ]


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    assert all(
        row.endswith("| not measured |  |") for row in goals_table("# Performance").splitlines()[2:]
    )
