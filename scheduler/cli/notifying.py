"""``notify --test``: tells an incident that did not happen, to see that somebody hears of it."""

import os
from argparse import Namespace
from pathlib import Path

from scheduler.cli.printing import clean, say, say_json
from scheduler.cli.sources import config_of_folder, given_name, is_same_file
from scheduler.cli.times import now
from scheduler.errors import SchedulerError
from scheduler.registry.masking import masked_words
from scheduler.service import instance
from scheduler.service.config import read_config
from scheduler.service.incidents import sample
from scheduler.service.notify import Teller


def notify(arguments: Namespace) -> int:
    """Run the command of [notify] once, and print how it ended; return 1 if it failed."""
    if not arguments.test:
        raise SchedulerError("say what to do: scheduler notify --test")
    config = config_of_folder(arguments)
    if config is None:
        raise SchedulerError(
            "which data folder? give --config_file PATH, or stand where there is a config.cfg"
        )
    settings = read_config(config)
    command = settings.notify_command
    if not command:
        raise SchedulerError(
            f"{config}: nobody is told of incidents (write [notify] and command = PROGRAM)"
        )
    name = given_name(arguments) or _name_of(config)
    message = sample(now(), scheduler=name, zone=settings.timezone)
    told = Teller(command, scheduler=name, directory=settings.root_directory).tell(message)
    if arguments.json:
        fields = ("code", "seconds", "error", "output")
        say_json(
            {"command": list(masked_words(command)), **{key: getattr(told, key) for key in fields}}
        )
    else:
        how = f"failed: {told.error}" if told.error else "has been told (exit code 0)"
        say(clean(f"{command[0]} {how}, in {told.seconds:.1f} s"))
        say(*(f"  {clean(line)}" for line in told.output.splitlines()))
    return 0 if told.is_ok else 1


def _name_of(config: Path) -> str:
    """Return the name of the scheduler that ran with this config; else that of its folder."""
    same = (
        one.name
        for one in instance.all_remembered()
        if one.config and is_same_file(one.config, config)
    )
    return next(same, Path(os.path.abspath(config)).parent.name)
