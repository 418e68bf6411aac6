"""config.cfg: what may stand in it, and what is said of the rest."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.errors import ConfigError, SchedulerError
from scheduler.service.config import Settings, plain_path, read_config


def written(folder: Path, text: str) -> Path:
    path = folder / "config.cfg"
    path.write_text(text, encoding="utf-8")
    return path


def settings_of(folder: Path, text: str) -> Settings:
    return read_config(written(folder, text))


def problems_of(folder: Path, text: str) -> list[str]:
    """Return what is wrong with a config, each as LINE: MESSAGE."""
    with pytest.raises(ConfigError) as caught:
        settings_of(folder, text)
    assert str(caught.value) == "\n".join(map(str, caught.value.problems))
    return [str(problem).replace(f"{folder}/config.cfg:", "") for problem in caught.value.problems]


def test_an_empty_file_gives_the_defaults_beside_it(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "")
    assert settings.root_directory == tmp_path
    assert settings.registry == tmp_path / "registry.xml"
    assert settings.database == tmp_path / "scheduler.db"
    assert settings.log_directory == tmp_path / "logs"
    assert settings.config == tmp_path / "config.cfg"
    assert not settings.has_session
    assert settings.python is None
    assert settings.max_running >= 4 and settings.max_running % 4 == 0
    assert settings.stop_timeout == timedelta(seconds=60)
    assert settings.log_level == "INFO"
    assert (settings.history_days, settings.history_tasks_per_routine) == (90, 100)
    assert (settings.log_size, settings.log_size_per_attempt) == (2_000_000_000, 100_000_000)
    assert (settings.http_host, settings.http_port) == ("127.0.0.1", 0)


def test_settings_can_be_made_without_a_file(tmp_path: Path) -> None:
    settings = Settings(database=tmp_path / "state.db", max_running=2)
    assert settings.max_running == 2
    assert settings.timezone == "UTC"


def test_every_setting_is_read(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
        [DEFAULT]
        root_directory =
        registry = jobs/all.xml
        database = %(root_directory)s/state/s.db
        log_directory = ../logs

        [scheduler]
        timezone = Europe/Paris
        python = /usr/bin/python3
        max_running = 3
        stop_timeout = 1m30s
        log_level = debug

        [history]
        days = 7
        tasks_per_routine = 5
        log_size = 500 MB
        log_size_per_attempt = 64KB

        [http]
        host = localhost
        port = 4711

        [notify]
        command = tell --loud
        """,
    )
    assert settings == Settings(
        config=tmp_path / "config.cfg",
        root_directory=tmp_path,
        registry=tmp_path / "jobs/all.xml",
        database=tmp_path / "state/s.db",
        log_directory=tmp_path.parent / "logs",
        timezone="Europe/Paris",
        python="/usr/bin/python3",
        max_running=3,
        stop_timeout=timedelta(seconds=90),
        log_level="DEBUG",
        history_days=7,
        history_tasks_per_routine=5,
        log_size=500_000_000,
        log_size_per_attempt=64_000,
        http_host="localhost",
        http_port=4711,
        notify_command=("tell", "--loud"),
    )


def test_a_setting_without_a_value_has_its_default(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[DEFAULT]\nregistry =\n[scheduler]\nmax_running =\n[http]\n")
    assert settings.registry == tmp_path / "registry.xml"
    assert settings.max_running == Settings().max_running


def test_an_older_file_is_accepted_as_it_stands(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    settings = settings_of(
        tmp_path,
        "[DEFAULT]\n"
        f"root_directory = {tmp_path}\\data\n"
        "config_path = %(nothing)s\\config.cfg\n"
        "configpath = 100%\n"
        "registry = %(root_directory)s\\registry.xml\n"
        "last_shutdown = 2020-01-01 00:00:00\n"
        "[SESSION]\n"
        "anything = at all\n"
        "anything = twice, 50%\n"
        "no value\n"
        "   indented\n",
    )
    assert settings.has_session
    assert settings.root_directory == tmp_path / "data"
    assert settings.registry == tmp_path / "data" / "registry.xml"


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([], "registry.xml"),
        (["registry.xml"], "registry.xml"),
        (["sample_registry.xml"], "sample_registry.xml"),
        (["registry.xml", "sample_registry.xml"], "registry.xml"),
    ],
)
def test_the_sample_is_the_registry_where_it_is_alone(
    tmp_path: Path, present: list[str], expected: str
) -> None:
    for name in present:
        (tmp_path / name).write_text("<registry/>", encoding="utf-8")
    assert settings_of(tmp_path, "").registry == tmp_path / expected


