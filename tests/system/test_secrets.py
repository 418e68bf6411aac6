"""Secrets reach the script that needs them, and nobody who asks the scheduler."""

import json
import sys

import pytest

from tests.system.data_folder import DataFolder, wait_until

SECRETS = {
    "word": "secret-of-a-word",
    "option": "secret-of-an-option",
    "url": "secret-of-an-address",
    "variable": "secret-of-a-variable",
    "file": "secret-of-a-file",
    "by_hand": "secret-by-hand",
    "wrong": "secret-in-a-mistake",
}
JOB = f"""
<job name="load" script="load.py" schedule="0 2 * * *"
     arguments="--token {SECRETS["word"]} --password={SECRETS["option"]}
                --db=postgres://me:{SECRETS["url"]}@db/x --mode fast">
  <environment name="API_KEY" value="{SECRETS["variable"]}"/>
  <environment name="MODE" value="daily"/>
  <environment file=".env"/>
</job>
"""
SCRIPT = """\
import json, os, sys
given = {"words": sys.argv[1:], "variables": {name: os.environ[name] for name in
         ("API_KEY", "MODE", "HARMLESS")}}
with open("given.json", "w") as file:
    json.dump(given, file)
secrets = [*sys.argv[1:], os.environ["API_KEY"], os.environ["HARMLESS"]]
raise ValueError("denied: " + " ".join(secrets))
"""
TELL = """\
import sys
with open("told", "a") as file:
    file.write(sys.stdin.read().partition('"last_lines"')[0])
"""
VERBS = (
    ("status",),
    ("status", "load"),
    ("list",),
    ("history",),
    ("history", "load"),
    ("why", "load"),
    ("plan",),
    ("check",),
    ("logs", "load"),
    ("status", "--grid"),
)


@pytest.fixture
def secretive(folder: DataFolder) -> DataFolder:
    """Return a folder with a routine that is given secrets in every way, and betrays them."""
    folder.write_jobs(JOB)
    folder.write_script("load.py", SCRIPT)
    folder.write_script("tell.py", TELL)
    folder.write_script(".env", f"HARMLESS={SECRETS['file']}\n")
    folder.write_config(
        f'log_level = DEBUG\n[notify]\ncommand = "{sys.executable}" tell.py --token x'
    )
    return folder


def test_the_script_is_given_its_secrets_and_nobody_else(secretive: DataFolder) -> None:
    folder = secretive
    shown = [folder.start()]
    assert folder.executed("load")["state"] == "failed"
    given = json.loads((folder.path / "given.json").read_text())
    assert given["words"][:3] == ["--token", SECRETS["word"], f"--password={SECRETS['option']}"]
    assert given["variables"] == {
        "API_KEY": SECRETS["variable"],
        "MODE": "daily",
        "HARMLESS": SECRETS["file"],
    }
    by_hand = folder.executed("load", "--arguments", f"--token {SECRETS['by_hand']} --mode slow")
    given = json.loads((folder.path / "given.json").read_text())
    assert given["words"] == ["--token", SECRETS["by_hand"], "--mode", "slow"]
    assert by_hand["attempts"][0]["error"].startswith("ValueError: denied: --token *** ")

    wait_until(folder.has("told"), "somebody to be told")
    wrong = f"--token '{SECRETS['wrong']}"
    shown.append(folder.run("execute", "load", "--arguments", wrong).mistake())
    folder.write_jobs(JOB.replace(SECRETS["word"], SECRETS["wrong"]).replace("daily", "weekly"))
    shown.append(folder.run("reload", "--yes").ok().out)
    folder.write_jobs(JOB.replace("--token", f"--token {SECRETS['wrong']}{{"))
    refused = folder.run("reload")
    assert refused.code == 2
    shown.extend([refused.out, refused.err])
    folder.write_jobs(JOB)
    for words in VERBS:
        for further in ((), ("--json",)):
            done = folder.run(*words, *further)
            assert done.code == 0, done
            if words[0] != "logs" or further:  # what the script itself has written
                shown.extend([done.out, done.err])
    shown.append(folder.run("history", "--csv").ok().out)
    shown.append(folder.stop())
    shown.extend(folder.run(*words).out for words in VERBS if words[0] != "logs")
    shown.append((folder.path / "told").read_text())
    shown.append((folder.path / "logs" / f"~scheduler.{folder.name}.log").read_text())

    everything = "\n".join(shown)
    assert [kind for kind, secret in SECRETS.items() if secret in everything] == []
    # It did speak of them.
    assert "--token *** --password=*** --db=postgres://me:***@db/x --mode fast" in everything
    assert "API_KEY=***" in everything and "MODE=daily" in everything


def test_a_check_shows_no_secret_that_stands_in_a_mistake(secretive: DataFolder) -> None:
    folder = secretive
    folder.write_jobs(JOB.replace("--token", f"--token {SECRETS['wrong']}{{"))
    for further in ((), ("--json",)):
        done = folder.run("check", "--config_file", str(folder.config), *further)
        assert done.code == 2
        assert "is alone" in done.out + done.err
        assert [one for one in SECRETS.values() if one in done.out + done.err] == []


def test_what_is_open_to_others_is_said_at_the_start_and_in_status(folder: DataFolder) -> None:
    folder.write_jobs('<job name="load" script="load.py"/>')
    folder.write_script("load.py", "")
    registry = folder.path / "registry.xml"
    registry.chmod(0o602)
    folder.write_config("[http]\nhost = 0.0.0.0")
    said = folder.start()
    assert "warning: [http] host = 0.0.0.0 may be reached from other machines" in said
    assert f"warning: every user of this machine may write to {registry}" in said
    assert folder.database.stat().st_mode & 0o777 == 0o600
    folder.write_jobs('<job name="load" script="load.py" retries="1"/>')
    folder.run("reload", "--yes").ok()
    assert "may be reached from other machines" in folder.run("status").ok().out
    assert "may be reached from other machines" in (
        (folder.path / "logs" / f"~scheduler.{folder.name}.log").read_text()
    )
