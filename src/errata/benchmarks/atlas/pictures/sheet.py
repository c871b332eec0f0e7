"""A contact sheet: pictures in rows, each over its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from errata.benchmarks.atlas.pictures.catalogue import pixels
from errata.benchmarks.atlas.pictures.picture import Picture

if TYPE_CHECKING:
    from PIL import Image as Pillow

_ACROSS: Final = 12
_SIDE: Final = 96
_GAP: Final = 8
_LINES: Final = 2
"""Of a name, at most."""
_LINE: Final = 12
"""Height of a line of a name, in pixels."""
_LETTERS: Final = 17
"""Of a line."""


def sheet(pictures: Sequence[Picture]) -> Pillow.Image:
    """RGB, as high as it takes."""
    from PIL import Image, ImageDraw

    wide, high = _SIDE + _GAP, _SIDE + _LINES * _LINE + _GAP
    across = min(_ACROSS, max(1, len(pictures)))
    drawn = Image.new("RGB", (across * wide + _GAP, -(-len(pictures) // across) * high + _GAP), "white")
    pen = ImageDraw.Draw(drawn)
    for place, picture in enumerate(pictures):
        left, top = _GAP + place % across * wide, _GAP + place // across * high
        small = Image.fromarray(pixels(picture))
        small.thumbnail((_SIDE, _SIDE))
        drawn.paste(small, (left + (_SIDE - small.width) // 2, top + (_SIDE - small.height) // 2), small)
        for line, text in enumerate(lines(picture.name)):
            pen.text((left, top + _SIDE + line * _LINE), text, fill="black", font_size=10)
    return drawn


def lines(name: str) -> tuple[str, ...]:
    """A name in lines, cut where it has too many."""
    found = [""]
    for word in name.split():
        if found[-1] and len(found[-1]) + 1 + len(word) > _LETTERS:
            found.append("")
        found[-1] = f"{found[-1]} {word}".strip()
    kept = found[:_LINES]
    return (*kept[:-1], f"{kept[-1]}…") if len(found) > _LINES else tuple(kept)
