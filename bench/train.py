"""Seconds for one training step of the shipped model, each way beside another: parts of a thread each, precision, Muon.

    OMP_NUM_THREADS=2 python -m bench.train --steps 4

All sides run in turn in one process; the ratios are what counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

import errata
from bench._given import options
from errata.models.small.training import IN_SINGLE, open_trainee
from errata.nn.muon import Muon
from errata.school.curriculum import Curriculum, lessons_of
from errata.school.packing import pack, packed_parts
from errata.school.school import inner, packed_loss, parts_of

SHIPPED = Path(errata.__file__).parent / "assets" / "llava-tiny"


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--scenes", type=int, default=Curriculum.scenes, help="pictures in a step")
    parser.add_argument("--single", action="store_true", help="only the sides in single precision")
    given = parser.parse_args()
    trainee, threads = open_trainee(SHIPPED), torch.get_num_threads()
    plan = Curriculum(looks=0, captions=0, scenes=given.scenes)
    weights = list(trainee.module.parameters())

    def gradients(loss: Callable[[], Tensor], half: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            value = loss()
        torch.autograd.grad(value, weights, allow_unused=True)

    def whole(step: int) -> None:
        torch.set_num_threads(threads)
        batch = pack(trainee, lessons_of(step, plan))
        gradients(lambda: packed_loss(trainee, batch), False)

    def parted(step: int, *, half: bool = False, attention: str = IN_SINGLE) -> None:
        trainee.module.set_attn_implementation(attention)  # type: ignore[operator]
        torch.set_num_threads(1)
        with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as workers:
            parts = parts_of(trainee, packed_parts(trainee, lessons_of(step, plan)))
            list(workers.map(lambda part: gradients(part, half), parts))

    def moved(half: bool) -> Callable[[int], None]:
        matrices = [
            torch.nn.Parameter(w.detach().clone()) for n, w in trainee.module.named_parameters() if w.ndim == 2 and inner(n)
        ]
        muon = Muon(matrices, bfloat16=half)
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)

        def step(_: int) -> None:
            torch.set_num_threads(threads)
            muon.step()

        return step

    sides: dict[str, Callable[[int], None]] = {
        "one batch": whole,
        "parts": parted,
        "parts, bfloat16": lambda step: parted(step, half=True, attention="sdpa"),
        "parts, bfloat16, attention in single": lambda step: parted(step, half=True),
        "Muon": moved(False),
        "Muon, bfloat16": moved(True),
    }
    if given.single:
        sides = {name: side for name, side in sides.items() if "bfloat16" not in name}
    print(f"{threads} threads, seconds a step:")
    show(timed(sides, given.steps))


def timed(sides: dict[str, Callable[[int], None]], steps: int) -> dict[str, float]:
    """Each side's median seconds, all of them in turn; the first step warms up and doesn't count."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for step in range(steps + 1):
        for name, side in sides.items():
            started = time.perf_counter()
            side(step)
            seconds[name].append(time.perf_counter() - started)
    return {name: sorted(taken[1:])[steps // 2] for name, taken in seconds.items()}


def show(median: dict[str, float]) -> None:
    """Each side's seconds, and how much faster it is than the plainest of its kind."""
    for name, taken in median.items():
        first = median["Muon"] if name.startswith("Muon") else median["one batch"]
        print(f"{name:40} {taken:6.2f}   ratio {first / taken:.2f}")


if __name__ == "__main__":
    main()
