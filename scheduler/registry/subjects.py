"""An element that is looked at: what it may hold, and the words for what it must not.

Each problem begins with whom it concerns: ``routine 'load': …``, or ``<defaults>: …``.
"""

from collections.abc import Collection, Iterator

from scheduler.errors import SchedulerError, quoted
from scheduler.registry.attributes import FOREIGN, OF_DEFAULTS, OF_JOB
from scheduler.registry.elements import Element
from scheduler.registry.flaws import Report, flaw_of

_IN_FILE = "it stands in <registry> or in <group>"
_HOMES = {
    "job": _IN_FILE,
    "routine": _IN_FILE,
    "defaults": _IN_FILE,
    "group": _IN_FILE,
    "include": _IN_FILE,
    "pool": "it stands in <registry>, not in a group",
    "dependency": "it stands in a <job>",
    "environment": "it stands in a <job>, in <defaults> or in <group>",
    "registry": "it is the outermost element of a file",
}


class Subject:
    """An element, the words that name it in a message, and the routine it belongs to."""

    __slots__ = ("_report", "element", "label", "routine")

    def __init__(
        self, report: Report, element: Element, label: str, routine: str | None = None
    ) -> None:
        self._report = report
        self.element = element
        self.label = label
        self.routine = routine

    def part(self, element: Element) -> "Subject":
        """Return an element within this one as a subject of its own."""
        return Subject(self._report, element, f"{self.label}: <{element.tag}>", self.routine)

    def wrong(self, reason: str, hint: str | None = None) -> None:
        """Note an error about it."""
        message = f"{self.label}: {reason}"
        self._report.add(self.element.place, message, hint, self.routine)

    def wrong_as(self, error: SchedulerError) -> None:
        """Note an error about it in the words of an exception."""
        flaw = flaw_of(error)
        self.wrong(flaw.reason, flaw.hint)

    def given(self, attribute: str, hint: str | None = None) -> str | None:
        """Return the text of an attribute that it needs; None if it is missing or empty."""
        text = self.element.attributes.get(attribute)
        if text is None:
            self.wrong(f"{attribute} is missing", hint)
            return None
        if not text.strip():
            self.wrong(f"{attribute} is empty", hint)
            return None
        return text

    def check_attributes(self, allowed: Collection[str]) -> None:
        """Note each attribute that it must not have."""
        for attribute in self.element.attributes:
            if attribute not in allowed:
                self._refuse_attribute(attribute, allowed)

    def _refuse_attribute(self, attribute: str, allowed: Collection[str]) -> None:
        if attribute in OF_JOB:
            self.wrong(f"attribute {attribute!r} is not allowed here", self._home_of(attribute))
        else:
            meant = FOREIGN.get(attribute.casefold())
            hint = f"did you mean {meant!r}?" if meant in allowed else None
            hint = hint or self._report.suggest(attribute, allowed)
            self.wrong(f"attribute {quoted(attribute)} is unknown", hint)

    def _home_of(self, attribute: str) -> str:
        if self.element.tag == "registry" and attribute in OF_DEFAULTS:
            return "put it into <defaults>"
        return "give it to each job that needs it"

    def check_children(self, allowed: Collection[str]) -> None:
        """Note each element within it that must not be there."""
        for child in self.element.children:
            if child.tag not in allowed:
                self.refuse(child, allowed)

    def refuse(self, child: Element, allowed: Collection[str]) -> None:
        """Note that an element must not stand within this one."""
        tag = child.tag
        meant = FOREIGN.get(tag.casefold())
        hint: str | None
        if tag in _HOMES:
            reason, hint = f"<{tag}> must not stand in <{self.element.tag}>", _HOMES[tag]
        else:
            reason = f"element {quoted(f'<{tag}>')} is unknown in <{self.element.tag}>"
            found = f"did you mean {meant!r}?" if meant in allowed else None
            hint = found or self._report.suggest(tag, allowed)
        routine = self.routine
        self._report.add(child.place, f"{self.label}: {reason}", hint, routine)


def all_within(element: Element) -> Iterator[Element]:
    """Yield an element and all that stand within it."""
    yield element
    for child in element.children:
        yield from all_within(child)
