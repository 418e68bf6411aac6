"""What a right registry.xml means."""

from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.cron import Schedule
from scheduler.errors import SchedulerError
from scheduler.registry.calendars import Calendar, CalendarSchedule, OnHoliday
from scheduler.registry.deadlines import Deadline
from scheduler.registry.reader import Reading
from scheduler.registry.routine import (
    Backlog,
    Dependency,
    InstantKind,
    On,
    Overlap,
    Place,
    Routine,
    Variable,
    VariableFile,
    Warm,
)
from tests.support.memory_files import read


def routines_of(reading: Reading) -> dict[str, Routine]:
    assert reading.errors == ()
    return {routine.name: routine for routine in reading.routines}


def the_routine(inside: str) -> Routine:
    (routine,) = routines_of(read(f"<registry>{inside}</registry>")).values()
    return routine


def test_only_a_name_and_a_script_are_required() -> None:
    reading = read('<registry>\n  <job name="load" script="load.py"/>\n</registry>')
    assert reading.routines == (Routine(name="load", script="/data/load.py", folder="/data"),)
    assert reading.routines[0].place == Place(file="registry.xml", line=2, column=3)
    assert (reading.errors, reading.warnings, reading.names) == ((), (), ("load",))
    assert reading.timezone == "UTC"


def test_each_attribute_has_its_field() -> None:
    assert the_routine(
        """<job name="report" script="jobs/report.py" schedule="30 2 * * *" timezone="Asia/Tokyo"
                arguments="--day '{instant:%Y %m}' {{x}}" python=".venv/bin/python" directory=".."
                retries="3" retry_delay="1m" retry_backoff="1.5" timeout="1h" start_by="+2h"
                due_by="06:30" priority="-5" calendar="JP" on_holiday="after"
                grace="1m30s" skip_exit="99" backlog="all" overlap="yes" enabled="false"
                description="Reports &amp; sums" tags="daily, money,daily"
                warm="no" preload="pandas  numpy.linalg pandas"/>"""
    ) == Routine(
        name="report",
        script="/data/jobs/report.py",
        schedule=CalendarSchedule("30 2 * * *", "Asia/Tokyo", Calendar(name="JP"), OnHoliday.AFTER),
        zone="Asia/Tokyo",
        retries=3,
        retry_delay=timedelta(minutes=1),
        retry_backoff=1.5,
        timeout=timedelta(hours=1),
        start_by=Deadline(length=timedelta(hours=2)),
        due_by=Deadline(time=6 * 3600 + 30 * 60),
        priority=-5,
        calendar=Calendar(name="JP"),
        on_holiday=OnHoliday.AFTER,
        arguments=("--day", "{instant:%Y %m}", "{{x}}"),
        python="/data/.venv/bin/python",
        directory="/",
        folder="/data",
        grace=timedelta(seconds=90),
        skip_exit=99,
        backlog=Backlog.ALL,
        overlap=Overlap.YES,
        enabled=False,
        description="Reports & sums",
        tags=("daily", "money"),
        warm=Warm.NO,
        preload=("pandas", "numpy.linalg"),
    )


def test_job_and_routine_mean_the_same() -> None:
    job = the_routine('<job name="a" script="a.py"/>')
    assert the_routine('<routine name="a" script="a.py"/>') == job


def test_a_module_stands_in_for_a_script() -> None:
    routine = the_routine('<job name="a" module="package.module"/>')
    assert (routine.script, routine.module) == (None, "package.module")


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("load.py", "/data/load.py"),
        ("./jobs/../load.py", "/data/load.py"),
        ("../load.py", "/load.py"),
        (r"jobs\load.py", "/data/jobs/load.py"),
        ("/srv/load.py", "/srv/load.py"),
        ("{statics}/sample/measure.py", "{statics}/sample/measure.py"),
        (r"{statics}\sample\measure.py", "{statics}/sample/measure.py"),
        (r"C:\jobs\load.py", r"C:\jobs\load.py"),
        ("C:/jobs/load.py", "C:/jobs/load.py"),
        (r"\\server\share\load.py", r"\\server\share\load.py"),
        ("été/レポート.py", "/data/été/レポート.py"),
    ],
)
def test_a_path_starts_at_the_folder_of_its_file(written: str, path: str) -> None:
    assert the_routine(f'<job name="a" script="{written}"/>').script == path


