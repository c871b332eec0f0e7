"""Encoded bytes to pixels by Pillow, and a reason for whatever can be wrong with them.

How a picture is decoded has a version, which a log names where it begins: a store goes on as it began.

    1  what Pillow makes of it in RGB: as the bytes lie, what is transparent as it is under its alpha, 16 bits and more cut at 255
    2  as a viewer shows it: turned as its EXIF says, upon white, grey of 16 or 32 bits and of floats scaled to 8

Shapes: H rows, W columns.
"""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from PIL import ExifTags, UnidentifiedImageError
from PIL import Image as Pillow

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FORMATS: Final = ("PNG", "JPEG", "MPO", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "DIB", "JPEG2000", "ICO", "PPM")
"""What is opened, by Pillow's names: pictures made of pixels. No page descriptions (EPS, WMF, PDF), for which Pillow starts other
programs or the system's, and no formats of games and instruments."""

_KINDS: Final = "PNG, JPEG, WebP, AVIF, GIF, TIFF or BMP"

_SAID: Final = 200
"""Characters of what a decoder says that are shown, at most."""

_UPRIGHT: Final = MappingProxyType(
    {
        2: Pillow.Transpose.FLIP_LEFT_RIGHT,
        3: Pillow.Transpose.ROTATE_180,
        4: Pillow.Transpose.FLIP_TOP_BOTTOM,
        5: Pillow.Transpose.TRANSPOSE,
        6: Pillow.Transpose.ROTATE_270,
        7: Pillow.Transpose.TRANSVERSE,
        8: Pillow.Transpose.ROTATE_90,
    }
)
"""EXIF's orientation -> what makes it upright."""

_HIGH: Final = 65535

_one_at_a_time = threading.Lock()  # what Python does with warnings is set for the whole process
logging.getLogger("PIL").addHandler(logging.NullHandler())  # else what Pillow notes lands on the terminal where nobody asked for it


class Unreadable(Exception):
    """Bytes that are no usable picture; the message goes on from "The image X "."""


def decode(data: bytes, *, decoder: int, most: int) -> Pillow.Image:
    """The picture in RGB, of its first frame.

    Args:
        data: an encoded picture.
        decoder: the version, 1 or 2.
        most: how many pixels are accepted.

    Raises:
        Unreadable: it can't be decoded, has no pixels or too many.
    """
    try:
        with _silent(), Pillow.open(io.BytesIO(data), formats=None if decoder == 1 else _formats()) as opened:
            _check_size(opened, most)
            with _unheard(opened):
                opened.load()
            return opened.convert("RGB") if decoder == 1 else _shown(opened)
    except Unreadable:
        raise
    except UnidentifiedImageError:
        raise Unreadable(f"isn't a picture that can be read. Give a {_KINDS} file.") from None
    except Pillow.DecompressionBombError:
        raise Unreadable(f"has too many pixels; at most {most:,} are accepted. Resize it first.") from None
    except Exception as error:  # noqa: BLE001  decoders raise what they like: RuntimeError, struct.error, NotImplementedError, ...
        raise Unreadable(f"is broken: {_brief(error)}. Save it again and retry.") from None


def as_it_is(data: bytes) -> bool:
    """Whether any program that reads JPEG sees in these bytes what is decoded here: colours or grey, and nothing to be turned."""
    try:
        with _silent(), Pillow.open(io.BytesIO(data), formats=("JPEG",)) as opened:
            return opened.format == "JPEG" and opened.mode in ("L", "RGB") and _orientation(opened) == 1
    except Exception:  # noqa: BLE001  it isn't a JPEG
        return False


def _check_size(opened: Pillow.Image, most: int) -> None:
    width, height = opened.size
    if width < 1 or height < 1:
        raise Unreadable(f"is {width}x{height} pixels: a side is zero. Give a picture with content.")
    if width * height > most:
        raise Unreadable(f"is {width}x{height} pixels; at most {most:,} are accepted. Resize it first.")


