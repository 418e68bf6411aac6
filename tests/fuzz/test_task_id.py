"""What a person writes for a task: it names one, or is refused in words."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scheduler.errors import SchedulerError
from scheduler.registry.flaws import Flaw
from scheduler.registry.names import check_name
from scheduler.registry.task_id import TaskId, parse_moment, parse_task_id, split_task_id
from tests.support.fuzzing import inputs, tried

LONGEST_MESSAGE = 400
ZONES = """UTC Europe/Paris America/New_York Australia/Lord_Howe Asia/Kathmandu Africa/Monrovia
Pacific/Apia America/St_Johns Africa/Casablanca Antarctica/Troll America/Scoresbysund""".split()

zones = st.sampled_from(ZONES)
FIRST, LAST = datetime(1, 1, 10, tzinfo=UTC), datetime(9999, 12, 20, tzinfo=UTC)
instants = st.integers(0, (LAST - FIRST) // timedelta(seconds=1)).map(
    lambda seconds: FIRST + timedelta(seconds=seconds)
)
# Around the changes of clocks of some decades, where ids carry an offset.
near_changes = st.builds(
    lambda year, month, day, minutes: (
        datetime(year, month, day, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.integers(1965, 2040),
    st.sampled_from([3, 4, 9, 10, 11]),
    st.integers(1, 28),
    st.integers(0, 4 * 1440),
)
names = st.text(
    st.characters(categories=["L", "M", "Nd"], include_characters="_-+@. "), min_size=1, max_size=30
)
MOMENT_LIKE = st.text("0123456789-:T+Z .t", max_size=30)
SLIPS = st.sampled_from(
    ["", "Z", "+02:00", "-24:00", "+24:01", "T", ".", "\n", "é", "\0", "\ud800"]
)


def is_name(text: str) -> bool:
    try:
        check_name(text)
    except Flaw:
        return False
    return True


@inputs(120)
@given(names, instants | near_changes, zones)
def test_an_id_is_read_as_the_task_that_it_was_written_for(
    name: str, instant: datetime, zone: str
) -> None:
    assume(is_name(name))
    tried["task id, written and read"] += 1
    id = TaskId(name, instant, zone)
    assert parse_task_id(str(id), zone) == id
    assert split_task_id(str(id))[0] == name
    # An id never names a folder, or a file, but its own.
    assert not re.search(r"[/\\]|^\.|\.\.$", name)


@inputs(120)
@given(
    st.text()
    | MOMENT_LIKE
    | st.builds("{}.{}{}".format, st.text(max_size=5), MOMENT_LIKE, SLIPS)
    | st.builds(
        lambda name, at, slip: f"{name}.{at:%Y-%m-%dT%H:%M:%S}{slip}",
        st.text(max_size=9),
        instants,
        SLIPS,
    )
    | st.builds(lambda text, count: text * count, MOMENT_LIKE, st.integers(0, 10_000)),
    zones,
)
def test_any_text_names_a_task_or_is_refused_in_words(text: str, zone: str) -> None:
    tried["task id, any text"] += 1
    for parse in (parse_task_id, parse_moment):
        try:
            found = parse(text, zone)
        except SchedulerError as error:
            assert len(str(error)) < LONGEST_MESSAGE
            assert "\n" not in str(error)
        else:
            instant = found.instant if isinstance(found, TaskId) else found
            assert instant.tzinfo is UTC and not instant.microsecond
            # What was read can be written, and that is read as the same.
            task = TaskId("x", instant, zone)
            assert parse_task_id(str(task), zone) == task


@inputs(80)
@given(st.text(max_size=20) | names)
def test_a_name_is_one_part_of_a_path_or_refused(name: str) -> None:
    tried["names"] += 1
    if is_name(name):
        assert not set(name) & set('/\\:*?"<>|\0~')
        assert name not in (".", "..") and name.strip(". ") == name
        assert len(name.encode()) <= 200


@pytest.mark.parametrize("zone", ZONES)
def test_both_ends_of_time_are_refused_or_read(zone: str) -> None:
    for text in (
        "0001-01-01",
        "0001-01-05T00:00",
        "9999-12-31T23:59:59",
        "9999-12-31T23:59:59-24:00",
    ):
        try:
            parse_moment(text, zone)
        except SchedulerError as error:
            assert "no such date" in str(error)