def test_the_zone_of_a_routine_is_its_own_then_the_registrys_then_the_given_one() -> None:
    text = """
    <registry{zone}>
      <job name="a" script="a.py" schedule="0 2 * * *"/>
      <job name="b" script="b.py" schedule="0 2 * * *" timezone="Asia/Tokyo"/>
    </registry>"""
    reading = read(text.format(zone=""), timezone="America/Lima")
    assert reading.timezone == "America/Lima"
    assert [routine.zone for routine in reading.routines] == ["America/Lima", "Asia/Tokyo"]
    reading = read(text.format(zone=' timezone="Europe/Paris"'), timezone="America/Lima")
    assert reading.timezone == "Europe/Paris"
    assert [routine.schedule for routine in reading.routines] == [
        Schedule("0 2 * * *", "Europe/Paris"),
        Schedule("0 2 * * *", "Asia/Tokyo"),
    ]


def test_a_wrong_zone_of_the_caller_is_the_callers_error() -> None:
    with pytest.raises(SchedulerError, match="Europe/Paris"):
        read("<registry/>", timezone="Europe/Pariss")


def test_dependencies_of_the_attribute_come_before_those_of_elements() -> None:
    reading = read(
        """<registry>
             <job name="report" script="r.py" depends_on=" load b ,rates, a">
               <dependency name="load b" instant="previous" on="done"/>
               <dependency name="report" instant="previous"/>
             </job>
             <job name="a" script="a.py"/>
             <job name="load b" script="a.py"/>
             <job name="rates" script="a.py"/>
           </registry>"""
    )
    routines = routines_of(reading)
    report = routines["report"]
    assert report.dependencies == (
        Dependency(name="load b"),
        Dependency(name="rates"),
        Dependency(name="a"),
        Dependency(name="load b", instant=InstantKind.PREVIOUS, on=On.DONE),
        Dependency(name="report", instant=InstantKind.PREVIOUS),
    )
    assert [each.place.line for each in report.dependencies if each.place] == [2, 2, 2, 3, 4]
    assert report.upstreams == ("load b", "rates", "a")
    assert routines["load b"].dependents == ("report",)
    assert report.dependents == ()


def test_dependents_are_in_registry_order_and_named_once() -> None:
    reading = read(
        """<registry>
             <job name="z" script="z.py" depends_on="load"/>
             <job name="load" script="load.py"/>
             <job name="a" script="a.py" depends_on="load">
               <dependency name="load" instant="previous"/>
             </job>
           </registry>"""
    )
    assert routines_of(reading)["load"].dependents == ("z", "a")


def test_defaults_hold_for_what_follows_within_the_same_group() -> None:
    reading = read(
        """<registry>
             <job name="before" script="x.py"/>
             <defaults grace="1s" tags="t"/>
             <job name="after" script="x.py"/>
             <group name="g" grace="2s">
               <job name="in group" script="x.py"/>
               <defaults grace="3s"/>
               <group name="h" overlap="yes">
                 <job name="in inner" script="x.py"/>
                 <job name="own" script="x.py" grace="4s" tags=""/>
               </group>
             </group>
             <job name="last" script="x.py"/>
           </registry>"""
    )
    assert {
        name: (each.grace.seconds, each.tags, each.group)
        for name, each in routines_of(reading).items()
    } == {
        "before": (10, (), None),
        "after": (1, ("t",), None),
        "in group": (2, ("t",), "g"),
        "in inner": (3, ("t",), "g/h"),
        "own": (4, (), "g/h"),
        "last": (1, ("t",), None),
    }


