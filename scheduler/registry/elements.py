"""The text of a registry file -> its elements with their places, and what is wrong as XML.

No DTD and so no entities, no network, no deep nesting.  What an element means is not known here.
Where the text stops being XML, what stands before it is still handed on: its problems are
reported together with that one.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from scheduler.registry.decoding import decode, place_after
from scheduler.registry.flaws import Report
from scheduler.registry.routine import Place

# Only groups nest, and nobody reads twenty of them in one another.
DEEPEST = 20

# All that may stand before a DOCTYPE.
_PROLOG = re.compile(r"(?>\s+|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)

_NO_ELEMENTS = expat.errors.codes[expat.errors.XML_ERROR_NO_ELEMENTS]
_MISMATCH = expat.errors.codes[expat.errors.XML_ERROR_TAG_MISMATCH]

_WORDS = {
    expat.errors.XML_ERROR_SYNTAX: ("this is not XML", "a registry begins with <registry>"),
    expat.errors.XML_ERROR_INVALID_TOKEN: (
        "this is not well-formed XML",
        "look for a missing quote or bracket; write & as &amp; and < as &lt;",
    ),
    expat.errors.XML_ERROR_UNCLOSED_TOKEN: (
        "the file ends within a tag or a comment that begins here",
        "close it",
    ),
    expat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE: ("an attribute is given twice", "remove one"),
    expat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: (
        "something follows the end of the outermost element",
        "one <registry> holds everything",
    ),
    expat.errors.XML_ERROR_UNDEFINED_ENTITY: (
        "an entity that XML does not have",
        "only &amp; &lt; &gt; &quot; &apos; and numbers such as &#233; are known",
    ),
    expat.errors.XML_ERROR_BAD_CHAR_REF: ("a number that is no character", "remove it"),
    expat.errors.XML_ERROR_MISPLACED_XML_PI: (
        "<?xml … ?> must be the very first thing in the file",
        "remove what stands before it",
    ),
    expat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION: ("a CDATA section is not closed", "remove it"),
    expat.errors.XML_ERROR_XML_DECL: (
        "the line <?xml … ?> is not well-formed",
        'write <?xml version="1.0" encoding="UTF-8"?> or leave it out',
    ),
}
_WORDS_BY_CODE = {expat.errors.codes[name]: words for name, words in _WORDS.items()}


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag, its attributes and, in order, its children."""

    tag: str
    attributes: dict[str, str]
    place: Place
    children: list["Element"] = field(default_factory=lambda: [])


@dataclass(frozen=True, slots=True)
class StrayText:
    """Text between tags, where none belongs: the first within an element."""

    text: str
    place: Place
    tag: str  # of the element that it stands in


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The root element, if there is one, and whether the file could be read to its end."""

    root: Element | None = None
    texts: tuple[StrayText, ...] = ()
    is_whole: bool


class _DoctypeFound(Exception):
    """The file declares a document type: what follows is not even looked at."""


class _TooDeep(Exception):
    """Elements are nested without end, or a tag is not closed again and again."""

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.place = place


def parse(data: bytes, file: str, report: Report) -> Document:
    """Return the elements of a file; what is wrong goes to the report, in the name of ``file``."""
    decoded = decode(data)
    flaw = decoded.flaw
    if flaw is not None:
        place = Place(file=file, line=flaw.line, column=flaw.column)
        report.add(place, flaw.message, flaw.hint)
    elif not decoded.text.strip():
        place = Place(file=file, line=1, column=1)
        report.add(place, "the file is empty", "a registry begins with <registry>")
        return Document(is_whole=False)
    return _Parser(file, report).parsed(decoded.text, is_whole=flaw is None)


class _Parser:
    """Expat's callbacks, and the elements that are open."""

    def __init__(self, file: str, report: Report) -> None:
        self._file = file
        self._report = report
        self._root: Element | None = None
        self._open: list[Element] = []
        self._has_text: list[bool] = []
        self._texts: list[StrayText] = []
        # Named here, an encoding wins over the declared one: the text was decoded already.
        self._expat = expat.ParserCreate("utf-8")
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text
        self._expat.StartDoctypeDeclHandler = self._doctype

    def parsed(self, text: str, *, is_whole: bool) -> Document:
        """Return what could be parsed; if ``is_whole`` is false, the text ends anywhere."""
        try:
            # One call: handed over in pieces, a very long attribute is scanned again for each.
            self._expat.Parse(text.encode(), is_whole)
        except _DoctypeFound:
            is_whole = False
            self._report_doctype(text)
        except _TooDeep as error:
            is_whole = False
            message = f"elements are nested more than {DEEPEST} deep"
            self._report.add(error.place, message, "close each <job> with />; use fewer groups")
        except expat.ExpatError as error:
            is_whole = False
            place = Place(file=self._file, line=error.lineno, column=error.offset + 1)
            self._report.add(place, *self._words(error.code))
        return Document(root=self._root, texts=tuple(self._texts), is_whole=is_whole)

    def _here(self, indent: int = 0) -> Place:
        return Place(
            file=self._file,
            line=self._expat.CurrentLineNumber,
            column=self._expat.CurrentColumnNumber + 1 + indent,
        )

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        place = self._here()
        if len(self._open) == DEEPEST:
            raise _TooDeep(place)
        element = Element(tag, attributes, place)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self._root = element
        self._open.append(element)
        self._has_text.append(False)

    def _end(self, _tag: str) -> None:
        self._open.pop()
        self._has_text.pop()

    def _text(self, text: str) -> None:
        if self._has_text[-1] or text.isspace():
            return
        # Once an element: expat hands over each line, and each &amp;, by itself.
        self._has_text[-1] = True
        place = self._here(indent=len(text) - len(text.lstrip()))
        self._texts.append(StrayText(text.strip(), place, self._open[-1].tag))

    def _doctype(self, *_declared: object) -> None:
        raise _DoctypeFound

    def _report_doctype(self, text: str) -> None:
        # Expat tells of it only at the end of its first part, which may be lines further down.
        before = _PROLOG.match(text)
        line, column = place_after(before[0] if before else "")
        place = Place(file=self._file, line=line, column=column)
        self._report.add(place, "a DOCTYPE is not allowed", "remove it; a registry needs none")

    def _words(self, code: int) -> tuple[str, str]:
        """Return the message and the hint for one of expat's errors."""
        if self._open and code in (_MISMATCH, _NO_ELEMENTS):
            innermost = self._open[-1]
            tag = innermost.tag[:60]
            when = "when this tag closes another" if code == _MISMATCH else "when the file ends"
            message = f"<{tag}> of line {innermost.place.line} is still open {when}"
            return message, f"end it with /> or with </{tag}>"
        if code in _WORDS_BY_CODE:
            return _WORDS_BY_CODE[code]
        return f"not well-formed XML: {expat.ErrorString(code)}", "mend it here or just before"
