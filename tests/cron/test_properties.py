"""What holds for any expression, in any zone, at any moment."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from scheduler import Schedule, SchedulerError
from scheduler.zones import to_instant

MICROSECOND = timedelta(microseconds=1)
ZONES = (
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/Havana",
    "America/Juneau",
    "America/St_Johns",
    "Africa/Casablanca",
    "Africa/Monrovia",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Asia/Kathmandu",
    "Asia/Manila",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Pacific/Kwajalein",
)


def fields(low: int, high: int, *special: str) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    step = st.one_of(st.just(""), st.integers(1, high + 9).map("/{}".format))
    spans = st.tuples(number, number).map(lambda pair: "{}-{}".format(*sorted(pair)))
    items = st.one_of(
        st.just("*"),
        number.map(str),
        st.builds(str.__add__, st.one_of(st.just("*"), number.map(str), spans), step),
        *map(st.just, special),
    )
    return st.lists(items, min_size=1, max_size=3).map(",".join)


expressions = st.builds(
    " ".join,
    st.tuples(
        fields(0, 59),
        fields(0, 23),
        fields(1, 31, "L", "LW"),
        fields(1, 12, "FEB"),
        fields(0, 7, "FRIL", "1#1", "0#5", "SUN"),
    ),
)


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    expression = draw(expressions)
    try:
        return Schedule(expression, draw(st.sampled_from(ZONES)))
    except SchedulerError as error:
        assert "never come" in str(error)
        assume(False)
        raise


moments = st.datetimes(
    datetime(1, 1, 1),  # noqa: DTZ001
    datetime(9999, 12, 31),  # noqa: DTZ001
    timezones=st.sampled_from(ZONES).map(ZoneInfo),
    allow_imaginary=True,
) | st.datetimes(
    datetime(1965, 1, 1),  # noqa: DTZ001
    datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from(ZONES).map(ZoneInfo),
)


def span(later: datetime, earlier: datetime) -> timedelta:
    # In one and the same zone Python would subtract wall times.
    return (later - datetime(1970, 1, 1, tzinfo=UTC)) - (earlier - datetime(1970, 1, 1, tzinfo=UTC))


@given(schedules(), moments)
def test_next_is_later_and_nothing_lies_between(schedule: Schedule, moment: datetime) -> None:
    following = schedule.next(moment)
    assume(following is not None)
    assert following is not None
    assert span(following, moment) > timedelta(0)
    assert following.second == following.microsecond == 0
    assert schedule.previous(following, inclusive=True) == following
    earlier = schedule.previous(following)
    assert earlier is None or span(earlier, moment) <= timedelta(0)
    assert earlier == schedule.previous(moment, inclusive=True)


@given(schedules(), moments)
def test_previous_is_the_mirror_of_next(schedule: Schedule, moment: datetime) -> None:
    earlier = schedule.previous(moment)
    assume(earlier is not None)
    assert earlier is not None
    assert span(moment, earlier) > timedelta(0)
    following = schedule.next(earlier)
    assert following is None or span(following, moment) >= timedelta(0)
    at_moment = schedule.previous(moment, inclusive=True)
    assert at_moment == (following if following and not span(following, moment) else earlier)


@given(schedules(), moments)
@settings(max_examples=50)
def test_a_walk_forwards_is_the_walk_backwards(schedule: Schedule, moment: datetime) -> None:
    there: list[datetime] = []
    found = schedule.next(moment)
    while found is not None and len(there) < 20:
        there.append(found)
        found = schedule.next(found)
    assume(there)
    back = [there[-1]]
    while len(back) < len(there):
        found = schedule.previous(back[-1])
        assert found is not None
        back.append(found)
    assert back[::-1] == there


@given(schedules(), st.lists(st.integers(-3 * 86_400, 3 * 86_400), max_size=12), moments)
def test_no_answer_depends_on_what_was_asked_before(
    schedule: Schedule, steps: list[int], moment: datetime
) -> None:
    for step in (0, *steps):
        instant = to_instant(moment) + step
        fresh = Schedule(schedule.expression, schedule.timezone)
        assert schedule.next_instant(instant) == fresh.next_instant(instant)
        assert schedule.previous_instant(instant) == fresh.previous_instant(instant)


@given(st.text(max_size=30) | st.text("*/,-#LWH?0123456789 @adily", max_size=30))
def test_any_text_is_a_schedule_or_is_refused_in_one_short_line(text: str) -> None:
    try:
        Schedule(text)
    except SchedulerError as error:
        assert len(str(error)) < 400
        assert "\n" not in str(error)
