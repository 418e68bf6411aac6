"""The house rules that no other tool checks: a page for everything, decisions, the changelog."""

import argparse
import ast
import re
import tomllib
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import get_args

import pytest

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
ADRS = sorted((DOCS / "adr").glob("*.md"))


def page(name: str) -> str:
    """Return the text of a page of the documentation."""
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """Return which of the names do not stand in the text as code, or as a word of some code."""
    code = " ".join(re.findall(r"`+[^`]+`+", text, re.DOTALL))
    return [
        name for name in wanted if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code)
    ]


def test_every_setting_has_its_place() -> None:
    from scheduler.service import config

    settings = [name for names in config._KNOWN.values() for name in names]
    assert not missing(settings, page("config"))


def test_every_attribute_has_its_place() -> None:
    from scheduler.registry.attributes import OF_JOB

    assert not missing(OF_JOB, page("registry"))


def test_every_binding_and_outcome_has_its_place() -> None:
    from scheduler.registry.routine import InstantKind, On

    assert not missing([*InstantKind, *On], page("registry"))
    assert not missing([*InstantKind, *On], page("dependencies"))


def test_every_field_of_arguments_has_its_place() -> None:
    from scheduler.registry.arguments import FIELDS

    assert not missing([f"{{{name}}}" for name in FIELDS], page("registry"))


def test_every_variable_has_its_place() -> None:
    from scheduler.registry.environment import RESERVED

    assert not missing(RESERVED, page("running"))


def test_every_word_that_makes_a_secret_has_its_place() -> None:
    from scheduler.registry.masking import SECRET_ENDINGS, SECRET_NAMES

    assert not missing([*SECRET_NAMES, *SECRET_ENDINGS], page("security"))


def test_every_state_has_its_place() -> None:
    from scheduler.engine.states import TaskState

    assert not missing(TaskState, page("states"))


def test_every_cause_and_event_has_its_place() -> None:
    from scheduler.engine import events
    from scheduler.engine.states import Cause

    names = [event.__name__ for event in get_args(events.AnyEvent)]
    assert not missing([*Cause, *names], page("states"))


def test_the_diagram_is_the_one_of_the_table() -> None:
    shown = page("states").partition("<!-- transitions: begin -->\n")[2]
    assert shown.partition("<!-- transitions: end -->")[0] == diagram()


def diagram() -> str:
    """Return the state diagram, generated from the table of transitions."""
    from scheduler.engine.states import TRANSITIONS

    causes: dict[tuple[str, str], list[str]] = {}
    for (before, cause), after in TRANSITIONS.items():
        if before is not after:
            causes.setdefault((before or "[*]", after), []).append(cause)
    arrows = [
        f"    {before} --> {after}: {', '.join(names)}" for (before, after), names in causes.items()
    ]
    return "\n".join(["```mermaid", "stateDiagram-v2", *arrows, "```", ""])


def verbs() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each verb."""
    from scheduler.cli.tree import make_parser

    parser = make_parser()
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    raise AssertionError("the command line has no verbs")


def test_every_verb_has_its_section_and_every_option_its_place() -> None:
    sections = re.split(r"^## ", page("command-line"), flags=re.MULTILINE)
    by_verb = {section.partition("\n")[0].strip("` "): section for section in sections[1:]}
    lacking = {
        verb: missing(options_of(parser), by_verb.get(verb, "")) for verb, parser in verbs().items()
    }
    assert set(verbs()) <= set(by_verb)
    assert not {verb: options for verb, options in lacking.items() if options}


def options_of(parser: argparse.ArgumentParser) -> list[str]:
    """Return an option of each kind that a verb has; the common ones are described once."""
    common = {"--help", "--json", "--scheduler_name", "--config_file"}
    common |= {"--routine_name", "--task_name"}
    names = [
        [name for name in action.option_strings if name.startswith("--") and "-" not in name[2:]]
        for action in parser._actions
        if action.help is not argparse.SUPPRESS
    ]
    return [found[0] for found in names if found and found[0] not in common]


def test_every_route_has_its_place() -> None:
    from scheduler.service.inbox import Ask, Inbox
    from scheduler.service.web.api import make_app

    with closing(Inbox[Ask]()) as inbox:
        app = make_app(token="t", inbox=inbox, answers={}, version="0")
    assert not missing(app.openapi()["paths"], page("http"))


def test_no_shell_is_started_anywhere() -> None:
    found = [
        f"{file.relative_to(ROOT)}:{call.lineno}"
        for folder in ("scheduler", "statics")
        for file in sorted((ROOT / folder).rglob("*.py"))
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and starts_shell(call)
    ]
    assert not found


def starts_shell(call: ast.Call) -> bool:
    """Return whether a call hands a line to a shell, or may do so."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    by_name = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}
    starts_process = name in ("Popen", "run", "call", "check_call", "check_output")
    # Given as **options it could not be seen.
    return name in by_name or (
        starts_process and any(one.arg in ("shell", None) for one in call.keywords)
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("os.system('ls')", True),
        ("subprocess.run('ls', shell=True)", True),
        ("subprocess.Popen(words, **options)", True),
        ("popen('ls')", True),
        ("subprocess.Popen(words, cwd=folder)", False),
        ("platform.python_version()", False),
    ],
)
def test_a_shell_is_known_by_its_call(line: str, expected: bool) -> None:
    (call,) = (one for one in ast.walk(ast.parse(line)) if isinstance(one, ast.Call))
    assert starts_shell(call) is expected


def test_every_run_time_dependency_has_a_decision() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packages = [re.split(r"[<>=\[]", line)[0] for line in project["dependencies"]]
    assert not missing(packages, " ".join(adr.read_text(encoding="utf-8") for adr in ADRS))


@pytest.mark.parametrize("adr", ADRS, ids=lambda adr: adr.stem)
def test_a_decision_has_its_four_parts_on_one_page(adr: Path) -> None:
    text = adr.read_text(encoding="utf-8")
    assert re.match(rf"# {int(adr.name[:4])}\. ", text)
    assert re.search(r"^Status: (accepted|superseded by)", text, re.MULTILINE)
    for part in ("Context", "Decision", "Consequences"):
        assert f"\n## {part}\n" in text
    assert len(text.splitlines()) <= 60


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(adr.name[:4]) for adr in ADRS] == list(range(1, len(ADRS) + 1))


def test_the_changelog_begins_with_what_is_unreleased() -> None:
    headings = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    assert headings[0] == "[Unreleased]"


def test_the_version_is_written_once_more_and_the_same() -> None:
    import scheduler

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert scheduler.__version__ == project["version"]
