"""The text of registry.xml, and of the files that it includes -> its routines, or all its errors.

Opening files is not done here: `read_registry` is handed a `Files`.

How the rules of one place reach another:

- ``<defaults>`` holds for what follows it in its file or group, and for files included there.
- ``<group>`` holds for all within it, wherever its ``<environment>`` stands, included files too.
- A ``<pool>`` stands in <registry>, in any of the files, and serves all of them.
- An included file's own ``<registry timezone>`` wins within it; its ``<defaults>`` end there.
- What an element gives itself wins; variables of one name replace each other, other ones add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

from scheduler.errors import Problem, SchedulerError, quoted
from scheduler.registry.attributes import read_zone
from scheduler.registry.calendar_names import Calendars
from scheduler.registry.drafts import IN_FILE, Draft, Drafter, Scope
from scheduler.registry.elements import Element, parse
from scheduler.registry.flaws import Flaw, Report, did_you_mean, flaw_of
from scheduler.registry.paths import Paths, absolute_path, shown_path
from scheduler.registry.pools import Pools
from scheduler.registry.references import Binder
from scheduler.registry.routine import Dependency, Place, Routine
from scheduler.registry.subjects import Subject, all_within
from scheduler.zones import zone_named

_DEEPEST_INCLUDE = 20

_IN_GROUP = (*(tag for tag in IN_FILE if tag != "pool"), "environment")

# For editors: where the schema of a file is.
_SCHEMA_ATTRIBUTES = ("xmlns:xsi", "xsi:noNamespaceSchemaLocation")


class Files(Paths, Protocol):
    """The files of a registry, as the reader needs them."""

    def read(self, path: str) -> bytes:
        """Return what a file holds.

        Raises:
            SchedulerError: it cannot be read; the message names the file and the reason.
        """
        ...

    def folder_of(self, file: str) -> str:
        """Return the folder of a file, absolute."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a registry's files say.

    A valid routine is one whose own element has no error.  It may still have lost a dependency,
    on a name that is unknown or on a routine that is not valid.
    """

    routines: tuple[Routine, ...]  # the valid ones in file order, with dependencies on such only
    errors: tuple[Problem, ...]  # file by file, each from its top to its end
    warnings: tuple[Problem, ...]
    names: tuple[str, ...]  # each valid name once, in file order, whatever else is wrong with it
    timezone: str  # the registry's own zone, or the one that was handed in
    pools: Mapping[str, int]  # the slots of each
    #: path and content of each file, the main one first
    sources: tuple[tuple[str, bytes], ...] = field(repr=False)
    #: of each name, valid routine or not, its dependencies on such names
    dependencies: Mapping[str, tuple[Dependency, ...]]
    #: the valid routines by rounds that lost an upstream, or depend on such a one: what their
    #: trigger will be cannot be told
    doubtful: frozenset[str]


def read_registry(data: bytes, *, file: str, files: Files, timezone: str) -> Reading:
    """Return all that a registry says, and all that is wrong with it.

    ``file`` is what problems call the main file, as the user wrote it; ``timezone`` is the zone
    of a registry that names none.  Nothing in ``data`` makes it raise.

    Raises:
        SchedulerError: ``timezone`` is no time zone.
    """
    return _Reader(files).reading(data, file, zone_named(timezone).name)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A file being read: what problems call it, and those that included it, outermost first."""

    file: str
    path: str
    outer: tuple["_Source", ...] = ()
    is_whole: bool = True  # it could be parsed to its end


