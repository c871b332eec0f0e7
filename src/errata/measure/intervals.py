"""How sure a mean over seeds is: an interval by bootstrap over seeds and over the edits of each, and the worst seed beside it.

A standard error over a few seeds says how streams differ, and nothing of how few edits each has. Here seeds are drawn with
replacement, of each seed drawn its scored edits are drawn with replacement, with all their probes (Davison and Hinkley 1997, 3.8),
and the figure is taken of what was drawn; between the 2.5th and the 97.5th percentile of many such draws lies the interval.

S seeds, D draws, E edits of a seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from jaxtyping import Float

from errata.measure.results import CLASSES
from errata.measure.scoring import COMPOSITES, ENTAILED

DRAWS: Final = 2000
SEED: Final = 20
"""Draws the same seeds and edits for every editor, so that two editors' intervals are of the same draws."""

Array = np.ndarray[Any, Any]
_Parts = Sequence[tuple[Array, Array]]
"""Of each part of a figure, how many probes of every edit met their expectation, and how many were asked."""


@dataclass(frozen=True)
class Interval:
    """A figure over seeds, as a share."""

    mean: float
    low: float
    high: float
    """Of the middle 95 % of the draws."""

    worst: float
    """The lowest seed's."""

    seed: int
    """Which seed that is."""


def intervals(results: Sequence[Mapping[str, Any]], figures: Sequence[str], *, draws: int = DRAWS) -> dict[str, Interval]:
    """Figure -> its interval; without those that no edit of some seed was asked, and none where a result doesn't list its edits.

    Args:
        results: what the `result.json` of each seed holds.
        figures: kinds of probe, composites of them, and classes.
        draws: how often seeds and edits are drawn.
    """
    if not all(isinstance(result.get("judged"), list) for result in results):
        return {}
    scored = [[edit for edit in result["judged"] if edit["label"] is not None] for result in results]
    if not all(scored):
        return {}
    tables = {figure: [_counted(edits, figure) for edits in scored] for figure in figures}
    asked = {figure: each for figure, each in tables.items() if all(n_E.sum() > 0 for parts in each for _, n_E in parts)}
    drawn: dict[str, list[Array]] = {figure: [] for figure in asked}
    rng = np.random.default_rng([SEED, len(results)])
    for _ in results:
        chosen_D = rng.integers(len(results), size=draws)
        weights = [rng.multinomial(len(edits), [1 / len(edits)] * len(edits), size=draws).astype(float) for edits in scored]
        for figure, each in asked.items():
            shares_SD = np.stack([_share(parts, weights_DE) for parts, weights_DE in zip(each, weights, strict=True)])
            drawn[figure].append(shares_SD[chosen_D, np.arange(draws)])
    named = [int(result["benchmark"]["seed"]) for result in results]
    return {figure: _interval(each, drawn[figure], named) for figure, each in asked.items()}


def _interval(tables: Sequence[_Parts], drawn: Sequence[Array], seeds: Sequence[int]) -> Interval:
    own_S = np.array([_share(parts, np.ones((1, len(parts[0][0]))))[0] for parts in tables])
    all_SD = np.stack(drawn)
    with np.errstate(invalid="ignore"):  # a draw in which no seed has any of the probes tells nothing
        means_D = np.nansum(all_SD, axis=0) / (~np.isnan(all_SD)).sum(axis=0)
    low, high = np.nanpercentile(means_D, [2.5, 97.5])
    worst = int(own_S.argmin())
    return Interval(float(own_S.mean()), float(low), float(high), float(own_S[worst]), seeds[worst])


def _share(parts: _Parts, weights_DE: Float[Array, "D E"]) -> Float[Array, "D"]:
    """The figure of each draw; NaN where none of its probes was drawn."""
    with np.errstate(invalid="ignore"):
        shares: Array = np.mean([(weights_DE @ hits_E) / (weights_DE @ n_E) for hits_E, n_E in parts], axis=0)
    return shares


def _counted(edits: Sequence[Mapping[str, Any]], figure: str) -> _Parts:
    if figure in CLASSES:
        return [(np.array([float(_is(edit, figure)) for edit in edits]), np.ones(len(edits)))]
    said = [
        [("".join(edit["met"].get(kind, "") for kind in kinds)) for edit in edits] for kinds in COMPOSITES.get(figure, ((figure,),))
    ]
    return [
        (np.array([float(text.count("1")) for text in texts]), np.array([float(len(text)) for text in texts])) for texts in said
    ]


def _is(edit: Mapping[str, Any], name: str) -> bool:
    if name == "strict":
        return edit["label"] == "proper" and all("0" not in edit["met"].get(kind, "") for kind in ENTAILED)
    return bool(edit["label"] == name)