def test_the_root_may_be_relative_to_the_file_and_hold_a_percent_sign(tmp_path: Path) -> None:
    (tmp_path / "100%").mkdir()
    text = "[DEFAULT]\nroot_directory = 100%%\ndatabase = %(root_directory)s/x.db\n"
    assert settings_of(tmp_path, text).database == tmp_path / "100%" / "x.db"


def test_a_relative_config_path_gives_absolute_paths(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "")
    monkeypatch.chdir(tmp_path)
    assert read_config(Path("config.cfg")).registry == tmp_path / "registry.xml"


@pytest.mark.parametrize(
    ("text", "on_posix", "expected"),
    [
        (r"logs\today", True, "logs/today"),
        (r"logs\today", False, r"logs\today"),
        (r"C:\data\x.xml", True, r"C:\data\x.xml"),
        ("C:/data/x.xml", True, "C:/data/x.xml"),
        (r"\\server\share", True, "//server/share"),
        ("a:b", True, "a:b"),
    ],
)
def test_backslashes_are_read_on_every_system(text: str, on_posix: bool, expected: str) -> None:
    assert plain_path(text, on_posix=on_posix) == expected


def test_a_path_may_stand_in_quotes_and_begin_at_home(tmp_path: Path) -> None:
    text = '[DEFAULT]\nregistry = "my jobs.xml"\ndatabase = ~/s.db\n'
    settings = settings_of(tmp_path, text)
    assert settings.registry == tmp_path / "my jobs.xml"
    assert settings.database == Path.home() / "s.db"


def test_a_python_that_is_a_word_is_looked_up(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "[scheduler]\npython = python3\n")
    assert settings.python is not None
    assert Path(settings.python).is_absolute() and Path(settings.python).exists()
    settings = settings_of(tmp_path, "[scheduler]\npython = env/bin/python\n")
    assert settings.python == str(tmp_path / "env/bin/python")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "[DEFAULT]\ndatabse = x.db",
            "2: unknown setting 'databse' in [DEFAULT] (did you mean 'database'?)",
        ),
        (
            "[DEFAULT]\ntimezone = UTC",
            "2: unknown setting 'timezone' in [DEFAULT] (it belongs in [scheduler])",
        ),
        ("[Scheduler]\n", "1: unknown section [Scheduler] (did you mean [scheduler]?)"),
        ("[default]\n", "1: unknown section [default] (did you mean [DEFAULT]?)"),
        ("[xyzzy]\na = b", "1: unknown section [xyzzy]"),
        ("[notify]\nto = me", "2: unknown setting 'to' in [notify]"),
        (
            "[notify]\ncommand = mail 'me",
            """2: command: arguments "mail 'me": the ' at character 6 is never closed"""
            " (close it, or put it into quotes of the other kind)",
        ),
        ("[notify]\ncommand = ''", "2: command: \"''\" names no program to run"),
        ("[executor]", "1: section [executor] is not yet supported (take it out)"),
        (
            "\n\nregistry = x",
            "3: 'registry = x' stands in no section (begin with [DEFAULT])",
        ),
        ("[http]\n\n[http]", "3: [http] is written twice (put both into one)"),
        (
            "[http]\nport = 1\n; a comment\nPort = 2",
            "4: 'port' is set twice in [http] (keep one of the two)",
        ),
        ("[http]\nport", "2: 'port' is not a setting (write NAME = VALUE)"),
        (
            "[http]\nport = 1\n  host = x",
            "2: port: an indented line goes on with its value (do not indent it)",
        ),
        (
            "[DEFAULT]\nregistry = %(roo)s/x",
            "2: registry: %(roo)s names a setting that is not there (write %% for a percent sign)",
        ),
        (
            "[DEFAULT]\nregistry = 100%",
            "2: registry: a percent sign stands alone (write %% for a percent sign)",
        ),
        ("[DEFAULT]\nregistry = %(registry)s", "2: registry: its value names itself"),
        (
            "[DEFAULT]\nroot_directory = %(root_directory)s/x",
            "2: root_directory: its value names itself",
        ),
        (
            "[scheduler]\ntimezone = Europe/Pariss",
            "2: timezone: unknown time zone 'Europe/Pariss' (did you mean 'Europe/Paris'?)",
        ),
        (
            "[scheduler]\nmax_running = 0",
            "2: max_running: '0' is not a whole number from 1 to 1000000",
        ),
        (
            "[scheduler]\nmax_running = many",
            "2: max_running: 'many' is not a whole number from 1 to 1000000",
        ),
        (
            "[scheduler]\nstop_timeout = 60",
            "2: stop_timeout: '60' is not a duration: add its unit,"
            " as in 90s, 30m, 2h, 1d or 1h30m",
        ),
        (
            "[scheduler]\nlog_level = LOUD",
            "2: log_level: 'LOUD' is none of DEBUG, INFO, WARNING, ERROR",
        ),
        (
            "[history]\nlog_size = 2G",
            "2: log_size: '2G' is not a size: write it as in 500KB, 100MB or 2GB",
        ),
        (
            "[history]\nlog_size = 0GB",
            "2: log_size: '0GB' is not a size: write it as in 500KB, 100MB or 2GB",
        ),
        ("[http]\nport = 65536", "2: port: '65536' is not a whole number from 0 to 65535"),
        (
            "[http]\nhost = my host",
            "2: host: 'my host' is not an address such as 127.0.0.1 or localhost",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_way_out(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert problems_of(tmp_path, text) == [expected]


def test_a_root_that_is_not_there_is_named(tmp_path: Path) -> None:
    (problem,) = problems_of(tmp_path, "[DEFAULT]\n\nroot_directory = nowhere\n")
    assert problem.startswith(f"3: root_directory: there is no folder '{tmp_path}/nowhere'")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("mail -s 'it failed' me@example.org", ("mail", "-s", "it failed", "me@example.org")),
        ("bin/tell.sh one", ("{root}/bin/tell.sh", "one")),
        ("/usr/bin/tell", ("/usr/bin/tell",)),
        ("tell 50%%", ("tell", "50%")),
    ],
)
def test_the_command_that_is_told_is_split_without_a_shell(
    tmp_path: Path, command: str, expected: tuple[str, ...]
) -> None:
    settings = settings_of(tmp_path, f"[notify]\ncommand = {command}\n")
    assert settings.notify_command == tuple(
        word.replace("{root}", str(tmp_path)) for word in expected
    )


