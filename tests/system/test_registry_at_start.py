"""What a start says of a registry that cannot be read, and of a folder of the ancestor's."""

import sqlite3
from contextlib import closing

import pytest

from tests.system.data_folder import DataFolder

BROKEN = '<job name="a" script="a.py" schedule="61 * * * *"/>'


@pytest.fixture
def broken(folder: DataFolder) -> DataFolder:
    """Return a folder whose registry loaded once, and has an error by now."""
    folder.write_jobs('<job name="a" script="a.py"/>')
    folder.write_script("a.py", "print('as before')")
    folder.start()
    folder.stop()
    folder.write_jobs(BROKEN)
    return folder


def test_a_broken_registry_is_refused_on_a_terminal(broken: DataFolder) -> None:
    window = broken.open_window()
    assert window.end() == 2
    assert "registry.xml:2:" in window.text and "61" in window.text
    assert "Traceback" not in window.text


def test_a_daemon_goes_on_with_the_last_registry_that_loaded_and_says_so(
    broken: DataFolder,
) -> None:
    told = broken.start()
    assert "CANNOT BE LOADED" in told and "registry.xml:2" in told
    shown = broken.run("status").ok().out
    assert "CANNOT BE LOADED" in shown and "registry.xml:2" in shown
    assert broken.executed("a")["state"] == "succeeded"
    assert "CANNOT BE LOADED" in broken.run("status", "--json").json["scheduler"]["notices"][0]
    broken.stop()
    # It is the file that counts again once it is mended.
    broken.write_jobs('<job name="b" script="a.py"/>')
    assert "CANNOT BE LOADED" not in broken.start()
    assert broken.executed("b")["state"] == "succeeded"


def test_a_daemon_that_never_had_a_registry_refuses_a_broken_one(folder: DataFolder) -> None:
    folder.write_jobs(BROKEN)
    refused = folder.run(*folder.start_words("--daemon"))
    assert refused.code == 2 and "registry.xml:2:" in refused.err
    assert "Traceback" not in refused.err and refused.out == ""
    assert folder.is_quiet()


def test_a_registry_that_is_gone_does_not_stop_a_daemon(broken: DataFolder) -> None:
    (broken.path / "registry.xml").unlink()
    told = broken.start()
    assert "CANNOT BE LOADED" in told and "registry.xml" in told
    assert broken.executed("a")["state"] == "succeeded"


def test_all_problems_are_told_at_once(folder: DataFolder) -> None:
    folder.write_jobs(
        '<job name="a" script="a.py" schedule="61 * * * *"/>\n'
        '<job name="b" script="b.py" depends_on="laod"/>\n'
        '<job name="load" scirpt="c.py"/>'
    )
    refused = folder.run(*folder.start_words("--daemon"))
    lines = [line.partition(".xml:")[2].partition(":")[0] for line in refused.err.splitlines()]
    assert refused.code == 2 and {"2", "3", "4"} <= set(lines), refused.err
    assert "did you mean 'load'?" in refused.err and "did you mean 'script'?" in refused.err


# -- folders of the ancestor ---------------------------------------------------------------------

OLD_REGISTRY = """\
<?xml version="1.0"?>
<registry>
  <job name="load" script="jobs\\load.py" schedule="0 2 * * 0"/>
  <job name="report" script="jobs\\report.py" schedule="0 3 * * *">
    <dependency name="load"/>
  </job>
</registry>
"""
OLD_CONFIG = """\
[DEFAULT]
root_directory = {root}
registry = %(root_directory)s\\registry.xml
database = %(root_directory)s\\state\\scheduler.db
log_directory = %(root_directory)s\\logs
configpath = C:\\scheduler\\config.cfg
last_shutdown = 2024-01-01 00:00:00

[SESSION]
name = night
anything = 100% else
"""


@pytest.fixture
def old(folder: DataFolder) -> DataFolder:
    """Return a folder as the ancestor left it: Windows paths, [SESSION], a table `state`."""
    (folder.path / "registry.xml").write_text(OLD_REGISTRY)
    folder.config.write_text(OLD_CONFIG.format(root=folder.path))
    folder.write_script("jobs/load.py", "print('loaded')")
    folder.write_script("jobs/report.py", "print('reported')")
    (folder.path / "state").mkdir()
    with closing(sqlite3.connect(folder.path / "state" / "scheduler.db")) as database, database:
        database.execute("CREATE TABLE state (job TEXT, last TEXT)")
        database.execute("INSERT INTO state VALUES ('load', '2024-01-01')")
    return folder


def test_an_older_folder_names_the_schedules_whose_days_would_change(old: DataFolder) -> None:
    for _ in range(2):
        refused = old.run(*old.start_words("--daemon"))
        assert refused.code == 2 and "Traceback" not in refused.err
        assert "routine 'load': '0 2 * * 0'" in refused.err
        assert "write '0 2 * * 1'" in refused.err
        assert "--accept_cron_days" in refused.err
        assert "'report'" not in refused.err
        assert old.is_quiet()
    assert [one.name for one in (old.path / "state").glob("*.db*")] == ["scheduler.db"]
    before = (old.path / "config.cfg").read_bytes()
    assert "0 2 * * 1" in old.run("check", "--config_file", str(old.config)).out
    assert (old.path / "config.cfg").read_bytes() == before


def test_accepting_the_days_keeps_the_old_database_beside(old: DataFolder) -> None:
    told = old.start("--accept_cron_days")
    kept = old.path / "state" / "scheduler.db.ancestor"
    assert str(kept) in told
    with closing(sqlite3.connect(kept)) as database:
        assert database.execute("SELECT * FROM state").fetchall() == [("load", "2024-01-01")]
    assert old.executed("load")["state"] == "succeeded"
    old.stop()
    # Accepted once is accepted for good, and nothing is renamed again.
    assert "ancestor" not in old.start()
    old.stop()
    assert sorted(one.name for one in (old.path / "state").glob("*.ancestor*")) == [kept.name]


def test_an_older_folder_with_its_lines_mended_starts_at_once(old: DataFolder) -> None:
    (old.path / "registry.xml").write_text(OLD_REGISTRY.replace("0 2 * * 0", "0 2 * * 1"))
    # 1 was Tuesday there, so that one must be asked about as well.
    assert old.run(*old.start_words("--daemon")).code == 2
    (old.path / "registry.xml").write_text(OLD_REGISTRY.replace("0 2 * * 0", "0 2 * * mon"))
    assert "is running" in old.start()


def test_a_session_alone_makes_an_older_folder(old: DataFolder) -> None:
    (old.path / "state" / "scheduler.db").unlink()
    assert "--accept_cron_days" in old.run(*old.start_words("--daemon")).err
    old.start("--accept_cron_days")


def test_a_broken_registry_does_not_make_an_older_folder_forget_to_ask(old: DataFolder) -> None:
    (old.path / "state" / "scheduler.db").unlink()
    (old.path / "registry.xml").write_text("<registry>")
    assert "registry.xml:" in old.run(*old.start_words("--daemon")).err
    (old.path / "registry.xml").write_text(OLD_REGISTRY)
    assert "--accept_cron_days" in old.run(*old.start_words("--daemon")).err


def test_a_new_folder_is_not_taken_for_an_older_one(folder: DataFolder) -> None:
    folder.write_jobs('<job name="a" script="a.py" schedule="0 2 * * 0"/>')
    folder.write_script("a.py", "")
    assert "accept" not in folder.start()
