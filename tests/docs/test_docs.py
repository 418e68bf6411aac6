"""Every page of the documentation runs.

In a folder of its own, with the sample in it, the blocks of a page run in their order:

- ``console``: each ``$ command`` prints exactly the lines below it.  ``...`` stands for anything:
  alone on a line for any lines, within one for any text.
- ``python``: executes, all blocks of a page in one namespace.
- A language with a file name behind it (``xml registry.xml``): the block becomes that file.
- ``xml`` that begins with ``<registry``: loads.

Blocks of other languages (``text``, ``sh``) are for the reader only.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
SECONDS = 120  # longer than any command of a page takes on a busy machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    line: int  # of its first line of text
    language: str
    file: str | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of a console block, and what it has to print."""

    line: int
    text: str
    expected: tuple[str, ...]


def blocks_of(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    fence = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    for found in fence.finditer(text):
        line = text.count("\n", 0, found.start(3)) + 1
        yield Block(line=line, language=found[1], file=found[2], text=found[3])


def commands_of(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block; a backslash at its end continues one."""
    lines = block.text.replace("\\\n", "\\\0").splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    assert starts and starts[0] == 0, f"line {block.line}: a console block begins with a command"
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text = lines[start][2:].replace("\0", "\n")
        yield Command(line=block.line + start, text=text, expected=tuple(lines[start + 1 : end]))


def pattern_of(expected: tuple[str, ...]) -> re.Pattern[str]:
    """Return what the printed text has to match as a whole."""
    lines = (
        r"(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + r"\n"
        for line in expected
    )
    return re.compile("".join(lines))


def environment(folder: Path) -> dict[str, str]:
    """Return what commands see: this interpreter first, one time zone, no state of the user's."""
    return {
        **os.environ,
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
        "SCHEDULER_HOME": str(folder / ".home"),
        "TZ": "Europe/Paris",
        "COLUMNS": "120",
        "PYTHONUTF8": "1",
    }


def run_command(command: Command, folder: Path, env: Mapping[str, str]) -> None:
    """Run one command and compare what it prints, errors included."""
    done = subprocess.run(
        command.text,
        shell=True,
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    # Trailing space is nothing that a page can show.
    printed = "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())
    if not pattern_of(command.expected).fullmatch(printed):
        expected = "".join(line + "\n" for line in command.expected)
        shown = f"--- expected\n{expected}--- printed\n{printed}"
        pytest.fail(f"line {command.line}: $ {command.text}\n{shown}", pytrace=False)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with the sample, copied alone; what a page left running there is stopped."""
    for file in (ROOT / "statics").glob("sample_*.*"):
        shutil.copy(file, tmp_path)
    yield tmp_path
    home = tmp_path / ".home" / "instance"
    for instance in sorted(home.glob("*.json")) if home.exists() else []:
        stop = ["stop", "--now", "--scheduler_name", instance.stem]
        subprocess.run(
            [sys.executable, "-m", "scheduler", *stop],
            cwd=ROOT,
            env=environment(tmp_path),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_the_page_does_what_it_says(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, object] = {"__name__": "__main__"}
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.file:
            target = folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command in commands_of(block):
                run_command(command, folder, environment(folder))
        elif block.language == "python":
            # Line numbers of a traceback are those of the page.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(page), "exec"), names)
        if block.language == "xml" and block.text.lstrip().startswith("<registry"):
            load(block)


def load(block: Block) -> None:
    """Load the registry of a block."""
    from scheduler import load_registry

    path = Path(block.file or f"line_{block.line}.xml")
    path.write_text(block.text, encoding="utf-8")
    load_registry(path, timezone="Europe/Paris")


def test_every_link_between_the_pages_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken


@pytest.mark.parametrize(
    ("expected", "printed", "matches"),
    [
        (("one", "two"), "one\ntwo\n", True),
        (("one",), "one\ntwo\n", False),
        (("one", "..."), "one\n", True),
        (("one", "...", "four"), "one\ntwo\nthree\nfour\n", True),
        (("took ... s",), "took 0.3 s\n", True),
        (("took ... s",), "took 0.3\ns\n", False),
        ((), "", True),
        ((), "one\n", False),
    ],
)
def test_three_dots_stand_for_anything(
    expected: tuple[str, ...], printed: str, matches: bool
) -> None:
    assert bool(pattern_of(expected).fullmatch(printed)) is matches
