"""Scenes: one to four entities of different kinds on a two by two grid, drawn with jitter, rotation, size, shade and noise.

Drawn glyphs are polygons; digits are real handwriting (scikit-learn's 1,797 scans of 8x8 pixels). Scans are split by their
index into training and held-out handwriting, so another picture of the same digit is real variation. The same seed draws the
same bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw
from sklearn.datasets import load_digits

from errata.benchmarks.scopeworld.knowledge import DIGITS, DRAWN, KINDS, Kind
from errata.core.images import Image

SIDE = 64
"""Side of a scene in pixels."""

CELLS = ("top left", "top right", "bottom left", "bottom right")
Hand = Literal["train", "held_out"]
"""Whose handwriting draws the digits."""

_CELL = SIDE // 2
_MASK = 26
_VARIANTS = 48
_RGB = {
    "red": (225, 40, 40), "orange": (245, 135, 20), "yellow": (240, 225, 50), "green": (50, 175, 60),
    "cyan": (60, 215, 225), "blue": (55, 80, 235), "purple": (170, 60, 200), "white": (240, 240, 240),
}  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """Which kind stands in which cell; None where nothing does. Index 0..3 is top left, top right, bottom left, bottom right."""

    cells: tuple[Kind | None, Kind | None, Kind | None, Kind | None]

    @property
    def filled(self) -> tuple[int, ...]:
        """The cells that hold something."""
        return tuple(i for i, kind in enumerate(self.cells) if kind is not None)

    def at(self, cell: int) -> Kind:
        """The kind in a filled cell."""
        kind = self.cells[cell]
        assert kind is not None, f"cell {cell} is empty"
        return kind

    def replace(self, cell: int, kind: Kind) -> Scene:
        """The scene with another kind in one cell."""
        cells = list(self.cells)
        cells[cell] = kind
        return Scene((cells[0], cells[1], cells[2], cells[3]))


def random_scene(
    rng: np.random.Generator, *, must: Sequence[Kind] = (), among: Sequence[Kind] = KINDS, count: int | None = None
) -> Scene:
    """A scene with the kinds of `must` and others from `among`, all different, in random cells.

    Args:
        must: kinds that have to be there, at most four.
        among: where the others are drawn from.
        count: how many entities; one to four at random when None (more often more).
    """
    wanted = count if count is not None else int(rng.choice((1, 2, 3, 4), p=(0.1, 0.2, 0.3, 0.4)))
    kinds = list(must)
    while len(kinds) < max(wanted, len(must)):
        kind = among[int(rng.integers(len(among)))]
        if kind not in kinds:
            kinds.append(kind)
    cells: list[Kind | None] = [None] * 4
    for cell, kind in zip(rng.permutation(4), kinds, strict=False):
        cells[int(cell)] = kind
    return Scene((cells[0], cells[1], cells[2], cells[3]))


def draw(scene: Scene, rng: np.random.Generator, *, hand: Hand = "held_out") -> NDArray[np.uint8]:
    """The scene as pixels.

    Returns:
        uint8 array of shape (64, 64, 3).
    """
    back = rng.uniform(15, 55)
    canvas = np.full((SIDE, SIDE, 3), back, dtype=np.float32)
    canvas += rng.uniform(-12, 12) * np.linspace(-1, 1, SIDE, dtype=np.float32)[:, None, None]
    for cell, kind in enumerate(scene.cells):
        if kind is None:
            continue
        masks = _masks(kind.glyph, hand)
        alpha = masks[int(rng.integers(len(masks)))][:, :, None]
        slack = _CELL - _MASK
        y = (cell // 2) * _CELL + int(rng.integers(slack + 1))
        x = (cell % 2) * _CELL + int(rng.integers(slack + 1))
        colour = np.asarray(_RGB[kind.colour], dtype=np.float32) * rng.uniform(0.8, 1.08)
        region = canvas[y : y + _MASK, x : x + _MASK]
        region += alpha * (colour - region)
    canvas += rng.normal(0, 5, canvas.shape).astype(np.float32)
    return np.clip(canvas, 0, 255).astype(np.uint8)


def picture(scene: Scene, rng: np.random.Generator, *, hand: Hand = "held_out") -> Image:
    """The scene as an encoded PNG."""
    return encode(draw(scene, rng, hand=hand))


def encode(pixels: NDArray[np.uint8]) -> Image:
    """Pixels of shape (height, width, 3) as an encoded PNG."""
    return Image.drawn(pixels)


def lightly_changed(image: Image) -> dict[str, Image]:
    """The same picture as other bytes: re-encoded as JPEG, resized, lightly cropped. What holds in a picture holds in these."""
    shot = image.pixels()
    width, height = shot.size
    buffer = io.BytesIO()
    shot.save(buffer, format="JPEG", quality=92)
    cropped = shot.crop((1, 1, width - 1, height - 1)).resize((width, height), Pillow.Resampling.BILINEAR)
    return {
        "re-encoded": Image.of(buffer.getvalue()),
        "resized": encode(np.asarray(shot.resize((width * 5 // 4, height * 5 // 4), Pillow.Resampling.BICUBIC))),
        "cropped": encode(np.asarray(cropped)),
    }


def blank() -> Image:
    """A picture with nothing in it, for the blind control."""
    return encode(np.full((SIDE, SIDE, 3), 35, dtype=np.uint8))


@lru_cache(maxsize=64)
def _masks(glyph: str, hand: Hand) -> NDArray[np.float32]:
    """Alpha masks of shape (variants, 26, 26): a glyph in several sizes and rotations, or every scan of a digit."""
    rng = np.random.default_rng([sum(glyph.encode()), hand == "train"])
    if glyph in DRAWN:
        return np.stack([_drawn(glyph, rng) for _ in range(_VARIANTS)])
    return np.stack([_written(scan, rng) for scan in _scans(glyph, hand) for _ in range(3 if hand == "train" else 1)])


@cache
def _digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8), labels


def _scans(glyph: str, hand: Hand) -> NDArray[np.float64]:
    """The scans of one digit in the asked half: one scan in four is held out."""
    images, labels = _digits()
    held_out = np.arange(len(labels)) % 4 == 3
    scans: NDArray[np.float64] = images[(labels == DIGITS.index(glyph)) & (held_out == (hand == "held_out"))]
    return scans


def _written(scan: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float32]:
    ink = Pillow.fromarray((scan * (255 / 16)).astype(np.uint8))
    size = int(rng.integers(22, _MASK + 1))
    ink = ink.resize((size, size), Pillow.Resampling.BICUBIC).rotate(rng.uniform(-10, 10), Pillow.Resampling.BILINEAR)
    mask = Pillow.new("L", (_MASK, _MASK))
    mask.paste(ink, ((_MASK - size) // 2, (_MASK - size) // 2))
    alpha: NDArray[np.float32] = np.clip(np.asarray(mask, dtype=np.float32) / np.float32(200), 0, 1)
    return alpha


def _drawn(glyph: str, rng: np.random.Generator) -> NDArray[np.float32]:
    scale = 4
    size = _MASK * scale
    mask = Pillow.new("L", (size, size))
    pen = ImageDraw.Draw(mask)
    radius = size / 2 * rng.uniform(0.72, 0.96)
    for outline, fill in _OUTLINES[glyph]:
        pen.polygon([(size / 2 + x * radius, size / 2 + y * radius) for x, y in outline], fill=fill)
    mask = mask.rotate(rng.uniform(-14, 14), Pillow.Resampling.BILINEAR).resize((_MASK, _MASK), Pillow.Resampling.BOX)
    return np.asarray(mask, dtype=np.float32) / np.float32(255)


def _circle(radius: float, x: float = 0.0) -> list[tuple[float, float]]:
    return [(x + radius * math.cos(2 * math.pi * i / 40), radius * math.sin(2 * math.pi * i / 40)) for i in range(40)]


def _star() -> list[tuple[float, float]]:
    spokes = [(1.0 if i % 2 == 0 else 0.42, -math.pi / 2 + math.pi * i / 5) for i in range(10)]
    return [(radius * math.cos(angle), radius * math.sin(angle)) for radius, angle in spokes]


def _heart() -> list[tuple[float, float]]:
    turns = [2 * math.pi * i / 40 for i in range(40)]
    return [
        (math.sin(t) ** 3 * 0.95, -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 17)
        for t in turns
    ]


_ARM = 0.3
_OUTLINES: dict[str, list[tuple[list[tuple[float, float]], int]]] = {
    "star": [(_star(), 255)],
    "ring": [(_circle(0.95), 255), (_circle(0.52), 0)],
    "cross": [([(-_ARM, -0.95), (_ARM, -0.95), (_ARM, 0.95), (-_ARM, 0.95)], 255), ([(-0.95, -_ARM), (0.95, -_ARM), (0.95, _ARM), (-0.95, _ARM)], 255)],
    "moon": [(_circle(0.95), 255), (_circle(0.82, 0.5), 0)],
    "heart": [(_heart(), 255)],
    "triangle": [([(0, -0.95), (0.95, 0.8), (-0.95, 0.8)], 255)],
    "square": [([(-0.8, -0.8), (0.8, -0.8), (0.8, 0.8), (-0.8, 0.8)], 255)],
    "arrow": [([(0.95, 0), (0.1, -0.85), (0.1, -0.3), (-0.95, -0.3), (-0.95, 0.3), (0.1, 0.3), (0.1, 0.85)], 255)],
}  # fmt: skip
