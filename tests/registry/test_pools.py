"""Pools: what a registry says of them, and what is wrong with it."""

import pytest

from scheduler.registry.registry import Registry
from tests.support.memory_files import read


def told(text: str, **files: str) -> list[str]:
    """Return the errors, else the warnings, of a registry."""
    contents = {f"/data/{name}.xml": content for name, content in files.items()}
    reading = read(f"<registry>{text}</registry>", contents)
    return [str(problem) for problem in reading.errors or reading.warnings]


def test_a_routine_takes_slots_of_a_pool() -> None:
    reading = read(
        '<registry><job name="a" script="a" pool="w" pool_slots="2"/>'
        '<pool name="w" slots="2"/><job name="b" script="b" pool=" w "/></registry>'
    )
    assert reading.errors == () and reading.warnings == ()
    assert [(one.pool, one.pool_slots) for one in reading.routines] == [("w", 2), ("w", 1)]
    assert reading.pools == {"w": 2}
    assert Registry(reading.routines, pools=reading.pools).pools == {"w": 2}
    assert Registry().pools == {}


def test_a_pool_of_one_file_serves_all() -> None:
    inner = '<registry><pool name="w" slots="2"/><job name="b" script="b" pool="v"/></registry>'
    text = (
        '<pool name="v" slots="1"/><group name="g"><include file="inner.xml"/></group>'
        '<job name="a" script="a" pool="w"/>'
    )
    assert told(text, inner=inner) == []


def test_a_default_pool_is_taken_back_with_its_slots() -> None:
    reading = read(
        '<registry><pool name="w" slots="2"/><defaults pool="w" pool_slots="2"/>'
        '<job name="a" script="a"/><job name="b" script="b" pool=""/></registry>'
    )
    assert reading.errors == ()
    assert [(one.pool, one.pool_slots) for one in reading.routines] == [("w", 2), (None, 1)]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (
            '<pool name="warehouse" slots="2"/><job name="a" script="a" pool="warehuose"/>'
            '<job name="b" script="a" pool="warehouse"/>',
            [
                "registry.xml:1:45: routine 'a': pool 'warehuose' is not defined"
                " (did you mean 'warehouse'?)"
            ],
        ),
        (
            '<defaults pool="x"/><job name="a" script="a"/><job name="b" script="b"/>',
            [
                "registry.xml:1:11: <defaults>: pool 'x' is not defined"
                ' (define it: <pool name="x" slots="1"/>)'
            ],
        ),
        (
            '<pool name="w" slots="2"/><pool name="w" slots="3"/>'
            '<job name="a" script="a" pool="w"/>',
            ["registry.xml:1:37: <pool>: pool 'w' is defined twice, first in line 1 (keep one)"],
        ),
        (
            '<pool name="w" slots="2"/><job name="a" script="a" pool="w" pool_slots="3"/>',
            [
                "registry.xml:1:37: routine 'a': pool_slots 3 is more than pool 'w' has: 2"
                " (it would never start: take fewer, or give the pool more)"
            ],
        ),
        (
            '<pool name="w" slots="2"/><defaults pool="w" pool_slots="3"/>'
            '<job name="a" script="a"/><job name="b" script="b"/>',
            [
                "registry.xml:1:72: routine 'a': pool_slots 3 is more than pool 'w' has: 2"
                " (it would never start: take fewer, or give the pool more)"
            ],
        ),
        (
            '<pool name="w" slots="2"/><job name="a" script="a"/>',
            [
                "registry.xml:1:11: no routine takes a slot of pool 'w'"
                ' (give pool="w" to those that share it, or remove it)'
            ],
        ),
    ],
)
def test_what_is_wrong_with_a_pool_is_told(text: str, problems: list[str]) -> None:
    assert told(text) == problems


def test_a_pool_that_an_unread_file_may_define_is_no_problem() -> None:
    (problem,) = told('<include file="no.xml"/><job name="a" script="a" pool="w"/>')
    assert "no.xml" in problem