def test_how_attempts_start_is_handed_down_and_taken_back() -> None:
    reading = read(
        """<registry>
             <job name="before" script="x.py"/>
             <defaults preload="pandas numpy"/>
             <job name="after" script="x.py"/>
             <job name="cold" script="x.py" warm="no"/>
             <job name="bare" script="x.py" preload=""/>
             <group name="g" warm="no">
               <job name="in group" script="x.py"/>
               <job name="own" script="x.py" warm="auto" preload="json"/>
             </group>
           </registry>"""
    )
    assert {name: (each.warm, each.preload) for name, each in routines_of(reading).items()} == {
        "before": (Warm.AUTO, ()),
        "after": (Warm.AUTO, ("pandas", "numpy")),
        "cold": (Warm.NO, ()),
        "bare": (Warm.AUTO, ()),
        "in group": (Warm.NO, ()),
        "own": (Warm.AUTO, ("json",)),
    }


def test_a_default_schedule_follows_the_zone_of_each_routine() -> None:
    reading = read(
        """<registry timezone="Europe/Paris">
             <defaults schedule="@daily"/>
             <job name="a" script="a.py"/>
             <job name="b" script="a.py" timezone="Asia/Tokyo"/>
             <job name="c" script="a.py" schedule="@hourly"/>
           </registry>"""
    )
    assert [each.schedule for each in routines_of(reading).values()] == [
        Schedule("@daily", "Europe/Paris"),
        Schedule("@daily", "Asia/Tokyo"),
        Schedule("@hourly", "Europe/Paris"),
    ]


def test_variables_add_up_and_inner_ones_win() -> None:
    reading = read(
        """<registry>
             <defaults><environment name="A" value="1"/><environment file=".env"/></defaults>
             <group name="g">
               <job name="a" script="a.py">
                 <environment name="A" value="own"/><environment name="B" value=""/>
               </job>
               <environment name="C" value="3"/>
             </group>
             <job name="b" script="a.py"/>
           </registry>"""
    )
    routines = routines_of(reading)
    assert routines["a"].environment == (
        VariableFile(path="/data/.env"),
        Variable(name="C", value="3"),
        Variable(name="A", value="own"),
        Variable(name="B", value=""),
    )
    assert routines["b"].environment == (
        Variable(name="A", value="1"),
        VariableFile(path="/data/.env"),
    )


def test_an_included_file_is_read_in_its_place() -> None:
    reading = read(
        """<registry timezone="Europe/Paris">
             <job name="a" script="a.py"/>
             <group name="g" grace="1s">
               <include file="more/other.xml"/>
             </group>
             <job name="z" script="z.py" depends_on="b"/>
           </registry>""",
        {
            "/data/more/other.xml": """<registry timezone="Asia/Tokyo">
                <defaults overlap="yes"/>
                <job name="b" script="b.py" schedule="@daily"/>
                <include file="third.xml"/>
            </registry>""",
            "/data/more/third.xml": '<registry><job name="c" module="m"/></registry>',
        },
    )
    routines = routines_of(reading)
    assert list(routines) == ["a", "b", "c", "z"]
    b, c, z = routines["b"], routines["c"], routines["z"]
    assert (b.script, b.folder, b.zone) == ("/data/more/b.py", "/data/more", "Asia/Tokyo")
    assert (b.grace.seconds, b.overlap, b.group) == (1, Overlap.YES, "g")
    assert b.place == Place(file="/data/more/other.xml", line=3, column=17)
    assert (c.zone, c.overlap) == ("Asia/Tokyo", Overlap.YES)
    assert (z.zone, z.overlap) == ("Europe/Paris", Overlap.NO)
    assert reading.timezone == "Europe/Paris"
    assert [path for path, _ in reading.sources] == [
        "/data/registry.xml",
        "/data/more/other.xml",
        "/data/more/third.xml",
    ]


@pytest.mark.parametrize("kind", ["previous", "same-day", "same-week", "same-month", "all"])
def test_a_routine_of_which_each_task_counts_keeps_all(kind: str) -> None:
    reading = read(
        f"""<registry>
              <defaults backlog="latest"/>
              <job name="load" script="load.py"/>
              <job name="report" script="report.py">
                <dependency name="load" instant="{kind}"/>
              </job>
              <job name="other" script="other.py" depends_on="report"/>
            </registry>"""
    )
    routines = routines_of(reading)
    assert routines["load"].backlog is Backlog.ALL
    assert routines["report"].backlog is Backlog.ALL
    assert routines["other"].backlog is Backlog.LATEST


