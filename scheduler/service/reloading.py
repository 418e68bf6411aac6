"""Another registry while the scheduler runs: what would change, and the change itself.

In two steps: who asks is shown what a reload would do, with the revision of the files that were
read; the loop then takes that very revision, or refuses if the files have changed in between.
Reading and checking are done by whoever asks, in its own thread; the loop only adopts the result.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from threading import Lock, Thread

from scheduler.engine.reconcile import trigger_texts
from scheduler.engine.states import UNSTARTED, TaskState
from scheduler.engine.task import Origin, Task
from scheduler.errors import RegistryError, SchedulerError
from scheduler.registry.diff import Change, Diff, difference
from scheduler.registry.registry import Registry
from scheduler.registry.words import trigger_in_words
from scheduler.service.config import Settings
from scheduler.service.inbox import Ask
from scheduler.service.registry_files import check_registry
from scheduler.service.store.protocol import Reader, RegistryText, Source
from scheduler.service.views import View, in_zone
from scheduler.service.watching import FileWatch
from scheduler.zones import to_instant, to_utc

log = logging.getLogger(__name__)

_CHANGED_MEANWHILE = (
    "the registry's files have changed since they were shown: look again (scheduler reload)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A registry to run, the files that it was read from, and what there is to say of it."""

    registry: Registry
    sources: tuple[Source, ...]
    notices: tuple[str, ...]

    @property
    def revision(self) -> str:
        """Return a text that changes whenever a byte of its files does."""
        digest = blake2b(digest_size=16)
        for source in self.sources:
            digest.update(f"{source.path}\0{len(source.data)}\0".encode(errors="surrogateescape"))
            digest.update(source.data)
        return digest.hexdigest()


class Reloading:
    """The registry in force, and the one that may follow it."""

    def __init__(self, settings: Settings, loaded: Loaded) -> None:
        self._settings = settings
        self._lock = Lock()
        self._current = loaded
        self._candidate: Loaded | None = None
        self._taken: list[Loaded] = []  # by the loop, which alone looks at them
        self._listeners: list[Callable[[Loaded, tuple[str, ...]], None]] = []

    @property
    def current(self) -> Loaded:
        """Return the registry in force."""
        return self._current

    def tell(self, listener: Callable[[Loaded, tuple[str, ...]], None]) -> None:
        """Tell of each registry that is adopted from now on, with the notices that go with it."""
        self._listeners.append(listener)

    def read(self) -> Loaded:
        """Return the registry as it lies on disk now, ready to be taken.

        Raises:
            RegistryError: something in it is wrong, or a file that it names is missing.
        """
        settings = self._settings
        report = check_registry(
            settings.registry, settings.timezone, with_files=True, python=settings.python
        )
        if report.registry is None or report.errors:
            raise RegistryError(report.errors, report.names)
        loaded = Loaded(
            registry=report.registry,
            sources=tuple(Source(path=path, data=data) for path, data in report.sources),
            notices=tuple(str(problem) for problem in report.warnings),
        )
        with self._lock:
            self._candidate = loaded
        return loaded

    def is_new(self, loaded: Loaded) -> bool:
        """Return whether it is another registry than the one in force, or has less to complain of.

        What runs may be an older one, because the file could not be loaded when it started.
        """
        current = self._current
        return (loaded.revision, loaded.notices) != (current.revision, current.notices)

    def taken(self, revision: str) -> Loaded:
        """Return the registry of that revision, to be adopted.

        Raises:
            SchedulerError: it is not what lies on disk any more.
        """
        with self._lock:
            candidate = self._candidate
        if candidate is None or candidate.revision != revision or not _is_on_disk(candidate):
            raise SchedulerError(_CHANGED_MEANWHILE)
        self._taken.append(candidate)
        return candidate

    def text_of(self, registry: Registry) -> RegistryText:
        """Return what the registry in force, or one that has been taken, was read from."""
        loaded = next(one for one in (self._current, *self._taken) if one.registry is registry)
        return RegistryText(sources=loaded.sources, timezone=self._settings.timezone)

    def adopt(self, registry: Registry) -> str:
        """Go on with a registry that has been taken; return what changed, in words."""
        loaded = next(one for one in self._taken if one.registry is registry)
        self._taken.remove(loaded)
        diff = difference_of(self._current.registry, registry)
        self._current = loaded
        self._announce(loaded.notices)
        count = len(registry)
        words = f"registry reloaded: {count} routine{'s' * (count != 1)}, {diff}"
        log.info("%s", words)
        return words

    def complain(self, error: SchedulerError) -> None:
        """Say that what lies on disk cannot be loaded; the registry in force stays."""
        first, *more = str(error).split("\n")
        others = f" (and {len(more)} more, which scheduler check lists)" if more else ""
        notice = f"the registry was changed, but cannot be loaded: {first}{others}"
        log.error("%s", notice)
        self._announce((f"{notice}; the one before it goes on", *self._current.notices))

    def be_content(self) -> None:
        """Take back a complaint: what lies on disk is what runs."""
        self._announce(self._current.notices)

    def _announce(self, notices: tuple[str, ...]) -> None:
        for listener in self._listeners:
            listener(self._current, notices)

    def preview(self, store: Reader, now: datetime) -> View:
        """Return what a reload would change, as plain data; of an invalid file its problems."""
        try:
            candidate = self.read()
        except RegistryError as error:
            return {"revision": None, "errors": [asdict(problem) for problem in error.problems]}
        old, new = self._current.registry, candidate.registry
        rows = _Rows(old, new, difference_of(old, new), store.live(), now)
        return {
            "revision": candidate.revision,
            "is_new": self.is_new(candidate),
            "registry": str(self._settings.registry),
            "count": len(new),
            **rows.view(),
            "errors": [],
            "warnings": list(candidate.notices),
        }


