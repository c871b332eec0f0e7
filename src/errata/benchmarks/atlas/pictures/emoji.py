"""Things and waving flags as Noto's colour font draws them, named by Unicode."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache
from typing import Any, Final

import numpy as np

from errata.benchmarks.atlas import things
from errata.benchmarks.atlas.pictures.called import JOINED, NOT_SHOWN, SPELLED
from errata.benchmarks.atlas.pictures.packages import installed
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels

COLLECTION: Final = "noto-emoji"
LICENCE: Final = "OFL-1.1"
ATTRIBUTION: Final = "Noto Color Emoji, Google Inc."

_FONT: Final = "/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf"
_SIZE: Final = 109
"""The one size that its bitmaps have: 136 by 128 pixels."""

_BLOCKS: Final = ((0x2600, 0x27BF), (0x1F300, 0x1F5FF), (0x1F600, 0x1F64F), (0x1F680, 0x1F6FF), (0x1F900, 0x1FAFF))
_LATER: Final = frozenset(
    {0x1F6DC, 0x1FA75, 0x1FA76, 0x1FA77, 0x1FA87, 0x1FA88, 0x1FAAD, 0x1FAAE, 0x1FAAF, 0x1FABB, 0x1FABC, 0x1FABD, 0x1FABF}
    | {0x1FACE, 0x1FACF, 0x1FADA, 0x1FADB, 0x1FAE8, 0x1FAF7, 0x1FAF8}
)
"""Named since Unicode 14, whose names every Python since 3.11 has: later ones name more."""

_LEFT_OUT: Final = re.compile(
    r"MODIFIER|CLOCK FACE|DINGBAT|CHESS|ZODIAC|ARIES|TAURUS|GEMINI|^CANCER|^LEO$|VIRGO|LIBRA$|SCORPIUS|SAGITTARIUS|CAPRICORN|"
    r"AQUARIUS|PISCES|BUTTON|SYMBOL|SIGN|ARROW|CURLY LOOP|MARK|SQUARED|CIRCLED|NEGATIVE|SELECTOR|FITZPATRICK|REGIONAL|SUIT|"
    r"WITH .* AND|COMPONENT|HEAVY|FLAG"
)
"""What is a sign rather than a thing."""

_NO_ARTICLE: Final = frozenset("bacon bread butter garlic broccoli spaghetti ice popcorn sushi sake fire fog".split())


@cache
def listed() -> tuple[Picture, ...]:
    """Every thing of the font that has a name and a picture of its own.

    Raises:
        BadInput: the font isn't installed.
    """
    return tuple(
        Picture(COLLECTION, own, name, name if name in things.NAMES else None, LICENCE, ATTRIBUTION) for own, name in _names()
    )


def opened(own: str) -> Pixels:
    """RGBA [128, 136, 4] of one or more code points in hexadecimal, joined by "-".

    Raises:
        BadInput: the font isn't installed.
    """
    from PIL import Image, ImageDraw

    canvas = Image.new("RGBA", (136, 128))
    ImageDraw.Draw(canvas).text((0, 0), _text(own), font=_font(), embedded_color=True, anchor="lt")
    return np.asarray(canvas)


def _text(own: str) -> str:
    return "".join(chr(int(code, 16)) for code in own.split("-"))


def _names() -> Iterator[tuple[str, str]]:
    """Code points and what they are called; of two pictures with one name, the first."""
    font, taken = _font(), {""}
    for own, name in (*_single(), *JOINED.items()):
        if name not in taken and font.getmask(_text(own), mode="RGBA").getbbox() is not None:
            taken.add(name)
            yield own, name


def _single() -> Iterator[tuple[str, str]]:
    for first, last in _BLOCKS:
        for code in range(first, last + 1):
            if code not in _LATER:
                yield f"{code:X}", said(unicodedata.name(chr(code), ""))


def said(unicodes: str) -> str:
    """Unicode's name as people say it; "": not shown."""
    given = unicodes.lower()
    if given in SPELLED:
        return SPELLED[given]
    if not given or given in NOT_SHOWN or _LEFT_OUT.search(unicodes):
        return ""
    name = re.sub(r" face$", "", given) if given.split()[0] in _ANIMALS else given
    last = name.split(" with ")[0].split(" of ")[0].split()[-1]
    plural = last.endswith("s") and not last.endswith(("ss", "us", "is"))
    if plural or last in _NO_ARTICLE:
        return name
    return f"{'an' if name[0] in 'aeiou' and not name.startswith(('uni', 'eu')) else 'a'} {name}"


_ANIMALS: Final = frozenset(
    "dog cat mouse cow tiger rabbit dragon horse monkey pig hamster wolf bear panda fox lion unicorn frog zebra giraffe".split()
)


@cache
def _font() -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(installed("fonts-noto-color-emoji", _FONT)), _SIZE, layout_engine=ImageFont.Layout.RAQM)
