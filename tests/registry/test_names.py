"""What may be the name of a routine."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.registry.flaws import Flaw
from scheduler.registry.names import check_name, folder_key


@pytest.mark.parametrize(
    "name",
    [
        "load",
        "Load_2",
        "-x",
        "+",
        "@home",
        "a.b.c",
        "a..b",
        "daily report",
        "a. b",
        "données",
        "日報",
        "отчёт",
        "नमस्ते",  # with vowel signs: marks
        "e\N{COMBINING ACUTE ACCENT}",
        "٣٤",
        "x" * 200,
        "é" * 100,
        "console",
        "com",
        "com10",
        "lpt0",
        "load.2026",
        "load.2026-10",
        "v1.2.3",
    ],
)
def test_a_name_is_accepted(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is empty"),
        (" ", "begins or ends with a space"),
        (" a", "begins or ends with a space"),
        ("a ", "begins or ends with a space"),
        ("a\n", "begins or ends with a space"),
        (".a", "begins with a dot"),
        ("a.", "ends with a dot"),
        (".", "begins with a dot"),
        ("..", "begins with a dot"),
        ("a  b", "two spaces in a row"),
        ("a/b", "holds '/'"),
        ("a\\b", r"holds '\\'"),
        ("a:b", "holds ':'"),
        ("a*b", "holds '*'"),
        ("a,b", "holds ','"),
        ("a<b", "holds '<'"),
        ('a"b', """holds '"'"""),
        ("a|b", "holds '|'"),
        ("a?b", "holds '?'"),
        ("a\tb", "holds U+0009"),
        ("a\0b", "holds U+0000"),
        ("a\N{NO-BREAK SPACE}b", "holds U+00A0 (no-break space)"),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", "holds U+202E (right-to-left override)"),
        ("a\N{ZERO WIDTH SPACE}b", "holds U+200B (zero width space)"),
        ("a\N{PILE OF POO}", "(U+1F4A9)"),
        ("Ⅳ", "(U+2163)"),
        ("a²", "(U+00B2)"),
        ("x" * 201, "201 bytes"),
        ("é" * 101, "202 bytes"),
        ("con", "a device on Windows"),
        ("NUL", "a device on Windows"),
        ("Aux.txt", "a device on Windows"),
        ("nul.tar.gz", "a device on Windows"),
        ("prn .x", "a device on Windows"),
        ("com1", "a device on Windows"),
        ("LPT9.log", "a device on Windows"),
        ("load.2026-10-01T02:00:00", "reads like the id of a task"),
        ("load.2026-10-01T02-00-00", "reads like the id of a task"),
        ("load.2026-10-01T02-00-00+0200", "reads like the id of a task"),
        ("load.20261001T020000Z", "reads like the id of a task"),
        ("load.2026-10-01", "reads like the id of a task"),
        ("a.b.2026-10-01T02:00", "reads like the id of a task"),
    ],
)
def test_a_name_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(Flaw) as caught:
        check_name(name)
    assert reason in caught.value.reason


def test_a_refusal_of_a_long_name_stays_short() -> None:
    with pytest.raises(Flaw) as caught:
        check_name("\N{RIGHT-TO-LEFT OVERRIDE}" * 1_000_000)
    assert len(str(caught.value)) < 800


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("load", "LOAD"),
        ("é", "e\N{COMBINING ACUTE ACCENT}"),
        ("É", "e\N{COMBINING ACUTE ACCENT}"),
        ("straße", "STRASSE"),
        ("ΣΑΣ", "σας"),
        ("\N{KELVIN SIGN}", "k"),
        ("\N{OHM SIGN}", "ω"),
        ("가", "\N{HANGUL CHOSEONG KIYEOK}\N{HANGUL JUNGSEONG A}"),
    ],
)
def test_two_names_are_one_folder(one: str, other: str) -> None:
    assert folder_key(one) == folder_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("load", "loads"), ("e", "é"), ("a b", "a_b"), ("a.b", "ab"), ("o", "0")]
)
def test_two_names_are_two_folders(one: str, other: str) -> None:
    assert folder_key(one) != folder_key(other)


@given(st.text())
def test_any_text_is_a_name_or_a_flaw(text: str) -> None:
    try:
        check_name(text)
    except Flaw:
        return
    assert len(text.encode()) <= 200
    assert text == text.strip(". ")
    assert not set(text) & set('/\\:*?"<>|\0')
