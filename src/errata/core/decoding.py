"""Encoded bytes to pixels by Pillow, and a sentence for whatever can be wrong with them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from errata.core.errors import BadImage


def decode(data: bytes, source: str, *, most: int) -> Pillow.Image:
    """The picture in RGB.

    Args:
        data: an encoded picture.
        source: how it is named in a message.
        most: how many pixels are accepted.

    Raises:
        BadImage: it can't be decoded, has no pixels or too many.
    """
    try:
        with _unwarned(), Pillow.open(io.BytesIO(data)) as opened:
            width, height = opened.size
            if width < 1 or height < 1:
                raise BadImage(f"The image {source} is {width}x{height} pixels: a side is zero. Give a picture with content.")
            if width * height > most:
                raise BadImage(f"The image {source} is {width}x{height} pixels; at most {most:,} are accepted. Resize it first.")
            return opened.convert("RGB")
    except UnidentifiedImageError:
        raise BadImage(f"The image {source} isn't a picture that can be read. Give a PNG, JPEG or WebP file.") from None
    except Pillow.DecompressionBombError:
        raise BadImage(f"The image {source} has too many pixels; at most {most:,} are accepted. Resize it first.") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, BadImage):
            raise
        raise BadImage(f"The image {source} is broken: {error}. Save it again and retry.") from None


@contextmanager
def _unwarned() -> Iterator[None]:
    """Pillow warns of pictures between our limit and its own; ours is an error and says so itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        yield
