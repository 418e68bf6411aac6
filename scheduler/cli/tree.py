"""The argument tree: words -> the arguments of a verb, or what is wrong with them.

Only the parser of the verb at hand is built: each costs time that `status` does not have.
"""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from scheduler.cli.verbs import VERBS, Verb
from scheduler.cli.words import with_underscores
from scheduler.errors import SchedulerError, quoted

_ABOUT = "A cron-like scheduler for Python scripts, with dependencies between them."
_EPILOG = """\
Options are written with _ or -.  --scheduler_name may be left out when one scheduler is live.
'scheduler VERB --help' shows examples."""

# Verbs of the plan that are not built yet: named rather than taken for a slip.
_LATER_VERBS = ("init",)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are `SchedulerError`, for `main` to print."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the words."""
        raise SchedulerError(f"{message} (see {self.prog} --help)")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a verb, which is the first word.

    Raises:
        SchedulerError: there is no such verb, or its words make no sense.
    """
    verb = _verb_named(words[0])
    parser = Parser(prog=f"scheduler {verb.name}", allow_abbrev=False)
    _fill(parser, verb)
    rest = with_underscores(words[1:])
    arguments, extra = parser.parse_known_args(rest)
    if extra:
        # Words on both sides of an option are found only so, which takes longer.
        arguments, extra = parser.parse_known_intermixed_args(rest)
    if extra:
        _refuse(verb, parser, extra[0])
    return arguments


def make_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line: for its help, and for completion."""
    parser = Parser(
        prog="scheduler",
        description=_ABOUT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", dest="verb")
    for verb in VERBS:
        _fill(verbs.add_parser(verb.name, help=verb.help, allow_abbrev=False), verb)
    return parser


def _fill(parser: Parser, verb: Verb) -> None:
    parser.description = verb.help[0].upper() + verb.help[1:] + "."
    parser.epilog = "\n".join(["examples:", *(f"  {example}" for example in verb.examples)])
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    for add in verb.options:
        add(parser)
    parser.set_defaults(verb=verb.name, run=verb.run)


def _verb_named(word: str) -> Verb:
    for verb in VERBS:
        if verb.name == word:
            return verb
    if word in _LATER_VERBS:
        raise SchedulerError(f"{word} is not yet supported")
    if word.startswith("-"):
        raise SchedulerError(f"the verb comes first: scheduler VERB {word[:40]} …")
    hint = _nearest(word, [verb.name for verb in VERBS]) or "see scheduler --help"
    raise SchedulerError(f"there is no verb {quoted(word)} ({hint})")


def _refuse(verb: Verb, parser: Parser, word: str) -> NoReturn:
    name = word.partition("=")[0]
    see = f"see {parser.prog} --help"
    if not word.startswith("-"):
        raise SchedulerError(f"{verb.name}: one word too many, {quoted(word)} ({see})")
    known = [text for text in parser.format_usage().replace("[", " ").split() if text[:2] == "--"]
    hint = _nearest(name, [text.rstrip("]") for text in known]) or see
    raise SchedulerError(f"{verb.name} has no option {quoted(name)} ({hint})")


def _nearest(word: str, known: Sequence[str]) -> str | None:
    import difflib

    found = difflib.get_close_matches(word[:100], known, n=1)
    return f"did you mean {found[0]!r}?" if found else None
