"""The verbs: what each is called, does and takes, as one table.

What a verb does lives in the function that its row names.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from scheduler.errors import quoted

#: those of a task; to import them from the engine takes time that a completion does not have
STATES = (
    "waiting",
    "blocked",
    "ready",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "skipped",
)

#: what a column of the grid may be
PERIODS = ("1m", "5m", "15m", "30m", "1h", "6h", "1d", "week", "month")

Options = Callable[[argparse.ArgumentParser], None]
"""Adds options to the parser of a verb."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One word of the command line."""

    name: str
    help: str
    run: str  # module:function of this package, which takes the arguments and returns an exit code
    examples: tuple[str, ...]
    options: tuple[Options, ...] = ()


# -- options that several verbs have ------------------------------------------------------------


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--scheduler_name",
        type=_filled,
        metavar="NAME",
        help="which scheduler; not needed when one is live",
    )
    _config(parser)


def _config(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config_file",
        type=_filled,
        metavar="PATH",
        help="its config file; ./config.cfg if that is there",
    )


def _json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")


def _task(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", nargs="?", metavar="TASK", help="as load.2026-10-01T02:00:00")
    parser.add_argument("--task_name", metavar="TASK", help="the same")


def _routine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("word", nargs="?", metavar="ROUTINE", help="the name of a routine")
    parser.add_argument("--routine_name", metavar="ROUTINE", help="the same")


def _task_or_routine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "word",
        nargs="?",
        metavar="TASK|ROUTINE",
        help="a task, as load.2026-10-01T02:00:00, or a routine",
    )
    _names(parser)


def _why(parser: argparse.ArgumentParser) -> None:
    _task_or_routine(parser)
    parser.add_argument(
        "following", nargs="?", metavar="ROUTINE", help="after 'next': its next task to come"
    )


