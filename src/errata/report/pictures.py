"""Pictures inside a page: decoded and written anew, so that nothing but pixels gets in, and small."""

from __future__ import annotations

import io
from base64 import b64encode
from typing import NamedTuple

from PIL.Image import Resampling

from errata.core.images import Image

_SMALL = 128
"""Pictures no larger than this, in pixels a side, are kept as they are and enlarged with hard edges."""


class Embedded(NamedTuple):
    """A picture as a page holds it."""

    source: str
    """A `data:` URI."""

    width: int
    height: int
    hard: bool
    """Whether it is to be enlarged with hard edges."""


def embedded(image: Image, longest: int) -> Embedded:
    """The picture, its longer side at most `longest` pixels where it isn't small already.

    Raises:
        BadImage: it can't be decoded.
    """
    pixels = image.pixels()
    small = max(pixels.size) <= _SMALL
    data = io.BytesIO()
    if small:
        pixels.save(data, "PNG")
    else:
        pixels.thumbnail((longest, longest), Resampling.LANCZOS)
        pixels.save(data, "JPEG", quality=85)
    source = f"data:image/{'png' if small else 'jpeg'};base64,{b64encode(data.getvalue()).decode()}"
    return Embedded(source, pixels.width, pixels.height, small)
