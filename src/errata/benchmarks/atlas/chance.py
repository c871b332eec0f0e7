"""Drawing from what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

_Each = TypeVar("_Each")


def one_of(rng: np.random.Generator, among: Sequence[_Each]) -> _Each:
    """One of them."""
    return among[int(rng.integers(len(among)))]


def some_of(rng: np.random.Generator, among: Sequence[_Each], count: int) -> list[_Each]:
    """As many of them as asked for, each once, or all where there are fewer."""
    return [among[place] for place in rng.permutation(len(among))[:count]]
