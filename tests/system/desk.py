"""A person at the terminal of a scheduler whose clock a test moves: the real command, over HTTP."""

import select
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

from scheduler.service.instance import claim
from scheduler.service.queries import Answers, Identity
from scheduler.service.store.sqlite import SqliteReader
from scheduler.service.web.api import make_app
from scheduler.service.web.server import ControlServer
from tests.system.data_folder import DataFolder, Result
from tests.system.timed_scheduler import TimedScheduler

_TOKEN = "secret"
_MAX_RUNNING = 8


@dataclass(frozen=True, slots=True)
class Desk:
    """Where commands are typed; the scheduler does what they ask for while they run."""

    folder: DataFolder
    timed: TimedScheduler

    def type(self, *words: str) -> Result:
        """Run a command to its end, and return once what follows from it has happened."""
        with ThreadPoolExecutor(1) as hands:
            done = hands.submit(self.folder.run, *words)
            while not done.done():
                if select.select([self.timed.room.inbox], [], [], 0.01)[0]:
                    self.timed.settle()
        self.timed.settle()
        return done.result()


@contextmanager
def a_desk(folder: DataFolder, timed: TimedScheduler) -> Iterator[Desk]:
    """Let commands find the scheduler that runs in this process."""
    with ExitStack() as stack:
        stack.enter_context(folder.at_home())
        reader = stack.enter_context(closing(SqliteReader(folder.database)))
        answers = Answers(
            identity=Identity(
                name=folder.name,
                pid=1,
                address=None,
                started_at=timed.clock.now().isoformat(),
                mode="prod",
                config=str(folder.config),
                registry=str(folder.path / "registry.xml"),
                database=str(folder.database),
                max_running=_MAX_RUNNING,
            ),
            registry=timed.registry,
            store=reader,
            log_of=timed.room.launcher.log_of,
            now=timed.clock.now,
        )
        app = make_app(token=_TOKEN, inbox=timed.room.inbox, answers=answers.by_verb(), version="0")
        server = ControlServer(app, "127.0.0.1", 0)
        port = server.start()
        stack.callback(server.stop)
        held = claim(folder.name, config=folder.config, database=folder.database)
        stack.callback(held.release)
        held.publish(host="127.0.0.1", port=port, token=_TOKEN, at=timed.clock.now())
        yield Desk(folder, timed)
