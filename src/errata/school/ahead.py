"""Steps drawn ahead by other processes: on a GPU a step is computed sooner than one process has drawn what it is about."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import torch
from torch.utils.data import DataLoader, Dataset

_T = TypeVar("_T")


@dataclass
class Ahead(Generic[_T]):
    """What each step needs, in order; whatever `make` gives for a step, whoever makes it.

    Args:
        make: a pure function of the step.
        steps: how many there are.
        workers: processes that work ahead; with 0 a step is made when it is asked for.
    """

    make: Callable[[int], _T]
    steps: int
    workers: int = 0
    _next: int = -1
    _coming: Iterator[_T] = field(default_factory=lambda: iter(()))

    def __call__(self, step: int) -> _T:
        """What step number `step` needs."""
        if not self.workers:
            return self.make(step)
        if step != self._next:  # the first one, or that of a run that goes on
            every: Dataset[_T] = _Made(self.make)
            self._coming = iter(
                DataLoader(
                    every,
                    batch_size=None,
                    sampler=range(step, self.steps),
                    num_workers=self.workers,
                    prefetch_factor=2,
                    multiprocessing_context="fork",
                    collate_fn=_as_it_is,
                )
            )
        self._next, made = step + 1, next(self._coming)
        if self._next == self.steps:
            self._coming = iter(())  # the processes end with it
        return made


def workers_for(device: str) -> int:
    """Processes that draw ahead: none beside a CPU, which has no time left; all but one of the cores beside a GPU, at most 16."""
    if torch.device(device).type == "cpu":
        return 0
    return min(_MOST, max(1, (os.cpu_count() or 1) - 1))


_MOST = 16
"""More than these no GPU waits for, and each takes files and memory of the machine."""


class _Made(Dataset[_T]):
    def __init__(self, make: Callable[[int], _T]) -> None:
        self._make = make

    def __getitem__(self, step: int) -> _T:
        return self._make(step)


def _as_it_is(made: _T) -> _T:
    return made