def _names(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--routine_name", metavar="ROUTINE", help="a routine")
    parser.add_argument("--task_name", metavar="TASK", help="a task")


def _registry(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--registry", type=_filled, metavar="PATH", help="a registry file by itself"
    )


def _window(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--from", dest="start", metavar="TIME", help="first instant, included")
    parser.add_argument("--to", dest="end", metavar="TIME", help="last instant, not included")


def _yes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask, also on a terminal")


# -- options of one verb ------------------------------------------------------------------------


def _start(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scheduler_name", type=_filled, metavar="NAME", help="its name")
    _config(parser)
    parser.add_argument(
        "--mode",
        choices=("prod", "test"),
        default="prod",
        help="test: state and logs in a scratch folder; without a config the sample",
    )
    add = parser.add_argument
    add("--daemon", action="store_true", help="detach, and return when it serves")
    add("--fresh", action="store_true", help="skip all that is due, blocked or ready")
    add("--resume", action="store_true", help="continue where the last run stopped: the default")
    add("--assume_done", action="store_true", help="count unknown tasks as succeeded")
    add("--accept_cron_days", action="store_true", help="accept what days now mean (older folders)")
    levels = ("DEBUG", "INFO", "WARNING", "ERROR")
    add("--log_level", type=str.upper, choices=levels, help="of the scheduler's own log")


def _stop(parser: argparse.ArgumentParser) -> None:
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--now", action="store_true", help="kill what runs, instead of waiting")
    how.add_argument(
        "--detach",
        action="store_true",
        help="leave running what runs: the next start looks after it",
    )


def _status(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--grid", action="store_true", help="routines by periods of time, a cell for each")
    add("--by", choices=PERIODS, help="with --grid: what a column is; else what fits")
    add("--html", type=_filled, metavar="FILE", help="with --grid: write it as a page of its own")
    add("--watch", action="store_true", help="draw it anew each second, until Ctrl-C")


def _notify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--test", action="store_true", help="tell an incident that did not happen")


def _list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tag", metavar="TAG", help="only routines with this tag")


def _execute(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--failed", action="store_true", help="all failed tasks")
    add("--since", metavar="TIME", help="with --failed: those from then on")
    add("--late", action="store_true", help="all skipped as too late that something waits for")
    add("--unknown", action="store_true", help="all unknown tasks")
    add("--stale", action="store_true", help="all that rest on something that was redone since")
    add("--downstream", action="store_true", help="also what waits for it, up to now, in order")
    add("--arguments", metavar="WORDS", help="words after the script's name, for this run")
    add("--wait", action="store_true", help="follow the log; exit 0 if it succeeded, else 1")


def _cancel(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--downstream", action="store_true", help="also what waits for it")


def _pause(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--until", metavar="TIME", help="as 2026-10-01T06:00, 06:00 or +2h; else until resumed"
    )


def _scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tag", type=_filled, metavar="TAG", help="all routines with this tag")
    parser.add_argument("--all", action="store_true", help="all routines")


def _backfill(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--all", action="store_true", help="also what has succeeded")
    add("--downstream", action="store_true", help="also what waits for these tasks")
    add(
        "--wait",
        action="store_true",
        help="wait for the end, as on a terminal; exit 1 if any fails",
    )


def _history(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--state", choices=STATES, metavar="STATE", help="only tasks in this state")
    add("--since", metavar="TIME", help="first instant, included")
    add("--until", metavar="TIME", help="last instant, not included")
    add("--limit", type=_count, metavar="N", help="at most so many tasks (50; of CSV 10000)")
    add("--csv", action="store_true", help="print CSV, a line an attempt")


def _logs(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--attempt", type=_count, metavar="N", help="another attempt than the last")
    add("--follow", action="store_true", help="go on until the attempt ends")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--instant", metavar="TIME", help="the instant that it runs for")


def _mark(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="TASK|ROUTINE|OUTCOME", help="what, and as what"
    )
    _names(parser)
    parser.add_argument(
        "--as", dest="outcome", choices=("succeeded", "skipped"), help="what to record"
    )
    _window(parser)
    parser.add_argument("--unknown", action="store_true", help="all unknown tasks")


def _plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--if",
        dest="assumed",
        type=_filled,
        action="append",
        metavar="WHAT",
        help="'load fails' or 'down 02:00-05:00': what would come of it",
    )
    parser.add_argument(
        "--expected", action="store_true", help="also as JSON: what is expected of each task"
    )
    parser.add_argument(
        "--ical", action="store_true", help="print iCalendar, for a calendar: an event a task"
    )


def _backup(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "target", nargs="?", type=_filled, metavar="TARGET", help="a new file, or a folder"
    )
    parser.add_argument(
        "--restore", type=_filled, metavar="FILE", help="put this backup in the database's place"
    )


def _completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "tcsh"), help="your shell")


def _filled(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("its value is empty")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) <= 10_000):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a whole number from 1 to 10000")
    return int(text)


VERBS = (
    Verb(
        name="start",
        help="start a scheduler; it continues where its last run stopped",
        run="starting:start",
        examples=(
            "scheduler start --scheduler_name night --config_file /srv/night/config.cfg --daemon",
            "scheduler start --scheduler_name demo --mode test     # the sample",
        ),
        options=(_start,),
    ),
    Verb(
        name="stop",
        help="start nothing more, wait for what runs, and return when it has ended",
        run="asking:stop",
        examples=(
            "scheduler stop",
            "scheduler stop --scheduler_name night --now",
            "scheduler stop --detach",
        ),
        options=(_stop, _common, _json),
    ),
    Verb(
        name="status",
        help="show what runs, is blocked, failed, waits and comes next",
        run="status:status",
        examples=(
            "scheduler status",
            "scheduler status report",
            "scheduler status --grid --watch",
            "scheduler status --grid --by 1d --html grid.html",
        ),
        options=(_routine, _status, _common, _json),
    ),
    Verb(
        name="list",
        help="list the routines: schedule, next instant, last outcome",
        run="reading:list_routines",
        examples=("scheduler list", "scheduler list --tag warehouse"),
        options=(_list, _common, _json),
    ),
    Verb(
        name="execute",
        help="run a task now, also again",
        run="asking:execute",
        examples=(
            "scheduler execute load.2026-10-01T02:00:00",
            'scheduler execute load --arguments "--day 2026-10-01" --wait',
            "scheduler execute --failed --since 2026-10-01",
            "scheduler execute load.2026-10-01T02:00:00 --downstream",
        ),
        options=(_task_or_routine, _execute, _yes, _common, _json),
    ),
    Verb(
        name="backfill",
        help="run a routine's past tasks that have not succeeded, behind all that is due",
        run="rerunning:backfill",
        examples=(
            "scheduler backfill load --from 2026-09-01 --to 2026-10-01",
            "scheduler backfill load --from 2026-09-01 --all --downstream",
        ),
        options=(_routine, _window, _backfill, _yes, _common, _json),
    ),
    Verb(
        name="cancel",
        help="end a task; a running one is killed",
        run="asking:cancel",
        examples=("scheduler cancel load.2026-10-01T02:00:00 --downstream",),
        options=(_task, _cancel, _common, _json),
    ),
    Verb(
        name="pause",
        help="start no tasks of a routine, of a tag, or of all; they are still planned",
        run="pausing:pause",
        examples=(
            "scheduler pause load",
            "scheduler pause --tag warehouse --until 06:00",
            "scheduler pause --all --until +2h",
        ),
        options=(_routine, _scope, _pause, _common, _json),
    ),
    Verb(
        name="resume",
        help="let what was paused go on",
        run="pausing:resume",
        examples=("scheduler resume load", "scheduler resume --all"),
        options=(_routine, _scope, _common, _json),
    ),
    Verb(
        name="reload",
        help="adopt the registry as it is now, after showing what changes",
        run="reloading:reload",
        examples=("scheduler reload", "scheduler reload --yes"),
        options=(_yes, _common, _json),
    ),
    Verb(
        name="check",
        help="check config and registry, each problem with its line",
        run="checking:check",
        examples=("scheduler check", "scheduler check --registry registry.xml"),
        options=(_registry, _common, _json),
    ),
    Verb(
        name="plan",
        help="show each task to come, what it waits for, and when it is expected to start and end",
        run="planning:plan",
        examples=(
            "scheduler plan",
            "scheduler plan report --from 2026-10-01 --to 2026-11-01",
            "scheduler plan --if 'load fails' --if 'down 02:00-05:00'",
            "scheduler plan --registry registry.xml --json",
            "scheduler plan --from 2026-10-01 --to 2026-11-01 --ical > plan.ics",
        ),
        options=(_routine, _window, _plan, _registry, _common, _json),
    ),
    Verb(
        name="why",
        help="say why a task is in its state, down to the root cause, and what mends it",
        run="reading:why",
        examples=(
            "scheduler why report",
            "scheduler why report.2026-10-01T02:30:00",
            "scheduler why next report",
        ),
        options=(_why, _common, _json),
    ),
    Verb(
        name="history",
        help="list past tasks and their attempts, the newest first",
        run="history:history",
        examples=(
            "scheduler history load --limit 10",
            "scheduler history load.2026-10-01T02:00:00",
            "scheduler history --state failed --since 2026-10-01",
            "scheduler history load --csv > load.csv",
        ),
        options=(_task_or_routine, _history, _common, _json),
    ),
    Verb(
        name="logs",
        help="print the log of a task's attempt; of a routine, its latest",
        run="following:logs",
        examples=(
            "scheduler logs load --follow",
            "scheduler logs load.2026-10-01T02:00:00 --attempt 1",
        ),
        options=(_task_or_routine, _logs, _common, _json),
    ),
    Verb(
        name="run",
        help="run a routine in the foreground as the scheduler would, recording nothing",
        run="running:run",
        examples=("scheduler run load", "scheduler run load --instant 2026-10-01T02:00:00"),
        options=(_task_or_routine, _run, _common),
    ),
    Verb(
        name="mark",
        help="record tasks as succeeded or skipped by hand",
        run="asking:mark",
        examples=(
            "scheduler mark load.2026-10-01T02:00:00 --as succeeded",
            "scheduler mark load --from 2026-10-01 --to 2026-10-08 --as skipped",
            "scheduler mark --unknown succeeded",
        ),
        options=(_mark, _common, _json),
    ),
    Verb(
        name="backup",
        help="copy the state, also while the scheduler runs; or put a copy back",
        run="backing_up:backup",
        examples=(
            "scheduler backup",
            "scheduler backup /mnt/backups",
            "scheduler backup --restore scheduler.db.2026-10-01T02-00-00Z.backup",
        ),
        options=(_backup, _common, _json),
    ),
    Verb(
        name="notify",
        help="try out the command of [notify], which is told of incidents",
        run="notifying:notify",
        examples=("scheduler notify --test",),
        options=(_notify, _common, _json),
    ),
    Verb(
        name="completion",
        help="print a script that completes verbs and options in your shell",
        run="completion:completion",
        examples=(
            'eval "$(scheduler completion bash)"',
            "scheduler completion zsh > ~/.zfunc/_scheduler",
        ),
        options=(_completion,),
    ),
)
