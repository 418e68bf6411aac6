"""The grid as one HTML file that needs nothing else: no script, no other file, no network."""

from collections.abc import Iterator, Sequence
from html import escape

from scheduler.cli.answers import GridCellView, GridRowView, GridView
from scheduler.cli.grid import LETTERS, UNREAD, UNREAD_IN_WORDS, Mark, caption, rulers
from scheduler.cli.printing import clean

_LETTERS_OF_COLUMN = 3  # about as wide as a cell

_STYLE = """\
:root { color-scheme: light dark; --text: #1f2328; --ground: #ffffff; --faint: #6e7781;
  --line: #d8dee4; --ink: #ffffff; --failed: #cf222e; --blocked: #8250df; --cancelled: #9a6700;
  --running: #0969da; --ready: #57606a; --waiting: #57606a; --succeeded: #1a7f37;
  --skipped: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --text: #e6edf3; --ground: #0d1117;
  --faint: #8b949e; --line: #30363d; --ink: #0d1117; --failed: #ff7b72; --blocked: #bc8cff;
  --cancelled: #d29922; --running: #58a6ff; --ready: #8b949e; --waiting: #8b949e;
  --succeeded: #3fb950; --skipped: #6e7681; } }
body { margin: 1.5em; color: var(--text); background: var(--ground);
  font: 14px/1.4 system-ui, sans-serif; }
h1 { font-size: 1.3em; margin: 0 0 .3em; }
p { margin: .3em 0; color: var(--faint); }
p.notice { color: var(--failed); }
div { overflow-x: auto; margin: 1em 0; }
table { border-collapse: separate; border-spacing: 2px; }
thead th { font-weight: normal; font-size: .8em; text-align: left; color: var(--faint);
  white-space: nowrap; }
tbody th { font-weight: normal; text-align: left; white-space: nowrap; padding-right: 1em;
  position: sticky; left: 0; background: var(--ground); }
tbody tr:hover th { text-decoration: underline; }
th.root { color: var(--failed); font-weight: bold; }
th.held { color: var(--blocked); padding-left: 1.2em; }
td { min-width: 1.5em; height: 1.5em; padding: 0; text-align: center; border-radius: 3px;
  font: 12px/1.5em ui-monospace, monospace; color: var(--ink); }
td.last { text-align: left; white-space: nowrap; padding: 0 .4em; }
td.none { background: transparent; color: var(--faint); box-shadow: inset 0 0 0 1px var(--line); }
ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3em 1.2em; }
li span { display: inline-block; width: 1.5em; text-align: center; border-radius: 3px;
  color: var(--ink); font: 12px/1.5em ui-monospace, monospace; }
"""
_COLOURS = "".join(f".{state} {{ background: var(--{state}); }}\n" for state in LETTERS)


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
            "<div><table>",
            *_head(view),
            "<tbody>",
            *(line for row in view["rows"] for line in _row(row)),
            "</tbody>",
            "</table></div>",
            *_legend(view),
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


def _head(view: GridView) -> Iterator[str]:
    yield "<thead>"
    for marks in rulers(view["columns"], view["period"], _LETTERS_OF_COLUMN):
        yield f"<tr><th></th><th></th>{''.join(_ruled(marks, len(view['columns'])))}</tr>"
    yield "</thead>"


def _ruled(marks: Sequence[Mark], columns: int) -> Iterator[str]:
    starts = [mark.column for mark in marks]
    if not starts or starts[0] > 0:
        yield f'<th colspan="{starts[0] if starts else columns}"></th>'
    for mark, end in zip(marks, [*starts[1:], columns], strict=True):
        yield f'<th colspan="{end - mark.column}">{_text(mark.text)}</th>'


def _row(row: GridRowView) -> Iterator[str]:
    kind = ' class="root"' if row["is_root"] else ' class="held"' if row["held_by"] else ""
    held = f"blocked by {row['held_by']}" if row["held_by"] else ""
    title = f' title="{_text(held)}"' if held else ""
    yield f'<tr><th scope="row"{kind}{title}>{_text(row["routine"])}</th>{_last(row["last"])}'
    for number, cell in enumerate(row["cells"]):
        if cell is not None:
            letter = LETTERS[cell["state"]]
            yield f'<td class="{cell["state"]}" title="{_text(_told(cell))}">{letter}</td>'
        elif number < row["unread"]:
            yield f'<td class="none" title="{_text(UNREAD_IN_WORDS)}">{UNREAD}</td>'
        else:
            yield '<td class="none"></td>'
    yield "</tr>"


def _last(cell: GridCellView | None) -> str:
    if cell is None:
        return '<td class="none last"></td>'
    moment = cell["instant"][:16].replace("T", " ")
    text = f"{LETTERS[cell['state']]} {moment}"
    return f'<td class="{cell["state"]} last" title="{_text(_told(cell))}">{_text(text)}</td>'


def _told(cell: GridCellView) -> str:
    reason = f": {cell['reason']}" if cell["reason"] else ""
    more = f" (the worst of {cell['count']})" if cell["count"] > 1 else ""
    return f"{cell['task']} {cell['state']}{reason}{more}"


def _legend(view: GridView) -> Iterator[str]:
    yield "<ul>"
    for state, letter in LETTERS.items():
        yield f'<li><span class="{state}">{letter}</span> {state}</li>'
    yield "</ul>"
    yield f"<p>{_text(caption(view))}</p>"
    if view["more"]:
        yield f"<p>{view['more']} more routines are left out.</p>"
