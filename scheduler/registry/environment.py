"""The ``<environment>`` elements of a job, of defaults or of a group -> its variables."""

from scheduler.errors import SchedulerError, quoted
from scheduler.registry.masking import MASK
from scheduler.registry.paths import Paths, absolute_path
from scheduler.registry.routine import Variable, VariableFile
from scheduler.registry.subjects import Subject

Environment = tuple[Variable | VariableFile, ...]

#: set for each attempt, so that a registry cannot give them
RESERVED = frozenset(
    f"SCHEDULER_{word}"
    for word in "NAME TASK ROUTINE INSTANT PREVIOUS_INSTANT SINCE ATTEMPT".split()
)


def read_environment(subject: Subject, folder: str, paths: Paths) -> Environment:
    """Return what the <environment> elements directly within an element say."""
    found: list[Variable | VariableFile] = []
    names: set[str] = set()
    for child in subject.element.children:
        if child.tag != "environment":
            continue
        part = subject.part(child)
        part.check_attributes(("name", "value", "file"))
        part.check_children(())
        entry = _read_variable(part, folder, paths)
        if isinstance(entry, Variable):
            if entry.name in names:
                part.wrong(f"variable {quoted(entry.name)} is given twice", "remove one")
            names.add(entry.name)
        if entry is not None:
            found.append(entry)
    return tuple(found)


def _read_variable(part: Subject, folder: str, paths: Paths) -> Variable | VariableFile | None:
    attributes = part.element.attributes
    if "file" in attributes:
        if "name" in attributes or "value" in attributes:
            part.wrong("file and name exclude each other", "write two <environment>")
        text = part.given("file")
        try:
            return (
                None
                if text is None
                else VariableFile(path=absolute_path("file", text, folder, paths))
            )
        except SchedulerError as error:
            part.wrong_as(error)
            return None
    name = part.given("name", 'write name="…" value="…", or file="…"')
    if "value" not in attributes:
        part.wrong("value is missing", 'write value="" for an empty one')
    if name is None:
        return None
    if "=" in name or name != name.strip() or not name.isprintable():
        part.wrong(f"{_shown(name)} is not the name of a variable", "no = and no spaces around it")
    elif name.upper() in RESERVED:
        part.wrong(f"{name} is set by the scheduler itself", "choose another name")
    return Variable(name=name, value=attributes.get("value", ""))


def _shown(name: str) -> str:
    """Return what is no name as it may be shown: a value that was written with it is left out."""
    before, separator, _ = name.partition("=")
    return quoted(f"{before}={MASK}" if separator else name)


def merged(outer: Environment, inner: Environment) -> Environment:
    """Return both, without those of ``outer`` that ``inner`` gives anew."""
    if not inner:
        return outer
    anew = {entry.name for entry in inner if isinstance(entry, Variable)}
    kept = (old for old in outer if not (isinstance(old, Variable) and old.name in anew))
    return (*kept, *inner)
