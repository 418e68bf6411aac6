"""``run``: a routine in the foreground, with real processes."""

import json
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 60

REGISTRY = """\
<registry timezone="Europe/Paris">
  <job name="load" script="load.py" schedule="0 2 * * *" arguments="{instant:%H} 'a b'"/>
  <job name="hand" script="load.py"/>
  <job name="ends" script="ends.py"/>
  <job name="dies" script="dies.py"/>
  <job name="sleeps" script="sleeps.py" grace="1s"/>
  <job name="gone" script="gone.py"/>
</registry>
"""

SCRIPTS = {
    "load": """\
import json, os, sys
variables = {key: value for key, value in os.environ.items() if key.startswith("SCHEDULER_")}
print(json.dumps({"words": sys.argv[1:], "input": sys.stdin.read(), **variables}))
""",
    "ends": "import sys; sys.exit(7)\n",
    "dies": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)\n",
    "sleeps": "import time; print('begun', flush=True); time.sleep(600)\n",
}


@pytest.fixture
def folder(home: Path) -> Path:
    """A data folder with scripts, in which one stands."""
    (home / "registry.xml").write_text(REGISTRY)
    (home / "config.cfg").touch()
    for name, text in SCRIPTS.items():
        (home / f"{name}.py").write_text(text)
    return home


def command(*words: str) -> list[str]:
    return [sys.executable, str(ROOT / "scheduler.py"), "run", *words]


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words), capture_output=True, text=True, timeout=SECONDS, check=False
    )


@pytest.mark.parametrize(
    "words", [["load", "--instant", "2026-10-01T02:00"], ["load.2026-10-01T02:00:00"]]
)
def test_it_runs_as_the_scheduler_would(words: list[str], folder: Path) -> None:
    done = run(*words)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert told.pop("SCHEDULER_HOME") == os.environ["SCHEDULER_HOME"]
    assert told == {
        "words": ["02", "a b"],
        "input": "",
        "SCHEDULER_NAME": "here",
        "SCHEDULER_TASK": "load.2026-10-01T02:00:00",
        "SCHEDULER_ROUTINE": "load",
        "SCHEDULER_INSTANT": "2026-10-01T02:00:00+02:00",
        "SCHEDULER_PREVIOUS_INSTANT": "2026-09-30T02:00:00+02:00",
        "SCHEDULER_SINCE": "",
        "SCHEDULER_ATTEMPT": "1",
        "SCHEDULER_DATABASE": "",
    }


def test_it_records_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    assert run("ends").returncode == 7
    assert sorted(folder.iterdir()) == before


def test_without_an_instant_it_is_the_latest_or_now(folder: Path) -> None:
    latest = json.loads(run("load").stdout)["SCHEDULER_INSTANT"]
    assert datetime.fromisoformat(latest).hour == 2
    by_hand = json.loads(run("hand").stdout)
    assert by_hand["SCHEDULER_INSTANT"] and not by_hand["SCHEDULER_PREVIOUS_INSTANT"]


def test_a_signal_is_named(folder: Path) -> None:
    done = run("dies")
    assert done.returncode == 128 + signal.SIGKILL
    assert done.stderr == "scheduler: the script was ended by SIGKILL\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_script_too(number: signal.Signals, folder: Path) -> None:
    with subprocess.Popen(command("sleeps"), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.send_signal(number)
        # The end of its output: the script, which has it too, is gone.
        assert process.stdout.read() == ""
        assert process.wait(SECONDS) == 130


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("gone", "routine 'gone' cannot be run: script"),
        ("laod", "there is no routine 'laod' in the registry (did you mean 'load'?)"),
        ("load --instant noon", "'noon' is not a moment"),
        ("load --instant 2026-10-25T02:30", "occurs twice in Europe/Paris"),
        ("load.2026-10-01T02:00:00 --instant 2026-10-01", "give the task or --instant, not both"),
        ("load --config_file nowhere.cfg", "nowhere.cfg: no such file"),
        ("load --scheduler_name nihgt", "nothing is known of it"),
    ],
)
def test_what_cannot_be_run_is_said_in_one_line(words: str, said: str, folder: Path) -> None:
    done = run(*words.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr and done.stderr.count("\n") == 1
