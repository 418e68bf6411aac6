"""``--watch``: a picture that is drawn anew each second, in place."""

import os
import sys
import time
from collections.abc import Callable, Sequence

from scheduler.cli.printing import Page, Style, clean, page_of, styled
from scheduler.errors import SchedulerError

_EVERY = 1.0  # seconds

# The other screen, so that what stood on the terminal is back when this ends; no cursor; and
# lines that are too long are cut, as a second line of theirs would be drawn over.
_BEGIN = "\x1b[?1049h\x1b[?25l\x1b[?7l"
_END = "\x1b[?7h\x1b[?25h\x1b[?1049l"


def watch(picture: Callable[[Page], Sequence[str]]) -> int:
    """Show a picture until Ctrl-C, and leave the last one on the terminal.

    What goes wrong meanwhile is shown in its place: a scheduler may end and be started again.

    Raises:
        SchedulerError: this is no terminal that can draw in place.
    """
    page = page_of(sys.stdout)
    if page.width is None or os.environ.get("TERM") == "dumb":
        raise SchedulerError("--watch draws in place, which takes a terminal: leave it out")
    lines: Sequence[str] = ()
    print(_BEGIN, end="")
    try:
        while True:
            lines = _drawn(picture)
            _draw(lines)
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        print(_END, end="", flush=True)
    print("\n".join(lines))
    return 0


def _drawn(picture: Callable[[Page], Sequence[str]]) -> Sequence[str]:
    page = page_of(sys.stdout)  # it may have another size by now
    try:
        return picture(page)
    except SchedulerError as error:
        return [styled(clean(line), Style.RED, page) for line in str(error).split("\n")]


def _draw(lines: Sequence[str]) -> None:
    """Draw over what is there: to clear it first would flicker."""
    height = _height()
    shown = list(lines[:height])
    if len(lines) > height:
        shown[-1] = f"… {len(lines) - height + 1} more lines: make the window taller"
    # No line break behind the last line: it would push the first one out.
    text = "\r\n".join(f"{line}\x1b[K" for line in shown)
    print(f"\x1b[H{text}\x1b[J", end="", flush=True)


def _height() -> int:
    try:
        return max(os.get_terminal_size(sys.stdout.fileno()).lines, 2)
    except OSError:
        return 24
