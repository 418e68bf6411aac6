"""One awkward script: what it is made of, and how it is started.

What there is of them is in `awkward_scripts`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Text = str | bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Awkward:
    """A script that can tell how it was started, or ends in a way of its own.

    ``{folder}`` in its variables and words stands for the folder that it lies in.
    """

    body: Text | None = None  # None: `prepare` makes the script, or there is none
    written: str = "job.py"  # where the body is, within the folder
    script: str | None = None  # the path that it is started by, if that is another
    module: str | None = None  # what runs instead, as by ``python -m``
    files: Mapping[str, Text] = field(default_factory=dict[str, Text])  # further ones, by path
    prepare: Callable[[Path], object] = lambda folder: None  # what else the folder needs
    arguments: tuple[str, ...] = ("--day", "2026-10-01", "two words", "")
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: str = "."  # the working directory, within the folder
    awaits: str | None = None  # a file that is written after its end
    #: why it can't be started by fork of a warm interpreter, if it can't
    cold: str | None = None


Scripts = dict[str, Awkward | str]
"""By what is awkward; a text alone is the body of a plain script."""