def test_a_routine_that_waits_for_its_own_previous_task_keeps_all() -> None:
    routine = the_routine(
        '<job name="a" script="a.py"><dependency name="a" instant="previous"/></job>'
    )
    assert routine.backlog is Backlog.ALL


def test_comments_instructions_and_references_are_read_past() -> None:
    routine = the_routine(
        """<!-- <job/> --><?editor fold?><job name="a&#233;" script="&lt;x&gt;.py">
           <!-- text --></job><![CDATA[  ]]>"""
    )
    assert (routine.name, routine.script) == ("aé", "/data/<x>.py")


def test_an_editor_may_be_told_where_the_schema_is() -> None:
    reading = read(
        """<registry xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
                     xsi:noNamespaceSchemaLocation="registry.xsd">
             <job name="a" script="a.py"/>
           </registry>"""
    )
    assert routines_of(reading)


def test_a_registry_without_routines_is_legal_but_surprising() -> None:
    reading = read("<registry/>")
    assert (reading.routines, reading.errors) == ((), ())
    (warning,) = reading.warnings
    assert str(warning).startswith("registry.xml: it holds no routine (add one, such as <job ")


@pytest.mark.parametrize(
    "data",
    [
        '<registry><job name="é" script="a.py"/></registry>'.encode(),
        '\ufeff<registry><job name="é" script="a.py"/></registry>'.encode(),
        '<registry><job name="é" script="a.py"/></registry>'.encode("utf-16"),
        '\ufeff<registry><job name="é" script="a.py"/></registry>'.encode("utf-16-be"),
        '<?xml version="1.0" encoding="UTF-16"?><registry><job name="é" script="a.py"/></registry>'
        "".encode("utf-16"),
        # Saved in another encoding than the first line says: the byte-order mark knows better.
        '<?xml version="1.0" encoding="UTF-8"?><registry><job name="é" script="a.py"/></registry>'
        "".encode("utf-16"),
        "<?xml version='1.0' encoding='iso-8859-1'?><registry><job name='é' script='a'/></registry>"
        "".encode("latin-1"),
        '<?xml version="1.0" encoding="Windows-1252" standalone="yes"?>\r\n'
        '<registry><job name="é" script="€"/></registry>'.encode("cp1252"),
        "<?xml version='1.0' encoding='ISO-8859-15'?>"
        '<registry><job name="é" script="€"/></registry>'.encode("iso8859-15"),
        '<?xml version="1.0" encoding="utf8"?><registry><job name="é" script="a"/></registry>'
        "".encode(),
    ],
)
def test_each_encoding_is_read(data: bytes) -> None:
    assert list(routines_of(read(data))) == ["é"]


def test_the_places_of_utf_16_are_counted_in_characters() -> None:
    text = '<registry>\r\n <!-- 😀é --> <job name="a" script="a.py"/>\r</registry>'
    for encoding in ("utf-8", "utf-16"):
        (routine,) = read(text.encode(encoding)).routines
        assert routine.place == Place(file="registry.xml", line=2, column=14)


def test_the_sample_registry_is_read_without_a_problem() -> None:
    sample = Path(__file__).parents[2] / "statics" / "sample_registry.xml"
    reading = read(sample.read_bytes())
    assert (reading.errors, reading.warnings) == ((), ())
    assert "testJob0" in reading.names


def test_a_hundred_thousand_routines_load() -> None:
    jobs = "".join(
        f'<job name="job_{number}" script="{number}.py" schedule="{number % 60} * * * *"'
        f' depends_on="job_{number - 1}"/>\n'
        for number in range(1, 100_000)
    )
    reading = read(f'<registry><job name="job_0" script="0.py"/>{jobs}</registry>')
    assert (len(reading.routines), reading.errors) == (100_000, ())
