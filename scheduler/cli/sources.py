"""Whom a verb asks: a live scheduler, or the data folder of one that is down."""

import os
from argparse import Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from scheduler.errors import SchedulerError, quoted
from scheduler.service import instance
from scheduler.service.client import Client
from scheduler.service.instance import Instance, NotRunningError, Remembered

_CONFIG = Path("config.cfg")


class Source(Protocol):
    """What answers the verbs that read."""

    def get(self, verb: str, **parameters: str | int | None) -> object:
        """Return an answer, as plain data; parameters that are None are left out."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFolder:
    """Answers from the files of a scheduler that is down."""

    answers: Mapping[str, Callable[[Mapping[str, str]], object]]

    def get(self, verb: str, **parameters: str | int | None) -> object:
        """Return an answer, as plain data."""
        given = {key: str(value) for key, value in parameters.items() if value is not None}
        return self.answers[verb](given)


def source_of(arguments: Namespace) -> Source:
    """Return what answers: the scheduler named, the one of that config, the only live one.

    Where none of these is live, its data folder does.

    Raises:
        SchedulerError: there is none, or it is not clear which.
    """
    try:
        return Client(live_of(arguments))
    except NotRunningError as error:
        return _data_folder(arguments, error)


def live_of(arguments: Namespace) -> Instance:
    """Return the live scheduler that is meant.

    Of several that are live, the one whose config file is here is.

    Raises:
        NotRunningError: it is not live.
        SchedulerError: several are, and it is not said which.
    """
    name, config = given_name(arguments), config_of(arguments)
    if name is None and config is not None:
        live = instance.live_instances()
        same = [one for one in live if one.config and is_same_file(one.config, config)]
        if len(same) == 1 and (len(live) > 1 or arguments.config_file is not None):
            return same[0]
        if not same and arguments.config_file is not None:
            raise NotRunningError(f"no scheduler of {config} is running")
    return instance.find(name)


def given_name(arguments: Namespace) -> str | None:
    """Return the name of a scheduler, if one was given."""
    name: str | None = arguments.scheduler_name
    return name


def config_of(arguments: Namespace) -> Path | None:
    """Return the config file that was given; else ./config.cfg, if that is there."""
    if arguments.config_file is not None:
        return Path(arguments.config_file)
    return _CONFIG if _CONFIG.is_file() else None


def config_of_folder(arguments: Namespace) -> Path | None:
    """Return the config file of the data folder that is meant, for verbs that need no scheduler.

    Raises:
        SchedulerError: a scheduler was named of which nothing is known.
    """
    name = given_name(arguments)
    if name is None or arguments.config_file is not None:
        return config_of(arguments) or _config_of_only_live()
    known = _named(name)
    return Path(known.config) if known.config else None


def folder_of(arguments: Namespace) -> Remembered | None:
    """Return the data folder that was named, or that of ./config.cfg, also if nothing ever ran.

    Raises:
        SchedulerError: a scheduler was named of which nothing is known, or the config is wrong.
    """
    name = given_name(arguments)
    if name is not None and arguments.config_file is None:
        return _named(name)
    config = config_of(arguments)
    if config is None:
        return None
    known = _remembered_with(config)
    if known is not None:
        return known
    from scheduler.service.config import read_config

    database = str(read_config(config).database)
    name = name or name_of_folder(config)
    return Remembered(name=name, config=str(config), database=database, mode="prod")


def data_folder_of(arguments: Namespace) -> Remembered:
    """Return the data folder that is meant, live or not: the one whose scheduler would answer.

    Raises:
        SchedulerError: there is none, or it is not clear which.
    """
    try:
        live = live_of(arguments)
    except NotRunningError as error:
        return folder_of(arguments) or _only_remembered(error)
    return Remembered(name=live.name, config=live.config, database=live.database, mode=live.mode)


def _named(name: str) -> Remembered:
    known = instance.remembered(name)
    if known is None:
        raise SchedulerError(unknown_name(name))
    return known


def _config_of_only_live() -> Path | None:
    live = instance.live_instances()
    return Path(live[0].config) if len(live) == 1 and live[0].config else None


def unknown_name(name: str) -> str:
    """Return the message for a scheduler of which nothing is known."""
    names = ", ".join(known.name for known in instance.all_remembered())
    hint = f"known here: {names}" if names else "give --config_file"
    return f"scheduler {quoted(name)} is not running, and nothing is known of it ({hint})"


def is_same_file(one: str | Path, other: str | Path) -> bool:
    """Return whether two paths lead to one file."""
    return os.path.realpath(one) == os.path.realpath(other)


def _data_folder(arguments: Namespace, error: NotRunningError) -> DataFolder:
    from scheduler.service.wiring import offline_answers

    name, config = given_name(arguments), config_of(arguments)
    known = _remembered_of(arguments, error)
    if known is None:
        # Given by name, or nobody ever ran with this config.
        name = name or (None if config is None else name_of_folder(config))
        return DataFolder(answers=offline_answers(config, name))
    path = Path(known.config) if known.config else None
    return DataFolder(answers=offline_answers(path, known.name, Path(known.database)))


def _remembered_of(arguments: Namespace, error: NotRunningError) -> Remembered | None:
    """Return the scheduler whose data folder is meant; None where only its config is known."""
    name, config = given_name(arguments), config_of(arguments)
    if name is not None:
        known = instance.remembered(name)
        if known is None and arguments.config_file is None:
            raise SchedulerError(unknown_name(name)) from error
        return known
    if config is None:
        return _only_remembered(error)
    return _remembered_with(config)


def _remembered_with(config: Path) -> Remembered | None:
    same = (one for one in instance.all_remembered() if one.config == os.path.abspath(config))
    return next(same, None)


def _only_remembered(error: NotRunningError) -> Remembered:
    known = instance.all_remembered()
    if not known:
        raise error
    if len(known) > 1:
        names = ", ".join(one.name for one in known)
        raise SchedulerError(
            f"no scheduler is running; known here: {names} (give --scheduler_name)"
        ) from error
    return known[0]


def name_of_folder(file: str | Path) -> str:
    """Return the name of its folder, for what has none of its own: a scheduler that never ran."""
    return Path(os.path.abspath(file)).parent.name
