"""What a wrong registry.xml is told: where, what, and what would be right."""

import pytest

from tests.support.memory_files import read

# Each row stands in line 2 of a registry, behind a valid routine `load` in line 1:
# the text, the column of the problem, and parts of its message and of its hint.
IN_LINE_2 = [
    # names
    ('<job script="a.py"/>', 1, "<job>: name is missing", "needs a name"),
    ('<job name="" script="a.py"/>', 1, "name is empty", "name"),
    ('<job name=" a" script="a.py"/>', 1, "begins or ends with a space", "write 'a'"),
    ('<job name="a/b" script="a.py"/>', 1, "routine 'a/b': name 'a/b' holds '/'", "allowed:"),
    ('<job name="a." script="a.py"/>', 1, "ends with a dot", "allowed:"),
    ('<job name="nul.txt" script="a.py"/>', 1, "a device on Windows", "another name"),
    ('<job name="a.2026-10-01T02-00-00" script="a.py"/>', 1, "the id of a task", "the time"),
    ('<job name="load" script="a.py"/>', 1, "'load' is defined twice, first in line 1", "rename"),
    ('<job name="Load" script="a.py"/>', 1, "is one folder with 'load' of line 1", "rename"),
    # what runs
    ('<job name="a"/>', 1, "script is missing", "a script or a module"),
    ('<job name="a" script=""/>', 1, "script is empty", "a value"),
    ('<job name="a" script="a.py" module="b"/>', 1, "exclude each other", "keep the one"),
    ('<job name="a" script="a.py "/>', 1, "script 'a.py ' begins or ends with a space", "remove"),
    ('<job name="a" script="a&#10;b.py"/>', 1, "holds a control character", "remove"),
    ('<job name="a" script="{static}/a.py"/>', 1, "only {statics}/ is known", ""),
    ('<job name="a" module="a-b"/>', 1, "module 'a-b' is not the name of a module", "python -m"),
    ('<job name="a" module="a.py"/>', 1, "is not the name of a module", "as script"),
    ('<job name="a" module="a/b.py"/>', 1, "is not the name of a module", "given as script"),
    ('<job name="a" module="a..b"/>', 1, "is not the name of a module", "package.module"),
    # when
    ('<job name="a" script="a" schedule=""/>', 1, "schedule is empty", "leave it out"),
    (
        '<job name="a" script="a" schedule="61 * * * *"/>',
        1,
        "routine 'a': schedule '61 * * * *': minute '61' is out of range 0-59",
        "",
    ),
    ('<job name="a" script="a" schedule="* * *"/>', 1, "3 fields, cron has five", ""),
    ('<job name="a" script="a" schedule="0 0 30 2 *"/>', 1, "its dates never come", ""),
    ('<job name="a" script="a" schedule="@reboot"/>', 1, "'@reboot'", ""),
    (
        '<job name="a" script="a" timezone="Europe/Pariss"/>',
        1,
        "unknown time zone 'Europe/Pariss'",
        "did you mean 'Europe/Paris'?",
    ),
    ('<job name="a" script="a" timezone=""/>', 1, "timezone is empty", "leave it out"),
    # policies
    ('<job name="a" script="a" grace="5"/>', 1, "grace '5' is not a duration", ""),
    ('<job name="a" script="a" grace="-5s"/>', 1, "grace '-5s' is not a duration", ""),
    ('<job name="a" script="a" grace="1w"/>', 1, "grace '1w' is not a duration", ""),
    ('<job name="a" script="a" skip_exit="0"/>', 1, "exit code 0 means success", "99"),
    ('<job name="a" script="a" skip_exit="256"/>', 1, "from 1 to 255", "99"),
    ('<job name="a" script="a" skip_exit="-1"/>', 1, "from 1 to 255", "99"),
    ('<job name="a" script="a" skip_exit="x"/>', 1, "from 1 to 255", "99"),
    ('<job name="a" script="a" skip_exit="٣"/>', 1, "from 1 to 255", "99"),
    ('<job name="a" script="a" backlog="none"/>', 1, "'none' is not 'latest' or 'all'", ""),
    ('<job name="a" script="a" backlog="lates"/>', 1, "backlog", "did you mean 'latest'?"),
    ('<job name="a" script="a" overlap="true"/>', 1, "'true' is not 'no' or 'yes'", "'yes'"),
    ('<job name="a" script="a" enabled="no"/>', 1, "is not 'true' or 'false'", "write 'false'"),
    ('<job name="a" script="a" enabled="False"/>', 1, "is not 'true' or 'false'", "'false'"),
    ('<job name="a" script="a" tags="x,,y"/>', 1, "tags 'x,,y' has an empty entry", "comma"),
    ('<job name="a" script="a" arguments="it\'s"/>', 1, "never closed", "close it"),
    ('<job name="a" script="a" arguments="{x}"/>', 1, "'{x}' is not a field", "{instant}"),
    ('<job name="a" script="a" arguments="{instant:%Q}"/>', 1, "no part of a date", "%Y-%m-%d"),
    # limits, pools and calendars
    (
        '<job name="a" script="a" retries="-1"/>',
        1,
        "retries '-1' is not a whole number from 0 to 1000",
        "",
    ),
    ('<job name="a" script="a" retries="1001"/>', 1, "is not a whole number from 0 to 1000", ""),
    ('<job name="a" script="a" retries="two"/>', 1, "retries 'two' is not a whole number", ""),
    ('<job name="a" script="a" retries="1.5"/>', 1, "retries '1.5' is not a whole number", ""),
    ('<job name="a" script="a" retries=""/>', 1, "retries is empty", "leave it out"),
    ('<job name="a" script="a" retry_delay="30"/>', 1, "retry_delay '30' is not a duration", ""),
    (
        '<job name="a" script="a" retry_backoff="0.5"/>',
        1,
        "retry_backoff '0.5' is not a number from 1 to 100",
        "write '1'",
    ),
    (
        '<job name="a" script="a" retry_backoff="nan"/>',
        1,
        "retry_backoff 'nan' is not a number",
        "",
    ),
    (
        '<job name="a" script="a" retry_backoff="1e9"/>',
        1,
        "retry_backoff '1e9' is not a number",
        "",
    ),
    ('<job name="a" script="a" timeout="60"/>', 1, "timeout '60' is not a duration", ""),
    (
        '<job name="a" script="a" timeout="0s"/>',
        1,
        "timeout '0s' leaves no time to run",
        "leave it out",
    ),
    (
        '<job name="a" script="a" start_by="2h"/>',
        1,
        "start_by '2h' is neither a time of day nor",
        "write '+2h'",
    ),
    (
        '<job name="a" script="a" start_by="6:30"/>',
        1,
        "start_by '6:30' is neither",
        "write '06:30'",
    ),
    ('<job name="a" script="a" start_by="+0s"/>', 1, "start_by '+0s' is not after the instant", ""),
    ('<job name="a" script="a" due_by="24:00"/>', 1, "due_by '24:00' is neither", "write '00:00'"),
    ('<job name="a" script="a" due_by="+2"/>', 1, "due_by '+2' has no unit", "write '+2h'"),
    (
        '<job name="a" script="a" due_by="noon"/>',
        1,
        "due_by 'noon' is neither",
        "such as '06:30' or '+2h'",
    ),
    (
        '<job name="a" script="a" priority="high"/>',
        1,
        "priority 'high' is not a whole number from -1000000 to",
        "",
    ),
    (
        '<job name="a" script="a" pool="warehouse"/>',
        1,
        "pool 'warehouse' is not defined",
        '<pool name="warehouse" slots="1"/>',
    ),
    ('<job name="a" script="a" pool_slots="2"/>', 1, "pool_slots without a pool", "name the pool"),
    (
        '<job name="a" script="a" pool_slots="0"/>',
        1,
        "pool_slots '0' is not a whole number from 1",
        "",
    ),
    ('<job name="a" script="a" require="some"/>', 1, "require 'some' is not 'all' or 'any'", ""),
    (
        '<job name="a" script="a" require="any"/>',
        1,
        'require="any" needs a schedule and dependencies',
        "give it both",
    ),
    (
        '<job name="a" script="a" require="any" depends_on="load"/>',
        1,
        'require="any" needs a schedule',
        "give it both",
    ),
    (
        '<job name="a" script="a" require="any" schedule="@daily"/>',
        1,
        'require="any" needs a schedule and dep',
        "give it both",
    ),
    (
        '<job name="a" script="a" calendar="US"/>',
        1,
        "calendar without a schedule",
        "give it a schedule",
    ),
    (
        '<job name="a" script="a" on_holiday="before" schedule="@daily"/>',
        1,
        "on_holiday without a calendar",
        'calendar="US"',
    ),
    (
        '<job name="a" script="a" calendar="US" schedule="@daily" on_holiday="next"/>',
        1,
        "on_holiday 'next' is not 'skip'",
        "write 'after'",
    ),
    (
        '<job name="a" script="a" calendar="us" schedule="@daily"/>',
        1,
        "calendar 'us' is no known country",
        "did you mean 'US'?",
    ),
    (
        '<job name="a" script="a" calendar="UK" schedule="@daily"/>',
        1,
        "calendar 'UK' is no known country",
        "did you mean 'GB'?",
    ),
    (
        '<job name="a" script="a" calendar="DE-XY" schedule="@daily"/>',
        1,
        "DE has no such part",
        "there are BB, BE",
    ),
    (
        '<job name="a" script="a" calendar="DE-by" schedule="@daily"/>',
        1,
        "DE has no such part",
        "did you mean 'DE-BY'?",
    ),
    (
        '<job name="a" script="a" calendar="SM-A" schedule="@daily"/>',
        1,
        "SM has no such part",
        "write 'SM'",
    ),
    (
        '<job name="a" script="a" calendar="holidays" schedule="@daily"/>',
        1,
        "no known country",
        "a dot or a slash",
    ),
    (
        '<job name="a" script="a" calendar="days.txt" schedule="@daily"/>',
        1,
        "calendar 'days.txt': /data/days.txt cannot be read",
        "",
    ),
    # how an attempt starts
    ('<job name="a" script="a" warm="yes"/>', 1, "warm 'yes' is not 'auto' or 'no'", "'auto'"),
    ('<job name="a" script="a" warm="cold"/>', 1, "warm 'cold' is not 'auto' or 'no'", "'no'"),
    ('<job name="a" script="a" warm=""/>', 1, "warm is empty", "leave it out"),
    (
        '<job name="a" script="a" preload="pandas, numpy"/>',
        1,
        "preload 'pandas,' is not the name of a module",
        "by spaces: pandas numpy",
    ),
    ('<job name="a" script="a" preload="b c/d.py"/>', 1, "preload 'c/d.py' is not", "its file"),
    ('<job name="a" script="a" preload="scikit-learn"/>', 1, "'scikit-learn' is not", "import"),
    ('<job name="a" script="a" preload=".b"/>', 1, "preload '.b' is not", "package.module"),
    # unknown attributes
    ('<job name="a" script="a" schedul="@daily"/>', 1, "'schedul' is unknown", "'schedule'?"),
    ('<job name="a" script="a" Name="b"/>', 1, "'Name' is unknown", "did you mean 'name'?"),
    ('<job name="a" script="a" cron="@daily"/>', 1, "'cron' is unknown", "mean 'schedule'?"),
    ('<job name="a" script="a" zzz="1"/>', 1, "attribute 'zzz' is unknown", ""),
    # dependencies
    (
        '<job name="a" script="a" depends_on="laod"/>',
        1,
        "routine 'a' depends on 'laod', which is not defined",
        "did you mean 'load'?",
    ),
    ('<job name="a" script="a" depends_on="LOAD"/>', 1, "not defined", "did you mean 'load'?"),
    ('<job name="a" script="a" depends_on="load; load"/>', 1, "'load; load', which is", "commas"),
    ('<job name="a" script="a" depends_on="zzzz"/>', 1, "'zzzz', which is not defined", ""),
    ('<job name="a" script="a" depends_on=""/>', 1, "depends_on is empty", "leave it out"),
    ('<job name="a" script="a" depends_on="load,"/>', 1, "has an empty entry", "comma"),
    ('<job name="a" script="a" depends_on="load,load"/>', 1, "'load' is given twice", "remove"),
    ('<job name="a" script="a" depends_on="a"/>', 1, "'a' depends on itself", "previous"),
    (
        '<job name="a" script="a"><dependency name="laod"/></job>',
        26,
        "routine 'a' depends on 'laod', which is not defined",
        "did you mean 'load'?",
    ),
    (
        '<job name="a" script="a" depends_on="load"><dependency name="load"/></job>',
        44,
        "dependency on 'load' is given twice",
        "remove one",
    ),
    ('<job name="a" script="a"><dependency/></job>', 26, "name is missing", "waited for"),
    ('<job name="a" script="a"><dependency name=""/></job>', 26, "name is empty", ""),
    (
        '<job name="a" script="a"><dependency name="load" instant="same_day"/></job>',
        26,
        "instant 'same_day' is not 'latest', 'previous', 'same-day'",
        "write 'same-day'",
    ),
    (
        '<job name="a" script="a"><dependency name="load" on="failed"/></job>',
        26,
        "on 'failed' is not 'success', 'failure' or 'done'",
        "write 'failure'",
    ),
    (
        '<job name="a" script="a"><dependency name="load" wait_until="3h"/></job>',
        26,
        "wait_until '3h' is neither a time of day",
        "write '+3h'",
    ),
    (
        '<job name="a" script="a"><dependency name="load" wait_until=""/></job>',
        26,
        "wait_until '' is neither",
        "such as",
    ),
    (
        '<job name="a" script="a">'
        '<dependency name="load" wait_until="+3h" otherwise="failed"/></job>',
        26,
        "otherwise 'failed' is not 'run', 'skip' or 'fail'",
        "write 'fail'",
    ),
    (
        '<job name="a" script="a"><dependency name="load" otherwise="skip"/></job>',
        26,
        "otherwise without wait_until",
        "until when",
    ),
    (
        '<job name="a" script="a"><dependency name="load" om="done"/></job>',
        26,
        "attribute 'om' is unknown",
        "",
    ),
    ('<job name="a" script="a"><dependency name="a" instant="all"/></job>', 26, "itself", ""),
    (
        '<job name="a" script="a"><dependency name="load"><job/></dependency></job>',
        50,
        "<job> must not stand in <dependency>",
        "in <registry>",
    ),
    (
        '<job name="a" script="a" backlog="latest"><dependency name="load" instant="all"/></job>',
        1,
        "backlog 'latest' is impossible, it depends on 'load' with instant=\"all\"",
        "leave backlog out",
    ),
    # environment
    (
        '<job name="a" script="a"><environment value="x"/></job>',
        26,
        "routine 'a': <environment>: name is missing",
        "file=",
    ),
    ('<job name="a" script="a"><environment name="X"/></job>', 26, "value is missing", 'value=""'),
    (
        '<job name="a" script="a"><environment name="A=B" value=""/></job>',
        26,
        "'A=***' is not the name of a variable",
        "no =",
    ),
    (
        '<job name="a" script="a"><environment name="X" file=".env"/></job>',
        26,
        "file and name exclude each other",
        "two <environment>",
    ),
    ('<job name="a" script="a"><environment file=""/></job>', 26, "file is empty", ""),
    (
        '<job name="a" script="a"><environment name="scheduler_task" value=""/></job>',
        26,
        "scheduler_task is set by the scheduler itself",
        "another name",
    ),
    (
        '<job name="a" script="a"><environment name="X" value=""/>'
        '<environment name="X" value=""/></job>',
        58,
        "variable 'X' is given twice",
        "remove one",
    ),
    (
        '<job name="a" script="a"><environment name="X" value="" secret="1"/></job>',
        26,
        "attribute 'secret' is unknown",
        "",
    ),
    # defaults and groups
    ('<defaults name="a"/>', 1, "<defaults>: attribute 'name' is not allowed", "each job"),
    ('<defaults script="a"/>', 1, "attribute 'script' is not allowed here", "each job"),
    ('<defaults depends_on="load"/>', 1, "attribute 'depends_on' is not allowed", "each job"),
    ('<defaults description="a"/>', 1, "attribute 'description' is not allowed", "each job"),
    ('<defaults warm="maybe"/>', 1, "<defaults>: warm 'maybe' is not 'auto' or 'no'", ""),
    ('<group name="g" preload="1"/>', 1, "group 'g': preload '1' is not the name of a module", ""),
    ('<defaults pool="x"/>', 1, "<defaults>: pool 'x' is not defined", '<pool name="x"'),
    ('<defaults calendar="XX"/>', 1, "<defaults>: calendar 'XX' is no known country", "'US'"),
    ('<group name="g" timeout="1"/>', 1, "group 'g': timeout '1' is not a duration", ""),
    ('<defaults grace="2"/>', 1, "<defaults>: grace '2' is not a duration", ""),
    ('<defaults schedule="1"/>', 1, "<defaults>: schedule '1': 1 field, cron has five", ""),
    ("<defaults><dependency/></defaults>", 11, "<dependency> must not stand in <defaults>", ""),
    ("<group/>", 1, "<group>: name is missing", "needs a name"),
    ('<group name="g" grace="2"/>', 1, "group 'g': grace '2' is not a duration", ""),
    ('<group name="g" nam="h"/>', 1, "attribute 'nam' is unknown", "did you mean 'name'?"),
    # elements
    ('<jbo name="a"/>', 1, "element '<jbo>' is unknown in <registry>", "did you mean 'job'?"),
    ('<task name="a"/>', 1, "element '<task>' is unknown", "did you mean 'job'?"),
    ("<zzzzzzz/>", 1, "element '<zzzzzzz>' is unknown", ""),
    ('<pool slots="2"/>', 1, "<pool>: name is missing", "by its name"),
    ('<pool name="a"/>', 1, "<pool>: slots is missing", "how many"),
    ('<pool name="a" slots="0"/>', 1, "slots '0' is not a whole number from 1", ""),
    ('<pool name="a&#10;b" slots="1"/>', 1, "is no name", "in one line"),
    ('<pool name="a" size="1" slots="1"/>', 1, "attribute 'size' is unknown", ""),
    ('<group name="g"><pool name="a" slots="1"/></group>', 17, "<pool> must not stand", "not in"),
    ('<dependency name="load"/>', 1, "must not stand in <registry>", "it stands in a <job>"),
    ('<environment name="A" value=""/>', 1, "must not stand in <registry>", "in <defaults>"),
    ("<registry/>", 1, "<registry> must not stand in <registry>", "outermost"),
    ('<job name="a" script="a"><env/></job>', 26, "'<env>' is unknown", "'environment'?"),
    (
        '<job name="a" script="a"><job name="b" script="b"/></job>',
        26,
        "<job> must not stand in <job>",
        "in <registry> or in <group>",
    ),
    # text
    ("hello", 1, "text 'hello' inside <registry>", "attributes"),
    ("  hello &amp; all\n more", 3, "text 'hello", "attributes"),
    ('<job name="a" script="a">x</job>', 26, "text 'x' inside <job>", "attributes"),
    ("<![CDATA[x]]>", 10, "text 'x' inside <registry>", "attributes"),
    # include
    ("<include/>", 1, "<include>: file is missing", "the file to read"),
    ('<include file=""/>', 1, "<include>: file is empty", "the file to read"),
    (
        '<include file="no.xml"/>',
        1,
        "<include>: file 'no.xml': /data/no.xml cannot be read: no such file",
        "",
    ),
    (
        '<include file="registry.xml"/>',
        1,
        "the file includes itself: registry.xml -> /data/registry.xml",
        "",
    ),
    ('<include file="/data/registry.xml"/>', 1, "the file includes itself", ""),
    ('<include href="a.xml" file="no.xml" />', 1, "attribute 'href' is unknown", ""),
]


