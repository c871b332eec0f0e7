"""The picture of docs/results: drawn by `make docs` from the table beside it, compared by the tests.

Run as `python -m tools.pictures`; with `--check` it writes nothing and exits with 1 when the picture isn't what the table gives.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import dropwhile, takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "results" / "after-200-edits.md"

TITLE = "After 200 edits: what must change, and what must stay"
SUBTITLE = (
    "Percent of probes that met their expectation, mean over ten seeds; the thin line is one standard error either way.",
    "An editor that does both has long bars on both sides. “tuned” is the best of twelve trials of the editor above it.",
)


@dataclass(frozen=True)
class Panel:
    """One side of the picture: where it begins, what it is called, and the kinds of probes it shows, each with what it asks."""

    left: int
    name: str
    axis: str
    kinds: Mapping[str, str]


CHANGE = Panel(
    150,
    "Must change",
    "percent that gave the corrected answer",
    {
        "reliability": "the corrected question itself",
        "text_generality": "other wordings",
        "image_generality": "other pictures",
        "cross_modal": "words alone, no picture",
    },
)
STAY = Panel(
    530,
    "Must stay",
    "percent that stayed as before",
    {"near_locality": "neighbours", "specificity_out": "other things on the picture"},
)

WIDTH, SCALE = 880, 3  # units: the whole picture, and one percent
BAR, PITCH = 11, 12  # a bar, and from one bar to the next
GROUP = PITCH * len(CHANGE.kinds)
APART, BESIDE = 20, 9  # between two editors, and between an editor and its tuning
TOP = 206  # where the first bar is

# Each colour in light and in dark. The lesser contrast is for what lies further from the edit, so it is the lighter of a side in
# light and the darker in dark. The picture paints its own ground, since a page needn't follow the reader's system.
COLOURS = {
    "ground": ("#ffffff", "#0d1117"),
    "ink": ("#1f2328", "#e6edf3"),
    "soft": ("#59636e", "#a3acb6"),
    "grid": ("#d8dee4", "#2f363d"),
    "reliability": ("#0b4a8f", "#a8d0ff"),
    "text_generality": ("#2a74c9", "#6cb0f8"),
    "image_generality": ("#5f9ce0", "#3f87d9"),
    "cross_modal": ("#94bff0", "#2f68ad"),
    "near_locality": ("#a04b00", "#ffb366"),
    "specificity_out": ("#e08a35", "#c4762b"),
}


@dataclass(frozen=True)
class Figure:
    """A mean with its standard error, both in percent, as a cell of the table has them."""

    mean: int
    error: int


@dataclass(frozen=True)
class Editor:
    """A column of the table."""

    name: str
    figures: Mapping[str, Figure]


def editors(page: str) -> list[Editor]:
    """The columns of the first table of a page, with the kinds that are drawn."""
    lines = takewhile(_in_table, dropwhile(lambda line: not _in_table(line), page.splitlines()))
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    cells = {row[0]: row[1:] for row in rows}
    return [
        Editor(name, {kind: _figure(cells[kind][column]) for panel in (CHANGE, STAY) for kind in panel.kinds})
        for column, name in enumerate(head[1:])
    ]


def _in_table(line: str) -> bool:
    return line.startswith("|")


def _figure(cell: str) -> Figure:
    mean, error = cell.split("±")
    return Figure(int(mean), int(error))


def draw(page: str) -> str:
    """The picture of a page's table, as the text of an SVG file."""
    columns = editors(page)
    tops = _tops([editor.name for editor in columns])
    bottom = tops[-1] + GROUP + 6
    height = bottom + 56
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">',
        f"<title>{escape(TITLE)}</title>",
        f"<desc>For each of {len(columns)} editors bars of what must change, and of what must stay.</desc>",
        *_style(),
        f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
        _text(TITLE, 20, 34, "ink title"),
        *(_text(line, 20, 58 + 18 * number, "soft") for number, line in enumerate(SUBTITLE)),
        _text("editor", CHANGE.left - 12, TOP - 12, "soft end"),
        *_frame(CHANGE, bottom),
        *_frame(STAY, bottom),
    ]
    for editor, top in zip(columns, tops, strict=True):
        parts += [_label(editor.name, top), *_bars(CHANGE, editor, top), *_bars(STAY, editor, top)]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _tops(names: Sequence[str]) -> list[int]:
    """Where each editor's bars begin: a tuning stands near what it is a tuning of."""
    tops = [TOP]
    for name in names[1:]:
        tops.append(tops[-1] + GROUP + (BESIDE if name == "tuned" else APART))
    return tops


