"""When a lead is more than chance: paired differences between two editors, edit by edit, with their standard error.

All editors of a report answer the same probes, and the probes of one edit stand or fall together. So the unit is the edit, not
the probe. For the rate p = sum_e h_e / sum_e n_e of one kind (h_e of edit e's n_e probes met), the first-order influence of edit
e is psi_e = (h_e - p n_e) / sum n, and the difference of two editors has the variance
G / (G - 1) * sum_e (psi_e^A - psi_e^B)^2 over the G edits with such a probe: the usual cluster-robust estimate for a ratio
(Cameron and Miller 2015, "A practitioner's guide to cluster-robust inference", section II).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median

from errata.measure.results import Horizon, Run
from errata.measure.scoring import COMPOSITES
from errata.report.view import Shown

FEWEST_EDITS = 10
"""With fewer edits than this behind a rate, no lead is called meaningful: the standard error itself isn't known well enough."""


def leaders(editors: Sequence[Shown], kind: str) -> frozenset[str]:
    """The label of the editor that leads every other by more than two standard errors on this kind, or nobody."""
    measured = [(one, rate) for one in editors if (rate := rate_of(one.last, kind)) is not None]
    if len(measured) < 2 or len(measured) < len(editors):
        return frozenset()
    best, top = max(measured, key=lambda pair: pair[1])
    for other, rate in measured:
        if other is not best:
            error = standard_error(best.run, other.run, kind)
            if error is None or not top - rate > 2 * error:
                return frozenset()
    return frozenset({best.label})


def standard_error(one: Run, other: Run, kind: str) -> float | None:
    """Of the difference of two runs' rates at the last horizon, a share; None where too few edits tell."""
    ours, theirs = _influences(one, kind), _influences(other, kind)
    edits = ours.keys() | theirs.keys()
    if ours.keys() != theirs.keys() or len(edits) < FEWEST_EDITS:
        return None
    squares = sum((ours[position] - theirs[position]) ** 2 for position in sorted(edits))
    return math.sqrt(squares * len(edits) / (len(edits) - 1))


def rate_of(horizon: Horizon, kind: str) -> float | None:
    """The rate of a kind at a horizon; None where it wasn't asked or nothing was there to ask."""
    return horizon.rates[kind].rate if kind in horizon.rates else None


def mean_rate(horizon: Horizon, kinds: Sequence[str]) -> float | None:
    """The plain mean of the kinds that have a rate, each kind counting once however many probes it has."""
    rates = [rate for kind in kinds if (rate := rate_of(horizon, kind)) is not None]
    return sum(rates) / len(rates) if rates else None


def middle(values: Sequence[float]) -> float | None:
    """The median, and None of nothing."""
    return median(values) if values else None


def ends(values: Sequence[float]) -> tuple[float, float] | None:
    """The medians of the first and of the last tenth; None of nothing."""
    tenth = max(1, len(values) // 10)
    return (median(values[:tenth]), median(values[-tenth:])) if values else None


def _influences(run: Run, kind: str) -> Mapping[int, float]:
    shares = COMPOSITES.get(kind, ((kind,),))
    sums: dict[int, float] = {}
    for kinds in shares:
        asked: Counter[int] = Counter()
        hit: Counter[int] = Counter()
        for judged in run.judged:
            for outcome, met in zip(judged.outcomes, judged.met, strict=True):
                if outcome.probe.kind in kinds:
                    asked[judged.position] += 1
                    hit[judged.position] += met
        n = asked.total()
        for position, count in asked.items():
            sums[position] = sums.get(position, 0.0) + (hit[position] - hit.total() / n * count) / n / len(shares)
    return sums
