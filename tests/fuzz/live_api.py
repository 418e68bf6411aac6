"""A scheduler to throw anything at: the real server, loop, engine and database, in this process."""

import select
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import pytest

from scheduler.service.inbox import Ask
from scheduler.service.queries import Answers, Identity
from scheduler.service.store.sqlite import SqliteReader
from scheduler.service.web import limits
from scheduler.service.web.api import make_app
from scheduler.service.web.description import DescribedApp
from scheduler.service.web.server import ControlServer
from tests.system.data_folder import DEADLINE, DataFolder
from tests.system.timed_scheduler import TimedScheduler

TOKEN = "the-token"
START = "2026-10-02T12:00"
# What runs is only begun: /bin/true takes the place of the interpreter.
JOBS = """
<job name="load" {} python="/bin/true" schedule="0 2 1 * *" tags="night"/>
<job name="rates é" {} python="/bin/true" schedule="30 2 1 * *" backlog="all"/>
<job name="report" {} python="/bin/false" depends_on="load, rates é" retries="1"
     arguments="--token x {instant}"><environment name="API_KEY" value="x"/></job>
<job name="by hand" {} python="/bin/true"/>
"""


@dataclass
class LiveApi:
    """What is served, and what reached the loop."""

    app: DescribedApp
    port: int
    asked: list[Ask] = field(default_factory=list[Ask])


@contextmanager
def a_live_api(folder: DataFolder) -> Iterator[LiveApi]:
    """Serve a scheduler with some history until the end of the block."""
    ready, leave = threading.Event(), threading.Event()
    served: list[LiveApi] = []
    failures: list[BaseException] = []

    def live() -> None:
        try:
            _live(folder, served, ready, leave)
        except BaseException as error:
            failures.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=live)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "ANSWERED_EACH_SECOND", 1e9)
        patch.setattr(limits, "REFUSED_EACH_SECOND", 1e9)
        thread.start()
        ready.wait(DEADLINE)
        assert served, failures
        try:
            yield served[0]
        finally:
            leave.set()
            thread.join(DEADLINE)
        assert not failures and not thread.is_alive()


def _live(
    folder: DataFolder, served: list[LiveApi], ready: threading.Event, leave: threading.Event
) -> None:
    timed = TimedScheduler(folder)
    timed.write_jobs(JOBS)
    with timed.running("2026-07-31T12:00"):
        timed.run_until(START)
        with closing(SqliteReader(folder.database)) as reader:
            answers = Answers(
                identity=Identity(
                    name=folder.name,
                    pid=1,
                    address=None,
                    started_at=START,
                    mode="prod",
                    config=str(folder.config),
                    registry=str(folder.path / "registry.xml"),
                    database=str(folder.database),
                    max_running=4,
                ),
                registry=timed.registry,
                store=reader,
                log_of=timed.room.launcher.log_of,
                now=timed.clock.now,
            )
            inbox, reloading = timed.room.inbox, timed.room.reloading
            reloading.tell(lambda now, notices: answers.adopt(now.registry, notices))
            reads = answers.by_verb()
            reads["reload"] = lambda _: reloading.preview(reader, timed.clock.now())
            live = LiveApi(app=None, port=0)  # type: ignore[arg-type]

            class Box:
                """Notes what is asked before it hands it on."""

                def put(self, item: Ask) -> None:
                    live.asked.append(item)
                    inbox.put(item)

            app = make_app(token=TOKEN, inbox=Box(), answers=reads, version="0")
            assert isinstance(app, DescribedApp)
            live.app = app
            server = ControlServer(app, "127.0.0.1", 0)
            live.port = server.start()
            served.append(live)
            ready.set()
            try:
                while not leave.is_set():
                    if select.select([inbox], [], [], 0.05)[0]:
                        timed.settle()
            finally:
                server.stop()
