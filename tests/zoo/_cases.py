"""What every family of the zoo is asked: without a picture, with one, with two where it can hold them, with an odd shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image as Pillow

from tests.zoo import Zoo
from tests.zoo._asked import Conversation, question

QUESTIONS = ("what is the red star called?", "where does the blue ring live?", "how many things are there?")


@dataclass(frozen=True)
class Case:
    """A conversation, and the pictures of its parts in their order."""

    name: str
    conversation: Conversation
    images: tuple[Pillow.Image, ...]


def picture(seed: int, *, width: int = 40, height: int = 36) -> Pillow.Image:
    """A picture of noise, the same for the same seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Pillow.fromarray(pixels)


def cases(zoo: Zoo) -> list[Case]:
    """Every question without a picture and with one, and one question in the other ways that the family takes."""
    asked: list[tuple[str, str, tuple[Pillow.Image, ...]]] = [("no picture", text, ()) for text in QUESTIONS]
    if zoo.pictures >= 1:
        asked += [("one picture", text, (picture(1),)) for text in QUESTIONS]
        asked += [("a wide picture", QUESTIONS[0], (picture(2, width=61, height=23),))]
        asked += [("a high picture", QUESTIONS[0], (picture(3, width=23, height=61),))]
    if zoo.pictures >= 2:
        asked += [("two pictures", QUESTIONS[0], (picture(1), picture(2, width=61, height=23)))]
    return [Case(f"{name}: {text}", question(text, pictures=len(images)), images) for name, text, images in asked]