class _Reader:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._report = Report()
        self._calendars = Calendars(self._report, files)
        self._pools = Pools(self._report)
        self._drafter = Drafter(self._report, files, self._calendars, self._pools)
        self._binder = Binder(self._report)
        self._sources: list[tuple[str, bytes]] = []
        self._included: dict[str, Place] = {}
        self._is_whole = True
        self._zone = "UTC"

    def reading(self, data: bytes, file: str, zone: str) -> Reading:
        folder = self._files.folder_of(file)
        last_part = file.replace("\\", "/").rpartition("/")[2]
        source = _Source(file=file, path=self._files.resolve(folder, last_part))
        self._zone = zone
        self._read_file(data, source, Scope(folder=folder, values={"zone": zone}))
        bound = self._binder.bind(is_whole=self._is_whole)
        unused = self._pools.settle(is_whole=self._is_whole)
        errors = self._report.errors()
        warnings = (*bound.warnings, *unused) if bound.names else (_no_routines(file),)
        return Reading(
            routines=bound.routines,
            errors=errors,
            warnings=warnings if bound.names or not errors else (),
            names=bound.names,
            timezone=self._zone,
            pools=self._pools.slots(),
            sources=(*self._sources, *self._calendars.sources.items()),
            dependencies=bound.dependencies,
            doubtful=bound.doubtful,
        )

    def _read_file(self, data: bytes, source: _Source, scope: Scope) -> None:
        self._report.begin_file(source.file)
        self._sources.append((source.path, data))
        document = parse(data, source.file, self._report)
        self._is_whole &= document.is_whole
        root = document.root
        if root is None:
            return
        if root.tag != "registry":
            message = f"the outermost element is {quoted(f'<{root.tag}>')}, not <registry>"
            self._report.add(root.place, message, "write <registry> … </registry> around all")
            if root.tag in IN_FILE:
                root = Element("registry", {}, root.place, [root])
            elif not did_you_mean(root.tag, ["registry"]):
                self._is_whole = False  # something else altogether
                return
        for stray in document.texts:
            # Within <environment> it may be a secret.
            text = "text" if stray.tag == "environment" else f"text {quoted(stray.text)}"
            message = f"{text} inside <{stray.tag[:60]}>"
            hint = "values stand in attributes, remarks in <!-- -->"
            self._report.add(stray.place, message, hint)
        self._read_root(root, replace(source, is_whole=document.is_whole), scope)

    def _read_root(self, root: Element, source: _Source, scope: Scope) -> None:
        subject = Subject(self._report, root, "<registry>")
        subject.check_attributes(("timezone", *_SCHEMA_ATTRIBUTES))
        zone = self._own_zone(subject)
        if zone is not None:
            scope = replace(scope, values={**scope.values, "zone": zone})
            if not source.outer:
                self._zone = zone
        self._walk(root, source, scope)

    def _own_zone(self, subject: Subject) -> str | None:
        if "timezone" not in subject.element.attributes:
            return None
        text = subject.given("timezone", "leave it out for the machine's own zone")
        try:
            return None if text is None else read_zone(text)
        except Flaw as flaw:
            subject.wrong_as(flaw)
            return None

    def _walk(self, parent: Element, source: _Source, scope: Scope) -> None:
        """Read what stands in <registry> or in a group, in order."""
        subject = Subject(self._report, parent, f"<{parent.tag[:60]}>")
        for element in parent.children:
            match element.tag:
                case "job" | "routine":
                    draft = self._drafter.draft(element, scope)
                    self._binder.add(draft)
                    self._read_nested(element, draft, source, scope)
                case "defaults":
                    scope = self._drafter.behind_defaults(element, scope)
                case "group":
                    self._walk(element, source, self._drafter.within_group(element, scope))
                case "include":
                    self._include(element, source, scope)
                case "pool" if parent.tag != "group":
                    self._pools.define(Subject(self._report, element, "<pool>"))
                case "environment" if parent.tag == "group":
                    pass  # read with its group
                case _:
                    subject.refuse(element, _IN_GROUP if parent.tag == "group" else IN_FILE)
                    # A misspelt <job> must not make each routine that depends on it wrong too.
                    for inner in all_within(element):
                        self._binder.expect(inner.attributes.get("name", ""))

    def _read_nested(self, job: Element, draft: Draft, source: _Source, scope: Scope) -> None:
        """Read what stands in a job as if it followed: the job was not closed where it should."""
        nested = [child for child in job.children if child.tag in IN_FILE]
        if not nested:
            return
        if source.is_whole:
            subject = Subject(self._report, job, draft.label, draft.shown_name)
            for child in nested:
                subject.refuse(child, ())
        self._walk(Element("registry", {}, job.place, nested), source, scope)

    def _include(self, element: Element, source: _Source, scope: Scope) -> None:
        subject = Subject(self._report, element, "<include>")
        subject.check_attributes(("file",))
        subject.check_children(())
        text = subject.given("file", "it names the file to read")
        if text is None:
            self._is_whole = False
            return
        try:
            path = absolute_path("file", text, scope.folder, self._files)
            self._check_include(element.place, path, source)
            data = self._read(text, path)
        except SchedulerError as error:
            self._is_whole = False
            subject.wrong_as(error)
            return
        inner = _Source(file=path, path=path, outer=(*source.outer, source))
        self._read_file(data, inner, replace(scope, folder=self._files.folder_of(path)))

    def _check_include(self, place: Place, path: str, source: _Source) -> None:
        chain = (*source.outer, source)
        paths = [outer.path for outer in chain]
        if path in paths:
            loop = [*(outer.file for outer in chain[paths.index(path) :]), path]
            raise Flaw(f"the file includes itself: {' -> '.join(map(shown_path, loop))}")
        if path in self._included:
            first = self._included[path]
            reason = f"{shown_path(path)} is included twice, first in line {first.line}"
            raise Flaw(f"{reason} of {shown_path(first.file)}", "remove one")
        if len(chain) == _DEEPEST_INCLUDE:
            raise Flaw(f"files include each other more than {_DEEPEST_INCLUDE} deep")
        self._included[path] = place

    def _read(self, text: str, path: str) -> bytes:
        try:
            return self._files.read(path)
        except SchedulerError as error:
            flaw = flaw_of(error)
            reason = flaw.reason.replace(path, shown_path(path, 400))
            raise Flaw(f"file {quoted(text)}: {reason}", flaw.hint) from None


def _no_routines(file: str) -> Problem:
    hint = 'add one, such as <job name="load" script="load.py" schedule="0 2 * * *"/>'
    return Problem(
        file=file, line=None, column=None, routine=None, message="it holds no routine", hint=hint
    )
