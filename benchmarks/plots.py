"""Summaries as plots: bars for what is compared, lines for curves.  Needs the group `bench`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import BARE, OURS, PROMISED, Summary
from benchmarks.tables import number

_OURS, _FLOOR, _PEER = "#1f6feb", "#b0b7c0", "#d9822b"
_BAR, _CURVE = 0.32, 3.2  # inches


def draw(summaries: Sequence[Summary], path: Path) -> None:
    """Draw the plots of one benchmark, one below the other, into an SVG file."""
    import matplotlib
    from matplotlib.figure import Figure

    # Text stays text; and the same figures give the same file.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "scheduler"})
    measured = [one for one in summaries if one.median is not None]
    groups = [
        [one for one in measured if one.what == what]
        for what in dict.fromkeys(one.what for one in measured)
    ]
    heights = [_CURVE if _is_curve(group) else 0.9 + _BAR * len(group) for group in groups]
    figure = Figure(figsize=(8, sum(heights)), layout="constrained")
    axes = figure.subplots(len(groups), 1, height_ratios=heights, squeeze=False)
    for (axis,), group in zip(axes, groups, strict=True):
        axis.set_title(f"{group[0].what}, {group[0].unit}", loc="left", fontsize=10)
        axis.tick_params(labelsize=8)
        axis.spines[["top", "right"]].set_visible(False)
        (_draw_curve if _is_curve(group) else _draw_bars)(axis, group)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    # Lines of its paths end in spaces, which the commit hooks take away.
    path.write_text("".join(f"{line.rstrip()}\n" for line in path.read_text().splitlines()))


def _is_curve(group: Sequence[Summary]) -> bool:
    return any(one.size is not None for one in group)


def _draw_bars(axis: Any, group: Sequence[Summary]) -> None:
    values = [one.median or 0 for one in group]
    bars = axis.barh(
        range(len(group)), values, color=[_colour(one.who) for one in group], height=0.7
    )
    axis.bar_label(bars, [_label(one) for one in group], padding=4, fontsize=8)
    axis.set_yticks(range(len(group)), [one.who for one in group])
    axis.invert_yaxis()
    positive = [value for value in values if value > 0]
    if positive and max(positive) > 30 * min(positive):
        axis.set_xscale("symlog", linthresh=min(positive))
    axis.margins(x=0.35)


def _draw_curve(axis: Any, group: Sequence[Summary]) -> None:
    for who in dict.fromkeys(one.who for one in group):
        points = sorted((one.size, one.median) for one in group if one.who == who and one.size)
        axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=who)
    axis.set_xscale("log")
    if all(one.median for one in group):  # nothing has no place on a logarithmic scale
        axis.set_yscale("log")
    axis.grid(visible=True, which="major", linewidth=0.3)
    axis.legend(fontsize=8, frameon=False)


def _colour(who: str) -> str:
    if who.startswith(OURS):
        return _OURS
    return _FLOOR if who.startswith((BARE, PROMISED)) else _PEER


def _label(one: Summary) -> str:
    """Return the figure, and how many times the strictest that it can fairly be held against."""
    for base in (PROMISED, BARE, OURS):
        if base in one.ratios and base != one.who:
            return f"{number(one.median)}  ({number(one.ratios[base])} times the {base})"
    return number(one.median)
