"""config.cfg -> frozen `Settings`; what it does not know, it refuses.

Read once, at start: no globals, no reads after that, and the user's file is never written.
All problems are reported at once, each with its line.
"""

import configparser
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from scheduler.durations import parse_duration
from scheduler.errors import ConfigError, Problem, SchedulerError, quoted
from scheduler.service.config_text import DEFAULT, SESSION, ConfigText, parse_config, problem

Value = TypeVar("Value")

# What older files write and nothing needs any more.
_IGNORED = ("config_path", "configpath", "last_shutdown")

_KNOWN: dict[str, tuple[str, ...]] = {
    DEFAULT: ("root_directory", "registry", "database", "log_directory", *_IGNORED),
    "scheduler": ("timezone", "python", "max_running", "stop_timeout", "log_level", "reload"),
    "history": ("days", "tasks_per_routine", "log_size", "log_size_per_attempt"),
    "http": ("host", "port"),
    "notify": ("command",),
}
_PLANNED = ("executor",)

_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
_SIZES = {"KB": 10**3, "MB": 10**6, "GB": 10**9}
_HOST = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def _default_max_running() -> int:
    """Return four attempts for each core that this process may use."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return 4 * (cores or 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What config.cfg says, checked and complete; made directly, all defaults.

    Paths that `read_config` returns are absolute.  Sizes are in bytes.
    """

    config: Path | None = None  # the file it was read from
    root_directory: Path = Path()
    registry: Path = Path("registry.xml")
    database: Path = Path("scheduler.db")
    log_directory: Path = Path("logs")
    has_session: bool = False  # a [SESSION] marks the folder of the program's ancestor
    timezone: str = "UTC"  # an IANA name
    python: str | None = None  # the interpreter of routines that name none and have no venv
    max_running: int = field(default_factory=_default_max_running)
    stop_timeout: timedelta = timedelta(seconds=60)
    reload_on_change: bool = False  # of the registry's files; else by hand
    log_level: str = "INFO"
    history_days: int = 90
    history_tasks_per_routine: int = 100  # at least these are kept, however old
    log_size: int = 2 * 10**9
    log_size_per_attempt: int = 100 * 10**6
    http_host: str = "127.0.0.1"
    http_port: int = 0  # any free one
    notify_command: tuple[str, ...] = ()  # program and arguments; none: nobody is told


def read_config(path: Path, *, on_posix: bool = os.name == "posix") -> Settings:
    """Return the settings of a config file.

    ``on_posix`` says whose paths they are to be: there a backslash is read as a slash.

    Raises:
        ConfigError: something in it is wrong; all its problems, in the order of their lines.
    """
    reader = _Reader(path, parse_config(path), on_posix=on_posix)
    settings = reader.settings()
    if reader.problems:
        raise ConfigError(sorted(reader.problems, key=lambda found: found.line or 0))
    return settings


def machine_timezone() -> str:
    """Return the IANA name of the machine's time zone (``TZ`` wins), or UTC if it has none."""
    import tzlocal  # most verbs never ask

    from scheduler.zones import zone_named

    try:
        name = zone_named(tzlocal.get_localzone_name() or "UTC").name
    except (LookupError, ValueError, OSError):
        # No name at all, a POSIX rule in TZ, or files that contradict each other: tzlocal raises
        # ZoneInfoNotFoundError or ValueError. `start` prints the zone, so UTC is seen.
        return "UTC"
    return "UTC" if name == "Etc/UTC" else name


def plain_path(text: str, *, on_posix: bool = os.name == "posix") -> str:
    """Return a path as this system writes it: on POSIX with slashes, but for drive letters."""
    return text.replace("\\", "/") if on_posix and not _DRIVE.match(text) else text


