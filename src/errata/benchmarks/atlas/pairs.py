"""Pairs of a correction and a question from the split that may be trained on, in words, each with how the one concerns the other.

A fact is corrected once, whichever stream it is of. Its probes say what follows from it and what doesn't; beside them stand other
corrections of the same relation and of the same subject, asked about in their own words.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np

from errata.benchmarks.atlas.chance import some_of
from errata.benchmarks.atlas.corrections import Correction
from errata.benchmarks.atlas.facts import Fact, atlas
from errata.benchmarks.atlas.stream import AtlasStream
from errata.core.benchmark import Case, Pair, Probe, Unchanged, check_drawn
from errata.core.editor import Sort

NAME: Final = "atlas-words"

_SEEDS: Final = 90
"""Streams of the seeds below this one are drawn from; those up to 99 stay for who looks at a scope that was trained."""

_EDITS: Final = 40
"""Of each stream."""

_OTHERS: Final = 2
"""Questions of another correction that are put beside one, of the same relation and of the same subject each."""

_ASKS: Final = ("reliability", "near_wording", "far_wording")
_SHOWN: Final = ("other_artist", "other_view", "beside", "in_words", "on_picture")
_WHETHER: Final = ("yes_new", "no_old", "wrong_value", "negated")
_FOLLOWS: Final = ("reverse", "one_hop", "two_hops")


def pairs(*, seed: int, edits: int) -> Iterator[Pair]:
    """The pairs of some facts; fewer where the split has fewer facts.

    Raises:
        BadInput: `edits` below 1, `seed` negative, or the packages with the facts aren't there.
    """
    check_drawn(seed=seed, edits=edits)
    atlas()  # a package that isn't there is told now
    return _drawn(seed, edits)


def _drawn(seed: int, edits: int) -> Iterator[Pair]:
    rng, known = np.random.default_rng([seed, 5]), set[Fact]()
    for number in rng.permutation(_SEEDS).tolist():
        stream = AtlasStream(seed=number, edits=_EDITS, eyes=False)
        drawn = [(each, stream[place]) for place, each in enumerate(stream.corrections())]
        for correction, case in drawn:
            if len(known) == edits:
                return
            if correction.fact not in known:
                known.add(correction.fact)
                yield from _of(correction, case, drawn, rng)


def sort_of(probe: Probe) -> Sort | None:
    """How the edit concerns a probe of its own; None where another edit or nothing says so."""
    if probe.kind in (*_ASKS, *_SHOWN):
        return "same"
    if probe.kind in _FOLLOWS:
        return "follows"
    if probe.kind in _WHETHER and not isinstance(probe.expect, Unchanged):
        return "yes" if probe.expect.lower().startswith("yes") else "no"
    return "apart" if isinstance(probe.expect, Unchanged) else None


def _of(correction: Correction, case: Case, drawn: list[tuple[Correction, Case]], rng: np.random.Generator) -> Iterator[Pair]:
    for probe in case.probes:
        sort = sort_of(probe)
        if sort is not None:
            yield Pair(case.edit, probe.query, sort != "apart", probe.kind, False, sort)
    others = [each for each in drawn if each[0].fact != correction.fact]
    alike = [one for other, one in others if other.relation == correction.relation and other.key != correction.key]
    akin = [one for other, one in others if other.key == correction.key]
    for one in chain(some_of(rng, alike, _OTHERS), some_of(rng, akin, _OTHERS)):
        asked = [probe for probe in one.probes if probe.kind in (*_ASKS, *_WHETHER)]
        for probe in some_of(rng, asked, _OTHERS):
            yield Pair(case.edit, probe.query, False, "other_edit", False, "apart")
