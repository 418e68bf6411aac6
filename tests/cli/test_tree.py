"""The argument tree: how words are read, and what is said of those that make no sense."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler import __version__
from scheduler.cli.main import main
from scheduler.cli.tree import make_parser, parse
from scheduler.cli.verbs import STATES, VERBS, Verb
from scheduler.cli.words import Target, target_of, with_underscores
from scheduler.engine.states import TaskState

ROOT = Path(__file__).resolve().parents[2]
VERB_NAMES = [verb.name for verb in VERBS]


def complaint(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Run a command that must be refused; return what it says, without its name."""
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("scheduler: ") and err.count("\n") == 1
    return err.removeprefix("scheduler: ").rstrip("\n")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (["--config-file", "a-b"], ["--config_file", "a-b"]),
        (["--config-file=a-b"], ["--config_file=a-b"]),
        (["--config_file", "my-file.cfg"], ["--config_file", "my-file.cfg"]),
        (["-h", "a-b"], ["-h", "a-b"]),
        (["--", "--config-file"], ["--", "--config-file"]),
        (["--arguments", "--day-one 1", "--json"], ["--arguments=--day-one 1", "--json"]),
        (["--arguments"], ["--arguments"]),
    ],
)
def test_options_are_written_either_way_and_values_stay(
    written: list[str], read: list[str]
) -> None:
    assert with_underscores(written) == read


@pytest.mark.parametrize(
    ("words", "target"),
    [
        (["why", "report"], Target(routine="report")),
        (["why", "--routine_name", "report"], Target(routine="report")),
        (["why", "--routine-name=report"], Target(routine="report")),
        (["why", "load.2026-10-01T02:00:00"], Target(task="load.2026-10-01T02:00:00")),
        (["why", "--task_name", "a.b.20261001T020000Z"], Target(task="a.b.20261001T020000Z")),
        (["why", "etl.load"], Target(routine="etl.load")),
        (["why", "--json", "report", "--scheduler_name", "n"], Target(routine="report")),
        (["why", "--scheduler_name", "n", "--json", "report"], Target(routine="report")),
        (["why", "--", "-odd"], Target(routine="-odd")),
        (["history"], Target()),
    ],
)
def test_a_word_names_a_task_or_a_routine(words: list[str], target: Target) -> None:
    assert target_of(parse(words)) == target


