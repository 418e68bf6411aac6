"""The inbox: nothing lost, nothing out of order, no ring missed."""

import select
import signal
import threading
from types import FrameType

from scheduler.errors import SchedulerError
from scheduler.service.inbox import Ask, Inbox

DEADLINE = 10.0


def is_ringing(inbox: Inbox[int]) -> bool:
    readable, _, _ = select.select([inbox], [], [], 0)
    return bool(readable)


def test_items_are_taken_in_the_order_in_which_they_were_put() -> None:
    inbox: Inbox[int] = Inbox()
    assert inbox.take() == []
    for number in range(5):
        inbox.put(number)
    assert inbox.take() == [0, 1, 2, 3, 4]
    assert inbox.take() == []
    inbox.close()


def test_it_rings_while_items_wait() -> None:
    inbox: Inbox[int] = Inbox()
    assert not is_ringing(inbox)
    inbox.put(1)
    inbox.put(2)
    assert is_ringing(inbox)
    inbox.take()
    assert not is_ringing(inbox)
    inbox.put(3)
    assert is_ringing(inbox)
    inbox.close()


def test_a_flood_of_items_does_not_hold_up_who_puts_them() -> None:
    inbox: Inbox[int] = Inbox()
    for number in range(100_000):
        inbox.put(number)
    assert len(inbox.take()) == 100_000
    inbox.close()


def test_no_ring_is_lost_among_threads() -> None:
    inbox: Inbox[int] = Inbox()
    rounds, putters = 2_000, 4

    def put_all() -> None:
        for number in range(rounds):
            inbox.put(number)

    threads = [threading.Thread(target=put_all) for _ in range(putters)]
    for thread in threads:
        thread.start()
    taken: list[int] = []
    while len(taken) < rounds * putters:
        readable, _, _ = select.select([inbox], [], [], DEADLINE)
        assert readable, f"slept on an inbox after {len(taken)} items"
        taken += inbox.take()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(list(range(rounds)) * putters)
    inbox.close()


def test_a_signal_handler_may_put_while_the_loop_takes() -> None:
    inbox: Inbox[int] = Inbox()
    count = 200

    def handle(number: int, frame: FrameType | None) -> None:
        inbox.put(number)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        taken: list[int] = []
        for _ in range(count):
            signal.raise_signal(signal.SIGUSR1)
            taken += inbox.take()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert len(taken) == count
    inbox.close()


def test_who_puts_after_the_end_is_not_disturbed() -> None:
    inbox: Inbox[int] = Inbox()
    inbox.close()
    inbox.put(1)
    inbox.put(2)


def test_an_ask_carries_its_answer_or_a_refusal() -> None:
    asked = Ask(verb="cancel", parameters={"task": "load.2026-10-01T02:00:00"})
    asked.reply.set_result({"state": "cancelled"})
    assert asked.reply.result() == {"state": "cancelled"}
    refused = Ask(verb="stop")
    refused.reply.set_exception(SchedulerError("no"))
    assert isinstance(refused.reply.exception(), SchedulerError)
