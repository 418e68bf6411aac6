"""The grid as one HTML file that needs nothing else: no script, no other file, no network."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from html import escape

from scheduler.cli.grid import LETTERS, UNREAD, UNREAD_IN_WORDS, Mark, caption, rulers
from scheduler.cli.printing import clean, width_of
from scheduler.cli.times import moment_in_words
from scheduler.service.answers import GridCellView, GridRowView, GridView

_LETTERS_OF_COLUMN = 3  # about as wide as a cell
_LENGTH_OF_DAY = len("2026-11-23")

_STYLE = """\
:root { color-scheme: light dark; --text: #1f2328; --ground: #ffffff; --faint: #59636e;
  --line: #d8dee4; --ink: #ffffff; --failed: #cf222e; --blocked: #8250df; --cancelled: #9a6700;
  --running: #0969da; --ready: #57606a; --waiting: #57606a; --succeeded: #1a7f37;
  --skipped: #d8dee4; --ink-of-skipped: #4b535c; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --ground: #0d1117;
  --faint: #8b949e; --line: #30363d; --ink: #0d1117; --failed: #ff7b72; --blocked: #bc8cff;
  --cancelled: #d29922; --running: #58a6ff; --ready: #8b949e; --waiting: #8b949e;
  --succeeded: #3fb950; --skipped: #30363d; --ink-of-skipped: #adbac7; } }
body { margin: 1.5em; color: var(--text); background: var(--ground);
  font: 14px/1.4 system-ui, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.3em; margin: 0 0 .3em; }
p { margin: .3em 0; color: var(--faint); }
code { white-space: nowrap; }
p.notice { color: var(--failed); }
/* From right to left, only to begin at the newest column where there is no room for all. */
div { overflow-x: auto; margin: 1em 0; direction: rtl; }
table { direction: ltr; margin: 0 auto 0 0; border-collapse: separate; border-spacing: 2px; }
th { font-weight: normal; text-align: left; white-space: nowrap; background: var(--ground); }
thead th { font-size: .8em; color: var(--faint); }
/* A day is told as long as one of its columns is in sight, beside the names. */
thead tr:first-child span { position: sticky;
  left: calc(min(34vw, 23rem, var(--longest)) + 2.5em); }
/* The shadows hide what would pass in the gaps beside these two columns. */
tr > :first-child, tr > :last-child { position: sticky; left: 2px; right: 2px; z-index: 1;
  --gaps: -2px 0 var(--ground), 2px 0 var(--ground); box-shadow: var(--gaps); }
tbody th { padding-right: .8em; max-width: min(34vw, 23rem); overflow: hidden;
  text-overflow: ellipsis; }
tbody tr:hover th { text-decoration: underline; }
th.root { color: var(--failed); font-weight: bold; }
th.held { color: var(--blocked); padding-left: 1.2em; }
td { min-width: 1.5em; height: 1.5em; padding: 0; text-align: center; border-radius: 3px; }
td, li span { color: var(--ink); font: 12px/1.5em ui-monospace, monospace;
  -webkit-print-color-adjust: exact; print-color-adjust: exact; }
td.last { text-align: left; white-space: nowrap; padding: 0 .4em; }
td.none { background: var(--ground); color: var(--faint); box-shadow: inset 0 0 0 1px var(--line); }
td.none.last { box-shadow: inset 0 0 0 1px var(--line), var(--gaps); }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3em 1.2em; }
li span { display: inline-block; width: 1.5em; text-align: center; border-radius: 3px; }
li span.none { color: var(--faint); box-shadow: inset 0 0 0 1px var(--line); }
@media (max-width: 40em) { body { margin: .8em; } tbody th { padding-right: .3em; } }
"""
_COLOURS = (
    "".join(f".{state} {{ background: var(--{state}); }}\n" for state in LETTERS)
    + "td.skipped, li span.skipped { color: var(--ink-of-skipped); }\n"
)


def html_of(view: GridView) -> str:
    """Return the page."""
    name = view["scheduler"]["name"]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            # Nothing of what a page shows can make it fetch or run something.
            '<meta http-equiv="Content-Security-Policy" '
            "content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{_text(f'{name}: routines')}</title>",
            f"<style>\n{_STYLE}{_COLOURS}</style>",
            "</head>",
            "<body>",
            f"<h1>{_text(f'scheduler {name}')}</h1>",
            *_about(view),
            *(_grid(view) if view["rows"] else ["<p>There are no routines.</p>"]),
            "</body>",
            "</html>",
            "",
        ]
    )


def _text(text: str) -> str:
    return escape(clean(text), quote=True)


def _about(view: GridView) -> Iterator[str]:
    state = "" if view["scheduler"]["is_live"] else "; it is not running: this is what it left"
    yield f"<p>{_text(view['at'][:16].replace('T', ' ') + state)}</p>"
    for notice in view["scheduler"]["notices"]:
        yield f'<p class="notice">{_text(notice)}</p>'


def _grid(view: GridView) -> Iterator[str]:
    longest = max(width_of(clean(row["routine"])) for row in view["rows"])
    yield f'<div tabindex="0" style="--longest: {longest}ch"><table>'
    yield from _head(view)
    yield "<tbody>"
    at = datetime.fromisoformat(view["at"])
    for row in view["rows"]:
        yield from _row(row, at)
    yield "</tbody>"
    yield "</table></div>"
    yield from _legend(view)


def _head(view: GridView) -> Iterator[str]:
    yield "<thead>"
    dates, times = rulers(view["columns"], view["period"], _LETTERS_OF_COLUMN)
    for marks, title in ((dates, ""), (times, "newest")):
        cells = "".join(_ruled(marks, len(view["columns"])))
        yield f"<tr><th></th>{cells}<th>{title}</th></tr>"
    yield "</thead>"


def _ruled(marks: Sequence[Mark], columns: int) -> Iterator[str]:
    starts = [mark.column for mark in marks]
    if not starts or starts[0] > 0:
        yield f'<th colspan="{starts[0] if starts else columns}"></th>'
    for mark, end in zip(marks, [*starts[1:], columns], strict=True):
        yield f'<th colspan="{end - mark.column}"><span>{_text(mark.text)}</span></th>'


def _row(row: GridRowView, at: datetime) -> Iterator[str]:
    kind = ' class="root"' if row["is_root"] else ' class="held"' if row["held_by"] else ""
    held = f" is blocked by {row['held_by']}" if row["held_by"] else ""
    name = _text(row["routine"])  # of one that is cut, all of it is told
    yield f'<tr><th scope="row"{kind} title="{name}{_text(held)}">{name}</th>'
    for number, cell in enumerate(row["cells"]):
        if cell is not None:
            letter = LETTERS[cell["state"]]
            yield f'<td class="{cell["state"]}" title="{_text(_told(cell))}">{letter}</td>'
        elif number < row["unread"]:
            yield f'<td class="none" title="{_text(UNREAD_IN_WORDS)}">{UNREAD}</td>'
        else:
            yield '<td class="none"></td>'
    yield f"{_last(row['last'], at)}</tr>"


def _last(cell: GridCellView | None, at: datetime) -> str:
    if cell is None:
        return '<td class="none last"></td>'
    short = moment_in_words(cell["instant"], at)[:_LENGTH_OF_DAY]  # its day, or today its time
    text = f"{LETTERS[cell['state']]} {short}"
    return f'<td class="{cell["state"]} last" title="{_text(_told(cell))}">{_text(text)}</td>'


def _told(cell: GridCellView) -> str:
    reason = f": {cell['reason']}" if cell["reason"] else ""
    more = f" (the worst of {cell['count']})" if cell["count"] > 1 else ""
    return f"{cell['task']} {cell['state']}{reason}{more}"


def _legend(view: GridView) -> Iterator[str]:
    yield "<ul>"
    for state, letter in LETTERS.items():
        yield f'<li><span class="{state}">{letter}</span> {state}</li>'
    if any(row["unread"] for row in view["rows"]):
        yield f'<li><span class="none">{UNREAD}</span> {_text(UNREAD_IN_WORDS)}</li>'
    yield "</ul>"
    yield f"<p>{_text(caption(view))}</p>"
    if view["more"]:
        more = f"… and {view['more']} more routines"
        yield f"<p>{more}: <code>scheduler status ROUTINE --grid</code> shows one</p>"