def _formats() -> tuple[str, ...]:
    """Of `FORMATS` those that this Pillow reads: AVIF came late, and a build may leave others out."""
    if not set(FORMATS) <= set(Pillow.OPEN):
        Pillow.init()
    return tuple(name for name in FORMATS if name in Pillow.OPEN)


def _shown(opened: Pillow.Image) -> Pillow.Image:
    """A loaded picture as a viewer shows it."""
    if opened.mode == "F" or opened.mode.startswith("I"):
        flat = Pillow.fromarray(_grey(opened)).convert("RGB")
    elif opened.has_transparency_data:
        flat = _on_white(opened)
    else:
        flat = opened.convert("RGB")
    turn = _UPRIGHT.get(_orientation(opened))
    return flat if turn is None else flat.transpose(turn)


def _on_white(opened: Pillow.Image) -> Pillow.Image:
    seen_through = opened.info.get("transparency")
    if (
        isinstance(seen_through, tuple) and max(seen_through) > 255
    ):  # named in the file's 16 bits, of which Pillow keeps the upper 8
        opened.info["transparency"] = tuple(value >> 8 for value in seen_through)
    flat = Pillow.new("RGBA", opened.size, (255, 255, 255, 255))
    flat.alpha_composite(opened.convert("RGBA"))
    return flat.convert("RGB")


def _grey(opened: Pillow.Image) -> NDArray[np.uint8]:
    """Grey of 16 or 32 bits, or of floats, in 8.

    Of 16 bits the upper 8 are kept, as Pillow keeps them of 16-bit colours. What 32 bits or floats mean no file says: values in
    [0, 1] (floats), in [0, 255] and in [0, 65535] are taken as such, and any others as running from the darkest to the brightest.
    """
    import numpy as np  # a sixth of a second that few pictures need

    values_HW = np.asarray(opened)
    if opened.mode != "F" and (opened.mode != "I" or opened.format in ("PNG", "PPM")):
        upper_HW = (values_HW.clip(0, _HIGH) // 256).astype(np.uint8)
        seen_through = opened.info.get("transparency")
        if isinstance(seen_through, int):
            upper_HW[values_HW == seen_through] = 255
        return upper_HW
    values_HW = values_HW.astype(np.float64)
    finite_N = values_HW[np.isfinite(values_HW)]
    low, high = (float(finite_N.min()), float(finite_N.max())) if finite_N.size else (0.0, 0.0)
    scaled_HW = np.nan_to_num(values_HW, nan=low, posinf=high, neginf=low)
    if low < 0 or high > _HIGH:
        scaled_HW = (scaled_HW - low) / ((high - low) or 1.0) * 255
    elif opened.mode == "F" and high <= 1:
        scaled_HW *= 255
    elif high > 255:
        scaled_HW = scaled_HW // 256
    grey_HW: NDArray[np.uint8] = scaled_HW.round().astype(np.uint8)
    return grey_HW


def _orientation(opened: Pillow.Image) -> int:
    """EXIF's, where it can be read: a picture isn't broken because a camera's notes are."""
    try:
        found = opened.getexif().get(ExifTags.Base.Orientation, 1)
        return found if isinstance(found, int) else 1
    except Exception:  # noqa: BLE001  as above
        return 1


def _brief(error: Exception) -> str:
    said = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return said if len(said) <= _SAID else f"{said[:_SAID]}..."


@contextmanager
def _silent() -> Iterator[None]:
    """Without warnings: what matters in them is an error here and says so itself."""
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _unheard(opened: Pillow.Image) -> Iterator[None]:
    """While libtiff reads: what is wrong it writes to the process's standard error itself, beside the error that is raised."""
    try:
        kept = os.dup(2) if opened.format == "TIFF" else None
    except OSError:  # there is no standard error
        kept = None
    if kept is None:
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
