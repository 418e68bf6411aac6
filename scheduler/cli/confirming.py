"""The question before something big: on a terminal only, where somebody can answer it."""

import sys
from argparse import Namespace


def is_confirmed(question: str, arguments: Namespace) -> bool:
    """Return whether to go on: ``--yes``, nobody to ask, or the person says so."""
    if arguments.yes or arguments.json or not _is_attended():
        return True
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _is_attended() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))
