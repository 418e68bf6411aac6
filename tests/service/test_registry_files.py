"""The registry on disk: its files, what they name, and the interpreter of each routine."""

import os
import shutil
import sys
from pathlib import Path

import pytest

from scheduler import load_registry
from scheduler.errors import RegistryError, SchedulerError
from scheduler.registry.routine import Routine
from scheduler.service.registry_files import (
    RegistryFiles,
    Venvs,
    check_registry,
    interpreter_of,
    statics_folder,
)


def written(folder: Path, text: str, name: str = "registry.xml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def an_executable(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def test_a_registry_is_loaded_with_its_includes_and_without_its_scripts(tmp_path: Path) -> None:
    written(tmp_path, '<registry><job name="b" script="b.py"/></registry>', "more/jobs.xml")
    path = written(
        tmp_path,
        '<registry><job name="a" script="a.py" schedule="@daily"/>'
        '<include file="more/jobs.xml"/></registry>',
    )
    registry = load_registry(path, timezone="Europe/Paris")
    assert list(registry) == ["a", "b"]
    assert registry["a"].script == str(tmp_path / "a.py")
    assert registry["b"].script == str(tmp_path / "more" / "b.py")
    assert registry.timezone == "Europe/Paris"
    assert list(load_registry(str(path))) == ["a", "b"]


def test_the_files_own_timezone_wins(tmp_path: Path) -> None:
    path = written(tmp_path, '<registry timezone="Asia/Tokyo"/>')
    assert load_registry(path, timezone="Europe/Paris").timezone == "Asia/Tokyo"


def test_a_relative_path_starts_at_the_folder_of_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, '<registry><job name="a" script="sub/../a.py"/></registry>')
    monkeypatch.chdir(tmp_path)
    assert load_registry("registry.xml")["a"].script == str(tmp_path / "a.py")


def test_all_problems_are_raised_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '<registry>\n<job name="a" script="a.py" schedul="@daily"/>\n'
        '<job name="b" script="b.py" depends_on="nobody"/>\n'
        '<job name="c" script="c.py" depends_on="d"/>\n'
        '<job name="d" script="d.py" depends_on="c"/>\n'
        "</registry>",
    )
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    assert [problem.line for problem in caught.value.problems] == [2, 3, 4]
    assert "c -> d -> c" in caught.value.problems[2].message
    assert caught.value.names == ("a", "b", "c", "d")


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.xml", "there is no file {path}"), (".", "{path} is a folder, not a file")],
)
def test_a_registry_that_cannot_be_opened_is_a_problem_like_others(
    tmp_path: Path, name: str, message: str
) -> None:
    path = str(tmp_path / name)
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (path, None)
    assert problem.message == message.format(path=path)
    assert check_registry(path).registry is None


def test_an_include_that_is_not_there_is_named_at_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, '<registry>\n<include file="none.xml"/></registry>')
    with pytest.raises(RegistryError) as caught:
        load_registry(path)
    (problem,) = caught.value.problems
    assert problem.line == 2 and str(tmp_path / "none.xml") in problem.message


@pytest.mark.parametrize("path", ["/a/b.xml\0", "/dev/null/x"])
def test_an_odd_path_is_a_users_mistake(path: str) -> None:
    with pytest.raises(SchedulerError, match="cannot be read"):
        RegistryFiles().read(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.py", "/data/a.py"),
        ("../a.py", "/a.py"),
        ("sub/./a.py", "/data/sub/a.py"),
        ("/else/a.py", "/else/a.py"),
        ("sub\\a.py", "/data/sub/a.py"),
        ("{statics}/sample/a.py", "{statics}/sample/a.py"),
        ("{statics}\\sample\\a.py", "{statics}/sample/a.py"),
    ],
)
def test_paths_become_absolute(path: str, expected: str) -> None:
    expected = expected.replace("{statics}", str(statics_folder()))
    assert RegistryFiles().resolve("/data", path) == expected


def test_the_folder_of_a_file_is_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert RegistryFiles().folder_of("more/x.xml") == str(tmp_path / "more")
    assert RegistryFiles().folder_of("x.xml") == str(tmp_path)


def test_the_sample_works_where_it_is_copied(tmp_path: Path) -> None:
    shutil.copy(statics_folder() / "sample_registry.xml", tmp_path)
    report = check_registry(tmp_path / "sample_registry.xml", with_files=True)
    assert report.errors == ()
    assert report.registry is not None and len(report.registry) == len(report.names) > 0


def test_check_names_each_file_that_is_missing_at_its_routine(tmp_path: Path) -> None:
    written(tmp_path, "", "there.py")
    path = written(
        tmp_path,
        "<registry>\n"
        '<job name="sound" script="there.py"/>\n'
        '<job name="a" script="a.py"/>\n'
        '<job name="b" script="there.py" python="env/bin/python" directory="nowhere">'
        '<environment file=".env"/></job>\n'
        '<job name="c" module="some.module"/>\n'
        '<job name="d" script="there.py" python="there.py"/>\n'
        "</registry>",
    )
    report = check_registry(path, with_files=True)
    assert [(error.line, error.routine, error.message) for error in report.errors] == [
        (3, "a", f"routine 'a': there is no script {tmp_path}/a.py"),
        (4, "b", f"routine 'b': there is no interpreter {tmp_path}/env/bin/python"),
        (4, "b", f"routine 'b': there is no directory {tmp_path}/nowhere"),
        (4, "b", f"routine 'b': there is no environment file {tmp_path}/.env"),
        (6, "d", f"routine 'd': the interpreter {tmp_path}/there.py may not be executed"),
    ]
    assert all(error.file == str(path) for error in report.errors)
    # At the start it costs those routines only.
    assert report.registry is not None
    assert check_registry(path).errors == ()


