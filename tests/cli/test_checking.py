"""``check``: what it finds, how it prints it, and its JSON."""

import json
import sys
from pathlib import Path
from typing import TypedDict

import pytest

from scheduler.cli.checking import Findings, check_lines
from scheduler.cli.main import main
from scheduler.cli.printing import Page
from scheduler.errors import Problem

GOOD = """\
<registry timezone="Europe/Paris">
  <job name="load" script="load.py" schedule="0 5 * * *"/>
  <job name="report" script="load.py" depends_on="load"/>
</registry>
"""

BROKEN = """\
<registry timezone="Europe/Paris">
  <job name="load" script="load.py" schedule="0 2 30 2 *"/>
  <job name="report" script="load.py" depends_on="laod"/>
</registry>
"""


@pytest.fixture
def folder(home: Path) -> Path:
    """A data folder whose script is there."""
    (home / "registry.xml").write_text(GOOD)
    (home / "config.cfg").touch()
    (home / "load.py").touch()
    return home


class Found(TypedDict):
    """The JSON of a check."""

    count: int
    routines: list[str]
    errors: list[dict[str, object]]
    warnings: list[dict[str, object]]


def found(capsys: pytest.CaptureFixture[str], *words: str) -> Found:
    """Return the JSON of a check."""
    code = main(["check", "--json", *words])
    out, err = capsys.readouterr()
    assert err == ""
    findings: Found = json.loads(out)
    assert code == (2 if findings["errors"] else 0)
    return findings


def test_a_good_folder_has_no_problems(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == (
        f"each routine runs with {sys.executable}\n2 routines, 0 errors, 0 warnings\n"
    )
    assert found(capsys) == {
        "count": 2,
        "routines": ["load", "report"],
        "errors": [],
        "warnings": [],
    }


@pytest.mark.parametrize("words", [[], ["--registry", "registry.xml"]])
def test_every_problem_has_its_line(
    words: list[str], folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "registry.xml").write_text(BROKEN)
    findings = found(capsys, *words)
    assert (findings["count"], findings["routines"]) == (2, ["load", "report"])
    assert [problem["line"] for problem in findings["errors"]] == [2, 3]
    problem = findings["errors"][1]
    assert list(problem) == ["file", "line", "column", "routine", "message", "hint"]
    assert problem["routine"] == "report" and "laod" in str(problem["message"])
    assert main(["check", *words]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "2 routines, 2 errors, 0 warnings"
    assert "registry.xml:2:" in lines[0] and "registry.xml:3:" in lines[1]


def test_a_missing_script_is_an_error(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "load.py").unlink()
    messages = [str(problem["message"]) for problem in found(capsys)["errors"]]
    assert all("there is no script" in message for message in messages) and len(messages) == 2


def test_problems_of_the_config_are_found_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.cfg").write_text("[scheduler]\ntimezoen = x\nmax_running = no\n")
    findings = found(capsys)
    assert [problem["line"] for problem in findings["errors"]] == [2, 3]
    both = found(capsys, "--config_file", "config.cfg", "--registry", "registry.xml")
    assert both["count"] == 2 and len(both["errors"]) == 2


def test_a_registry_by_itself_takes_its_zone_from_a_config_that_is_given(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.cfg").write_text("[scheduler]\npython = /no/python\n")
    assert found(capsys, "--registry", "registry.xml")["errors"] == []
    errors = found(capsys, "--registry", "registry.xml", "--config_file", "config.cfg")["errors"]
    assert {"/no/python" in str(problem["message"]) for problem in errors} == {True}


def test_a_file_that_is_not_there_is_an_error_like_any_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (problem,) = found(capsys, "--registry", "nowhere.xml")["errors"]
    assert (problem["file"], problem["line"]) == ("nowhere.xml", None)


def test_without_a_config_one_line_says_what_to_give(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 2
    assert capsys.readouterr().err == (
        "scheduler: there is no config.cfg here: give --config_file or --registry\n"
    )


def test_schedules_of_an_older_folder_whose_days_change_are_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "registry.xml").write_text(GOOD.replace("0 5 * * *", "0 5 * * 0"))
    assert found(capsys)["warnings"] == []
    (folder / "config.cfg").write_text("[DEFAULT]\n[SESSION]\nsession = 1\n")
    (warning,) = found(capsys)["warnings"]
    assert (warning["routine"], warning["line"]) == ("load", 2)
    assert "0 5 * * 1" in str(warning["message"])
    assert "--accept_cron_days" in str(warning["hint"])


@pytest.mark.parametrize(
    ("config", "job", "concerned"),
    [
        ("", "", ["load", "report"]),
        # One that was given explicitly is no better.
        ("python = {tool}", "", ["load", "report"]),
        ("python = {own}", 'python="{tool}"', ["report"]),
        ("python = {own}", "", []),
        ("", 'python="{own}"', ["load"]),
    ],
)
def test_an_interpreter_that_was_made_for_a_tool_is_warned_of(
    config: str,
    job: str,
    concerned: list[str],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own, tool = sys.executable, folder.parent / "pipx" / "venvs" / "scheduler" / "bin" / "python"
    tool.parent.mkdir(parents=True)
    tool.symlink_to(own)
    (tool.parent.parent / "pipx_metadata.json").write_text('{"injected_packages": {}}')
    monkeypatch.setattr(sys, "executable", str(tool))
    (folder / "config.cfg").write_text(f"[scheduler]\n{config.format(own=own, tool=tool)}\n")
    words = f'name="report" {job.format(own=own, tool=tool)}'
    (folder / "registry.xml").write_text(GOOD.replace('name="report"', words))
    warnings = found(capsys)["warnings"]
    assert len(warnings) == bool(concerned)
    for one in warnings:
        message, hint = str(one["message"]), str(one["hint"])
        assert all(name in message for name in concerned) and str(tool) in message
        assert one["routine"] == (concerned[0] if len(concerned) == 1 else None)
        assert ".venv" in hint and "[scheduler]" in hint and "python on the job" in hint


def test_a_venv_beside_the_scripts_is_not_that_of_a_tool(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = folder.parent / "uv" / "tools" / "scheduler" / "bin" / "python"
    own = folder / ".venv" / "bin" / "python"
    for python in (tool, own):
        python.parent.mkdir(parents=True)
        python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(tool))
    assert found(capsys)["warnings"] == []
    own.unlink()
    assert len(found(capsys)["warnings"]) == 1


def test_interpreters_are_listed_where_they_differ() -> None:
    warning = Problem(
        file="registry.xml", line=3, column=5, routine="report", message="odd", hint="mend it"
    )
    findings = Findings(
        names=("load", "report"),
        warnings=(warning,),
        interpreters=(("load", "/usr/bin/python3"), ("report", "/srv/.venv/bin/python")),
    )
    assert check_lines(findings, Page()) == [
        "registry.xml:3:5: warning: odd (mend it)",
        "",
        "Interpreters",
        "  load    /usr/bin/python3",
        "  report  /srv/.venv/bin/python",
        "2 routines, 0 errors, 1 warning",
    ]
