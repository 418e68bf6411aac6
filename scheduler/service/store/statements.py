"""The SQL statements by their names, as they stand in the files of sql/."""

import re
from pathlib import Path

FOLDER = Path(__file__).with_name("sql")


def _named(file: str) -> dict[str, str]:
    text = (FOLDER / file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (.+)$", text, flags=re.MULTILINE)[1:]
    return {name: statement.strip() for name, statement in zip(*[iter(parts)] * 2, strict=True)}


READS = _named("reads.sql")
WRITES = _named("writes.sql")
