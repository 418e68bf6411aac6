"""``completion``: a script for the shell, made from the argument tree."""

from argparse import Namespace

from scheduler.cli.printing import say
from scheduler.cli.tree import make_parser


def completion(arguments: Namespace) -> int:
    """Print the script."""
    import shtab

    say(shtab.complete(make_parser(), shell=arguments.shell))
    return 0
