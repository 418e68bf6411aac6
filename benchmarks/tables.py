"""Summaries as Markdown tables; a figure that is missing says why below its table."""

from collections.abc import Iterable, Iterator, Sequence

from benchmarks.figures import BARE, BASES, OURS, PROMISED, Summary

_SHORT = {BARE: "bare", PROMISED: "promised", OURS: "ours"}


def tables(summaries: Sequence[Summary]) -> Iterator[tuple[str, str]]:
    """Yield what was measured, and its table, in the order of the summaries."""
    for what in dict.fromkeys(one.what for one in summaries):
        yield what, table([one for one in summaries if one.what == what])


def table(summaries: Sequence[Summary]) -> str:
    """Return the table of one thing that was measured; a curve has a column for each size."""
    rows = _curve_rows(summaries) if any(one.size for one in summaries) else _rows(summaries)
    lines = markdown(*rows)
    reasons = dict.fromkeys(f"{one.who}: {one.missing}." for one in summaries if one.missing)
    return "\n".join([lines, *(["", *reasons] if reasons else [])])


def markdown(
    headers: Sequence[str], rows: Iterable[Sequence[str]], *, is_text: bool = False
) -> str:
    """Return a Markdown table; all columns but the first are numbers, unless it is all text."""
    marks = ["---", *["---" if is_text else "---:"] * (len(headers) - 1)]
    lines = (headers, marks, *rows)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def number(value: float | None) -> str:
    """Return a number with three digits that count, and as many as it takes before the point."""
    if value is None:
        return ""
    if value == 0:
        return "0"
    size = abs(value)
    places = 0 if size >= 99.95 else 1 if size >= 9.995 else 2 if size >= 0.9995 else 3
    return f"{value:,.{places}f}"


def times(base: str) -> str:
    """Return the column that holds what was measured against a base."""
    return f"times {_SHORT[base]}"


def _rows(summaries: Sequence[Summary]) -> tuple[list[str], list[list[str]]]:
    unit = summaries[0].unit
    has_p99 = any(one.p99 is not None for one in summaries)
    bases = [base for base in BASES if any(base in one.ratios for one in summaries)]
    p99_bases = [base for base in BASES[:2] if any(base in one.p99_ratios for one in summaries)]
    headers = [
        "who",
        f"median, {unit}",
        "of the rounds",
        *(["p99"] if has_p99 else []),
        *(times(base) for base in bases),
        *(f"p99: {times(base)}" for base in p99_bases),
    ]
    rows = [
        [
            one.who,
            number(one.median) or "not measured",
            _span(one),
            *([number(one.p99)] if has_p99 else []),
            *(number(one.ratios.get(base)) for base in bases),
            *(number(one.p99_ratios.get(base)) for base in p99_bases),
        ]
        for one in summaries
    ]
    return headers, rows


def _curve_rows(summaries: Sequence[Summary]) -> tuple[list[str], list[list[str]]]:
    sizes = sorted({one.size for one in summaries if one.size is not None})
    by_key = {(one.who, one.size): one for one in summaries}
    headers = [f"median, {summaries[0].unit}", *(f"{size:,}" for size in sizes)]
    rows = [
        [who, *(number(one.median) if (one := by_key.get((who, size))) else "" for size in sizes)]
        for who in dict.fromkeys(one.who for one in summaries)
    ]
    return headers, rows


def _span(one: Summary) -> str:
    if one.rounds < 2:
        return ""
    return f"{number(one.lowest)} to {number(one.highest)}"