def difference_of(old: Registry, new: Registry) -> Diff:
    """Return what changed from one registry to another."""
    before, after = trigger_texts(old), trigger_texts(new)
    moved = {name for name in after if name in before and before[name] != after[name]}
    return difference(old, new, moved)


def _is_on_disk(loaded: Loaded) -> bool:
    try:
        return all(Path(source.path).read_bytes() == source.data for source in loaded.sources)
    except OSError:
        return False


class _Rows:
    """What a reload means for each routine that it touches."""

    def __init__(
        self, old: Registry, new: Registry, diff: Diff, live: Sequence[Task], now: datetime
    ) -> None:
        self._old, self._new, self._diff, self._now = old, new, diff, now
        self._running = _counted(task for task in live if task.state is TaskState.RUNNING)
        unstarted = [task for task in live if task.state in UNSTARTED]
        self._waiting = _counted(unstarted)
        self._in_turn = _counted(task for task in unstarted if _keeps_its_turn(task))

    def view(self) -> View:
        diff = self._diff
        return {
            "summary": str(diff),
            "added": [self._row(name) for name in diff.added],
            "removed": [self._removed_row(name) for name in diff.removed],
            "changed": [self._row(name, changes) for name, changes in diff.changed],
            "rebound": [self._row(name) for name in diff.rebound],
            "pools": [asdict(change) for change in diff.pools],
        }

    def _removed_row(self, name: str) -> View:
        return {
            "routine": name,
            "changes": [],
            "schedule_in_words": trigger_in_words(self._old[name]),
            "begins": False,
            "next": None,
            "skipped": self._waiting[name],
            "running": self._running[name],
        }

    def _row(self, name: str, changes: Sequence[Change] = ()) -> View:
        routine = self._new[name]
        begins = name in self._diff.moved or name not in self._old
        following = None
        if begins:
            following = self._new.triggers.next(name, to_instant(self._now))
        ends = name in self._old and (begins or not routine.enabled)
        return {
            "routine": name,
            "changes": [asdict(change) for change in changes],
            "schedule_in_words": trigger_in_words(routine),
            "begins": begins,
            "next": None if following is None else in_zone(to_utc(following), routine.zone),
            "skipped": self._in_turn[name] if ends else 0,
            "running": self._running[name],
        }


def _counted(tasks: Iterable[Task]) -> Mapping[str, int]:
    return Counter(task.routine for task in tasks)


def _keeps_its_turn(task: Task) -> bool:
    """Return whether a task that has not started is there because of its routine's trigger."""
    return task.origin is not Origin.BACKFILL and not task.by_hand and not task.tries


class ReloadOnChange:
    """Reloads by itself when a file of the registry changes, from a thread of its own."""

    def __init__(self, reloading: Reloading, ask: Callable[[Ask], None]) -> None:
        self._reloading = reloading
        self._ask = ask
        self._watch = FileWatch()
        self._asked: Ask | None = None
        self._thread = Thread(target=self._run, name="registry watch", daemon=True)

    def start(self) -> None:
        """Watch the files of the registry in force from now on."""
        self._watch.look_at(source.path for source in self._reloading.current.sources)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._watch.close()
        if self._asked is not None:
            self._asked.reply.cancel()  # the loop may have ended without a reply
        if self._thread.is_alive():
            self._thread.join()
        self._watch.release()

    def _run(self) -> None:
        try:
            while self._watch.wait():
                self._reload()
        except CancelledError:
            return
        except Exception:  # the outer edge of this thread
            log.exception("the registry's files are not watched any more")

    def _reload(self) -> None:
        try:
            loaded = self._reloading.read()
        except RegistryError as error:
            self._reloading.complain(error)
            return
        self._watch.look_at(source.path for source in loaded.sources)
        if not self._reloading.is_new(loaded):
            self._reloading.be_content()
            return
        self._asked = Ask(verb="reload", parameters={"revision": loaded.revision})
        self._ask(self._asked)
        try:
            self._asked.reply.result()
        except SchedulerError as error:
            log.warning("registry not reloaded: %s", error)
