"""What a vision tower sees after so many steps of its warm-up: of 100 things, how many glyphs and colours are read right.

    python -m bench.tower --steps 400,1600

Every number of steps is a warm-up of its own from the same random weights. The readers that learned beside the tower are asked
of fresh scenes, in training's handwriting and in held-out handwriting.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from bench._given import numbers, options
from errata.benchmarks.scopeworld.knowledge import COLOURS, GLYPHS
from errata.benchmarks.scopeworld.scenes import Hand, draw, random_scene
from errata.models.small.build import build_llava
from errata.models.small.training import Trainee, open_trainee
from errata.school.curriculum import Curriculum
from errata.school.looks import Looks, cells_of
from errata.school.school import texts, warm_up_tower

HANDS: tuple[Hand, ...] = ("train", "held_out")


def main() -> None:
    parser = options(__doc__, seed=0)
    parser.add_argument("--steps", type=numbers, default="400,1600", help="numbers of steps")
    parser.add_argument("--single", action="store_true", help="single precision also where bfloat16 is faster")
    parser.add_argument("--scenes", type=int, default=400, help="fresh scenes that are read")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        build_llava(Path(folder), texts=texts(), sizes=None, seed=given.seed)
        for steps in given.steps:
            curriculum = Curriculum(looks=steps, seed=given.seed, bfloat16=False if given.single else None)
            trainee, checkpoint, started = open_trainee(folder), Path(folder) / f"tower-{steps}.pt", time.perf_counter()
            warm_up_tower(trainee, curriculum, checkpoint=checkpoint, progress=lambda what, done, total: None)
            seconds, looks = time.perf_counter() - started, Looks(trainee.vision_width)
            module = torch.load(checkpoint, weights_only=True)["module"]
            looks.load_state_dict({name[6:]: value for name, value in module.items() if name.startswith("looks.")})
            for hand in HANDS:
                glyphs, colours = _read(trainee, looks, hand=hand, scenes=given.scenes)
                print(f"{steps} steps, {seconds:.0f} s, {hand}: glyphs {100 * glyphs:.1f}, colours {100 * colours:.1f}", flush=True)


def _read(trainee: Trainee, looks: Looks, *, hand: Hand, scenes: int) -> tuple[float, float]:
    rng = np.random.default_rng([77, HANDS.index(hand)])
    drawn = [random_scene(rng) for _ in range(scenes)]
    pixels = torch.from_numpy(np.stack([draw(scene, rng, hand=hand) for scene in drawn]))
    with torch.no_grad():
        cells_NCV = cells_of(torch.cat([trainee.look(some) for some in pixels.split(32)]))
        own = slice(0, len(GLYPHS) + 1), slice(0, len(COLOURS) + 1)
        said = [reader(cells_NCV)[..., some].argmax(-1) for reader, some in zip((looks.glyph, looks.colour), own, strict=True)]
    right = [
        [
            int(read[n, cell]) == 1 + names.index(getattr(scene.at(cell), look))
            for n, scene in enumerate(drawn)
            for cell in scene.filled
        ]
        for read, names, look in zip(said, (GLYPHS, COLOURS), ("glyph", "colour"), strict=True)
    ]
    return float(np.mean(right[0])), float(np.mean(right[1]))


if __name__ == "__main__":
    main()
