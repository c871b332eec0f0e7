"""Seconds for the gradients of one training step of the shipped model: one batch and all threads, against parts of a thread each.

    OMP_NUM_THREADS=2 .venv/bin/python bench/train.py --steps 4

Both sides run alternately in one process; the ratio is what counts.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

import errata
from errata.engine.school import Curriculum, lessons_of, pack, packed_loss, packed_parts, parts_of
from errata.models.training import open_trainee

SHIPPED = Path(errata.__file__).parent / "assets" / "llava-tiny"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--steps", type=int, default=4)
    steps = options.parse_args().steps
    trainee, threads, plan = open_trainee(SHIPPED), torch.get_num_threads(), Curriculum(captions=0)
    weights = list(trainee.module.parameters())

    def whole(step: int) -> float:
        torch.set_num_threads(threads)
        started = time.perf_counter()
        torch.autograd.grad(packed_loss(trainee, pack(trainee, lessons_of(step, plan))), weights, allow_unused=True)
        return time.perf_counter() - started

    def parted(step: int) -> float:
        torch.set_num_threads(1)
        started = time.perf_counter()
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as workers:
            parts = parts_of(trainee, packed_parts(trainee, lessons_of(step, plan)))
            list(workers.map(lambda part: torch.autograd.grad(part(), weights, allow_unused=True), parts))
        return time.perf_counter() - started

    whole(0)
    seconds = [(whole(step), parted(step)) for step in range(1, steps + 1)]
    before, after = (sorted(side)[len(seconds) // 2] for side in zip(*seconds, strict=True))
    print(f"{threads} threads: one batch {before:.2f} s, parts {after:.2f} s, ratio {before / after:.2f}")


if __name__ == "__main__":
    main()