def _style() -> Iterator[str]:
    yield "<style>"
    yield "text { font-family: system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', sans-serif; font-size: 13px; }"
    yield "text.title { font-size: 20px; font-weight: 600; } text.name { font-size: 15px; font-weight: 600; }"
    yield "text.small { font-size: 11px; } text.end { text-anchor: end; } text.middle { text-anchor: middle; }"
    yield "line.grid { stroke-width: 1; } line.ground { stroke-width: 3.4; } line.ink { stroke-width: 1.2; }"
    yield from _colours(0, "")
    yield "@media (prefers-color-scheme: dark) {"
    yield from _colours(1, "  ")
    yield "}"
    yield "</style>"


def _colours(scheme: int, indent: str) -> Iterator[str]:
    for name, shades in COLOURS.items():
        yield f"{indent}.{name} {{ fill: {shades[scheme]}; }} line.{name} {{ stroke: {shades[scheme]}; }}"


def _frame(panel: Panel, bottom: int) -> Iterator[str]:
    """A side's name, legend, grid and axis."""
    yield _text(panel.name, panel.left, 108, "ink name")
    for row, (kind, asks) in enumerate(panel.kinds.items()):
        line = 130 + 17 * row
        yield f'<rect class="{kind}" x="{panel.left}" y="{line - BAR}" width="18" height="{BAR}"/>'
        yield _text(f"{kind}: {asks}", panel.left + 26, line, "ink")
    for percent in (0, 25, 50, 75, 100):
        at = panel.left + SCALE * percent
        yield f'<line class="{"soft" if percent == 0 else "grid"}" x1="{at}" x2="{at}" y1="{TOP - 8}" y2="{bottom}"/>'
        yield _text(str(percent), at, bottom + 16, "soft small middle")
    yield _text(panel.axis, panel.left + SCALE * 50, bottom + 38, "soft middle")


def _label(name: str, top: int) -> str:
    first, _, preset = name.partition(":")
    middle = top + GROUP // 2
    if not preset:
        return _text(first, CHANGE.left - 12, middle + 3, f"{'soft' if name == 'tuned' else 'ink'} end")
    return _text(f"{first}:", CHANGE.left - 12, middle - 5, "ink end") + _text(preset, CHANGE.left - 12, middle + 11, "ink end")


def _bars(panel: Panel, editor: Editor, top: int) -> Iterator[str]:
    """An editor's bars on one side, each with its standard error and its mean; fewer bars stand in the middle of their place."""
    top += (GROUP - PITCH * len(panel.kinds)) // 2
    for row, kind in enumerate(panel.kinds):
        figure, line = editor.figures[kind], top + PITCH * row
        low, high = (panel.left + SCALE * (figure.mean + sign * figure.error) for sign in (-1, 1))
        yield f'<rect class="{kind}" x="{panel.left}" y="{line}" width="{SCALE * figure.mean}" height="{BAR}"/>'
        if figure.error:
            middle = line + BAR / 2
            for look in ("ground", "ink"):  # on a seam of the ground, or it would be lost in the dark bars
                yield f'<line class="{look}" x1="{low}" x2="{high}" y1="{middle}" y2="{middle}"/>'
        yield _text(str(figure.mean), high + 5, line + BAR - 2, "ink small")


def _text(words: str, x: int, y: int, look: str) -> str:
    return f'<text class="{look}" x="{x}" y="{y}">{escape(words, quote=False)}</text>'


def stale(page: Path = PAGE) -> dict[Path, str]:
    """The picture beside a page, if it isn't what the page's table gives, with what it should be."""
    pictures = {page.with_suffix(".svg"): draw(page.read_text(encoding="utf-8"))}
    return {path: text for path, text in pictures.items() if not path.exists() or path.read_text(encoding="utf-8") != text}


def main() -> int:
    old = stale()
    for path, text in old.items():
        if "--check" in sys.argv[1:]:
            print(f"{path.relative_to(ROOT)} isn't what its table gives. Run: make docs")
        else:
            path.write_text(text, encoding="utf-8")
            print(f"Wrote {path.relative_to(ROOT)}")
    return 1 if old and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())
