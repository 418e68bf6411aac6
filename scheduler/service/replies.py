"""What is answered to who asked: one reply, whatever number of events a request came to."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from scheduler.engine.commands import Command, Refuse, Reply
from scheduler.engine.task import TaskId
from scheduler.errors import SchedulerError
from scheduler.service.inbox import Ask


@dataclass(slots=True)
class _Told:
    ask: Ask
    messages: list[str] = field(default_factory=list[str])
    tasks: list[TaskId] = field(default_factory=list[TaskId])
    error: Exception | None = None


class Replies:
    """The replies of one pass, until they are sent; who asked nothing is None."""

    def __init__(self) -> None:
        self._told: dict[int, _Told] = {}

    def has_failed(self, ask: Ask | None) -> bool:
        """Return whether a part of the request was refused: the rest is not to be done."""
        told = None if ask is None else self._told.get(id(ask))
        return told is not None and told.error is not None

    def take(self, ask: Ask | None, commands: Iterable[Command]) -> None:
        """Take in what the engine answers among its commands."""
        if ask is None:
            return
        for command in commands:
            if isinstance(command, Reply):
                self._of(ask).messages.extend(command.messages)
                self._of(ask).tasks.extend(command.tasks)
            elif isinstance(command, Refuse):
                self._of(ask).error = SchedulerError(command.message)

    def add(self, ask: Ask | None, messages: Iterable[str]) -> None:
        """Say more, if there is something to say."""
        said = tuple(messages)
        if ask is not None and said:
            self._of(ask).messages.extend(said)

    def fail(self, ask: Ask | None, error: Exception) -> None:
        """Answer with an error."""
        if ask is not None:
            self._of(ask).error = error

    def send(self) -> None:
        """Answer all who asked."""
        for told in self._told.values():
            if told.error is not None:
                told.ask.reply.set_exception(told.error)
                continue
            tasks = [str(task) for task in told.tasks]
            told.ask.reply.set_result({"messages": told.messages, "tasks": tasks})

    def _of(self, ask: Ask) -> _Told:
        return self._told.setdefault(id(ask), _Told(ask))