def test_all_mistakes_are_named_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    problems = problems_of(
        tmp_path, "[http]\nport = -1\nprt = 2\n[histroy]\ndays = 1\n[history]\ndays = 0\n"
    )
    assert [problem.split(":")[0] for problem in problems] == ["2", "3", "4", "7"]


def test_a_long_value_is_cut(tmp_path: Path) -> None:
    long = "x" * 100_000
    for text in (f"[http]\nport = {long}", f"[{long}]", f"[http]\n{long} = 1", f"[http]\n{long}"):
        (problem,) = problems_of(tmp_path, text)
        assert len(problem) < 200


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[http]\nhost = \xe9\xe9\n", "2: is not UTF-8 (save the file as UTF-8)"),
        (b"[http]\n\nport\0 = 1\n", "3: is not a text file"),
    ],
)
def test_a_file_that_is_not_text_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "config.cfg"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_config(path)
    assert str(caught.value) == f"{path}:{expected}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_encodings_of_common_editors_are_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "config.cfg"
    path.write_bytes("[DEFAULT]\r\nregistry = é.xml\r\n".encode(encoding))
    assert read_config(path).registry == tmp_path / "é.xml"


def test_a_file_that_is_not_there_is_a_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(SchedulerError, match=r"config\.cfg: no such file"):
        read_config(tmp_path / "config.cfg")
    with pytest.raises(SchedulerError, match="cannot be read"):
        read_config(tmp_path)


def test_the_file_is_left_as_it_was(tmp_path: Path) -> None:
    text = "[DEFAULT]\nroot_directory =\n; mine\n[SESSION]\nx=1\n"
    settings_of(tmp_path, text)
    assert (tmp_path / "config.cfg").read_text(encoding="utf-8") == text
    assert os.listdir(tmp_path) == ["config.cfg"]


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("Europe/Paris", "Europe/Paris"),
        (":Asia/Tokyo", "Asia/Tokyo"),
        ("UTC", "UTC"),
        ("Etc/UTC", "UTC"),
    ],
)
def test_without_a_timezone_the_machines_is_taken(variable: str, expected: str) -> None:
    # A process of its own: the machine's zone is looked up once.
    code = "from scheduler.service.config import machine_timezone; print(machine_timezone())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "TZ": variable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == expected
