"""Further views of a picture, made on the spot: a little lighter or darker, moved by a few pixels, grainier."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from errata.core.images import Image
from errata.core.records import Message, Query

_SHADE = 0.2
"""A view is up to this share lighter or darker."""

_SHIFT = 0.03
"""And moved by up to this share of its sides, its edges repeated."""

_GRAIN = 5.0
"""And has this much noise, of 255."""


def view(query: Query, *, seed: int, decoder: int) -> Query:
    """The query with another view of each of its pictures; the same for the same seed."""
    return Query(tuple(_seen_anew(message, seed, decoder) for message in query.messages))


def _seen_anew(message: Message, seed: int, decoder: int) -> Message:
    parts = (part if isinstance(part, str) else _changed(part, seed, decoder) for part in message.parts)
    return replace(message, parts=tuple(parts))


def _changed(image: Image, seed: int, decoder: int) -> Image:
    rng = np.random.default_rng([seed, int(image.digest[:12], 16)])
    pixels_HWC = np.asarray(image.pixels(decoder), dtype=np.float32)
    height, width, _ = pixels_HWC.shape
    down, right = (int(rng.integers(-round(_SHIFT * side), round(_SHIFT * side) + 1)) for side in (height, width))
    rows, columns = np.arange(height) - down, np.arange(width) - right
    moved_HWC = pixels_HWC[rows.clip(0, height - 1)][:, columns.clip(0, width - 1)]
    shaded_HWC = moved_HWC * rng.uniform(1 - _SHADE, 1 + _SHADE) + rng.normal(0, _GRAIN, moved_HWC.shape)
    written = io.BytesIO()
    Pillow.fromarray(shaded_HWC.clip(0, 255).astype(np.uint8)).save(written, format="PNG")
    return Image.of(written.getvalue(), source="a view of a picture")
