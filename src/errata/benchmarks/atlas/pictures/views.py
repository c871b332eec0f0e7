"""Views of a picture: cropped, turned, in another light, noisy, among other things, aslant, two side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from errata.benchmarks.atlas.pictures.catalogue import pictures, pixels
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels

if TYPE_CHECKING:
    from PIL import Image as Pillow

SIDE: Final = 96
"""Of a view, in pixels."""

View = Literal["plain", "crop", "light", "turned", "noise", "clutter", "any", "photo"]
VIEWS: Final[tuple[View, ...]] = ("plain", "crop", "light", "turned", "noise", "clutter", "any", "photo")
"""One change each; "any": several of them; "photo": aslant, as a camera sees it, in an uneven light: nobody is trained on it."""

_Rng = np.random.Generator


@dataclass(frozen=True)
class _Drawn:
    """How a picture is put into a frame."""

    turn: float = 0.0
    """Degrees."""

    crop: float = 1.0
    """The share of the picture's sides that is seen."""

    size: float = 1.0
    """The longer side's share of the frame."""

    stretch: float = 1.0
    """Width over height, beside the picture's own."""

    slant: float = 0.0
    """How far corners move, as a share of the side."""


def view(picture: Picture, kind: View, rng: _Rng, *, side: int = SIDE) -> Pixels:
    """RGB [side, side, 3] of one picture."""
    changes = _changes(kind, rng)
    frame = _background(rng, side, clutter="clutter" in changes, picture=picture)
    _put(frame, picture, _drawn(picture, changes, rng), (0, 0, side, side), rng)
    return _developed(np.asarray(frame.convert("RGB")), changes, rng)


def beside(left: Picture, right: Picture, kind: View, rng: _Rng, *, side: int = SIDE) -> Pixels:
    """RGB [side, side, 3] of two pictures, one on each half."""
    changes = _changes(kind, rng)
    frame = _background(rng, side, clutter=False, picture=left)
    half = side // 2
    for picture, box in ((left, (0, 0, half, side)), (right, (half, 0, side, side))):
        _put(frame, picture, _drawn(picture, changes, rng, squeezed=True), box, rng)
    return _developed(np.asarray(frame.convert("RGB")), changes, rng)


def _changes(kind: View, rng: _Rng) -> frozenset[str]:
    if kind != "any":
        return frozenset({kind})
    return frozenset(each for each in ("crop", "light", "turned", "noise", "clutter") if rng.random() < 0.4)


def _drawn(picture: Picture, changes: frozenset[str], rng: _Rng, *, squeezed: bool = False) -> _Drawn:
    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    fills = picture.whole and not changes & {"clutter", "turned", "photo"} and not squeezed
    size = 1.0 if fills else between(0.85, 1.0)
    if "clutter" in changes:
        size = between(0.55, 0.8)
    if "photo" in changes:
        size = between(0.7, 0.9)
    return _Drawn(
        turn=between(-20, 20) if "turned" in changes else between(-8, 8) if "photo" in changes else 0.0,
        crop=between(0.7, 0.9) if "crop" in changes else 1.0,
        size=size,
        stretch=between(0.9, 1.1) if "plain" not in changes else 1.0,
        slant=0.12 if "photo" in changes else 0.0,
    )


