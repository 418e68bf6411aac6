"""What an expression may look like, and what the message says about one that may not."""

import pytest

from scheduler import Schedule, SchedulerError

SAME = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@Daily", "@daily"),
    ("  0\t0 *  *\t* \n", "0 0 * * *"),
    ("00 007 01 01 00", "0 7 1 1 0"),
    ("0 0 * * mon-Fri", "0 0 * * 1-5"),
    ("0 0 * jan,MAR-may/2 *", "0 0 * 1,3,5 *"),
    ("0 0 * * SUN", "0 0 * * 7"),
    ("0 0 * * 5-7", "0 0 * * 0,5,6"),
    ("0 0 * * 6-7", "0 0 * * 0,6"),
    ("0 0 * * 0-7", "0 0 * * 0-6"),
    ("0 0 * * FRI-7", "0 0 * * 5,6,0"),
    ("0 0 * * 1/2", "0 0 * * 1,3,5,7"),
    ("5/15 * * * *", "5,20,35,50 * * * *"),
    ("*/90 * * * *", "*/60 * * * *"),
    ("3-7/100 1 * * *", "3 1 * * *"),
    ("30-30/5 1 * * *", "30 1 * * *"),
    ("0-59/20 1 * * *", "0,20,40 1 * * *"),
    ("0 0 l * *", "0 0 L * *"),
    ("0 0 lw * *", "0 0 LW * *"),
    ("0 0 * * FRIL", "0 0 * * 5L"),
    ("0 0 * * 7L", "0 0 * * SUNL"),
    ("0 0 * * FRI#3", "0 0 * * 5#3"),
    ("0 0 * * 1#1,5#3,1#1", "0 0 * * MON#1,FRI#3"),
    ("0 0 * * 7#01", "0 0 * * 0#1"),
]


@pytest.mark.parametrize(("expression", "plain"), SAME)
def test_two_ways_to_write_one_schedule(expression: str, plain: str) -> None:
    assert Schedule(expression) == Schedule(plain)
    assert hash(Schedule(expression)) == hash(Schedule(plain))


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 29 2 *",
        "0 0 29 2 */7",  # a Sunday: once in 28 years
        "0 0 30 2 1",  # Mondays of February: neither day field begins with *
        "0 0 */31 2 1#1",
        "0 0 31 1,2 *",
        "0 0 L 2 5#5",
        "0 0 * 2 0#5",
        "0 0 15,LW * 1#3",
        "*,5 1,*/3 * * *",
    ],
)
def test_an_expression_whose_dates_come_is_accepted(expression: str) -> None:
    assert Schedule(expression).expression == expression


