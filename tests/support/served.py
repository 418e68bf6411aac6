"""A scheduler for the command line to talk to: the real server, with answers of our choice."""

import select
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from scheduler.errors import SchedulerError
from scheduler.service.inbox import Answer, Ask, Inbox
from scheduler.service.instance import Claim, claim
from scheduler.service.web.api import make_app
from scheduler.service.web.server import ControlServer

DEADLINE = 10.0

Reading = Callable[[Mapping[str, str]], object]


class Served:
    """A live scheduler: what it answers is set by the test, what it is asked is kept."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.answers: dict[str, Reading] = {}
        self.replies: dict[str, Answer | SchedulerError] = {}
        self.asked: list[tuple[str, dict[str, object]]] = []
        self._inbox: Inbox[Ask] = Inbox()
        self._claim: Claim = claim(
            name, config=folder / "config.cfg", database=folder / "scheduler.db"
        )
        app = make_app(token="secret", inbox=self._inbox, answers=_Late(self.answers), version="0")
        self._server = ControlServer(app, "127.0.0.1", 0)
        port = self._server.start()
        self._claim.publish(
            host="127.0.0.1", port=port, token="secret", at=datetime(2026, 11, 23, tzinfo=UTC)
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """End, as a scheduler does that was stopped."""
        self._claim.release()

    def close(self) -> None:
        self._inbox.put(Ask(verb="end"))
        self._thread.join(DEADLINE)
        self._server.stop()
        self._inbox.close()
        self._claim.release()

    def _run(self) -> None:
        while True:
            select.select([self._inbox], [], [])
            for ask in self._inbox.take():
                if ask.verb == "end":
                    return
                self._reply(ask)

    def _reply(self, ask: Ask) -> None:
        self.asked.append((ask.verb, dict(ask.parameters)))
        reply = self.replies.get(ask.verb, {"messages": [], "tasks": []})
        if isinstance(reply, SchedulerError):
            ask.reply.set_exception(reply)
        else:
            ask.reply.set_result(reply)
        if ask.verb == "stop":
            self.end()


class _Late(Mapping[str, Reading]):
    """Looks an answer up when it is asked for."""

    def __init__(self, answers: dict[str, Reading]) -> None:
        self._answers = answers

    def __getitem__(self, verb: str) -> Reading:
        return self._answers[verb]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


@contextmanager
def serving(name: str, folder: Path) -> Generator[Served]:
    folder.mkdir(exist_ok=True)
    served = Served(name, folder)
    try:
        yield served
    finally:
        served.close()