@pytest.mark.parametrize(("text", "column", "message", "hint"), IN_LINE_2)
def test_a_problem_is_told_with_its_place(text: str, column: int, message: str, hint: str) -> None:
    reading = read(f'<registry><job name="load" script="load.py"/>\n{text}\n</registry>')
    found = [
        problem
        for problem in reading.errors
        if message in problem.message and hint in (problem.hint or "")
    ]
    assert found, [str(problem) for problem in reading.errors]
    assert (found[0].file, found[0].line, found[0].column) == ("registry.xml", 2, column)
    assert "load" in reading.names


@pytest.mark.parametrize(("text", "column", "message", "hint"), IN_LINE_2)
def test_one_mistake_is_one_problem(text: str, column: int, message: str, hint: str) -> None:
    two_mistakes = ("<include href", '<job name="a" script="a" depends_on="load,"')
    reading = read(f'<registry><job name="load" script="load.py"/>\n{text}\n</registry>')
    if not text.startswith(two_mistakes) and '<dependency name="load"><job/>' not in text:
        assert len(reading.errors) == 1, [str(problem) for problem in reading.errors]


def test_all_problems_are_told_at_once_in_the_order_of_their_places() -> None:
    reading = read(
        """<registry timezone="Mars">
             <job name="a" script="a.py" schedule="61 * * * *" grace="5"/>
             <jbo name="x"/>
             <job name="b" script="b.py" depends_on="a, nope, x">
               <dependency name="b"/>
             </job>
             <job name="a" module="m" overlap="maybe"/>
             <job name="c/d" script="c.py"/>
             <job name="e" script="e.py" depends_on="c/d"/>
           </registry>"""
    )
    assert [(each.line, each.routine, each.message) for each in reading.errors] == [
        (1, None, "<registry>: timezone: unknown time zone 'Mars'"),
        (2, "a", "routine 'a': grace '5' is not a duration: "
            "add its unit, as in 90s, 30m, 2h, 1d or 1h30m"),
        (2, "a", "routine 'a': schedule '61 * * * *': minute '61' is out of range 0-59"),
        (3, None, "<registry>: element '<jbo>' is unknown in <registry>"),
        (4, "b", "routine 'b' depends on 'nope', which is not defined"),
        (5, "b", "routine 'b' depends on itself"),
        (7, "a", "routine 'a': overlap 'maybe' is not 'no' or 'yes'"),
        (7, "a", "routine 'a' is defined twice, first in line 2"),
        (8, "c/d", "routine 'c/d': name 'c/d' holds '/'"),
    ]  # fmt: skip
    assert reading.names == ("a", "b", "e")
    assert [routine.name for routine in reading.routines] == ["e"]


