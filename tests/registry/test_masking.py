"""What is a secret by its name, and how it is shown instead."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.registry.arguments import split_arguments
from scheduler.registry.masking import (
    MASK,
    SECRET_ENDINGS,
    SECRET_NAMES,
    is_secret,
    masked_text,
    masked_value,
    masked_words,
    secret_values,
    without,
)
from scheduler.registry.routine import Routine, Variable
from tests.support.memory_files import read

SECRET = "hunter2&more"

SECRETS = """
PASSWORD DB_PASSWORD db-password passwd PGPASSWORD MYSQL_PWD passphrase client_secret TOKEN
GITHUB_TOKEN accessToken API_KEY apikey api-key x.api.key AWS_ACCESS_KEY_ID credentials
PRIVATE_KEY privateKey Authorization COOKIE PASS SMTP_PASS --pass auth BASIC_AUTH SSH_KEY --key pin
""".split()
HARMLESS = """
MODE PWD OLDPWD KEYBOARD monkey compass spinner author AUTHOR_NAME bypass passive PATH HOME
passenger keyring_backend
""".split()


@pytest.mark.parametrize("name", SECRETS)
def test_a_name_that_speaks_of_a_secret_is_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_another_name_is_not(name: str) -> None:
    assert not is_secret(name)


@pytest.mark.parametrize("name", [*SECRET_NAMES, *SECRET_ENDINGS])
def test_each_word_of_the_list_makes_a_secret(name: str) -> None:
    assert is_secret(name) and is_secret(f"MY_{name}") and is_secret(f"my-{name}".upper())


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--password={}", "--password=***"),
        ("--password {} --fast", "--password *** --fast"),
        ("--password '{} and more' --fast", "--password *** --fast"),
        ("--token -{}", "--token ***"),
        ("--ask-password --fast", "--ask-password --fast"),
        ("--token", "--token"),
        ("--token=", "--token="),
        ("--token= {}x", "--token= {}x"),  # an empty token, and a word of its own
        ("--token=a=b --fast", "--token=*** --fast"),
        ("--token=a b", "--token=*** b"),
        ("-token {}", "-token ***"),
        ("PGPASSWORD={}", "PGPASSWORD=***"),
        ("token {}", "token {}"),  # no option: nobody knows
        ("user=me&password={}", "user=me&password=***"),
        ("'Authorization: Bearer {}'", "Authorization:***"),
        ('\'{{"user": 1, "api_key": "{}"}}\'', '{{"user": 1, "api_key":***'),
        ("/password:{}", "/password:***"),
        ("postgres://me:{}@db/x", "postgres://me:***@db/x"),
        ("--url=https://me:a@b@c@db:5/x?y", "--url=https://me:***@db:5/x?y"),
        ("https://db:5432/x@y", "https://db:5432/x@y"),
        ("--mode fast {instant:%H:%M}", "--mode fast {instant:%H:%M}"),
        ("C:\\data\\tokens.txt", "C:\\data\\tokens.txt"),
    ],
)
def test_what_follows_the_name_of_a_secret_is_masked(line: str, shown: str) -> None:
    line, shown = line.replace("{}", SECRET), shown.replace("{}", SECRET)
    assert " ".join(masked_words(split_arguments(line.replace("{{", "{")))) == shown.replace(
        "{{", "{"
    )


def test_the_value_of_a_variable_is_masked_by_its_name() -> None:
    assert masked_value("TOKEN", SECRET) == MASK
    assert masked_value("TOKEN", "") == ""
    assert masked_value("MODE", SECRET) == SECRET
    assert masked_value("DATABASE", f"postgres://me:{SECRET}@db/x") == "postgres://me:***@db/x"


def test_secrets_are_masked_wherever_they_occur_the_longest_first() -> None:
    secrets = secret_values(
        {"A_TOKEN": "abcd", "B_TOKEN": "abcdef", "PIN": "1", "DB": "x://me:first@db"},
        ["--password=pass word", "x://me:second@db", "--key", "ke-ey", "--mode", "slow"],
        ["from a file"],
    )
    assert set(secrets) == {
        "abcd",
        "abcdef",
        "pass word",
        "ke-ey",
        "from a file",
        "first",
        "second",
    }
    text = "abcdef abcd 1 slow pass word ke-ey from a file first second me db"
    assert without(text, secrets) == "*** *** 1 slow *** *** *** *** *** me db"


@given(st.lists(st.text(max_size=20)), st.text(min_size=1, max_size=20))
def test_any_words_are_masked_one_for_one(words: list[str], secret: str) -> None:
    shown = masked_words([*words, f"--password={secret}", *words])
    assert len(shown) == 2 * len(words) + 1
    assert shown[len(words)] in ("--password=***", "***")


@pytest.mark.parametrize("piece", ["token", "token=", "=", ":", "a", "://a:b", "'", "-", "key "])
def test_masking_takes_time_in_proportion_to_the_text(piece: str) -> None:
    word = piece * (300_000 // len(piece))
    masked_words([word, word])  # would take minutes otherwise
    masked_text(word)


# -- errors of a registry --------------------------------------------------------------------


@pytest.mark.parametrize(
    "inner",
    [
        """<job name="a" script="a.py" arguments="--password 'hunter2"/>""",
        """<job name="a" script="a.py" arguments="--fast --password='hunter2 hunter2"/>""",
        """<job name="a" script="a.py" arguments="--password={hunter2"/>""",
        """<job name="a" script="a.py" arguments="--password=a{hunter2}"/>""",
        """<job name="a" script="a.py" arguments="--password a{hunter2}"/>""",
        """<job name="a" script="a.py" arguments="--token x{instant:%Q hunter2}"/>""",
        """<job name="a" script="a.py" arguments="--token x{instant:hunter2}"/>""",
        """<job name="a" script="a.py" arguments="--token hunter2{attempt:99999}"/>""",
        """<job name="a" script="a.py" arguments="--token hunter2{attempt:hunter2}"/>""",
        """<job name="a" script="a.py"><environment name="TOKEN=hunter2" value="x"/></job>""",
        """<job name="a" script="a"><environment name="A" value="">hunter2</environment></job>""",
        """<job name="a" script="a.py"><environment name="TOKEN" vaule="hunter2"/></job>""",
        """<job name="a" script="a.py" password="hunter2"/>""",
        """<job name="a" script="a.py"><environment name=" TOKEN" value="hunter2"/></job>""",
    ],
)
def test_no_error_of_a_registry_shows_a_secret(inner: str) -> None:
    reading = read(f"<registry>{inner}</registry>")
    assert reading.errors
    assert "hunter2" not in " ".join(map(str, reading.errors))


def test_what_is_printed_of_a_routine_holds_no_secret() -> None:
    routine = Routine(
        name="load",
        script="/load.py",
        arguments=("--token", SECRET),
        environment=(Variable(name="TOKEN", value=SECRET),),
    )
    assert SECRET not in repr(routine)
    assert "TOKEN" in repr(routine)