WRONG = [
    ("", "write five fields"),
    (" \t ", "write five fields"),
    ("0 0 * *", "4 fields, cron has five"),
    ("0 0 * * * *", "6 fields, cron has five"),
    ("0 0 0 * * * 2026", "none for seconds or years"),
    ("@reboot", "not an instant"),
    ("@every 5m", "there are @hourly"),
    ("@daily *", "there are @hourly"),
    ("0 0 ? * *", "'?' in day of month is not cron: write '*'"),
    ("H * * * *", "'H' in minute is not cron"),
    ("0 H/5 * * *", "'H' in hour is not cron"),
    ("H(0-29)/10 * * * *", "'H' in minute is not cron"),
    ("5-1 * * * *", "range 5-1 in minute runs backwards: write 5-59,0-1"),
    ("0 0 * * FRI-MON", "range FRI-MON in day of week runs backwards: write FRI-7,0-MON"),
    ("0 0 * * fri-sun", "write FRI-7"),
    ("0 0 * DEC-FEB *", "range DEC-FEB in month runs backwards: write DEC-12,1-FEB"),
    ("*/0 * * * *", "step 0 in minute"),
    ("*/ * * * *", "step '' in minute"),
    ("*/-1 * * * *", "step '-1' in minute"),
    ("1/2/3 * * * *", "step '2/3' in minute"),
    (", * * * *", "an empty entry in minute"),
    ("0 1,,2 * * *", "an empty entry in hour"),
    ("0 0 * * 1,", "an empty entry in day of week"),
    ("/5 * * * *", "an empty entry in minute"),
    ("1- * * * *", "a number is missing in minute"),
    ("-1 * * * *", "a number is missing in minute"),
    ("0 0 * * #3", "a number is missing in day of week"),
    ("60 * * * *", "minute '60' is out of range 0-59"),
    ("0 24 * * *", "hour '24' is out of range 0-23"),
    ("0 0 0 * *", "day of month '0' is out of range 1-31"),
    ("0 0 32 * *", "day of month '32' is out of range 1-31"),
    ("0 0 * 0 *", "month '0' is out of range 1-12"),
    ("0 0 * 13 *", "month '13' is out of range 1-12"),
    ("0 0 * * 8", "day of week '8' is out of range 0-7"),
    ("0 0 * * 5#6", "'#6' in day of week is out of range #1-#5"),
    ("0 0 * * 5#0", "'#0' in day of week is out of range #1-#5"),
    ("0 0 * * 5#", "out of range #1-#5"),
    ("0 0 * * 1-5#2", "'1-5' in day of week is not a number"),
    ("0 0 * * 1-5L", "'1-5' in day of week is not a number"),
    ("0 0 * * L", "5L is the last Friday"),
    ("0 0 L-3 * *", "'L-3' in day of month is not supported: there are L and LW"),
    ("0 0 15W * *", "'15W' in day of month is not supported: there are L and LW"),
    ("0 0 L/2 * *", "'L' in day of month is not a number 1-31"),
    ("0 0 * MON *", "'MON' in month is not a number 1-12 or JAN-DEC"),
    ("0 0 * * MONDAY", "'MONDAY' in day of week is not a number 0-7 or SUN-SAT"),
    ("*5 * * * *", "'*5' in minute is not a number"),
    ("*-5 * * * *", "'*' in minute is not a number"),
    ("+5 * * * *", "'+5' in minute is not a number"),
    ("1_0 * * * *", "'1_0' in minute is not a number"),
    ("0 0 * * *\x00", r"'*\x00' in day of week is not a number"),
    ("\u0663 * * * *", "only plain ASCII"),
    ("\uff13 * * * *", "only plain ASCII"),
    ("\xa0* * * * *", "only plain ASCII"),
    ("\ud800 * * * *", "only plain ASCII"),
    ("0 0 30 2 *", "its dates never come"),
    ("0 0 31 2 */2", "its dates never come"),
    ("0 0 31 4,6,9,11 *", "its dates never come"),
    ("0 0 */31 * 5#5", "its dates never come"),
]


@pytest.mark.parametrize(("expression", "reason"), WRONG)
def test_a_wrong_expression_is_refused_with_the_reason(expression: str, reason: str) -> None:
    with pytest.raises(SchedulerError) as refused:
        Schedule(expression)
    message = str(refused.value)
    assert reason in message
    assert "\n" not in message


@pytest.mark.parametrize("value", [None, 5, b"* * * * *", ["* * * * *"]])
def test_what_is_not_text_is_refused(value: object) -> None:
    with pytest.raises(SchedulerError, match="a schedule is text, not"):
        Schedule(value)  # type: ignore[arg-type]


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    "expression",
    [
        "x" * MEGABYTE,
        "* " * MEGABYTE,
        "1" * MEGABYTE + " * * * *",
        "0" * MEGABYTE + "5-1 * * * *",
        "1-" * MEGABYTE + " * * * *",
        "1," * MEGABYTE + " * * * *",
        "*/" + "0" * MEGABYTE + " * * * *",
        "L" * MEGABYTE + " * * * *",
        "0 0 * * " + "A" * MEGABYTE,
        "0 0 * * 1#" + "0" * MEGABYTE,
        "@" + "a" * MEGABYTE,
        "\x00" * MEGABYTE,
    ],
    ids=lambda expression: repr(expression[:12]),
)
def test_the_message_about_a_megabyte_is_short(expression: str) -> None:
    with pytest.raises(SchedulerError) as refused:
        Schedule(expression)
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("expression", "plain"),
    [
        (" " * MEGABYTE + "0 0 * * *", "0 0 * * *"),
        ("0," * MEGABYTE + "0 * * * *", "0 * * * *"),
        ("0" * MEGABYTE + "5 * * * *", "5 * * * *"),
        ("5/" + "9" * MEGABYTE + " * * * *", "5 * * * *"),
        ("0 0 * * 1#" + "0" * MEGABYTE + "1", "0 0 * * 1#1"),
    ],
    ids=["blanks", "list", "number", "step", "nth"],
)
def test_a_megabyte_that_is_right_is_read(expression: str, plain: str) -> None:
    assert Schedule(expression) == Schedule(plain)
