"""What do the eyes of `atlas` spell, to the letter, before the language model reads it?

    python -m bench.eyes
    python -m bench.eyes --eyes out/atlas-eyes/eyes.safetensors --each 100

Each picture is seen once in each view, drawn anew; "photo" was taught to nobody. Printed for each collection: percent spelled
exactly, and the first few that aren't.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from errata.benchmarks.atlas.chance import some_of
from errata.benchmarks.atlas.pictures.picture import Picture
from errata.benchmarks.atlas.pictures.views import View, view
from errata.models.atlas.eyes import Eyes
from errata.models.atlas.spelling import Vocabulary
from errata.models.atlas.whole import eyes_file
from errata.school.eyes import taught, vocabulary_of_taught

SEED = 41
KINDS: tuple[View, ...] = ("plain", "any", "photo")
_AT_ONCE = 64


def spelled(eyes: Eyes, words: Vocabulary, pixels: Sequence[np.ndarray]) -> list[str]:
    """What eyes say of views."""
    found: list[str] = []
    with torch.no_grad():
        for start in range(0, len(pixels), _AT_ONCE):
            found += words.read(eyes(torch.from_numpy(np.stack(pixels[start : start + _AT_ONCE]))))
    return found


def exact(eyes: Eyes, words: Vocabulary, among: Sequence[Picture], kind: View, rng: np.random.Generator) -> tuple[float, list[str]]:
    """The share that is spelled exactly, and some that aren't."""
    said = spelled(eyes, words, [view(picture, kind, rng) for picture in among])
    wrong = [f"{picture.name}: {text}" for picture, text in zip(among, said, strict=True) if text != picture.name]
    return 1 - len(wrong) / len(among), wrong[:3]


def main() -> None:
    """Print a line for each collection and view."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--eyes", type=Path, default=eyes_file(), help="a file of eyes; those that ship where it isn't given")
    options.add_argument("--each", type=int, default=10_000, help="pictures of a collection, at most")
    given = options.parse_args()
    words, rng = vocabulary_of_taught(), np.random.default_rng(SEED)
    eyes = Eyes(words.text)
    eyes.open(given.eyes)
    eyes.train(False)
    for collection in dict.fromkeys(picture.collection for picture in taught()):
        among = some_of(rng, [picture for picture in taught() if picture.collection == collection], given.each)
        for kind in KINDS:
            share, wrong = exact(eyes, words, among, kind, rng)
            print(f"{collection:12} {kind:6} {100 * share:5.1f} % of {len(among)}  {'; '.join(wrong)}")


if __name__ == "__main__":
    main()
