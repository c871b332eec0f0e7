"""One picture of one thing, as its artist made it."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]

WHOLE: Final = ("iso-flags", "gcompris", "own")
"""The collections whose pictures fill their frames; the others' are cut out."""

LARGEST: Final = 160
"""The longest side of an opened picture, in pixels."""


@dataclass(frozen=True)
class Picture:
    """One picture of one thing."""

    collection: str
    """Who made it: "iso-flags", "noto-flags", "noto-emoji", "gcompris" or "tuxpaint"."""

    own: str
    """What it is called there: a country's code, a code point, a file."""

    name: str
    """What is on it, as in a sentence: "the flag of Norway", "a banana"."""

    subject: str | None
    """The key in Atlas of what it is about, a country's code or a thing's name; None: nothing that has facts there."""

    licence: str
    attribution: str

    @property
    def key(self) -> str:
        """Its name here."""
        return f"{self.collection}/{self.own}"

    @property
    def whole(self) -> bool:
        """Whether it fills its frame, as a photograph does; else it is cut out and lies on whatever is behind it."""
        return self.collection in WHOLE


def shrunk(source: Path | BytesIO) -> Pixels:
    """RGBA of an encoded picture, each side at most `LARGEST`."""
    from PIL import Image

    with Image.open(source) as opened:
        picture = opened.convert("RGBA")
    picture.thumbnail((LARGEST, LARGEST))
    return np.asarray(picture)
