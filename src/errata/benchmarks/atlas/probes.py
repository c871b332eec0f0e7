"""What is asked about a correction: its own question, other wordings, what follows from it, and what has nothing to do with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from errata.benchmarks.atlas import questions as q
from errata.benchmarks.atlas.chance import one_of, some_of
from errata.benchmarks.atlas.corrections import Correction, asking, worded
from errata.benchmarks.atlas.facts import OF_COUNTRIES, ONE_EACH, Atlas, World
from errata.benchmarks.atlas.questions import NEAR, OF_SPLIT, SPLITS, Finding, Question, Split, Wording, overlap, phrased, wordings
from errata.benchmarks.atlas.sights import Album, Sight
from errata.benchmarks.atlas.wordings import around
from errata.benchmarks.atlas.wordings.ordinary import TRAFFIC
from errata.core.benchmark import UNCHANGED, Probe
from errata.core.records import Query

GIVEN: Final = (
    "reliability", "near_wording", "far_wording", "other_artist", "other_view", "beside", "in_words", "on_picture", "reverse",
    "yes_new", "no_old", "one_hop", "two_hops",
)  # fmt: skip
"""What a correction entails: the answer is another in the corrected world, and must be given."""

HELD: Final = ("wrong_value", "negated")
"""Yes or no by the corrected world, whatever it was before."""

STAYS: Final = (
    "same_wording", "same_old_value", "other_relation", "other_on_picture", "shown", "picture_of_new", "words_about_old",
    "words_about_new", "unrelated",
)  # fmt: skip
"""The answer must stay what the unedited model gives."""

KINDS_OF_PROBE: Final = (*GIVEN, *HELD, *STAYS)

SEEN: Final = ("other_artist", "other_view", "beside", "in_words", "on_picture", "other_on_picture", "shown")
"""Those of them that there are only where some corrections are asked on pictures."""

OF_IDENTITY: Final = ("picture_of_new", "words_about_old", "words_about_new")
"""Those that there are only where it is corrected what a picture shows."""

_OTHER_SUBJECTS: Final = 3
_ORDINARY: Final = 2
_POOL: Final = 40
POOL_FACTS: Final = 200


@dataclass(frozen=True)
class Asked:
    """A question in words; None: an ordinary one, which no fact answers."""

    kind: str
    question: Question | None
    query: Query
    seen: str | None = None
    """The name of what it asks about, where only the picture says that."""


def ordinary(split: Split) -> tuple[str, ...]:
    """The ordinary questions of a split: its share of 200, dealt once and for all."""
    dealt = np.random.default_rng(240).permutation(len(TRAFFIC))[_POOL:]
    return tuple(TRAFFIC[place] for place in dealt[SPLITS.index(split) :: len(SPLITS)])


def pool(held: Atlas, split: Split, seed: int, *, about: int = POOL_FACTS) -> list[Query]:
    """Ordinary questions, and `about` questions about subjects that no correction and no probe is about."""
    rng = np.random.default_rng([seed, 3])
    dealt = np.random.default_rng(240).permutation(len(TRAFFIC))[:_POOL]
    facts = sorted((key, of) for key, of in held.askable if key in held.reserved and of in OF_SPLIT[split])
    ways = [worded(held, key, wording) for key, of in facts for wording in wordings(of)[split]]
    texts = some_of(rng, ways, about)
    return [Query.ask(text) for text in (*texts, *(TRAFFIC[place] for place in dealt))]


def stand(asked: Sequence[Asked], before: World, now: World) -> Iterator[Probe]:
    """The probes as they stand in a world; `before` is the world as far as no correction has said it anew."""
    seen: set[str] = set()
    for item in asked:
        if item.query.digest in seen:
            continue
        expect = _expected(item, before, now)
        if expect is not None:
            seen.add(item.query.digest)
            yield expect


def _expected(item: Asked, before: World, now: World) -> Probe | None:
    if item.question is None:
        return Probe(item.kind, item.query, UNCHANGED)
    was, is_now = item.question.answer(before), item.question.answer(now)
    if is_now is None:
        return None
    if item.kind in GIVEN:
        return Probe(item.kind, item.query, is_now) if is_now != was else None
    if item.kind in HELD:
        return Probe(item.kind, item.query, is_now) if item.kind != "wrong_value" or is_now == "no" else None
    return Probe(item.kind, item.query, UNCHANGED) if is_now == was else Probe("cross_edit", item.query, is_now)


class Desk:
    """What drawing the probes of one correction needs at hand; of one on a picture, the album that it is from."""

    def __init__(
        self, held: Atlas, correction: Correction, *, split: Split, rng: np.random.Generator, album: Album | None = None
    ) -> None:
        self.held = held
        self.correction = correction
        self.split = split
        self.rng = rng
        self.name = held.names[correction.key]
        self.grows = correction.key in held.growing
        self._album = album if correction.sight is not None else None

    def drawn(self) -> Iterator[Asked]:
        """Every probe of the correction but the ordinary ones, its own question first."""
        c = self.correction
        yield self.fact("reliability", c.key, c.wording, c.sight)
        yield from self._other_wordings()
        yield from self._whether()
        if c.relation in around.REVERSE:
            form = one_of(self.rng, around.REVERSE[c.relation][SPLITS.index(self.split)])
            yield self._said("reverse", q.reverse(self.held, c.relation, c.value), form, v=c.value)
        yield from self._hops()
        yield from self._others()

    def fact(self, kind: str, key: str, wording: Wording, sight: Sight | None = None) -> Asked:
        """The value of a fact of a subject, in words or on a picture."""
        seen = None if sight is None else self.held.names[key]
        return Asked(kind, q.fact(key, wording.relation), asking(self.held, key, wording, sight), seen)

    def usable(self, relation: str) -> Sequence[Wording]:
        """The split's wordings of a relation that fit the correction: all, or on a picture those that a clause fits."""
        return wordings(relation)[self.split] if self._album is None else self._album.fitting(relation)

    def here(self) -> Sight | None:
        """The correction's own picture, named by any clause of the split."""
        c = self.correction
        if c.sight is None or self._album is None:
            return None
        return replace(c.sight, clause=self._album.clause(c.key, self.rng))

    def _there(self, key: str, *, clause: str | None = None) -> Sight | None:
        """Another subject as the correction's own is asked about: on a picture of it, where that is."""
        return None if self._album is None else self._album.sight(key, self.rng, clause=clause)

    def _said(self, kind: str, question: Question, template: str, sight: Sight | None = None, **values: str) -> Asked:
        name, images = (self.name, ()) if sight is None else (sight.clause, (sight.image,))
        text = phrased(template, name=name, grows=self.grows, **values)
        return Asked(kind, question, Query.ask(text, *images), None if sight is None else self.name)

    def _phrased(self, kind: str, find: Finding, relation: str, *, phrase: str) -> Asked:
        """A fact of a subject that is named by a clause."""
        usable = [wording for wording in wordings(relation)[self.split] if wording.names_by_phrase]
        return Asked(kind, q.fact_of(find, relation), Query.ask(phrased(one_of(self.rng, usable).template, name=phrase)))

    def _other_wordings(self) -> Iterator[Asked]:
        c = self.correction
        others = [wording for wording in self.usable(c.relation) if wording != c.wording]
        near = [wording for wording in others if overlap(wording, c.wording) >= NEAR]
        far = [wording for wording in others if wording not in near]
        for kind, among in (("near_wording", near), ("far_wording", far)):
            for wording in some_of(self.rng, among, 2):
                yield self.fact(kind, c.key, wording, self.here())

    def _whether(self) -> Iterator[Asked]:
        c, place = self.correction, SPLITS.index(self.split)
        stated, denied = around.STATED[c.relation]
        true = self.held.world.facts[c.fact]
        wrong = one_of(
            self.rng, [value for value in self.held.values[c.relation] if value not in (c.value, c.old, true, self.name)]
        )
        for kind, value in (("yes_new", c.value), ("no_old", c.old), ("wrong_value", wrong)):
            if value is not None:
                frame = one_of(self.rng, around.WHETHER[place])
                yield self._said(kind, q.whether(c.key, c.relation, value), frame.replace("{it}", stated), self.here(), v=value)
        value = one_of(self.rng, [value for value in (c.value, c.old) if value is not None])
        yield self._said(
            "negated",
            q.whether(c.key, c.relation, value, denied=True),
            around.WHETHER_NOT[place].replace("{it}", denied),
            self.here(),
            v=value,
        )

    def _others(self) -> Iterator[Asked]:
        c = self.correction
        others = self.others()
        for key in some_of(self.rng, others, _OTHER_SUBJECTS):
            yield self.fact("same_wording", key, c.wording, self._there(key, clause=c.sight.clause if c.sight else None))
        sharing = [key for key in others if self.held.world.facts[key, c.relation] == c.old]
        for key in some_of(self.rng, sharing, 1):
            yield self.fact("same_old_value", key, one_of(self.rng, self.usable(c.relation)), self._there(key))
        for relation in OF_SPLIT[self.split]:
            if relation != c.relation and (c.key, relation) in self.held.askable:
                yield self.fact("other_relation", c.key, one_of(self.rng, self.usable(relation)), self.here())

    def others(self) -> list[str]:
        """The other subjects that can be asked the same, on a picture where the correction is."""
        c, album = self.correction, self._album
        found = [key for key in self.held.asked_of(c.relation) if key != c.key]
        if album is None:
            return found
        # What grows is asked where it grows, so that only what lives, or grows, too is asked in the very same words.
        grows = self.held.growing if c.relation == "home" else frozenset()
        return [key for key in found if key in album.of and (key in grows) == (c.key in grows)]

    def _hops(self) -> Iterator[Asked]:
        c = self.correction
        if c.relation in around.ALIKE:
            yield from self._alike()
        if c.relation == "neighbour":
            yield from self._over_the_border()
        elif c.relation in OF_COUNTRIES:
            yield from self._by_another_fact()

    def _alike(self) -> Iterator[Asked]:
        """Compared with another that has the new value, and with one that has the old one."""
        c = self.correction
        others = [key for key in self.held.asked_of(c.relation) if key != c.key]
        for value in {c.value: None, c.old: None}:
            having = [key for key in others if self.held.world.facts[key, c.relation] == value]
            for key in some_of(self.rng, having, 1):
                question = q.alike(c.fact, (key, c.relation))
                yield self._said("one_hop", question, around.ALIKE[c.relation], t=self.held.names[key])

    def _by_another_fact(self) -> Iterator[Asked]:
        """The country is named by a value that is its alone, and by that and a neighbour."""
        c, relations = self.correction, [of for of in OF_SPLIT[self.split] if of in OF_COUNTRIES]
        by = c.relation if c.relation in ONE_EACH else next(of for of in relations if of in ONE_EACH)
        value = c.value if by == c.relation else self.held.world.known((c.key, by))
        if value is None:
            return
        finals = (
            [of for of in relations if of not in ONE_EACH and (c.key, of) in self.held.askable]
            if by == c.relation
            else [c.relation]
        )
        clause = around.WHOSE[by].format(v=value)
        for final in finals[:1]:
            yield self._phrased("one_hop", q.whose(by, value), final, phrase=f"the country {clause}")
        for near in some_of(self.rng, [key for key in sorted(self.held.neighbours[c.key]) if self._usable(key)], 1):
            find, name = q.next_to(self.held, near, by, value), self.held.names[near]
            if by == c.relation:
                yield self._said("one_hop", q.named(self.held, find), one_of(self.rng, around.NEXT_TO[by]), o=name, v=value)
            for final in finals[:1]:
                yield self._phrased("two_hops", find, final, phrase=f"the neighbour of {name} {clause}")

    def _usable(self, key: str) -> bool:
        return key in self.held.names and key not in self.held.reserved

    def _over_the_border(self) -> Iterator[Asked]:
        """What holds of the neighbour, of a country that is named, and of one that is told by its calling code."""
        c = self.correction
        here = q.only_neighbour(self.held, lambda world: c.key)
        yield self._phrased("one_hop", here, "code", phrase=f"the only country that borders {self.name}")
        code = self.held.world.known((c.key, "code"))
        if code is not None:
            told = q.whose("code", code)
            clause = f"the country {around.WHOSE['code'].format(v=code)}"
            yield self._phrased("one_hop", told, "neighbour", phrase=clause)
            final = q.only_neighbour(self.held, told)
            yield self._phrased("two_hops", final, "language", phrase=f"the only country that borders {clause}")


def ordinary_probes(split: Split, *, seed: int, index: int) -> Iterator[Asked]:
    """The next ordinary questions in an order drawn by the seed, over and over."""
    texts = ordinary(split)
    order = np.random.default_rng([seed, 4]).permutation(len(texts))
    for place in range(_ORDINARY * index, _ORDINARY * (index + 1)):
        yield Asked("unrelated", None, Query.ask(texts[order[place % len(texts)]]))
