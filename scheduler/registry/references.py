"""What the routines of a registry have to do with each other: drafts -> routines.

Names that nobody bears, backlogs that dependencies rule out, and who depends on whom.  Cycles
and whatever follows from triggers are judged later, by `Registry`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast
from unicodedata import normalize

from scheduler.errors import Problem, quoted
from scheduler.registry.arguments import instant_field
from scheduler.registry.drafts import Draft
from scheduler.registry.flaws import Report
from scheduler.registry.names import folder_key
from scheduler.registry.routine import Backlog, Dependency, InstantKind, Routine

_Dependencies = dict[str, tuple[Dependency, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The valid routines, and what is known of the others; see `Reading`."""

    routines: tuple[Routine, ...]
    names: tuple[str, ...]
    dependencies: Mapping[str, tuple[Dependency, ...]]
    doubtful: frozenset[str]
    warnings: tuple[Problem, ...]


class Binder:
    """Takes the drafts in the order of their files, then makes routines of them."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._drafts: list[Draft] = []
        self._named: dict[str, Draft] = {}
        self._by_folder: dict[str, Draft] = {}
        self._written: set[str] = set()
        self._flawed: set[str] = set()

    def add(self, draft: Draft) -> None:
        """Take one draft; a second one of a name, or of its folder, is an error."""
        self._drafts.append(draft)
        if draft.written_name is not None:
            self.expect(draft.written_name)
        if draft.name is None:
            return
        first = self._by_folder.setdefault(folder_key(draft.name), draft)
        if first is not draft:
            self._refuse_second(draft, first)
            return
        self._named[draft.name] = draft
        if draft.is_flawed:
            self._flawed.add(draft.name)

    def expect(self, name: str) -> None:
        """Note that a name is written somewhere: to depend on it is no error of its own."""
        self._written.add(name)

    def bind(self, *, is_whole: bool) -> Bound:
        """Return what the drafts come to; ``is_whole`` if no file was cut short or missing."""
        known: _Dependencies = {}
        for draft in self._drafts:
            kept = tuple(each for each in draft.dependencies if self._knows(draft, each, is_whole))
            if draft.name is not None and self._named.get(draft.name) is draft:
                known[draft.name] = kept
        each_task = self._needing_each_task(known)
        valid: _Dependencies = {
            name: tuple(each for each in kept if self._is_valid(each.name))
            for name, kept in known.items()
            if self._is_valid(name)
        }
        routines = self._routines(valid, each_task)
        return Bound(
            routines=routines,
            names=tuple(self._named),
            dependencies=known,
            doubtful=self._doubtful(valid),
            warnings=tuple(self._gaps_in_arguments(routines)),
        )

    def _is_valid(self, name: str) -> bool:
        return name in self._named and name not in self._flawed

    def _refuse_second(self, draft: Draft, first: Draft) -> None:
        where = f"line {first.place.line}"
        if first.place.file != draft.place.file:
            where += f" of {first.place.file}"
        if first.name == draft.name:
            reason = f"is defined twice, first in {where}"
        else:
            other = quoted(first.name or "", 200)
            reason = (
                f"is one folder with {other} of {where} where case or Unicode form do not count"
            )
        message = f"{draft.label} {reason}"
        self._report.add(draft.place, message, "rename one of them", draft.shown_name)

    def _knows(self, draft: Draft, dependency: Dependency, is_whole: bool) -> bool:
        """Return whether a dependency is on a routine that can be named; if not, report it."""
        name = dependency.name
        if name == draft.written_name:
            if dependency.instant is InstantKind.PREVIOUS:
                return True
            self._refuse_self(draft, dependency)
            return False
        if name in self._named:
            return True
        if name not in self._written:
            self._refuse_unknown(draft, dependency, is_whole)
        return False

    def _refuse_self(self, draft: Draft, dependency: Dependency) -> None:
        if draft.name is not None and self._named.get(draft.name) is draft:
            self._flawed.add(draft.name)
        hint = 'only its previous task can be waited for: instant="previous"'
        place = dependency.place or draft.place
        self._report.add(place, f"{draft.label} depends on itself", hint, draft.shown_name)

    def _refuse_unknown(self, draft: Draft, dependency: Dependency, is_whole: bool) -> None:
        name = dependency.name
        hint = self._hint_for(name)
        # In what could not be read it may well be defined; only a likely slip is worth a word.
        if is_whole or hint:
            message = f"{draft.label} depends on {quoted(name)}, which is not defined"
            self._report.add(dependency.place or draft.place, message, hint, draft.shown_name)

    def _hint_for(self, unknown: str) -> str | None:
        same = self._by_folder.get(folder_key(unknown))
        if same is not None and same.name is not None:
            if normalize("NFC", same.name) == normalize("NFC", unknown):
                line = same.place.line
                return f"line {line} has the same letters in another Unicode form: copy the name"
            return f"did you mean {same.name!r}?"
        words = unknown.replace(";", " ").split()
        if len(words) > 1 and all(word in self._named for word in words):
            return "names are separated by commas"
        return self._report.suggest(unknown, self._named)

    def _needing_each_task(self, known: _Dependencies) -> frozenset[str]:
        """Return those of which no task may be given up, and report the ones that say it may."""
        reasons: dict[str, str] = {}
        for name, dependencies in known.items():
            for each in dependencies:
                if each.instant is not InstantKind.LATEST:
                    kind = f'with instant="{each.instant}"'
                    reasons.setdefault(name, f"it depends on {quoted(each.name, 200)} {kind}")
                    reasons.setdefault(each.name, f"{quoted(name, 200)} depends on it {kind}")
        for name, reason in reasons.items():
            draft = self._named[name]
            if "backlog" in draft.own and draft.values["backlog"] is Backlog.LATEST:
                self._flawed.add(name)
                message = (
                    f"{draft.label}: backlog 'latest' is impossible, {reason}: each task counts"
                )
                self._report.add(draft.place, message, "leave backlog out, or write 'all'", name)
        return frozenset(reasons)

    def _routines(self, valid: _Dependencies, each_task: frozenset[str]) -> tuple[Routine, ...]:
        dependents: dict[str, dict[str, None]] = {name: {} for name in valid}
        for name, dependencies in valid.items():
            for each in dependencies:
                if each.name != name:
                    dependents[each.name][name] = None
        routines: list[Routine] = []
        for name, dependencies in valid.items():
            draft = self._named[name]
            # Any: each value was made by the reader of its field.
            values = cast("dict[str, Any]", dict(draft.values))
            if name in each_task:
                values["backlog"] = Backlog.ALL
            values.update(
                name=name,
                place=draft.place,
                dependencies=dependencies,
                dependents=tuple(dependents[name]),
            )
            routines.append(Routine(**values))
        return tuple(routines)

    def _gaps_in_arguments(self, routines: Iterable[Routine]) -> Iterator[Problem]:
        """Warn of arguments that name the instant where nobody said that some may be left out."""
        for routine in routines:
            field = instant_field(routine.arguments)
            is_by_choice = "backlog" in self._named[routine.name].values
            if field is None or is_by_choice or routine.is_by_hand:
                continue
            if routine.backlog is Backlog.LATEST and routine.place is not None:
                yield Problem(
                    file=routine.place.file,
                    line=routine.place.line,
                    column=routine.place.column,
                    routine=routine.name,
                    message=f"routine {routine.name!r} names {{{field}}} in its arguments, but of"
                    " its late tasks only the newest runs: the instants of the others are left out",
                    hint='write backlog="all" if each counts, backlog="latest" if the newest is'
                    " enough",
                )

    def _doubtful(self, valid: _Dependencies) -> frozenset[str]:
        """Return the routines by rounds that lack an upstream, or hang on one that does."""
        by_rounds = {name for name in valid if self._named[name].values["schedule"] is None}
        downstream: dict[str, list[str]] = {}
        for name in by_rounds:
            for each in valid[name]:
                downstream.setdefault(each.name, []).append(name)
        found = {
            name for name in by_rounds if len(valid[name]) < len(self._named[name].dependencies)
        }
        reached = list(found)
        while reached:
            for name in downstream.get(reached.pop(), ()):
                if name not in found:
                    found.add(name)
                    reached.append(name)
        return frozenset(found)
