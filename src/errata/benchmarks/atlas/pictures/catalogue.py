"""Every picture that is there, and how it is opened. Nothing of them is in the repository."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

import numpy as np

from errata.benchmarks.atlas.pictures import emoji, flags, photographs, stamps
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels
from errata.core.cache import Recent
from errata.core.images import Image

OWN: Final = "own"
"""The collection of what a user has: each picture is called by its path."""

_LARGEST: Final = 336
"""Of a user's own, in pixels."""

_OPENED: Final = 400 * 1024 * 1024
"""Opened pictures that are kept, in bytes."""


@cache
def pictures() -> tuple[Picture, ...]:
    """Every picture that Atlas cannot do without: both artists' flags, and things.

    Raises:
        BadInput: a package is missing.
    """
    return (*flags.listed(), *emoji.listed())


def more() -> tuple[Picture, ...]:
    """Those of the further packages that are installed: photographs and stamps. None is installed: ()."""
    return tuple(picture for room in (photographs, stamps) if room.there() for picture in room.listed())


def every() -> tuple[Picture, ...]:
    """All of them.

    Raises:
        BadInput: a package that Atlas cannot do without is missing.
    """
    return (*pictures(), *more())


def pixels(picture: Picture) -> Pixels:
    """RGBA [H, W, 4], each side at most 160, of a user's own at most 336.

    Raises:
        BadInput: the package that holds it is gone.
        BadImage: a user's own isn't a usable picture.
    """
    return _kept.get(picture.key, lambda: _OPENS[picture.collection](picture.own))


def _own(path: str) -> Pixels:
    picture = Image.open(path).pixels()
    picture.thumbnail((_LARGEST, _LARGEST))
    return np.asarray(picture.convert("RGBA"))


_OPENS: Final[Mapping[str, Callable[[str], Pixels]]] = {
    flags.FLAT: flags.flat,
    flags.WAVING: flags.waving,
    emoji.COLLECTION: emoji.opened,
    photographs.COLLECTION: photographs.opened,
    stamps.COLLECTION: stamps.opened,
    OWN: _own,
}
_kept: Recent[str, Pixels] = Recent(_OPENED, lambda pixels: pixels.nbytes)
