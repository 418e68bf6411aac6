"""``scheduler start``: in the window, or as a daemon, which is this very command once more."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.errors import RegistryError, SchedulerError
from scheduler.service.config import Settings, read_config

if TYPE_CHECKING:
    from scheduler.service.wiring import StartOptions

_DAEMON = "SCHEDULER_START_DAEMON"  # tells the process that is to become the daemon
_SERVING = "\0serving"  # the daemon's last line: it serves, and says no more


def start(arguments: argparse.Namespace) -> int:
    """Run a scheduler until it is stopped; as a daemon, return when it serves."""
    is_daemon = os.environ.pop(_DAEMON, None) is not None
    if arguments.daemon and not is_daemon:
        return _start_daemon()
    name = _name(arguments)
    settings = _settings(arguments)
    if arguments.log_level:
        settings = replace(settings, log_level=arguments.log_level.upper())
    if settings.config is None or settings.has_session or settings.database.exists():
        _refuse_changed_days(settings, accepted=arguments.accept_cron_days)
    options = _options(arguments, name, is_attended=not is_daemon and sys.stderr.isatty())
    return _serve(settings, options, as_daemon=is_daemon)


def _options(arguments: argparse.Namespace, name: str, *, is_attended: bool) -> "StartOptions":
    from scheduler.service.wiring import StartOptions

    return StartOptions(
        name=name,
        mode=arguments.mode,
        fresh=arguments.fresh,
        assume_done=arguments.assume_done,
        is_attended=is_attended,
    )


def _serve(settings: Settings, options: "StartOptions", *, as_daemon: bool) -> int:
    from scheduler.service.logs import set_up_own_log
    from scheduler.service.wiring import Scheduler

    scheduler = Scheduler(settings, options)

    def told(lines: list[str]) -> None:
        hint = "Ctrl-C stops it and waits for what runs; a second one kills that"
        # Whoever reads this may have gone by now: that is no reason not to serve.
        with suppress(OSError):
            print("\n".join([*lines, _SERVING if as_daemon else hint]), flush=True)
        if as_daemon:
            _let_go()

    try:
        set_up_own_log(
            settings.log_directory, options.name, settings.log_level, console=not as_daemon
        )
    except OSError as error:
        raise SchedulerError(
            f"the logs cannot be written in {settings.log_directory}: {error.strerror}"
        ) from error
    scheduler.serve(told)
    return 0


def _name(arguments: argparse.Namespace) -> str:
    if arguments.scheduler_name:
        return str(arguments.scheduler_name)
    if arguments.mode == "test":
        return "test"
    raise SchedulerError("give the scheduler a name: --scheduler_name NAME")


def _settings(arguments: argparse.Namespace) -> Settings:
    given = Path(arguments.config_file) if arguments.config_file else None
    if given is None and Path("config.cfg").is_file():
        given = Path("config.cfg")
    if arguments.mode == "test":
        return _test_settings(given)
    if given is None:
        raise SchedulerError(
            "which data folder? give --config_file PATH, or start where there is a config.cfg"
        )
    return read_config(given)


def _test_settings(given: Path | None) -> Settings:
    """Return settings with state and logs in a scratch folder; without a config, of the sample."""
    scratch = Path(tempfile.mkdtemp(prefix="scheduler-test-"))
    if given is None:
        from scheduler.service.registry_files import statics_folder

        for name in ("sample_registry.xml", "sample_config.cfg"):
            shutil.copy(statics_folder() / name, scratch / name)
        return read_config(scratch / "sample_config.cfg")
    return replace(
        read_config(given), database=scratch / "scheduler.db", log_directory=scratch / "logs"
    )


def _refuse_changed_days(settings: Settings, *, accepted: bool) -> None:
    """Name what an older folder would do differently, and keep its database aside."""
    from scheduler.service.ancestor import changed_days, set_aside
    from scheduler.service.registry_files import check_registry
    from scheduler.service.wiring import is_ancestors

    is_old = is_ancestors(settings.database)
    if not is_old and (not settings.has_session or settings.database.exists()):
        return
    report = check_registry(settings.registry, settings.timezone)
    if report.registry is None:
        # What it would change cannot be told, and once there is a database nobody asks again.
        raise RegistryError(report.errors, report.names)
    changed = changed_days(report.registry)
    if changed and not accepted:
        lines = [
            "this folder was written for an older program, where 0 was Monday, and day and weekday"
            " were both required",
            *map(str, changed),
            "change these lines, or accept the new days with --accept_cron_days",
        ]
        raise SchedulerError("\n".join(lines))
    if is_old:
        kept = set_aside(settings.database)
        print(f"the older program's database is kept as {kept}")


def _start_daemon() -> int:
    """Start this very command again, detached; return when it serves, or has failed."""
    # Not by PYTHONPATH: the scripts that it starts would inherit that.
    package = str(Path(__file__).resolve().parents[2])
    program = (
        f"import sys; sys.path.insert(0, {package!r}); from scheduler.__main__ import run; run()"
    )
    command = [sys.executable, "-c", program, *sys.argv[1:]]
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env={**os.environ, _DAEMON: "1"},
            start_new_session=sys.platform != "win32",
            creationflags=_detached(),
        )
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode(errors="replace").rstrip("\r\n")
            if text == _SERVING:
                return 0
            print(text, flush=True)
        code = process.wait()
        errors.seek(0)
        sys.stderr.write(errors.read().decode(errors="replace"))
        return code or 2


def _detached() -> int:
    if sys.platform == "win32":
        return subprocess.DETACHED_PROCESS | subprocess.CREATE_NEW_PROCESS_GROUP
    return 0


def _let_go() -> None:
    """Let go of the terminal and of the pipes to who started us: they go on without."""
    with suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    os.close(null)