class _Reader:
    """Reads the settings of one file and collects what is wrong with them."""

    def __init__(self, path: Path, text: ConfigText, *, on_posix: bool) -> None:
        self._path = path
        self.problems: list[Problem] = []
        self._on_posix = on_posix
        self._lines = text.lines
        self._parser = text.parser
        self._root = Path(os.path.abspath(path)).parent

    def settings(self) -> Settings:
        """Return the settings, with defaults where a value is wrong."""
        self._check_names()
        self._settle_root()
        root, value = self._root, self._value
        default = Settings()
        return Settings(
            config=Path(os.path.abspath(self._path)),
            root_directory=root,
            registry=value(DEFAULT, "registry", self._to_path, _default_registry(root)),
            database=value(DEFAULT, "database", self._to_path, root / default.database),
            log_directory=value(
                DEFAULT, "log_directory", self._to_path, root / default.log_directory
            ),
            has_session=(SESSION, None) in self._lines,
            timezone=value("scheduler", "timezone", _to_timezone, None) or machine_timezone(),
            python=value("scheduler", "python", self._to_python, None),
            max_running=value("scheduler", "max_running", _to_count, default.max_running),
            stop_timeout=value("scheduler", "stop_timeout", parse_duration, default.stop_timeout),
            log_level=value("scheduler", "log_level", _to_log_level, default.log_level),
            reload_on_change=value("scheduler", "reload", _to_reload, default.reload_on_change),
            history_days=value("history", "days", _to_count, default.history_days),
            history_tasks_per_routine=value(
                "history", "tasks_per_routine", _to_count, default.history_tasks_per_routine
            ),
            log_size=value("history", "log_size", _to_size, default.log_size),
            log_size_per_attempt=value(
                "history", "log_size_per_attempt", _to_size, default.log_size_per_attempt
            ),
            http_host=value("http", "host", _to_host, default.http_host),
            http_port=value("http", "port", _to_port, default.http_port),
            notify_command=value("notify", "command", self._to_command, ()),
        )

    def _check_names(self) -> None:
        for (section, key), line in self._lines.items():
            if section == SESSION:
                continue
            if key is None and section in _PLANNED:
                self._add(line, f"section [{section}] is not yet supported", "take it out")
            elif key is None and section not in _KNOWN:
                near = _nearest(section, [*_KNOWN, SESSION])
                hint = f"did you mean [{near}]?" if near else None
                self._add(line, f"unknown section [{_cut(section)}]", hint)
            elif key is not None and section in _KNOWN and key not in _KNOWN[section]:
                self._add(line, f"unknown setting {quoted(key)} in [{section}]", _hint_for(key))

    def _settle_root(self) -> None:
        """Find the root folder, and let ``%(root_directory)s`` stand for it when it was empty."""
        root = self._value(DEFAULT, "root_directory", self._to_path, self._root)
        if not root.is_dir():
            line = self._lines.get((DEFAULT, "root_directory"))
            hint = "make it, or leave root_directory empty for the folder of this file"
            self._add(line, f"root_directory: there is no folder {quoted(str(root), 200)}", hint)
        self._root = root
        self._parser[DEFAULT]["root_directory"] = str(root).replace("%", "%%")

    def _value(
        self, section: str, key: str, parse: Callable[[str], Value], default: Value
    ) -> Value:
        try:
            text = self._parser.get(section, key, fallback="").strip()
            if "\n" in text:
                raise SchedulerError("an indented line goes on with its value (do not indent it)")
            return parse(text) if text else default
        except configparser.InterpolationMissingOptionError as error:
            message = f"%({error.reference})s names a setting that is not there"
            self._add(self._line(section, key), f"{key}: {message}", "write %% for a percent sign")
        except configparser.InterpolationDepthError:
            self._add(self._line(section, key), f"{key}: its value names itself")
        except configparser.InterpolationSyntaxError:
            message = f"{key}: a percent sign stands alone"
            self._add(self._line(section, key), message, "write %% for a percent sign")
        except SchedulerError as error:
            self._add(self._line(section, key), f"{key}: {error}")
        return default

    def _line(self, section: str, key: str) -> int | None:
        return self._lines.get((section, key)) or self._lines.get((DEFAULT, key))

    def _add(self, line: int | None, message: str, hint: str | None = None) -> None:
        self.problems.append(problem(self._path, line, message, hint))

    def _to_path(self, text: str) -> Path:
        written = plain_path(_unquoted(text), on_posix=self._on_posix)
        if self._on_posix and _DRIVE.match(written):
            return Path(written)  # of another system: joined to a folder it would mean nothing
        return Path(os.path.abspath(self._root / os.path.expanduser(written)))

    def _to_python(self, text: str) -> str:
        written = _unquoted(text)
        is_word = not re.search(r"[/\\]", written)
        found = shutil.which(written) if is_word else None
        return found or str(self._to_path(written))

    def _to_command(self, text: str) -> tuple[str, ...]:
        from scheduler.registry.arguments import split_arguments

        program, *words = split_arguments(text)
        if not program.strip():
            raise SchedulerError(f"{quoted(text)} names no program to run")
        is_path = re.search(r"[/\\]", program) is not None
        return (str(self._to_path(program)) if is_path else program, *words)


def _default_registry(root: Path) -> Path:
    """Return registry.xml, or the sample if that alone is there: it works where it is copied."""
    registry, sample = root / "registry.xml", root / "sample_registry.xml"
    return sample if sample.is_file() and not registry.exists() else registry


def _hint_for(key: str) -> str | None:
    homes = [section for section, keys in _KNOWN.items() if key in keys]
    if homes:
        return f"it belongs in [{homes[0]}]"
    near = _nearest(key, [known for keys in _KNOWN.values() for known in keys])
    return f"did you mean {near!r}?" if near else None


def _nearest(word: str, known: list[str]) -> str | None:
    import difflib

    by_fold = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word[:100].casefold(), by_fold, n=1)
    return by_fold[found[0]] if found else None


def _cut(text: str) -> str:
    return text if len(text) <= 60 else text[:59] + "…"


def _unquoted(text: str) -> str:
    is_quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if is_quoted else text


def _to_whole(text: str, least: int, most: int) -> int:
    # Digits are counted first: int() refuses thousands of them in words of its own.
    number = int(text) if re.fullmatch("[0-9]{1,12}", text) else -1
    if not least <= number <= most:
        raise SchedulerError(f"{quoted(text)} is not a whole number from {least} to {most}")
    return number


def _to_count(text: str) -> int:
    return _to_whole(text, 1, 1_000_000)


def _to_port(text: str) -> int:
    return _to_whole(text, 0, 65_535)


def _to_size(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})\s*([KMG]B)", text, re.IGNORECASE)
    size = int(found[1]) * _SIZES[found[2].upper()] if found else 0
    if not size:
        raise SchedulerError(f"{quoted(text)} is not a size: write it as in 500KB, 100MB or 2GB")
    return size


def _to_host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise SchedulerError(f"{quoted(text)} is not an address such as 127.0.0.1 or localhost")
    return text


def _to_log_level(text: str) -> str:
    if text.upper() not in _LOG_LEVELS:
        raise SchedulerError(f"{quoted(text)} is none of {', '.join(_LOG_LEVELS)}")
    return text.upper()


def _to_reload(text: str) -> bool:
    if text not in ("by_hand", "on_change"):
        raise SchedulerError(f"{quoted(text)} is neither by_hand nor on_change")
    return text == "on_change"


def _to_timezone(text: str) -> str:
    from scheduler.zones import zone_named

    return zone_named(text).name
