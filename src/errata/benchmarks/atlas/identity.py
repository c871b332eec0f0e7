"""Corrections of what a picture shows, and what is asked about them: the picture is another's, and no word about either changes.

To take a picture for another's isn't to believe that the two are one: "this is the flag of Peru" says nothing about Norway, nor
about Peru, where no picture is. An editor that can't tell these apart answers questions about the one with facts of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from errata.benchmarks.atlas import questions as q
from errata.benchmarks.atlas.chance import one_of, some_of
from errata.benchmarks.atlas.corrections import Correction, asking
from errata.benchmarks.atlas.facts import Atlas
from errata.benchmarks.atlas.probes import Asked
from errata.benchmarks.atlas.questions import NEAR, OF_SPLIT, SHOWN, SPLITS, Question, Split, Wording, overlap, phrased, wordings
from errata.benchmarks.atlas.sights import Album, Sight, looked, sort_of_subject
from errata.benchmarks.atlas.wordings.around import WHETHER, WHETHER_NOT
from errata.benchmarks.atlas.wordings.shown import STATED
from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.records import Query

_OTHERS = 3
_FACTS = 2


def identities(held: Atlas, album: Album, split: Split, *, seed: int, edits: int) -> Iterator[Correction]:
    """As many corrections of pictures, each of another subject, to a subject of the same sort that no other is said to be.

    Raises:
        BadInput: more of them than there are pictures for.
    """
    rng = np.random.default_rng([seed, 1])
    order = _drawn(held, album, rng)
    if edits > len(order):
        raise BadInput(
            f"What a picture shows can be corrected of {counted(len(order), 'subject')}, fewer than the {edits} asked for. "
            "Ask for fewer, or for counterfactual corrections."
        )
    for key, instead in order[:edits]:
        relation = SHOWN[sort_of_subject(held, key)]
        wording = one_of(rng, wordings(relation)[split])
        yield Correction(key, relation, held.names[instead], wording, held.names[key], album.sight(key, rng))


def _drawn(held: Atlas, album: Album, rng: np.random.Generator) -> list[tuple[str, str]]:
    """Each subject with the one that its picture is to be taken for: the half of a sort for the other half, and no other way."""
    found: list[tuple[str, str]] = []
    for sort in SHOWN:
        keys = [key for key in sorted(album.of) if key not in held.reserved and sort_of_subject(held, key) == sort]
        order = [keys[place] for place in rng.permutation(len(keys))]
        half = len(order) // 2
        found += zip(order[:half], order[half : 2 * half], strict=True)
    return [found[place] for place in rng.permutation(len(found))]


class IdentityDesk:
    """Draws the probes of one correction of what a picture shows."""

    def __init__(self, held: Atlas, album: Album, correction: Correction, *, split: Split, rng: np.random.Generator) -> None:
        assert correction.sight is not None, "what a picture shows is corrected on it"
        self._held, self._album, self._correction = held, album, correction
        self._own, self._split, self._rng = correction.sight, split, rng
        self._instead = held.keys[correction.value]
        sort, both = sort_of_subject(held, correction.key), (correction.key, self._instead)
        self._others = [key for key in sorted(album.of) if sort_of_subject(held, key) == sort and key not in both]

    def drawn(self) -> Iterator[Asked]:
        """Every probe but the ordinary ones, its own question first."""
        c, rng = self._correction, self._rng
        named = partial(self._named, key=c.key)
        yield named("reliability", c.wording, self._own)
        others = [wording for wording in wordings(c.relation)[self._split] if wording != c.wording]
        for kind, near in (("near_wording", True), ("far_wording", False)):
            for wording in some_of(rng, [each for each in others if (overlap(each, c.wording) >= NEAR) == near], 2):
                yield named(kind, wording, self._own)
        yield named("other_view", c.wording, looked(self._own.picture, "photo", rng, clause=""))
        yield from self._whether()
        yield from self._facts()
        for key in some_of(rng, self._others, _OTHERS):
            yield self._named("same_wording", c.wording, self._album.sight(key, rng), key=key)
        yield self._named("picture_of_new", c.wording, self._album.sight(self._instead, rng), key=self._instead)

    def _named(self, kind: str, wording: Wording, sight: Sight, *, key: str) -> Asked:
        relation = self._correction.relation
        return Asked(kind, q.shown(self._held, key, relation), asking(self._held, key, wording, sight))

    def _whether(self) -> Iterator[Asked]:
        c, place = self._correction, SPLITS.index(self._split)
        stated, denied = STATED[c.relation]
        old = self._held.names[c.key]
        wrong = self._held.names[one_of(self._rng, self._others)]
        for kind, value in (("yes_new", c.value), ("no_old", old), ("wrong_value", wrong)):
            frame = one_of(self._rng, WHETHER[place])
            yield self._said(kind, q.whether_shown(self._held, c.key, c.relation, value), frame.replace("{it}", stated), value)
        value = one_of(self._rng, [c.value, old])
        question = q.whether_shown(self._held, c.key, c.relation, value, denied=True)
        yield self._said("negated", question, WHETHER_NOT[place].replace("{it}", denied), value)

    def _said(self, kind: str, question: Question, template: str, value: str) -> Asked:
        return Asked(kind, question, Query.ask(phrased(template, name="", v=value), self._own.image))

    def _facts(self) -> Iterator[Asked]:
        """A fact of what the picture now shows, asked on it; and facts of either in words, which no picture changes."""
        c, rng = self._correction, self._rng
        for kind, key in (("one_hop", self._instead), ("words_about_old", c.key), ("words_about_new", self._instead)):
            of = [relation for relation in OF_SPLIT[self._split] if (key, relation) in self._held.askable]
            for relation in some_of(rng, of, _FACTS):
                yield self._on_picture(relation) if kind == "one_hop" else self._in_words(kind, key, relation)

    def _on_picture(self, relation: str) -> Asked:
        c, rng = self._correction, self._rng
        sight = Sight(self._own.picture, self._album.clause(c.key, rng), self._own.image)
        query = asking(self._held, c.key, one_of(rng, self._album.fitting(relation)), sight)
        return Asked("one_hop", q.of_what_is_shown(self._held, c.key, c.relation, relation), query, c.value)

    def _in_words(self, kind: str, key: str, relation: str) -> Asked:
        wording = one_of(self._rng, wordings(relation)[self._split])
        return Asked(kind, q.fact(key, relation), asking(self._held, key, wording))
