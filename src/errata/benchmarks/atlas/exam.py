"""What `atlas` must see and know: flags and things in views it wasn't taught, its words as before it had eyes, and a blind control.

Answers are read by the benchmark's matcher: the fact is in the answer and nothing contradicts it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

from errata.benchmarks.atlas.chance import one_of, some_of
from errata.benchmarks.atlas.corrections import asking
from errata.benchmarks.atlas.facts import RELATIONS, Atlas, atlas
from errata.benchmarks.atlas.matcher import Matcher
from errata.benchmarks.atlas.pictures import views
from errata.benchmarks.atlas.pictures.catalogue import pictures
from errata.benchmarks.atlas.pictures.picture import Picture
from errata.benchmarks.atlas.questions import Sought, Wording, fact, wordings
from errata.benchmarks.atlas.sights import ALIKE, Sight, looked
from errata.benchmarks.atlas.stream import values_of
from errata.benchmarks.atlas.wordings.seen import ALONE
from errata.core.images import Image
from errata.core.records import Query

Column = Literal["taught views", "aslant", "words", "on pictures", "blind"]

NEEDED: Final[Mapping[str, float]] = {"flat flags": 0.95, "waving flags": 0.95, "things": 0.80}
"""What is to be named in the views it was taught (drawn anew) and aslant, which it never was: a share of right answers."""

WITHIN: Final = 0.02
"""How much less it may know in words than the language model alone."""

BLIND: Final = 0.05
"""The largest excess over the best guess on an empty picture."""

EXAM_SEED: Final = 31
_ASKED: Final = "What is in this picture?"
_VIEWS: Final[tuple[tuple[Column, views.View], ...]] = (("taught views", "any"), ("aslant", "photo"))
_FLAG: Final = "the flag of "
TOPICS: Final[Mapping[str, str]] = {"iso-flags": "flat flags", "noto-flags": "waving flags", "noto-emoji": "things"}
"""Collection -> what its pictures are called."""


@dataclass(frozen=True)
class Item:
    """One question of the exam."""

    column: Column
    topic: str
    query: Query
    answer: str
    sought: Sought
    about: str = ""
    """The name of what only its picture says, for the matcher."""


@dataclass(frozen=True)
class Mark:
    """One line of the exam's result."""

    column: Column
    topic: str
    right: int
    n: int
    beside: float | None = None
    """What stands beside it: the language model alone; the same in words; the best guess of the blind."""

    @property
    def share(self) -> float:
        return self.right / self.n

    @property
    def needed(self) -> float | None:
        """At least this; of the blind control at most. None: it is told, and nothing is asked for."""
        if self.column in ("taught views", "aslant"):
            return NEEDED[self.topic]
        if self.beside is None or self.column == "on pictures":
            return None
        return max(0.0, self.beside - WITHIN) if self.column == "words" else self.beside + BLIND

    @property
    def passed(self) -> bool:
        if self.needed is None:
            return True
        return self.share <= self.needed if self.column == "blind" else self.share >= self.needed


def exam(*, each: int = 100, seed: int = EXAM_SEED) -> list[Item]:
    """`each` questions of every topic of every column.

    Raises:
        BadInput: a package that pictures or facts are read from is missing.
    """
    rng, held = np.random.default_rng([seed, 5]), atlas()
    items: list[Item] = []
    for collection, topic in TOPICS.items():
        among = [picture for picture in pictures() if picture.collection == collection and picture.subject not in ALIKE]
        for column, kind in _VIEWS:
            items += (named(column, topic, looked(picture, kind, rng, clause="")) for picture in some_of(rng, among, each))
        items += (_blind(picture) for picture in some_of(rng, among, each))
    for relation in RELATIONS:
        items += _known(held, relation, each, rng)
    return items


def named(column: Column, topic: str, sight: Sight) -> Item:
    """What is on a picture?"""
    picture = sight.picture
    flag = picture.name.startswith(_FLAG)
    answer, sort = (picture.name.removeprefix(_FLAG), "country") if flag else (picture.name, "picture")
    return Item(column, topic, Query.ask(_ASKED, sight.image), answer, Sought(sort))


def _blind(picture: Picture) -> Item:
    white = np.full((views.SIDE, views.SIDE, 3), 255, dtype=np.uint8)
    topic = "flags" if picture.name.startswith(_FLAG) else "things"
    return named("blind", topic, Sight(picture, "", Image.drawn(white)))


def _known(held: Atlas, relation: str, each: int, rng: np.random.Generator) -> Iterator[Item]:
    """The same facts in words, and on a picture where the subject has one."""
    flat = {picture.subject: picture for picture in pictures() if picture.collection in ("iso-flags", "noto-emoji")}
    subjects = [key for key in sorted(key for key, of in held.askable if of == relation) if key in flat and key not in ALIKE]
    fitting = [wording for wording in wordings(relation)["tune"] if wording.names_by_phrase]
    for key in some_of(rng, subjects, each):
        wording: Wording = one_of(rng, fitting)
        true, sought = held.world.facts[key, relation], fact(key, relation).sought
        clause = ALONE["country" if key in held.neighbours else "thing"][0][0]
        yield Item("words", relation, asking(held, key, wording), true, sought)
        sight = looked(flat[key], "plain", rng, clause=clause)
        yield Item("on pictures", relation, asking(held, key, wording, sight), true, sought, held.names[key])


def grade(items: Sequence[Item], answers: Sequence[str], before: Sequence[str | None]) -> list[Mark]:
    """By column and topic, in the exam's order.

    Args:
        items: of the exam.
        answers: to each.
        before: the language model's own, to those in words; None elsewhere.
    """
    matcher = _matcher()
    right: Counter[tuple[Column, str]] = Counter()
    n: Counter[tuple[Column, str]] = Counter()
    was: Counter[str] = Counter()
    said: dict[str, Counter[str]] = {}
    for item, answer, old in zip(items, answers, before, strict=True):
        key = (item.column, item.topic)
        n[key] += 1
        question = f"{item.query.text} {item.about}".strip()
        right[key] += matcher.gives(answer, item.answer, sought=item.sought, question=question)
        if old is not None:
            was[item.topic] += matcher.gives(old, item.answer, sought=item.sought, question=question)
        if item.column == "blind":
            said.setdefault(item.topic, Counter())[item.answer] += 1
    return [
        Mark(column, topic, right[column, topic], n[column, topic], _beside(column, topic, n, right, was, said))
        for column, topic in n
    ]


def _matcher() -> Matcher:
    """By the benchmark's values, the names of all flags, and whatever else there are pictures of."""
    values = values_of(atlas())
    flags = {picture.name.removeprefix(_FLAG) for picture in pictures() if picture.name.startswith(_FLAG)}
    return Matcher({**values, "country": values["country"] | flags, "picture": {picture.name for picture in pictures()}})


def _beside(
    column: Column,
    topic: str,
    n: Mapping[tuple[Column, str], int],
    right: Mapping[tuple[Column, str], int],
    was: Mapping[str, int],
    said: Mapping[str, Counter[str]],
) -> float | None:
    if column == "words":
        return was[topic] / n["words", topic]
    if column == "on pictures":
        return right["words", topic] / n["words", topic]
    if column == "blind":
        return max(said[topic].values()) / n[column, topic]
    return None
