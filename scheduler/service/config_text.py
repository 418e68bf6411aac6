"""The text of a config file: decoded, parsed, and the line of each setting.

What the settings mean is `config`'s business.
"""

import configparser
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scheduler.errors import ConfigError, Problem, quoted

DEFAULT = configparser.DEFAULTSECT
SESSION = "SESSION"

_SECTION_LINE = re.compile(r"\[(?P<name>.+)\]")
_SETTING_LINE = re.compile(r"(?P<key>.*?)\s*(?:[=:]|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigText:
    """A parsed config file.

    ``lines`` are those of the settings by (section, key), and by (section, None) of the sections.
    """

    parser: configparser.ConfigParser
    lines: Mapping[tuple[str, str | None], int]


def parse_config(path: Path) -> ConfigText:
    """Return what stands in a config file, [SESSION] left out.

    Raises:
        ConfigError: it cannot be read, or is not a config file at all.
    """
    text = _decoded(path)
    places = list(_places(text))
    lines = _without_session(text, places)
    parser = configparser.ConfigParser()
    try:
        parser.read_string("\n".join(lines), source=str(path))
    except configparser.MissingSectionHeaderError as error:
        message = f"{quoted(error.line.strip())} stands in no section"
        raise _wrong(path, error.lineno, message, "begin with [DEFAULT]") from error
    except configparser.DuplicateSectionError as error:
        message = f"[{error.section}] is written twice"
        raise _wrong(path, error.lineno, message, "put both into one") from error
    except configparser.DuplicateOptionError as error:
        message = f"{error.option!r} is set twice in [{error.section}]"
        raise _wrong(path, error.lineno, message, "keep one of the two") from error
    except configparser.ParsingError as error:
        raise ConfigError(
            [
                problem(
                    path,
                    line,
                    f"{quoted(lines[line - 1].strip())} is not a setting",
                    "write NAME = VALUE",
                )
                for line, _ in error.errors
            ]
        ) from error
    return ConfigText(
        parser=parser,
        # The first of several lines: a section or setting that is there twice was refused above.
        lines={(section, key): line for section, key, line in reversed(places)},
    )


def problem(path: Path, line: int | None, message: str, hint: str | None = None) -> Problem:
    """Return what is wrong at a line of a config file."""
    return Problem(file=str(path), line=line, column=None, routine=None, message=message, hint=hint)


def _wrong(path: Path, line: int | None, message: str, hint: str | None = None) -> ConfigError:
    return ConfigError([problem(path, line, message, hint)])


def _decoded(path: Path) -> str:
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise _wrong(path, None, "no such file", "'scheduler init' makes one") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise _wrong(path, None, f"cannot be read: {reason or error}") from error
    is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = None if is_utf16 else data.count(b"\n", 0, error.start) + 1
        raise _wrong(path, line, "is not UTF-8", "save the file as UTF-8") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise _wrong(path, line, "is not a text file")
    return text


def _places(text: str) -> Iterator[tuple[str, str | None, int]]:
    """Yield (section, key, line) of each setting, and with None for the key of each section.

    The parser of the standard library does not tell lines; this follows its rules: a comment has
    its own line, and a line indented deeper than its setting goes on with the value.
    """
    section: str | None = None
    depth: int | None = None  # of the setting that an indented line may continue
    for number, line in enumerate(text.split("\n"), start=1):
        written = line.strip()
        if not written or written.startswith(("#", ";")):
            continue
        indent = len(line) - len(line.lstrip())
        if depth is not None and indent > depth:
            continue
        header = _SECTION_LINE.match(written)
        if header:
            name: str = header["name"]
            section, depth = name, None
            yield name, None, number
        elif section is not None:
            setting = _SETTING_LINE.match(written)
            assert setting is not None
            depth = indent
            yield section, setting["key"].lower(), number


def _without_session(text: str, places: list[tuple[str, str | None, int]]) -> list[str]:
    """Return the lines, with those of [SESSION] empty: whatever stands there is accepted."""
    lines = text.split("\n")
    headers = [(section, line) for section, key, line in places if key is None]
    end = len(lines) + 1
    for section, start in reversed(headers):
        if section == SESSION:
            lines[start - 1 : end - 1] = [""] * (end - start)
        end = start
    return lines
