"""The page of results: what stands between its marks is replaced, the rest is written by hand."""

import re
from collections.abc import Iterable, Sequence

from benchmarks.figures import Summary
from benchmarks.tables import markdown, tables


def with_part(text: str, name: str, part: str) -> str:
    """Return the text of a page with another part between the marks of that name.

    Raises:
        ValueError: it has no such marks.
    """
    begin, end = f"<!-- generated: {name} -->", f"<!-- end of {name} -->"
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    new, count = re.subn(
        pattern, lambda _: f"{begin}\n\n{part}\n\n{end}", text, count=1, flags=re.DOTALL
    )
    if not count:
        raise ValueError(f"the page has no marks for {name!r}: {begin} and {end}")
    return new


def part_of(summaries: Sequence[Summary], *, plot: str | None, source: str) -> str:
    """Return the part of one benchmark: its tables, its plot, and where they come from."""
    parts = [f"**{what[:1].upper()}{what[1:]}**\n\n{text}" for what, text in tables(summaries)]
    if plot is not None:
        parts.append(f"![The same as a plot]({plot})")
    return "\n\n".join([*parts, source])


def machine_part(described: Iterable[tuple[str, str]]) -> str:
    """Return the part that tells of the machine."""
    return markdown(["what", "value"], described, is_text=True)