def test_a_problem_is_printed_in_one_line() -> None:
    reading = read('<registry>\n <job name="report" script="r" depends_on="laod"/>\n'
                   ' <job name="load" script="l"/></registry>')  # fmt: skip
    assert [str(problem) for problem in reading.errors] == [
        "registry.xml:2:2: routine 'report' depends on 'laod', which is not defined"
        " (did you mean 'load'?)"
    ]


def test_each_name_is_counted_once_whatever_else_is_wrong() -> None:
    reading = read(
        """<registry>
             <job name="a"/>
             <job name="b" script="b.py" schedule="x"/>
             <job name="a" script="a.py"/>
             <job name="A" script="a.py"/>
             <job script="c.py"/>
             <job name="d*" script="c.py"/>
             <job name="e" script="e.py" bogus="1"/>
           </registry>"""
    )
    assert reading.names == ("a", "b", "e")
    assert reading.routines == ()


def test_a_dependency_on_a_wrong_routine_is_no_further_problem() -> None:
    reading = read(
        """<registry>
             <job name="a" script="a.py" schedule="x"/>
             <job name="b" script="b.py" depends_on="a"/>
             <job name="c" script="c.py" depends_on="b"/>
             <job name="d" script="d.py" depends_on="a" schedule="@daily"/>
             <job name="e" script="e.py" depends_on="d"/>
           </registry>"""
    )
    assert [problem.line for problem in reading.errors] == [2]
    # What can be judged of these alone must not be taken for the truth.
    assert [(each.name, each.upstreams) for each in reading.routines] == [
        ("b", ()),
        ("c", ("b",)),
        ("d", ()),
        ("e", ("d",)),
    ]
    assert reading.doubtful == {"b", "c"}
    names = {name: [each.name for each in all_] for name, all_ in reading.dependencies.items()}
    assert names == {"a": [], "b": ["a"], "c": ["b"], "d": ["a"], "e": ["d"]}


