"""A registry file may be anything, and mostly a valid one with something wrong in it.

It is read or refused with problems that a person can read, in a time that its length explains.
"""

import re
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scheduler.errors import Problem
from scheduler.registry.attributes import OF_JOB
from scheduler.registry.examine import examine
from scheduler.registry.reader import read_registry
from scheduler.registry.registry import Registry
from scheduler.zones import to_instant, to_utc
from tests.support.fuzzing import inputs, tried
from tests.support.memory_files import MemoryFiles

LONGEST_MESSAGE = 800
LONGEST_READING = 20.0  # seconds; a loaded machine is slow, and most take a millisecond

AROUND = to_instant(datetime(2026, 11, 1, tzinfo=UTC))

SAMPLE = (Path(__file__).resolve().parents[2] / "statics" / "sample_registry.xml").read_text()
FULL = """<?xml version="1.0" encoding="UTF-8"?>
<registry timezone="Europe/Paris">
  <defaults retries="2" timeout="1h" retry_delay="1m" retry_backoff="1.5" grace="5s"/>
  <pool name="warehouse" slots="2"/>
  <job name="load" script="load.py" schedule="0 2 * * *" pool="warehouse" start_by="06:00"/>
  <job name="rates é" script="{statics}/rates.py" schedule="@monthly" calendar="FR"
       on_holiday="after"/>
  <group name="night" preload="json sqlite3">
    <environment name="API_KEY" value="x"/>
    <environment file=".env"/>
    <job name="report" module="a.b" schedule="30 2 * * 1-5" depends_on="load, rates é"
         arguments="--day {instant:%Y-%m-%d} --token 'x y'" due_by="+2h" priority="3" tags="a, b"/>
    <routine name="round" script="C:\\x.py" backlog="all" enabled="false"
             warm="no">
      <dependency name="load" instant="same-day" on="done" wait_until="+1h" otherwise="skip"/>
      <dependency name="report"/>
    </routine>
  </group>
  <include file="other.xml"/>
</registry>
"""
VALUES = """0 1 -1 99 true no yes auto latest all previous same-day success failure done skip
before after
* */5 @daily @monthly 30-2 0,,1 L 5#3 29-2 2h 1h30m 90s +2h 06:00 25:00 UTC Europe/Paris Mars/X a.py
{instant} {instant:%d} {{ { } ' {statics}/a.py ../a.py /etc/passwd C:\\a load report
999999999999""".split()
EXPRESSIONS = [
    "0 2 * * *",
    "0 2 30 2 *",
    "*/7 1-5 L * 5#3",
    "0 0 29 2 1",
    "59 23 31 12 7",
    "a b c d e",
]

TAGS = re.findall(r"<[^>]*>", FULL)
PIECES = re.findall(r"<|>|/>|\"|=|[\w.-]+|\s+|[^\w\s]", FULL)

values = (
    st.sampled_from(VALUES)
    | st.sampled_from(EXPRESSIONS)
    | st.text(max_size=20)
    | st.builds(lambda text, count: text * count, st.text(max_size=3), st.integers(0, 20_000))
)


def escaped(text: str) -> str:
    """Return a text as the value of an attribute, if it can be one."""
    return "".join(
        f"&#{ord(one)};" if one in '<&"\t\r\n' or not one.isprintable() else one for one in text
    )


@st.composite
def mutated_values(draw: st.DrawFn) -> str:
    """Change some attributes of a valid registry, or give it others."""
    text = draw(st.sampled_from([FULL, SAMPLE]))
    for _ in range(draw(st.integers(1, 4))):
        found = list(re.finditer(r'([\w.-]+)="([^"]*)"', text))
        if not found:
            break
        one = draw(st.sampled_from(found))
        name = draw(st.just(one[1]) | st.sampled_from(sorted(OF_JOB)))
        text = f'{text[: one.start()]}{name}="{escaped(draw(values))}"{text[one.end() :]}'
    return text


@st.composite
def mutated_structures(draw: st.DrawFn) -> str:
    """Take tags out of a valid registry, put some in again elsewhere."""
    tags = list(TAGS)
    for _ in range(draw(st.integers(1, 6))):
        place = draw(st.integers(0, len(tags) - 1)) if tags else 0
        match draw(st.sampled_from(["drop", "repeat", "move", "cut"])):
            case "drop" if tags:
                del tags[place]
            case "repeat" if tags:
                tags.insert(place, draw(st.sampled_from(TAGS)))
            case "move" if tags:
                tags.insert(draw(st.integers(0, len(tags) - 1)), tags.pop(place))
            case _ if tags:
                cut = draw(st.integers(0, len(tags[place])))
                tags[place] = tags[place][:cut]
            case _:
                tags = list(TAGS)
    return "\n".join(tags)


@st.composite
def mutated_bytes(draw: st.DrawFn) -> bytes:
    """Change some bytes of a valid registry, in one of its encodings."""
    text = draw(st.sampled_from([FULL, SAMPLE]))
    data = bytearray(text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))))
    for _ in range(draw(st.integers(1, 8))):
        place = draw(st.integers(0, len(data) - 1))
        data[place : place + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(data)


def read_anything(data: bytes, what: str) -> None:
    """Read it; whatever is wrong is told in words, and what is right makes a registry."""
    tried[what] += 1
    files = MemoryFiles({"/data/other.xml": data.replace(b"other.xml", b"third.xml")})
    begun = time.perf_counter()
    reading = read_registry(data, file="registry.xml", files=files, timezone="UTC")
    findings = examine(reading.routines, around=AROUND)
    errors = [*reading.errors, *findings.errors]
    _assert_readable([*errors, *reading.warnings, *findings.warnings])
    if not errors:
        registry = Registry(reading.routines, timezone=reading.timezone, pools=reading.pools)
        assert tuple(registry) == reading.names
        for name in registry:
            following = registry.triggers.next(name, AROUND)
            if following is not None:
                registry.waits_for(name, to_utc(following))
    assert time.perf_counter() - begun < LONGEST_READING


def _assert_readable(problems: Iterable[Problem]) -> None:
    for problem in problems:
        assert len(str(problem)) < LONGEST_MESSAGE, len(str(problem))
        assert str(problem).isprintable()
        assert (problem.line or 1) >= 1 and (problem.column or 1) >= 1


@inputs(60)
@given(mutated_values())
def test_a_registry_with_other_values(text: str) -> None:
    read_anything(text.encode(errors="surrogatepass"), "registry, values")


@inputs(60)
@given(mutated_structures())
def test_a_registry_with_tags_in_other_places(text: str) -> None:
    read_anything(text.encode(), "registry, structure")


@inputs(60)
@given(mutated_bytes())
def test_a_registry_with_damaged_bytes(data: bytes) -> None:
    read_anything(data, "registry, bytes")


@inputs(40)
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_pieces_of_a_registry(pieces: list[str]) -> None:
    read_anything("".join(pieces).encode(), "registry, pieces")


def test_the_registries_that_are_changed_are_valid() -> None:
    files = MemoryFiles({"/data/other.xml": "<registry/>"})
    for text in (FULL, SAMPLE):
        reading = read_registry(text.encode(), file="registry.xml", files=files, timezone="UTC")
        assert reading.errors == () and reading.names
