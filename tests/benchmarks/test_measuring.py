"""What the benchmarks make of peers that are not there, or do not do as they should."""

from collections.abc import Iterator

import pytest

from benchmarks import measuring
from benchmarks.figures import Figure


def measured() -> Iterator[Figure]:
    """Measure, and break down in the midst of it."""
    yield Figure(what="hand-off", who="Huey", unit="ms", samples=(1.0,))
    raise RuntimeError("3 of 4 scripts ran in 300 s")


def test_a_peer_that_is_not_there_is_left_out_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(measuring.PEERS, "Huey", "no_such_package")
    (figure,) = measuring.of_peer("hand-off", "Huey", "ms", measured)
    assert (figure.samples, figure.missing) == ((), measuring.NOT_INSTALLED)


def test_a_peer_that_fails_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(measuring.PEERS, "Huey", "json")
    (figure,) = measuring.of_peer("hand-off", "Huey", "ms", measured)
    assert figure.missing == "it could not be measured, 3 of 4 scripts ran in 300 s"
