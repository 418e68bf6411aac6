"""On what machine, with what versions, and when."""

import os
import platform
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from benchmarks.measuring import PEERS
from benchmarks.peers import system_cron

_ROOT = Path(__file__).resolve().parents[1]


def described() -> Iterator[tuple[str, str]]:
    """Yield what the reader of a figure has to know, as pairs of name and value."""
    memory = psutil.virtual_memory().total / 2**30
    yield "date", time.strftime("%Y-%m-%d", time.gmtime())
    yield "machine", f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB"
    yield "system", f"{platform.system()} {platform.release()}, {_distribution()}"
    yield "Python", f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    yield "scheduler", _revision()
    yield "peers", ", ".join([*_peers(), system_cron.version() or "no cron"])
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    yield "load before the run", f"{load:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return sys.platform


def _revision() -> str:
    """Return the version, and the commit where there is one."""
    version = metadata.version("scheduler")
    try:
        asked = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty"]
        told = subprocess.run(asked, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return version
    return f"{version}, commit {told.stdout.strip()}"


def _peers() -> Iterator[str]:
    for name, package in PEERS.items():
        try:
            yield f"{name} {metadata.version(package)}"
        except metadata.PackageNotFoundError:
            yield f"no {name}"
