"""A registry file may hold anything: it is read or refused, and nothing else happens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.registry.decoding import MOST_BYTES
from scheduler.registry.reader import Reading, read_registry
from tests.support.memory_files import MemoryFiles, read

LONGEST_MESSAGE = 800


def assert_readable(reading: Reading) -> None:
    for problem in (*reading.errors, *reading.warnings):
        assert len(str(problem)) < LONGEST_MESSAGE
        assert str(problem).isprintable()
        assert (problem.line or 1) >= 1
        assert (problem.column or 1) >= 1


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("<!DOCTYPE registry><registry/>", 1, 1),
        ('<?xml version="1.0"?>\n<!DOCTYPE registry SYSTEM "registry.dtd"><registry/>', 2, 1),
        ('<!DOCTYPE registry PUBLIC "-//X//Y" "http://x.invalid/x.dtd"><registry/>', 1, 1),
        (
            '<?xml version="1.0"?>\n<!-- <!DOCTYPE no> --> <?a\n?>\n  <!DOCTYPE registry\n'
            '[\n<!ENTITY name "a">]>\n<registry><job name="&name;" script="a.py"/></registry>',
            4,
            3,
        ),
        (
            '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
            '<registry><job name="a" script="a" description="&x;"/></registry>',
            1,
            1,
        ),
        (
            '<!DOCTYPE r [<!ENTITY % x SYSTEM "http://x.invalid/x.dtd"> %x;]><registry/>',
            1,
            1,
        ),
    ],
)
def test_a_document_type_is_refused_unseen(text: str, line: int, column: int) -> None:
    reading = read(text)
    (problem,) = reading.errors
    assert (problem.message, problem.line, problem.column) == (
        "a DOCTYPE is not allowed",
        line,
        column,
    )
    assert reading.names == ()


def test_a_billion_laughs_are_not_heard() -> None:
    laughs = '<!ENTITY a0 "ha">' + "".join(
        f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 30)
    )
    reading = read(f"<!DOCTYPE lol [{laughs}]>\n<registry>&a29;</registry>")
    assert [problem.message for problem in reading.errors] == ["a DOCTYPE is not allowed"]


def test_only_included_files_are_opened() -> None:
    files = MemoryFiles({"/data/a.xml": "<registry/>"})
    text = b"""<registry>
        <include file="a.xml"/>
        <job name="a" script="a.py"><environment file=".env"/></job>
        <x:include xmlns:x="http://www.w3.org/2001/XInclude" href="/etc/passwd" parse="text"/>
    </registry>"""
    read_registry(text, file="registry.xml", files=files, timezone="UTC")
    assert files.read_paths == ["/data/a.xml"]


@pytest.mark.parametrize("tag", ["group", "job", "x"])
def test_deep_nesting_is_refused(tag: str) -> None:
    reading = read("<registry>" + f'<{tag} name="a">\n' * 1_000_000)
    assert "elements are nested more than 20 deep" in [each.message for each in reading.errors]
    (problem,) = (each for each in reading.errors if "nested" in each.message)
    assert (problem.line, problem.column) == (20, 1)
    assert_readable(reading)


def test_includes_do_not_go_on_for_ever() -> None:
    files = {
        f"/data/{number}.xml": f'<registry><include file="{number + 1}.xml"/></registry>'
        for number in range(1000)
    }
    reading = read('<registry><include file="0.xml"/></registry>', files)
    (problem,) = reading.errors
    assert problem.message == "<include>: files include each other more than 20 deep"


@pytest.mark.parametrize(
    "attribute",
    "name script module schedule depends_on timezone arguments python grace skip_exit backlog"
    " warm preload enabled tags bogus".split(),
)
@pytest.mark.parametrize("value", ["x", "9", ",", "'", "{", "* ", "&#9;", "é", "\u202e", "&quot;"])
def test_a_message_stays_readable_however_long_the_value_is(attribute: str, value: str) -> None:
    job = f'<job {attribute}="{value * 200_000}"/>'
    reading = read(f"<registry>{job}<{'y' * 10_000}/>{'text' * 10_000}</registry>")
    assert len(reading.errors) >= 3
    assert_readable(reading)


def test_twenty_megabytes_in_one_attribute_are_read() -> None:
    description = "long " * 4_000_000
    reading = read(f'<registry><job name="a" script="a" description="{description}"/></registry>')
    assert reading.errors == ()
    assert len(reading.routines[0].description) == 20_000_000


def test_a_dependency_on_each_of_many_unknown_routines_is_told() -> None:
    names = ",".join(f"job {number}" for number in range(20_000))
    reading = read(f'<registry><job name="a" script="a" depends_on="{names}"/></registry>')
    assert len(reading.errors) == 20_000


def test_a_file_too_large_for_a_registry_is_refused_unread() -> None:
    reading = read(b"<" * (MOST_BYTES + 1))
    (problem,) = reading.errors
    assert "the file has 200000001 bytes" in problem.message


DECLARED = '<?xml version="1.0"\n encoding="{}"?>\n<registry/>'


@pytest.mark.parametrize(
    ("data", "line", "column", "message"),
    [
        (b"<registry>\n <!-- \xe9 -->\n</registry>", 2, 7, "byte 0xe9 is not UTF-8"),
        (b"<registry>\r \xff</registry>", 2, 2, "byte 0xff is not UTF-8"),
        ("<registry>\n<!--é".encode() + b"\xc3", 2, 6, "byte 0xc3 is not UTF-8"),
        (b"\xed\xa0\x80<registry/>", 1, 1, "byte 0xed is not UTF-8"),  # a lone surrogate
        (b"\xff\xfe<\0r\0\n\0\0\xd8<\0", 2, 1, "is not UTF-16-LE"),
        (b"\xff\xfe<\0r", 1, 2, "is not UTF-16-LE"),
        ("<registry/>".encode("utf-16-le"), 1, 1, "without a byte-order mark"),
        ("<registry/>".encode("utf-16-be"), 1, 1, "without a byte-order mark"),
        ("<registry/>".encode("utf-32"), 1, 1, "in UTF-32"),
        (b"\0" * 100, 1, 1, "without a byte-order mark"),
        (DECLARED.format("UTF-16").encode(), 2, 12, "declared as UTF-16 but has no byte-order"),
        (DECLARED.format("shift_jis").encode(), 2, 12, "'shift_jis' is not supported"),
        (DECLARED.format("utf-7").encode(), 2, 12, "'utf-7' is not supported"),
        (DECLARED.format("rot13").encode(), 2, 12, "'rot13' is not supported"),
        (DECLARED.format("idna").encode(), 2, 12, "'idna' is not supported"),
        (DECLARED.format("cp037").encode(), 2, 12, "'cp037' is not supported"),
        (DECLARED.format("unicode_escape").encode(), 2, 12, "'unicode_escape' is not supported"),
        (DECLARED.format("../../x").encode(), 2, 12, "'../../x' is not supported"),
        (DECLARED.format("").encode(), 2, 12, "'' is not supported"),
        (DECLARED.format("x" * 400).encode(), 2, 12, "is not supported"),
        (DECLARED.format("us-ascii").encode() + b"\xe9", 3, 12, "byte 0xe9 is not ASCII"),
        (DECLARED.format("windows-1252").encode() + b"\x81", 3, 12, "byte 0x81 is not CP1252"),
    ],
)
def test_what_is_no_text_is_refused_with_its_place(
    data: bytes, line: int, column: int, message: str
) -> None:
    (problem,) = read(data).errors
    assert message in problem.message
    assert (problem.line, problem.column) == (line, column)
    assert "UTF-8" in (problem.hint or "")


def test_what_stands_before_an_undecodable_byte_is_read() -> None:
    reading = read(
        b'<registry>\n<job name="a" script="a" grace="1"/>\n'
        b'<job name="b" script="b"/>\n<job name="c\xe9" script="c"/></registry>'
    )
    assert [(problem.line, problem.column) for problem in reading.errors] == [(2, 1), (4, 13)]
    assert reading.names == ("a", "b")


WORDS = st.sampled_from(
    [
        "<registry>",
        "</registry>",
        "<job ",
        "<job name='a' script='a'",
        "<group name='g' ",
        "<defaults ",
        "<dependency ",
        "<environment ",
        "<include ",
        "/>",
        ">",
        "</job>",
        "</group>",
        "name='b' ",
        "name='a' ",
        "script='x' ",
        "schedule='* * * * *' ",
        "depends_on='a,b' ",
        "instant='previous' ",
        "file='registry.xml' ",
        "file='other.xml' ",
        "grace='1' ",
        "arguments='{instant:%d}' ",
        "&amp;",
        "&x;",
        "<!--",
        "-->",
        "<!DOCTYPE a [",
        "]>",
        "<![CDATA[",
        "<?xml version='1.0' encoding='latin-1'?>",
        "text",
        "\n",
        "é",
        "\0",
    ]
)


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(WORDS).map(lambda words: "".join(words).encode())
    | st.lists(WORDS).map(lambda words: f"<registry>{''.join(words)}</registry>".encode())
    | st.lists(WORDS).map(lambda words: f"<registry>{''.join(words)}</registry>".encode("utf-16"))
)
def test_any_bytes_give_routines_or_problems(data: bytes) -> None:
    reading = read(data, {"/data/other.xml": data})
    assert_readable(reading)
    names = [routine.name for routine in reading.routines]
    assert len(set(reading.names)) == len(reading.names)
    assert [name for name in reading.names if name in names] == names
    if not reading.errors:
        assert tuple(names) == reading.names
    for routine in reading.routines:
        assert {each.name for each in routine.dependencies} <= set(names)
        assert set(routine.dependents) <= set(names)


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_attribute_and_value_give_routines_or_problems(attribute: str, value: str) -> None:
    escaped = "".join(f"&#{ord(character)};" for character in value)
    for name in (attribute, "name", "schedule", "depends_on", "arguments", "timezone", "python"):
        assert_readable(read(f'<registry><job {name}="{escaped}" module="m"/></registry>'))


# -- Found by fuzzing ------------------------------------------------------------------------


@pytest.mark.parametrize("attribute", ["name", "depends_on"])
def test_what_a_job_alone_has_is_refused_on_the_registry_itself(attribute: str) -> None:
    (problem,) = read(f'<registry {attribute}="a"><job name="a" script="a"/></registry>').errors
    assert problem.message == f"<registry>: attribute '{attribute}' is not allowed here"
    assert problem.hint == "give it to each job that needs it"


def test_the_name_of_a_pool_that_is_not_defined_may_hold_anything() -> None:
    reading = read('<registry><job name="a" script="a" pool="a&#127;b"/></registry>')
    assert "'a\\x7fb' is not defined" in reading.errors[0].message
    assert_readable(reading)


@pytest.mark.parametrize("file", ["a&#128;.xml", "a&#x202e;.xml", "a" * 20_000, "/a" * 20_000])
def test_the_name_of_a_file_that_is_not_there_may_hold_anything(file: str) -> None:
    job = f'<job name="a" script="a" schedule="@daily" calendar="./{file}"/>'
    for text in (f'<include file="{file}"/>', job):
        reading = read(f"<registry>{text}</registry>")
        assert "cannot be read" in reading.errors[0].message
        assert_readable(reading)


def test_a_name_of_characters_that_cannot_be_printed_is_cut_as_it_is_shown() -> None:
    name = "&#x10ffff;" * 100
    reading = read(f'<registry><job name="{name}" script="a" pool="{name}"/></registry>')
    assert reading.errors
    for problem in reading.errors:
        assert len(str(problem)) < 450


@pytest.mark.parametrize("value", ["0s" * 20_000, "+" + "1" * 20_000, "1h" * 20_000])
def test_a_hint_repeats_no_value_of_any_length(value: str) -> None:
    assert_readable(read(f'<registry><job name="a" script="a" due_by="{value}"/></registry>'))
