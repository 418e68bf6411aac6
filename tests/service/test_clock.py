"""The system's clock: it wakes for the inbox, and at the moment, never before it.

That it wakes when the clock is set is not tested: it would take setting the machine's.
"""

import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from scheduler.service.clock import SystemClock
from scheduler.service.inbox import Inbox

SOON = timedelta(milliseconds=20)
LATER = timedelta(hours=1)


@pytest.fixture(params=["with timer", "without timer"])
def clock(request: pytest.FixtureRequest) -> Iterator[SystemClock]:
    clock = SystemClock(with_timer=request.param == "with timer")
    yield clock
    clock.close()


@pytest.fixture
def inbox() -> Iterator[Inbox[str]]:
    inbox: Inbox[str] = Inbox()
    yield inbox
    inbox.close()


def test_now_is_utc(clock: SystemClock) -> None:
    assert clock.now().tzinfo is UTC


def test_it_wakes_at_the_moment_and_not_before(clock: SystemClock, inbox: Inbox[str]) -> None:
    for microseconds in (1, 999, 20_000):
        until = clock.now() + timedelta(microseconds=microseconds)
        clock.wait(inbox, until)
        assert clock.now() >= until


@pytest.mark.parametrize("until", [datetime(1, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)])
def test_a_moment_that_has_passed_is_not_waited_for(
    clock: SystemClock, inbox: Inbox[str], until: datetime
) -> None:
    clock.wait(inbox, until)


@pytest.mark.parametrize("until", [None, LATER, datetime.max.replace(tzinfo=UTC)])
def test_it_wakes_for_the_inbox(
    clock: SystemClock, inbox: Inbox[str], until: datetime | timedelta | None
) -> None:
    moment = clock.now() + until if isinstance(until, timedelta) else until
    threading.Timer(SOON.total_seconds(), inbox.put, ("item",)).start()
    clock.wait(inbox, moment)
    assert inbox.take() == ["item"]


def test_it_does_not_sleep_on_an_inbox_that_holds_something(
    clock: SystemClock, inbox: Inbox[str]
) -> None:
    inbox.put("item")
    clock.wait(inbox, None)
    clock.wait(inbox, clock.now() + LATER)
    assert inbox.take() == ["item"]


def test_it_wakes_again_and_again(clock: SystemClock, inbox: Inbox[str]) -> None:
    for _ in range(20):
        inbox.put("item")
        clock.wait(inbox, clock.now() + LATER)
        assert inbox.take() == ["item"]
        until = clock.now() + timedelta(milliseconds=1)
        clock.wait(inbox, until)
        assert clock.now() >= until


def test_it_gives_its_descriptors_back(inbox: Inbox[str]) -> None:
    def open_descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = open_descriptors()
    for _ in range(10):
        clock = SystemClock()
        clock.wait(inbox, clock.now() + timedelta(milliseconds=1))
        clock.close()
    assert open_descriptors() == before


def test_it_takes_no_processor_time_while_it_waits(clock: SystemClock, inbox: Inbox[str]) -> None:
    clock.wait(inbox, clock.now())
    before = time.thread_time()
    clock.wait(inbox, clock.now() + timedelta(milliseconds=200))
    assert time.thread_time() - before < 0.05
