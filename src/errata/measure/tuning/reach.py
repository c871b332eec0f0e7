"""How near is near: the reach at which most of what must follow is reached and most of what must stay isn't, by cosines alone.

A question reads the edit whose key is nearest, where the cosine is at least the reach. So cosines, measured once, say for every
reach what would be read, without a write. They don't say whether what is read is strong enough to be given.

Shapes: F questions that must follow, K that rows say must stay, O ordinary ones, E edits, R reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, final

import numpy as np
from numpy.typing import NDArray

DIGITS: Final = 3
"""Of a reach: as many as a person copies, and finer than a few dozen questions can tell."""

Cosines = NDArray[np.float32]


@final
@dataclass(frozen=True)
class Foretold:
    """What a reach would do by distance alone; shares from 0 to 1."""

    reach: float
    followed: float
    """Of the questions that must follow, those that read their own edit."""

    kept: float
    """Of what rows say must stay, those that read nothing; 1 where rows say nothing."""

    ordinary: float

    @property
    def score(self) -> float:
        """The mean of what follows and what stays, as in `figures.Figures`."""
        return (self.followed + (self.kept + self.ordinary) / 2) / 2


def at(reach: float, follow_FE: Cosines, own_F: NDArray[np.int64], keep_KE: Cosines, ordinary_OE: Cosines) -> Foretold:
    """What one reach would do.

    Args:
        reach: a cosine.
        follow_FE: of each question that must follow with each edit's key.
        own_F: the edit that each should read.
        keep_KE: of what rows say must stay.
        ordinary_OE: of ordinary questions.
    """
    followed_F = (follow_FE.argmax(1) == own_F) & (follow_FE.max(1) >= reach)
    return Foretold(reach, float(followed_F.mean()), _silent(keep_KE, reach), _silent(ordinary_OE, reach))


def best(follow_FE: Cosines, own_F: NDArray[np.int64], keep_KE: Cosines, ordinary_OE: Cosines) -> Foretold:
    """The reach of the highest score; of equals the highest cosine, which reaches least. Arguments: see `at`.

    Those that are tried lie halfway between neighbouring cosines, so that neither side is met by a hair.
    """
    nearest_N = np.unique(np.concatenate([each_NE.max(1) for each_NE in (follow_FE, keep_KE, ordinary_OE) if len(each_NE)]))
    edges = np.concatenate([nearest_N[:1] - 0.01, nearest_N, [1.0]])
    reaches_R = np.unique(np.clip(np.round((edges[:-1] + edges[1:]) / 2, DIGITS), -0.999, 1.0))
    tried = [at(float(reach), follow_FE, own_F, keep_KE, ordinary_OE) for reach in reaches_R]
    return max(tried, key=lambda each: (each.score, each.reach))


def _silent(cosines_NE: Cosines, reach: float) -> float:
    return float((cosines_NE.max(1) < reach).mean()) if len(cosines_NE) else 1.0