def test_words_may_stand_on_both_sides_of_an_option() -> None:
    words = ["mark", "load.2026-10-01T02:00:00", "--scheduler_name", "night", "succeeded"]
    arguments = parse(words)
    assert arguments.words == ["load.2026-10-01T02:00:00", "succeeded"]
    assert arguments.scheduler_name == "night"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("strat", "there is no verb 'strat' (did you mean 'start'?)"),
        ("xyzzy", "there is no verb 'xyzzy' (see scheduler --help)"),
        ("--scheduler_name night status", "the verb comes first: scheduler VERB"),
        ("init", "init is not yet supported"),
        ("pause", "pause takes one of: a routine, --tag TAG, --all"),
        ("resume load --all", "resume takes one of"),
        ("backfill load", "backfill takes a routine and --from TIME"),
        ("backup a.db --restore b.db", "backup takes one of: TARGET, --restore FILE"),
        ("execute --stale --failed", "execute takes one of"),
        ("execute --stale --downstream", "--stale includes what rests on stale tasks"),
        ("execute load --downstream", "--downstream takes a task, such as load.2026"),
        ("plan --if=", "argument --if: its value is empty"),
        ("status --jsn", "status has no option '--jsn' (did you mean '--json'?)"),
        ("status --sched night", "status has no option '--sched'"),
        ("status -x", "status has no option '-x' (see scheduler status --help)"),
        ("why load extra", "why: one word too many, 'extra' (see scheduler why --help)"),
        ("list load", "list: one word too many, 'load'"),
        ("history --limit 0", "'0' is not a whole number from 1 to 10000"),
        ("history --limit ten", "'ten' is not a whole number"),
        ("history --limit ٣", "is not a whole number"),
        ("status --config_file=", "argument --config_file: its value is empty"),
        ("status --scheduler_name=", "argument --scheduler_name: its value is empty"),
        ("logs load --attempt", "argument --attempt: expected one argument"),
        ("start --mode fast", "argument --mode: invalid choice: 'fast'"),
        ("completion fish", "invalid choice: 'fish'"),
        ("why", "name a task or routine (see scheduler why --help)"),
        ("logs", "name a task or routine"),
        ("run", "name a task or routine"),
        ("cancel", "name a task or routine"),
        ("cancel load", "cancel takes a task, such as load.2026-10-01T02:00:00"),
        ("why load --routine_name load", "name one task or routine, not 'load' and 'load'"),
        ("why --task_name load", "'load' is not a task: write ROUTINE.INSTANT"),
        ("status load.2026-10-01T02:00:00", "takes a routine, not a task (did you mean 'load'?)"),
        ("plan load.2026-10-01T02:00:00", "takes a routine, not a task"),
        ("execute", "execute takes one of: a task, a routine, --failed, --late, --unknown"),
        ("execute load --failed", "execute takes one of"),
        ("execute --late --arguments x", "--arguments goes with one task"),
        ("execute load --since 2026-10-01", "--since goes with --failed only"),
        ("mark load.2026-10-01T02:00:00", "say as what: --as succeeded, or --as skipped"),
        ("mark load --as succeeded", "a routine is marked with --from and --to"),
        ("mark load --as skipped --from 2026-10-01", "a routine is marked with --from and --to"),
        ("mark a b succeeded", "mark takes one task or routine, not 'a' and 'b'"),
        ("mark succeeded", "mark takes one of"),
        ("mark --unknown load --as skipped", "mark takes one of"),
        ("mark --unknown skipped --to 2026-10-01", "--from and --to go with a routine"),
        ("logs load --follow --json", "give --follow or --json, not both"),
    ],
)
def test_words_that_make_no_sense_are_refused_in_one_line(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in complaint(capsys, *words.split())


@pytest.mark.parametrize("word", ["", "\n", "\x1b[31m", "x" * 10_000, "\udc80"])
def test_a_hostile_verb_is_refused_in_one_short_line(
    word: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = complaint(capsys, word)
    assert said.isprintable() and len(said) < 200


def test_no_verb_prints_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: scheduler" in capsys.readouterr().err


def test_the_help_lists_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    help_text = capsys.readouterr().out
    assert all(verb in help_text for verb in VERB_NAMES)


@pytest.mark.parametrize("verb", VERB_NAMES)
def test_the_help_of_a_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    assert f"scheduler {verb}" in capsys.readouterr().out.partition("examples:")[2]


@pytest.mark.parametrize("verb", VERBS, ids=VERB_NAMES)
def test_every_example_can_be_parsed(verb: Verb) -> None:
    for example in verb.examples:
        if example.startswith("scheduler "):
            words = shlex.split(example, comments=True)[1:]
            parse(words[: words.index(">")] if ">" in words else words)


def test_the_whole_tree_has_the_same_verbs_as_the_table() -> None:
    actions = make_parser()._actions
    (verbs,) = [one for one in actions if isinstance(one, argparse._SubParsersAction)]
    assert list(verbs.choices) == VERB_NAMES


def test_the_version_is_the_packages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"scheduler {__version__}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_the_verbs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb in script for verb in VERB_NAMES)
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def test_ctrl_c_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(words: object) -> argparse.Namespace:
        raise KeyboardInterrupt

    monkeypatch.setattr("scheduler.cli.tree.parse", interrupt)
    assert main(["status"]) == 130
    assert capsys.readouterr() == ("", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_said_in_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, str(ROOT / "scheduler.py"), "--version"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("scheduler: the disk is full") and done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX closes the streams")
@pytest.mark.parametrize(("words", "code"), [("--version >&-", 0), ("strat 2>&-", 2)])
def test_closed_streams_are_no_trouble(words: str, code: int) -> None:
    command = f'"{sys.executable}" "{ROOT / "scheduler.py"}" {words}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


def test_the_states_that_history_takes_are_those_of_the_engine() -> None:
    assert list(STATES) == [state.value for state in TaskState]
