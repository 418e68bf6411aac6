"""Texts of attributes -> values: words, numbers, lengths of time.

Each reader is made for one attribute, which it names in what it raises: a `Flaw`.
"""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from scheduler.errors import SchedulerError, quoted
from scheduler.registry.flaws import Flaw, did_you_mean, flaw_of, listed

T = TypeVar("T")


def read_list(attribute: str, text: str) -> tuple[str, ...]:
    """Return the entries of a list that is separated by commas, without the spaces around them."""
    entries = tuple(entry.strip() for entry in text.split(","))
    if "" in entries:
        raise Flaw(f"{attribute} {quoted(text)} has an empty entry", "put one comma between two")
    return entries


def choice(
    attribute: str, values: Mapping[str, T], also: Mapping[str, str] | None = None
) -> Callable[[str], T]:
    """Return a reader of one of a few words; ``also`` has others that people write for them."""

    def read(text: str) -> T:
        if text in values:
            return values[text]
        word = text[:40].strip().casefold()
        meant = word if word in values else (also or {}).get(word)
        hint = f"write {meant!r}" if meant else did_you_mean(text, values)
        raise Flaw(f"{attribute} {quoted(text)} is not {listed(values)}", hint)

    return read


def whole_number(attribute: str, low: int, high: int) -> Callable[[str], int]:
    """Return a reader of a whole number, low <= number <= high."""

    def read(text: str) -> int:
        # Digits are counted first: int() refuses thousands of them in words of its own.
        found = re.fullmatch(r"([+-]?)0*([0-9]{1,9})", text.strip())
        number = int(found[1] + found[2]) if found else None
        if number is None or not low <= number <= high:
            raise Flaw(f"{attribute} {quoted(text)} is not a whole number from {low} to {high}")
        return number

    return read


def factor(attribute: str, low: int, high: int) -> Callable[[str], float]:
    """Return a reader of a number such as ``2`` or ``1.5``, low <= number <= high."""

    def read(text: str) -> float:
        found = re.fullmatch(r"0*([0-9]{1,9}(?:\.[0-9]{1,9})?)", text.strip())
        number = float(found[1]) if found else None
        if number is None or not low <= number <= high:
            hint = "write '1' for the same each time" if low == 1 else None
            raise Flaw(f"{attribute} {quoted(text)} is not a number from {low} to {high}", hint)
        return number

    return read


def in_words_of(attribute: str, parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return a reader that parses, and names the attribute in what is wrong."""

    def read(text: str) -> T:
        try:
            return parse(text)
        except SchedulerError as error:
            flaw = flaw_of(error)
            raise Flaw(f"{attribute} {flaw.reason}", flaw.hint) from None

    return read


def or_none(read: Callable[[str], T]) -> Callable[[str], T | None]:
    """Return a reader to which an empty text is None: a default is taken back."""
    return lambda text: read(text) if text.strip() else None
