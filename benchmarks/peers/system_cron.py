"""The cron of this machine, apart from the machine's own crontabs.

It runs in a mount namespace of its own, which only root can make: there it finds one crontab and
no other, and the cron that may serve this machine knows nothing of it.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

#: What is put in the place of the machine's own, by what it is called in our folder.
_HIDDEN = {
    "spool": "/var/spool/cron/crontabs",
    "parts": "/etc/cron.d",
    "crontab": "/etc/crontab",
    "run": "/run",
}


def missing() -> str:
    """Return why it cannot be measured; "" where it can."""
    if shutil.which("cron", path=_PATH) is None:
        return "there is none of Debian's kind on this machine"
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("unshare") is None:
        return "to run it apart from the machine's own takes root, on Linux, and unshare"
    absent = [place for place in _HIDDEN.values() if not Path(place).exists()]
    return f"there is no {absent[0]}" if absent else ""


_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])


def version() -> str:
    """Return which cron it is; "" where there is none."""
    if missing():
        return ""
    asked = ["dpkg-query", "--show", "--showformat", "${Version}", "cron"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "cron"
    return f"cron {told.stdout}"


def line(schedule: str, script: Path, name: str) -> str:
    """Return a line of a crontab for the script of the stamps."""
    return f"{schedule} root exec '{sys.executable}' '{script}' {name}"


@contextlib.contextmanager
def running(folder: Path, lines: Sequence[str], environment: Mapping[str, str]) -> Iterator[int]:
    """Have a cron run over one crontab; yield the pid of its process."""
    for name in ("spool", "parts", "run"):
        (folder / name).mkdir()
    # Of all the environment the script needs one variable.
    stamps = f"STAMPS={environment['STAMPS']}"
    crontab = folder / "crontab"
    crontab.write_text("\n".join([stamps, *lines, ""]).replace("%", r"\%"))
    crontab.chmod(0o644)
    hide = [f"mount --bind '{folder / name}' {place}" for name, place in _HIDDEN.items()]
    program = "; ".join(["set -e", *hide, "exec cron -f"])
    words = ["unshare", "--mount", "--propagation", "private", "sh", "-c", program]
    with subprocess.Popen(words, env={**os.environ, "PATH": _PATH}) as process:
        try:
            yield process.pid
        finally:
            process.kill()
