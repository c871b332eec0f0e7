"""Views of many things, to learn from what a model makes of two pictures of one thing: of Atlas's pictures, or of a folder's.

Of Atlas's every second thing is left out, so that the others tell what was learned from what was met. Nobody learns from a view of
the kind "photo".
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np

from errata.benchmarks.atlas.pictures import views
from errata.benchmarks.atlas.pictures.catalogue import OWN, pictures
from errata.benchmarks.atlas.pictures.picture import Picture
from errata.benchmarks.atlas.pictures.views import View, view
from errata.core.errors import BadInput
from errata.core.images import SUFFIXES, Image

NAME: Final = "atlas-pictures"

VIEWS: Final = 6
"""Of each thing."""

_ATLAS: Final = tuple(kind for kind in views.VIEWS if kind != "photo")
_FOLDER: Final[tuple[View, ...]] = ("plain", "crop", "light", "turned", "noise", "photo")
"""Without other pictures in it."""

_LARGE: Final = 224
"""The side of a view of a folder's pictures, in pixels."""


def shots(name: str, *, seed: int, things: int) -> Iterator[tuple[str, Image]]:
    """(thing, a view of it), `VIEWS` of each.

    Args:
        name: `NAME`, or a folder: a picture in it is a thing of its own, and those of a folder in it are all of one thing.
        seed: draws the views.
        things: at most.

    Raises:
        BadInput: a package is missing, or there is no such folder, or no picture in it.
    """
    of, kinds, side = (_atlas(), _ATLAS, views.SIDE) if name == NAME else (_folder(Path(name)), _FOLDER, _LARGE)
    rng = np.random.default_rng([seed, 41])
    names = [sorted(of)[place] for place in rng.permutation(len(of))[:things]]
    return (
        (name, Image.drawn(view(of[name][number % len(of[name])], kinds[int(rng.integers(len(kinds)))], rng, side=side)))
        for name in names
        for number in range(VIEWS)
    )


def met(subject: str) -> bool:
    """Whether Atlas's pictures of this, by the name on them, are learned from."""
    return sha256(subject.encode()).digest()[0] % 2 == 0


def pictured() -> dict[str, list[Picture]]:
    """Atlas's pictures by what is on them: of a flag both artists'.

    Raises:
        BadInput: a package is missing.
    """
    found: dict[str, list[Picture]] = {}
    for picture in pictures():
        found.setdefault(picture.name, []).append(picture)
    return found


def _atlas() -> dict[str, list[Picture]]:
    return {name: own for name, own in pictured().items() if met(name)}


def _folder(folder: Path) -> dict[str, list[Picture]]:
    if not folder.is_dir():
        raise BadInput(f"{folder} isn't a folder of pictures. Name one, or {NAME}.")
    found: dict[str, list[Picture]] = {}
    for path in sorted(each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES):
        thing = path.name if path.parent == folder else str(path.parent.relative_to(folder))
        found.setdefault(thing, []).append(Picture(OWN, str(path), thing, None, "", ""))
    if not found:
        raise BadInput(f"There are no pictures in {folder}. Put some there: {', '.join(sorted(SUFFIXES))}.")
    return found
