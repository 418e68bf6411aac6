"""``scheduler VERB``: the only place of exit codes and of what is printed of an error.

0 is done, 1 a task that did not succeed, 2 a mistake of the user, 130 Ctrl-C.  An error of our
own shows its traceback.
"""

import errno
import importlib
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import cast

from scheduler.errors import ConfigError, RegistryError, SchedulerError

MISTAKE = 2
INTERRUPTED = 130
_NO_READER = 141  # as of a program that SIGPIPE ends


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and return the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    _let_all_text_out()
    try:
        code = _run(words)
        _flush()
        return code
    except SchedulerError as error:
        _complain(error)
        return MISTAKE
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return _NO_READER
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _drop_output()
        _complain(SchedulerError(f"the disk is full: {error}"))
        return MISTAKE


def _run(words: Sequence[str]) -> int:
    from scheduler.cli import tree

    if not words:
        tree.make_parser().print_help(sys.stderr)
        return MISTAKE
    if words[0] in ("-h", "--help"):
        tree.make_parser().print_help()
        return 0
    if words[0] == "--version":
        from scheduler.version import __version__

        print(f"scheduler {__version__}")
        return 0
    try:
        arguments = tree.parse(words)
    except SystemExit as end:  # after the help of a verb
        return int(end.code or 0)
    return _function_of(arguments)(arguments)


def _function_of(arguments: Namespace) -> Callable[[Namespace], int]:
    module, _, name = str(arguments.run).partition(":")
    function = getattr(importlib.import_module(f"scheduler.cli.{module}"), name)
    return cast("Callable[[Namespace], int]", function)


def _complain(error: SchedulerError) -> None:
    from scheduler.cli.printing import Style, clean, page_of, say_aside, styled

    _flush()  # what was said before comes first, also where both go to one file
    lines = [clean(line) for line in str(error).split("\n")]
    # A problem begins with its file, where editors look for it.
    if not isinstance(error, RegistryError | ConfigError):
        lines[0] = f"{styled('scheduler:', Style.RED, page_of(sys.stderr))} {lines[0]}"
    say_aside(*lines)


def _let_all_text_out() -> None:
    """Let text through that the stream cannot encode, as escapes rather than as a traceback."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _flush() -> None:
    if sys.stdout is not None:  # pyright: ignore[reportUnnecessaryComparison] closed by the caller
        sys.stdout.flush()


def _drop_output() -> None:
    """Send the rest of the output nowhere: the interpreter tries to flush it once more."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