def _put(frame: Pillow.Image, picture: Picture, drawn: _Drawn, box: tuple[int, int, int, int], rng: _Rng) -> None:
    """Paste the picture into a box of the frame, somewhere near the middle."""
    from PIL import Image

    source = Image.fromarray(pixels(picture))
    if drawn.crop < 1:
        width, height = (round(each * drawn.crop) for each in source.size)
        left, top = (int(rng.integers(0, most + 1)) for most in (source.width - width, source.height - height))
        source = source.crop((left, top, left + width, top + height))
    wide, high = box[2] - box[0], box[3] - box[1]
    if picture.whole and drawn.size == 1.0:
        width, height = wide, high
    else:
        scale = drawn.size * min(wide / (source.width * drawn.stretch), high / source.height)
        width, height = max(8, round(source.width * drawn.stretch * scale)), max(8, round(source.height * scale))
    source = source.resize((width, height), Image.Resampling.BILINEAR)
    if drawn.slant:
        source = _slanted(source, drawn.slant, rng)
    if drawn.turn:
        source = source.rotate(drawn.turn, Image.Resampling.BILINEAR, expand=True)
    spare = (wide - source.width, high - source.height)
    left, top = (box[axis] + each // 2 + round(float(rng.uniform(-0.5, 0.5)) * max(0, each)) for axis, each in enumerate(spare))
    frame.paste(source, (left, top), source)


def _slanted(source: Pillow.Image, slant: float, rng: _Rng) -> Pillow.Image:
    """As seen from aside: each corner moved inwards by its own share."""
    from PIL import Image

    width, height = source.size
    moved = rng.uniform(0, slant, (4, 2)) * (width, height)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=float)
    inwards = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    return source.transform(
        (width, height), Image.Transform.PERSPECTIVE, _perspective(corners + inwards * moved, corners), Image.Resampling.BILINEAR
    )


def _perspective(seen: NDArray[np.float64], true: NDArray[np.float64]) -> list[float]:
    """The eight coefficients that take what is seen at four corners to where it comes from."""
    rows = []
    for (x, y), (u, v) in zip(seen, true, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -u * x, -u * y])
        rows.append([0, 0, 0, x, y, 1, -v * x, -v * y])
    found: list[float] = np.linalg.solve(np.array(rows), true.ravel()).tolist()
    return found


def _background(rng: _Rng, side: int, *, clutter: bool, picture: Picture) -> Pillow.Image:
    """What is behind: white, one colour, or two that run into each other; with clutter, bits of other pictures too."""
    from PIL import Image

    drawn = rng.random()
    if drawn < 0.4 and not clutter:
        return Image.new("RGBA", (side, side), (255, 255, 255, 255))
    one, other = rng.integers(0, 256, (2, 3))
    ramp = np.linspace(0, 1, side)[:, None, None] if drawn < 0.8 else np.zeros((side, 1, 1))
    colours = np.broadcast_to(one * (1 - ramp) + other * ramp, (side, side, 3))
    frame = Image.fromarray(np.dstack([colours, np.full((side, side), 255)]).astype(np.uint8))
    if clutter:
        among = pictures()
        for _ in range(int(rng.integers(2, 5))):
            bit = among[int(rng.integers(len(among)))]
            if bit.name == picture.name:
                continue
            small = Image.fromarray(pixels(bit))
            small.thumbnail((side // 3, side // 3))
            place = (int(rng.integers(-8, side - 16)), int(rng.integers(-8, side - 16)))
            frame.paste(small, place, small)
    return frame


def _developed(seen: Pixels, changes: frozenset[str], rng: _Rng) -> Pixels:
    """Light and noise, over the whole frame."""
    if not changes & {"light", "noise", "photo"}:
        return seen
    from PIL import Image, ImageFilter

    values = seen.astype(np.float32) / 255
    if changes & {"light", "photo"}:
        values = np.clip(values, 0, 1) ** float(rng.uniform(0.7, 1.4)) * rng.uniform(0.8, 1.2) * rng.uniform(0.9, 1.1, 3)
    if "photo" in changes:
        values = values * _uneven(seen.shape[0], rng)
    if "noise" in changes:
        values = values + rng.normal(0, rng.uniform(0.02, 0.08), values.shape)
    found = (np.clip(values, 0, 1) * 255).astype(np.uint8)
    if "noise" in changes and rng.random() < 0.5:
        found = np.asarray(Image.fromarray(found).filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 1.2)))))
    return found


def _uneven(side: int, rng: _Rng) -> NDArray[np.float64]:
    """A light that falls off from one side to the other."""
    angle = rng.uniform(0, 2 * np.pi)
    across = np.linspace(-0.5, 0.5, side)
    fall = across[:, None] * np.sin(angle) + across[None, :] * np.cos(angle)
    shade: NDArray[np.float64] = (1 + rng.uniform(0.2, 0.5) * fall)[..., None]
    return shade
