"""What ``calendar`` names -> a `Calendar`: a country, a part of one, a market, or a file of dates.

A text with a dot or a slash is the path of a file; all else has to be known to the library.
"""

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Protocol

from scheduler.errors import SchedulerError, quoted
from scheduler.registry.calendars import Calendar
from scheduler.registry.decoding import decode
from scheduler.registry.flaws import Flaw, Report, closest, flaw_of
from scheduler.registry.paths import Paths, absolute_path, shown_path
from scheduler.registry.routine import Place
from scheduler.zones import EPOCH_ORDINAL

_MOST_DATES = 100_000
_SHOWN_ERRORS = 20
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_EXAMPLE = "write one date a line, such as 2026-12-25"


class Reads(Paths, Protocol):
    """What reads a file, and makes its path absolute."""

    def read(self, path: str) -> bytes:
        """Return what a file holds, or raise `SchedulerError`."""
        ...


class Calendars:
    """Finds calendars by what names them; ``sources`` are the files read, by path."""

    def __init__(self, report: Report, files: Reads) -> None:
        self._report = report
        self._files = files
        self._of_files: dict[str, Calendar] = {}
        self.sources: dict[str, bytes] = {}

    def named(self, text: str, folder: str) -> Calendar:
        """Return the calendar that a text names; a relative path starts at ``folder``.

        What is wrong within a file goes to the report, once.

        Raises:
            Flaw: the library knows no such calendar, or the file cannot be read.
        """
        if not re.search(r"[./\\]", text):
            return library_calendar(text.strip())
        path = absolute_path("calendar", text, folder, self._files)
        found = self._of_files.get(path)
        if found is None:
            found = self._of_files[path] = self._read(text, path)
        return found

    def _read(self, text: str, path: str) -> Calendar:
        try:
            data = self._files.read(path)
        except SchedulerError as error:
            flaw = flaw_of(error)
            reason = flaw.reason.replace(path, shown_path(path, 400))
            raise Flaw(f"calendar {quoted(text)}: {reason}", flaw.hint) from None
        self.sources[path] = data
        self._report.begin_file(path)
        return Calendar(name=path, listed=self._days(data, path))

    def _days(self, data: bytes, path: str) -> tuple[int, ...]:
        """Return the dates of a file as days since 1970."""
        decoded = decode(data)
        if decoded.flaw is not None:
            place = Place(file=path, line=decoded.flaw.line, column=decoded.flaw.column)
            self._report.add(place, decoded.flaw.message, "save the file as UTF-8")
            return ()
        days: set[int] = set()
        wrong = 0
        for number, line in enumerate(decoded.text.splitlines(), start=1):
            written = line.partition("#")[0].strip()
            day = _day(written)
            if day is not None:
                days.add(day)
            elif written:
                wrong += 1
                if wrong <= _SHOWN_ERRORS:
                    column = line.index(written) + 1
                    place = Place(file=path, line=number, column=column)
                    self._report.add(place, f"{quoted(written)} is not a date", _EXAMPLE)
        self._check_count(len(days), wrong, path)
        return tuple(sorted(days))

    def _check_count(self, count: int, wrong: int, path: str) -> None:
        place = Place(file=path, line=1, column=1)
        if count > _MOST_DATES:
            self._report.add(place, f"the file lists more than {_MOST_DATES} dates", "shorten it")
        elif not count and not wrong:
            self._report.add(place, "the file lists no date", _EXAMPLE)


def _day(written: str) -> int | None:
    if not _DATE.fullmatch(written):
        return None
    try:
        return date.fromisoformat(written).toordinal() - EPOCH_ORDINAL
    except ValueError:
        return None


@lru_cache(maxsize=512)
def library_calendar(name: str) -> Calendar:
    """Return the calendar of ``US``, ``DE-BY`` or a market such as ``NYSE``.

    Raises:
        Flaw: the library does not know it.
    """
    country, dash, part = name.partition("-")
    known = _known()
    if country not in known:
        raise Flaw(f"calendar {quoted(name)} is no known country", _hint(country, name))
    parts = known[country]
    if dash and part not in parts:
        raise Flaw(f"calendar {quoted(name)}: {country} has no such part", _parts(country, part))
    return Calendar(name=name)


def _hint(country: str, name: str) -> str:
    from holidays import country_holidays, list_supported_countries

    entity = country.upper()
    if entity not in _known() and entity in list_supported_countries():
        entity = country_holidays(entity, language="en_US").country  # of UK and USA: GB and US
    if entity in _known():
        return f"did you mean {entity + name[len(country) :].upper()!r}?"
    return "write a code such as 'US' or 'DE-BY'; the path of a file holds a dot or a slash"


def _parts(country: str, part: str) -> str:
    parts = _known()[country]
    near = part.upper() if part.upper() in parts else closest(part, parts)
    if near:
        return f"did you mean '{country}-{near}'?"
    if not parts:
        return f"write {country!r}"
    shown = ", ".join(parts[:10]) + (", …" if len(parts) > 10 else "")
    return f"there are {shown}"


@lru_cache(maxsize=1)
def _known() -> Mapping[str, tuple[str, ...]]:
    """Return the countries and markets that the library knows, each with its parts."""
    from holidays import list_supported_countries, list_supported_financial

    found = list_supported_countries(include_aliases=False) | list_supported_financial()
    return {code: tuple(parts) for code, parts in found.items()}
