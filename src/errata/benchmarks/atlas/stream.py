"""`atlas-stream`: corrections of what is true of countries and things, one after another, on pictures and in words as people use
them. `atlas-words` is the same in words alone.

A horizon is scored against the world with all corrections so far: a probe that another correction settles is held to that one's
answer, as "cross_edit", and a correction that a later one overrules is no longer scored.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import Final

import numpy as np

from errata.benchmarks.atlas.corrections import IDENTITY, Answers, Correction, check_corrections, drawn, in_words
from errata.benchmarks.atlas.facts import RELATIONS, Atlas, Fact, atlas
from errata.benchmarks.atlas.identity import IdentityDesk, identities
from errata.benchmarks.atlas.matcher import MATCHER, Matcher
from errata.benchmarks.atlas.probes import Asked, Desk, ordinary_probes, pool, stand
from errata.benchmarks.atlas.questions import Sought, sort_of, split_of, told
from errata.benchmarks.atlas.seen import drawn as drawn_seen
from errata.benchmarks.atlas.seen import ordinary_probe, pool_seen
from errata.benchmarks.atlas.sights import Album
from errata.core.benchmark import Case, Outcome, Unchanged, check_drawn, digest_of_cases
from errata.core.counted import counted
from errata.core.records import Edit, Query, Reach

NAME: Final = "atlas-stream"
IN_WORDS: Final = "atlas-words"


class AtlasStream:
    """A stream of corrections, half of those that can be on pictures of their subjects.

    Args:
        seed: draws corrections, wordings and probes; below 100 for tuning, below 1000 to report, above to judge.
        edits: how many, at least 1.
        corrections: "counterfactual", to a wrong value of the same sort; "truth", of what a base model gets wrong; "both": first
            up to half of the edits of that, then counterfactual ones; "identity", of what pictures show instead of any fact.
        answers: the base model's answers, where corrections to the truth are asked for.
        eyes: whether there are pictures; else everything is asked in words, and the probes of what would be asked in words
            anyway are the same.

    Raises:
        BadInput: `edits` below 1, `seed` negative, other `corrections`, those of pictures without eyes, no `answers` where they
            are needed, fewer wrong answers or pictures than corrections, or a package that facts or pictures are read from is
            missing.
    """

    def __init__(
        self,
        *,
        seed: int,
        edits: int,
        corrections: str = "counterfactual",
        answers: Answers | None = None,
        eyes: bool = True,
    ) -> None:
        check_drawn(seed=seed, edits=edits)
        check_corrections(corrections, eyes=eyes)
        self.seed = seed
        self.split = split_of(seed)
        self._held = atlas()
        self._album = Album(self._held, self.split) if eyes else None
        self._matcher = Matcher(values_of(self._held))
        self._corrections = tuple(self._all(edits, corrections, answers))
        self._drawn: dict[int, tuple[Asked, ...]] = {}
        self._sought: dict[str, tuple[Sought, str]] = {}

    def _all(self, edits: int, corrections: str, answers: Answers | None) -> Iterator[Correction]:
        if self._album is not None and corrections == IDENTITY:
            return identities(self._held, self._album, self.split, seed=self.seed, edits=edits)
        posed = in_words if self._album is None else partial(self._album.posed, rng=np.random.default_rng([self.seed, 5]))
        return drawn(
            self._held,
            self.split,
            seed=self.seed,
            edits=edits,
            corrections=corrections,
            answers=answers,
            matcher=self._matcher,
            posed=posed,
        )

    @property
    def name(self) -> str:
        return IN_WORDS if self._album is None else NAME

    @property
    def matcher(self) -> str:
        return MATCHER

    @cached_property
    def digest(self) -> str:
        """A digest of the seed's every edit and probe."""
        return digest_of_cases(self)

    def __len__(self) -> int:
        return len(self._corrections)

    def __getitem__(self, index: int) -> Case:
        """An edit with its probes as they stand when it is the only one."""
        if not 0 <= index < len(self):
            raise IndexError(f"the stream has {counted(len(self), 'edit')}; there is no number {index}")
        return self._cases((index,))[0]

    def corrections(self) -> tuple[Correction, ...]:
        """The corrections as structures, in order."""
        return self._corrections

    def asked(self, index: int) -> tuple[Asked, ...]:
        """The probes of one edit as structures, before anything is expected of them."""
        if index not in self._drawn:
            asked = tuple(self._asked(index))
            self._sought.update(
                (item.query.digest, (item.question.sought, told(item.query, item.seen)))
                for item in asked
                if item.question is not None
            )
            self._drawn[index] = asked
        return self._drawn[index]

    def truth(self, horizon: int) -> Sequence[Case]:
        """The first `horizon` cases as they stand after all of these edits; see `core.benchmark.Stream`."""
        return self._cases(range(min(horizon, len(self))))

    def pool(self) -> Sequence[Query]:
        """Ordinary questions, and questions of the split's relations about subjects that no edit and no probe is about."""
        if self._album is None:
            return pool(self._held, self.split, self.seed)
        return pool_seen(self._held, self._album, self.split, self.seed)

    def gives(self, outcome: Outcome) -> bool:
        """Whether an answer does what is expected of it, as `matcher` reads it; see `core.benchmark.Matches`."""
        probe, after = outcome.probe, outcome.after
        sought, question = self._sought.get(probe.query.digest, (None, probe.query.text))
        if isinstance(probe.expect, Unchanged) or sought is None:
            before = outcome.before if isinstance(probe.expect, Unchanged) else probe.expect
            return self._matcher.alike(after, before, sought=sought, question=question)
        return self._matcher.gives(after, probe.expect, sought=sought, question=question)

    def _asked(self, index: int) -> Iterator[Asked]:
        """The probes of one edit, its own question first."""
        correction, album, split = self._corrections[index], self._album, self.split
        rng = np.random.default_rng([self.seed, 2, index])
        ordinary = list(ordinary_probes(split, seed=self.seed, index=index))
        if album is not None and correction.sight is not None:
            ordinary[-1] = ordinary_probe(album, split, seed=self.seed, index=index)
        if album is not None and correction.of_picture:
            yield from IdentityDesk(self._held, album, correction, split=split, rng=rng).drawn()
        else:
            desk = Desk(self._held, correction, split=split, rng=rng, album=album)
            yield from desk.drawn()
            if album is not None:
                yield from drawn_seen(desk, album)
        yield from ordinary

    def _cases(self, indices: Sequence[int]) -> list[Case]:
        now, last = self._held.world, dict[Fact, int]()
        for index in indices:
            correction = self._corrections[index]
            now = now.with_fact(correction.fact, correction.value)
            last[correction.fact] = index
        # What the base model got wrong isn't so before: a probe of it is settled by its correction.
        wrong = frozenset(self._corrections[index].fact for index in indices if self._corrections[index].true)
        before = self._held.world.without(wrong)
        return [
            Case(
                self._edit(index),
                tuple(stand(self.asked(index), before, now)) if last[self._corrections[index].fact] == index else (),
            )
            for index in indices
        ]

    def _edit(self, index: int) -> Edit:
        correction = self._corrections[index]
        own = self.asked(index)[0].query
        if correction.of_picture:
            return Edit(own, correction.value, reach="image")
        # Among pictures a correction of a fact is of the subject, seen or named; in words alone nothing says so.
        reach: Reach = "text" if self._album is None else "kind"
        return Edit(own, correction.value, reach=reach, subject=self._held.names[correction.key])


AtlasWords = partial(AtlasStream, eyes=False)
"""The stream in words alone, of the same arguments: it needs no picture and no eyes."""


def values_of(held: Atlas) -> dict[str, set[str]]:
    """Sort -> every value that an answer of it may name."""
    found: dict[str, set[str]] = {}
    for relation in RELATIONS:
        stated = {value for (_, of), value in held.world.facts.items() if of == relation}
        found.setdefault(sort_of(relation), set()).update(held.values[relation], stated)
    found["country"] |= {name for key, name in held.names.items() if key in held.neighbours}
    found["thing"] = {name for key, name in held.names.items() if key not in held.neighbours}
    return found