def test_a_routine_with_a_wrong_default_schedule_is_not_taken_for_one_without() -> None:
    reading = read(
        """<registry>
             <defaults schedule="x"/>
             <job name="a" script="a.py"/>
             <job name="b" script="b.py" schedule="@daily"/>
           </registry>"""
    )
    assert [problem.line for problem in reading.errors] == [2]
    assert [routine.name for routine in reading.routines] == ["b"]


def test_a_name_in_another_unicode_form_is_told_apart() -> None:
    reading = read(
        '<registry>\n<job name="\u00e9" script="a"/>\n'
        '<job name="b" script="b" depends_on="e\u0301"/></registry>'
    )
    (problem,) = reading.errors
    assert problem.hint == "line 2 has the same letters in another Unicode form: copy the name"


def test_both_routines_of_which_each_task_counts_must_not_keep_the_latest_only() -> None:
    reading = read(
        """<registry>
             <job name="a" script="a.py" backlog="latest"/>
             <job name="b" script="b.py" backlog="latest">
               <dependency name="a" instant="same-day"/>
             </job>
           </registry>"""
    )
    assert [(each.line, each.message) for each in reading.errors] == [
        (2, "routine 'a': backlog 'latest' is impossible,"
            " 'b' depends on it with instant=\"same-day\": each task counts"),
        (3, "routine 'b': backlog 'latest' is impossible,"
            " it depends on 'a' with instant=\"same-day\": each task counts"),
    ]  # fmt: skip


