"""The schema for editors: it accepts what the reader accepts, and sees plain mistakes."""

import re
from enum import StrEnum
from pathlib import Path

import pytest
from lxml import etree

from scheduler.registry.attributes import OF_DEFAULTS, OF_JOB
from scheduler.registry.calendars import OnHoliday
from scheduler.registry.routine import Backlog, InstantKind, On, Otherwise, Overlap, Warm

STATICS = Path(__file__).parents[2] / "statics"
XS = "{http://www.w3.org/2001/XMLSchema}"

schema_file = etree.parse(STATICS / "registry.xsd")
schema = etree.XMLSchema(schema_file)

EVERYTHING = """
<registry timezone="Europe/Paris"
          xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
          xsi:noNamespaceSchemaLocation="registry.xsd">
  <pool name="the warehouse" slots="2"/>
  <defaults grace="1h30m" backlog="all" timeout="1h" due_by="06:30:15" pool="the warehouse">
    <environment name="A" value=""/>
  </defaults>
  <job name="données 2.0" script="load.py" schedule="0 2 * * *" timezone="UTC"
       arguments="--day {instant:%Y-%m-%d}" python=".venv/bin/python" directory="." grace="90s"
       retries="3" retry_delay="1m" retry_backoff="1.5" timeout="" start_by="+2h" due_by=""
       pool="the warehouse" pool_slots="2" priority="-5" calendar="DE-BY" on_holiday="before"
       skip_exit="99" backlog="latest" overlap="yes" enabled="false" description="" tags="a, b"
       warm="no" preload="pandas 数 package.module"/>
  <group name="Daily work" tags="daily">
    <environment file=".env"/>
    <routine name="日報" module="package.module" depends_on="données 2.0">
      <environment name="MODE" value="daily"/>
      <dependency name="日報" instant="previous" on="done" wait_until="+1h" otherwise="skip"/>
    </routine>
    <defaults overlap="no" pool="" calendar="" require="any" warm="auto" preload=""/>
    <group name="inner"><include file="more.xml"/></group>
  </group>
  <include file="other.xml"/>
</registry>
"""


def is_valid(text: str) -> bool:
    return bool(schema.validate(etree.fromstring(text.strip())))


def test_the_schema_accepts_the_sample_registry() -> None:
    assert schema.validate(etree.parse(STATICS / "sample_registry.xml"))


def test_the_schema_accepts_each_element_and_attribute() -> None:
    assert is_valid(EVERYTHING), schema.error_log


@pytest.mark.parametrize("name", ["a", "a.b", "a b", "-x", "_", "@+", "é", "日本", "a. b", "٣"])
def test_the_schema_accepts_a_name(name: str) -> None:
    assert is_valid(f'<registry><job name="{name}" script="x.py"/></registry>')


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", ".a", "a.", "a  b", "a/b", "a:b", "a*b", "x" * 201]
)
def test_the_schema_refuses_a_name(name: str) -> None:
    assert not is_valid(f'<registry><job name="{name}" script="x.py"/></registry>')


@pytest.mark.parametrize(
    "inside",
    [
        '<job script="x.py"/>',
        '<job name="a" script=""/>',
        '<job name="a" script="x.py" warm="yes"/>',
        '<job name="a" script="x.py" preload="pandas, numpy"/>',
        '<job name="a" script="x.py" preload="load.py/"/>',
        '<job name="a" script="x.py" retries="-1"/>',
        '<job name="a" script="x.py" retries="1001"/>',
        '<job name="a" script="x.py" retry_delay=""/>',
        '<job name="a" script="x.py" retry_backoff="0.5"/>',
        '<job name="a" script="x.py" timeout="5"/>',
        '<job name="a" script="x.py" start_by="6:30"/>',
        '<job name="a" script="x.py" start_by="24:00"/>',
        '<job name="a" script="x.py" due_by="2h"/>',
        '<job name="a" script="x.py" pool_slots="0"/>',
        '<job name="a" script="x.py" priority="high"/>',
        '<job name="a" script="x.py" require="some"/>',
        '<job name="a" script="x.py" on_holiday="run"/>',
        '<job name="a" script="x.py" bogus="2"/>',
        '<job name="a" script="x.py" grace="5"/>',
        '<job name="a" script="x.py" grace=""/>',
        '<job name="a" script="x.py" skip_exit="0"/>',
        '<job name="a" script="x.py" skip_exit="256"/>',
        '<job name="a" script="x.py" backlog="some"/>',
        '<job name="a" script="x.py" overlap="true"/>',
        '<job name="a" script="x.py" enabled="yes"/>',
        '<job name="a" module="a-b"/>',
        '<job name="a" script="x.py"/><routine name="a" script="x.py"/>',
        '<job name="a" script="x.py"><job name="b" script="x.py"/></job>',
        '<job name="a" script="x.py">text</job>',
        '<job name="a" script="x.py"><dependency/></job>',
        '<job name="a" script="x.py"><dependency name="b" instant="next"/></job>',
        '<job name="a" script="x.py"><dependency name="b" on="maybe"/></job>',
        '<job name="a" script="x.py"><dependency name="b" wait_until=""/></job>',
        '<job name="a" script="x.py"><dependency name="b" otherwise="cancel"/></job>',
        '<job name="a" script="x.py"><environment name="A=B" value=""/></job>',
        '<defaults name="a"/>',
        '<defaults script="a.py"/>',
        '<defaults depends_on="a"/>',
        "<group/>",
        "<include/>",
        '<environment name="A" value="b"/>',
        '<pool name="a"/>',
        '<pool slots="2"/>',
        '<pool name="a" slots="0"/>',
        '<pool name="a" slots="2"/><pool name="a" slots="2"/>',
        '<group name="g"><pool name="a" slots="2"/></group>',
        "<jbo/>",
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(inside: str) -> None:
    assert not is_valid(f"<registry>{inside}</registry>")


def test_the_schema_knows_the_attributes_that_the_reader_knows() -> None:
    def attributes_of(kind: str, name: str) -> set[str]:
        found = schema_file.find(f".//{XS}{kind}[@name='{name}']")
        assert found is not None
        return {str(attribute.get("name")) for attribute in found.iter(f"{XS}attribute")}

    inherited = attributes_of("attributeGroup", "inherited")
    assert inherited == OF_DEFAULTS
    assert attributes_of("complexType", "job") | inherited == OF_JOB


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("backlog", Backlog),
        ("yesNo", Overlap),
        ("warm", Warm),
        ("instant", InstantKind),
        ("on", On),
        ("otherwise", Otherwise),
        ("onHoliday", OnHoliday),
    ],
)
def test_the_schema_knows_the_words_that_the_reader_knows(name: str, words: type[StrEnum]) -> None:
    found = schema_file.find(f".//{XS}simpleType[@name='{name}']")
    assert found is not None
    listed = [str(word.get("value")) for word in found.iter(f"{XS}enumeration")]
    assert listed == [word.value for word in words]


def test_the_schema_describes_each_attribute() -> None:
    for attribute in schema_file.iter(f"{XS}attribute"):
        text = attribute.findtext(f"{XS}annotation/{XS}documentation") or ""
        assert re.search(r"\w", text), attribute.get("name")