def test_check_tells_the_interpreter_of_the_config_that_is_missing(tmp_path: Path) -> None:
    written(tmp_path, "", "a.py")
    path = written(tmp_path, '<registry><job name="a" script="a.py"/></registry>')
    (error,) = check_registry(path, with_files=True, python="/no/python").errors
    assert error.message == "routine 'a': there is no interpreter /no/python"


def test_a_report_holds_what_was_read(tmp_path: Path) -> None:
    path = written(tmp_path, '<registry><job name="a" script="a.py" nme="x"/></registry>')
    report = check_registry(path)
    assert report.names == ("a",) and report.registry is None
    assert report.sources == ((str(path), path.read_bytes()),)


def test_the_interpreter_is_the_routines_own_first(tmp_path: Path) -> None:
    an_executable(tmp_path / ".venv/bin/python")
    own = str(tmp_path / "own/bin/python")
    routine = Routine(name="a", script=str(tmp_path / "a.py"), python=own)
    assert interpreter_of(routine, "/usr/bin/python3") == own


def test_a_routines_interpreter_may_be_a_word(tmp_path: Path) -> None:
    path = written(tmp_path, '<registry><job name="a" script="a.py" python="python3"/></registry>')
    routine = load_registry(path)["a"]
    assert interpreter_of(routine, None) == shutil.which("python3")
    beside = an_executable(tmp_path / "python3")
    assert interpreter_of(routine, None) == beside


@pytest.mark.parametrize(
    ("venvs", "expected"),
    [
        (["jobs/daily/.venv", "jobs/daily/venv", "jobs/.venv"], "jobs/daily/.venv"),
        (["jobs/daily/venv", "jobs/.venv"], "jobs/daily/venv"),
        (["jobs/.venv", "venv"], "jobs/.venv"),
        (["venv"], "venv"),
        ([".venv", "jobs/weekly/.venv"], ".venv"),
    ],
)
def test_then_that_of_the_nearest_venv(tmp_path: Path, venvs: list[str], expected: str) -> None:
    for venv in venvs:
        an_executable(tmp_path / venv / "bin/python")
    routine = Routine(name="a", script=str(tmp_path / "jobs/daily/a.py"))
    assert interpreter_of(routine, "/usr/bin/python3") == str(tmp_path / expected / "bin/python")


def test_a_venv_of_windows_counts(tmp_path: Path) -> None:
    python = an_executable(tmp_path / ".venv/Scripts/python.exe")
    assert interpreter_of(Routine(name="a", script=str(tmp_path / "a.py")), None) == python


def test_a_module_is_looked_for_from_its_directory(tmp_path: Path) -> None:
    python = an_executable(tmp_path / "jobs/.venv/bin/python")
    inside = Routine(name="a", module="m", directory=str(tmp_path / "jobs"), folder=str(tmp_path))
    assert interpreter_of(inside, "/usr/bin/python3") == python
    outside = Routine(name="a", module="m", folder=str(tmp_path))
    assert interpreter_of(outside, "/usr/bin/python3") == "/usr/bin/python3"


def test_then_that_of_the_config_then_the_schedulers_own(tmp_path: Path) -> None:
    routine = Routine(name="a", script=str(tmp_path / "a.py"))
    assert interpreter_of(routine, "/usr/bin/python3") == "/usr/bin/python3"
    assert interpreter_of(routine, None) == sys.executable


def test_thousands_of_scripts_are_looked_up_by_folder(tmp_path: Path) -> None:
    python = an_executable(tmp_path / ".venv/bin/python")
    venvs: Venvs = {}
    for number in range(5_000):
        script = os.path.join(tmp_path, f"sub{number % 10}", f"{number}.py")
        assert interpreter_of(Routine(name="a", script=script), None, venvs) == python
    assert set(venvs) == {str(tmp_path), *(str(tmp_path / f"sub{n}") for n in range(10))}


@pytest.mark.parametrize("name", ["a&#128;", "a&#x202e;", "a" * 20_000, "/a" * 20_000])
def test_a_file_that_is_not_there_is_named_in_a_line_to_read(tmp_path: Path, name: str) -> None:
    registry = tmp_path / "registry.xml"
    inner = f'<environment file="{name}"/>'
    job = f'<job name="a" script="{name}" python="{name}" directory="{name}">{inner}</job>'
    registry.write_text(f'<registry><include file="{name}"/>{job}</registry>', encoding="utf-8")
    report = check_registry(registry, "UTC", with_files=True)
    assert len(report.errors) == 5
    for problem in report.errors:
        assert str(problem).isprintable()
        assert len(str(problem)) < 800