def test_problems_name_the_included_file() -> None:
    reading = read(
        """<registry>
             <include file="sub/a.xml"/>
             <job name="load" script="x.py"/>
             <job name="z" script="x.py" grace="1"/>
           </registry>""",
        {
            "/data/sub/a.xml": """<registry bogus="1">
              <job name="load" script="x.py"/>
              <job name="b" script="x.py" depends_on="laod"/>
              <include file="b.xml"/>
            </registry>""",
            "/data/sub/b.xml": '<registry>\n<include file="a.xml"/><job></registry>',
        },
    )
    assert [str(problem) for problem in reading.errors] == [
        "registry.xml:3:14: routine 'load' is defined twice, first in line 2 of /data/sub/a.xml"
        " (rename one of them)",
        "registry.xml:4:14: routine 'z': grace '1' is not a duration:"
        " add its unit, as in 90s, 30m, 2h, 1d or 1h30m",
        "/data/sub/a.xml:1:1: <registry>: attribute 'bogus' is unknown",
        "/data/sub/a.xml:3:15: routine 'b' depends on 'laod', which is not defined"
        " (did you mean 'load'?)",
        "/data/sub/b.xml:2:1: <include>: the file includes itself:"
        " /data/sub/a.xml -> /data/sub/b.xml -> /data/sub/a.xml",
        "/data/sub/b.xml:2:24: <job>: name is missing (each routine needs a name)",
        "/data/sub/b.xml:2:24: <job>: script is missing (each routine runs a script or a module)",
        "/data/sub/b.xml:2:31: <job> of line 2 is still open when this tag closes another"
        " (end it with /> or with </job>)",
    ]


