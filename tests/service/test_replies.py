"""One reply to a request, whatever number of events it came to."""

import pytest

from scheduler.engine.commands import Refuse, Reply
from scheduler.errors import SchedulerError
from scheduler.service.inbox import Ask
from scheduler.service.replies import Replies
from tests.support.builders import an_id


def test_what_is_answered_to_the_parts_of_a_request_is_one_reply() -> None:
    ask, replies = Ask(verb="execute"), Replies()
    first = an_id("load.2026-10-01T02:00:00")
    replies.take(ask, [Reply(messages=("it runs",), tasks=(first,))])
    replies.take(ask, [Reply(messages=("and these",))])
    replies.add(ask, ["a hint"])
    assert not ask.reply.done()
    replies.send()
    assert ask.reply.result(0) == {
        "messages": ["it runs", "and these", "a hint"],
        "tasks": ["load.2026-10-01T02:00:00"],
    }


def test_what_is_refused_has_failed_and_is_answered_by_that() -> None:
    ask, replies = Ask(verb="execute"), Replies()
    replies.take(ask, [Refuse(message="it is running already")])
    assert replies.has_failed(ask)
    replies.send()
    with pytest.raises(SchedulerError, match="it is running already"):
        ask.reply.result(0)


def test_requests_that_say_the_same_are_answered_each() -> None:
    asks, replies = [Ask(verb="execute"), Ask(verb="execute")], Replies()
    replies.take(asks[0], [Reply(messages=("done",))])
    replies.take(asks[1], [Refuse(message="no")])
    assert [replies.has_failed(ask) for ask in asks] == [False, True]
    replies.send()
    assert asks[0].reply.result(0)["messages"] == ["done"]


def test_nobody_is_answered_who_did_not_ask() -> None:
    replies = Replies()
    replies.take(None, [Reply(messages=("done",))])
    replies.fail(None, RuntimeError())
    assert not replies.has_failed(None)
    replies.send()