def test_a_file_is_included_once_only() -> None:
    reading = read(
        '<registry>\n<include file="a.xml"/>\n<include file="./sub/../a.xml"/></registry>',
        {"/data/a.xml": '<registry><job name="a" script="a.py"/></registry>'},
    )
    assert [str(problem) for problem in reading.errors] == [
        "registry.xml:3:1: <include>: /data/a.xml is included twice,"
        " first in line 2 of registry.xml (remove one)"
    ]


def test_what_a_missing_file_may_define_is_not_called_undefined() -> None:
    reading = read(
        '<registry><include file="a.xml"/><job name="b" script="b" depends_on="sales"/></registry>'
    )
    assert len(reading.errors) == 1
    assert reading.doubtful == {"b"}


NOT_XML = [
    ("", 1, 1, "the file is empty", "begins with <registry>", ()),
    (" \r\n ", 1, 1, "the file is empty", "begins with <registry>", ()),
    ("hello", 1, 1, "this is not XML", "begins with <registry>", ()),
    ('{"registry": []}', 1, 1, "this is not", "", ()),
    ("<html><body>text</body></html>", 1, 1, "'<html>', not <registry>", "<registry>", ()),
    ('<jobs>\n<job name="a" script="a"/></jobs>', 1, 1, "'<jobs>', not <registry>", "", ()),
    ('<Registry><job name="a" script="a"/></Registry>', 1, 1, "not <registry>", "", ("a",)),
    ('<job name="a" script="a"/>', 1, 1, "'<job>', not <registry>", "around all", ("a",)),
    (
        '<registry>\n <job name="a" script="a"/>\n <job name="b" script="b">\n',
        4,
        1,
        "<job> of line 3 is still open when the file ends",
        "</job>",
        ("a", "b"),
    ),
    (
        '<registry>\n <job name="a" script="a">\n <job name="b" script="b"/>\n</registry>',
        4,
        3,
        "<job> of line 2 is still open when this tag closes another",
        "/>",
        ("a", "b"),
    ),
    (
        '<registry>\n <group name="g">\n <job name="a" script="a"/>\n</registry>',
        4,
        3,
        "<group> of line 2 is still open",
        "</group>",
        ("a",),
    ),
    ('<registry><job name="a" script="a"/>', 1, 37, "<registry> of line 1", "</registry>", ("a",)),
    ('<registry>\n <job name="a" scr', 2, 2, "ends within a tag", "close", ()),
    ("<registry>\n<!-- never", 2, 1, "ends within a tag or a comment", "close", ()),
    ("<registry><![CDATA[ ", 1, 21, "a CDATA section is not closed", "remove", ()),
    ('<registry>\n<job name="a" name="b"/></registry>', 2, 15, "given twice", "remove", ()),
    ('<registry>\n<job name="a&b"/></registry>', 2, 15, "not well-formed", "&amp;", ()),
    ('<registry>\n<job name="a<b"/></registry>', 2, 13, "not well-formed", "&lt;", ()),
    ("<registry>\n<job name=a/></registry>", 2, 11, "not well-formed", "missing quote", ()),
    ('<registry>\n<job name="a"script="b"/></registry>', 2, 14, "not well-formed", "", ()),
    ('<registry>\n<job name="a" script/></registry>', 2, 21, "not well-formed", "", ()),
    ('<registry>\n<job name="&nbsp;"/></registry>', 2, 1, "an entity", "&amp;", ()),
    ('<registry>\n<job name="&#0;"/></registry>', 2, 12, "a number that is no", "", ()),
    ("<registry>\n\x01</registry>", 2, 1, "not well-formed", "", ()),
    ("<registry/>\n<registry/>", 2, 1, "something follows the end", "one <registry>", ()),
    ("<registry/>\ntext", 2, 1, "something follows the end", "one <registry>", ()),
    ('\n<?xml version="1.0"?><registry/>', 2, 1, "the very first thing", "before it", ()),
    ("<?xml verson='1.0'?><registry/>", 1, 7, "the line <?xml", "version=", ()),
    ("<registry></Registry>", 1, 13, "<registry> of line 1 is still open", "", ()),
]


@pytest.mark.parametrize(("text", "line", "column", "message", "hint", "names"), NOT_XML)
def test_what_is_not_well_formed_is_one_problem_and_the_rest_is_read(
    text: str, line: int, column: int, message: str, hint: str, names: tuple[str, ...]
) -> None:
    reading = read(text)
    (problem,) = reading.errors
    assert message in problem.message
    assert hint in (problem.hint or "")
    assert (problem.line, problem.column) == (line, column)
    assert reading.names == names


def test_problems_before_the_end_of_what_is_xml_are_told_too() -> None:
    reading = read(
        """<registry>
             <job name="load" script="a.py" grace="5"/>
             <job name="a" script="a.py" depends_on="further down"/>
             <job name="b" script="a.py" depends_on="laod"/>
             <job name="c" script=a.py/>"""
    )
    assert [problem.line for problem in reading.errors] == [2, 4, 5]
    assert reading.names == ("load", "a", "b")
