"""Questions of Atlas as structures: what each asks, what its answer is in a world, and the words for it, split in three.

A question's answer is worked out from the world, so that every label follows from the facts and from the corrections in force.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final, Literal

import numpy as np

from errata.benchmarks.atlas.facts import Atlas, Fact, World
from errata.benchmarks.atlas.wordings.of_countries import OF_COUNTRIES
from errata.benchmarks.atlas.wordings.of_things import OF_THINGS
from errata.benchmarks.atlas.wordings.shown import FLAG, THING
from errata.core.records import Query

CONSTRUCTIONS: Final = (
    "question", "imperative", "fragment", "indirect", "preamble", "typo", "lower case", "other order", "synonym",
)  # fmt: skip

Split = Literal["tune", "report", "judge"]
SPLITS: Final[tuple[Split, ...]] = ("tune", "report", "judge")

OF_SPLIT: Final[Mapping[Split, tuple[str, ...]]] = {
    "tune": ("ending", "continent", "colour", "use"),
    "report": ("code", "language", "neighbour", "kind"),
    "judge": ("capital", "currency", "home", "part"),
}
"""The relations of each split: what was learned on some must hold on others."""

SORT_OF: Final[Mapping[str, str]] = {"neighbour": "country", "capital": "city", "flag": "country", "shown": "thing"}
"""What sort of thing a relation's value is, where that isn't the relation's own name."""

SHOWN: Final = {"country": "flag", "thing": "shown"}
"""Of a picture of either: what it shows, which is no fact of a subject. Both are in every split, in other words."""

NEAR: Final = 0.2
"""Near: the share of words in common, of all words in either, is at least this; far: it is less. The subject isn't counted."""

_DEALT: Final = 2028


def split_of(seed: int) -> Split:
    """Below 100 tuning, below 1000 what is reported, above what is judged."""
    return "tune" if seed < 100 else "report" if seed < 1000 else "judge"


def sort_of(relation: str) -> str:
    """The sort of a relation's values."""
    return SORT_OF.get(relation, relation)


@dataclass(frozen=True)
class Wording:
    """One way to ask for a relation."""

    relation: str
    construction: str
    template: str

    @property
    def takes_clause(self) -> bool:
        """Whether a clause can stand for the subject ("the country with this flag"): its bare name or its possessive isn't said."""
        slots = set(re.findall(r"\{(\w)\}", self.template))
        return bool(slots & {"s", "S"}) and not slots & {"p", "P", "n"}

    @property
    def names_by_phrase(self) -> bool:
        """Whether it is plain enough for a longer clause ("the country whose capital is ..."), which doesn't come first in it."""
        return self.takes_clause and self.construction in ("question", "indirect", "other order") and "{s}" in self.template


@cache
def wordings(relation: str) -> Mapping[Split, tuple[Wording, ...]]:
    """A relation's wordings by split: of each construction's three one to each, as dealt once and for all."""
    rows = {**OF_COUNTRIES, **OF_THINGS, "flag": FLAG, "shown": THING}[relation]
    dealt: dict[Split, list[Wording]] = {split: [] for split in SPLITS}
    rng = np.random.default_rng([_DEALT, *relation.encode()])
    for construction, row in zip(CONSTRUCTIONS, rows, strict=True):
        for split, place in zip(SPLITS, rng.permutation(3), strict=True):
            dealt[split].append(Wording(relation, construction, row[place]))
    return {split: tuple(each) for split, each in dealt.items()}


def overlap(one: Wording, other: Wording) -> float:
    """The words that two wordings have in common, of all words in either, whatever they are about."""
    a, b = (set(re.findall(r"[a-z']+", re.sub(r"\{\w+\}", " ", each.template.lower()))) for each in (one, other))
    return len(a & b) / len(a | b)


def phrased(template: str, *, name: str, grows: bool = False, **values: str) -> str:
    """A template's slots filled: the subject in each of its forms, and values."""
    live = "grow" if grows else "live"
    owner = f"{name}'" if name.endswith("s") else f"{name}'s"
    bare = re.sub(r"^(the|an?) ", "", name)
    text = template.format(s=name, S=_high(name), p=owner, P=_high(owner), n=_high(bare), live=live, lives=f"{live}s", **values)
    return _high(text) if template.startswith(("{s}", "{v}")) else text


def told(query: Query, name: str | None) -> str:
    """A question as the matcher reads its answer: with the name of what it asks about, where only its picture says that."""
    return query.text if name is None else f"{query.text} {name}"


def _high(text: str) -> str:
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Sought:
    """What kind of answer is wanted; by this the matcher knows what would contradict it."""

    sort: str
    whether: bool = False
    """Yes or no, of a value of that sort."""


@dataclass(frozen=True)
class Question:
    """Something that can be asked, with what it is answered by."""

    sought: Sought
    solve: Callable[[World], str | None] = field(compare=False)
    about: str | None = None
    """The subject's key, where one is asked about."""

    def answer(self, world: World) -> str | None:
        """The right answer in a world; None where there is no one answer."""
        return self.solve(world)


def fact(key: str, relation: str) -> Question:
    """What is the value?"""
    return Question(Sought(sort_of(relation)), lambda world: world.known((key, relation)), key)


def shown(held: Atlas, key: str, relation: str) -> Question:
    """What do the subject's pictures show?"""
    return Question(Sought(sort_of(relation)), lambda world: held.names[_on_pictures_of(key, relation, held, world)], key)


def whether_shown(held: Atlas, key: str, relation: str, value: str, *, denied: bool = False) -> Question:
    """Is it that which they show? Or, denied: is it true that it isn't?"""

    def solve(world: World) -> str:
        return "yes" if (held.names[_on_pictures_of(key, relation, held, world)] == value) != denied else "no"

    return Question(Sought(sort_of(relation), whether=True), solve, key)


def of_what_is_shown(held: Atlas, key: str, identity: str, relation: str) -> Question:
    """What is the value, of what the subject's pictures show?"""
    return Question(
        Sought(sort_of(relation)), lambda world: world.known((_on_pictures_of(key, identity, held, world), relation)), key
    )


def _on_pictures_of(key: str, relation: str, held: Atlas, world: World) -> str:
    """The subject that they show: their own, or another as it was corrected."""
    name = world.known((key, relation))
    return key if name is None else held.keys[name]


def reverse(held: Atlas, relation: str, value: str) -> Question:
    """Of which subject is this the value?"""

    def solve(world: World) -> str | None:
        key = world.having(relation, value)
        return held.names.get(key) if key else None

    return Question(Sought("country"), solve)


def whether(key: str, relation: str, value: str, *, denied: bool = False) -> Question:
    """Is it so? Or, denied: is it true that it isn't?"""

    def solve(world: World) -> str | None:
        true = world.known((key, relation))
        return None if true is None else "yes" if (true == value) != denied else "no"

    return Question(Sought(sort_of(relation), whether=True), solve, key)


def alike(one: Fact, other: Fact) -> Question:
    """Have two subjects the same value?"""

    def solve(world: World) -> str | None:
        a, b = world.known(one), world.known(other)
        return None if a is None or b is None else "yes" if a == b else "no"

    return Question(Sought(sort_of(one[1]), whether=True), solve, one[0])


Finding = Callable[[World], str | None]
"""Which subject a phrase names in a world."""


def whose(relation: str, value: str) -> Finding:
    """The country whose value that is."""
    return lambda world: world.having(relation, value)


def next_to(held: Atlas, key: str, relation: str, value: str) -> Finding:
    """The neighbour of a country whose value that is."""

    def find(world: World) -> str | None:
        found = [other for other in sorted(held.next_to(key, world)) if world.facts.get((other, relation)) == value]
        return found[0] if len(found) == 1 else None

    return find


def only_neighbour(held: Atlas, of: Finding) -> Finding:
    """The only neighbour of the country that is found."""

    def find(world: World) -> str | None:
        key = of(world)
        name = None if key is None else world.known((key, "neighbour"))
        return None if name is None else held.keys.get(name)

    return find


def named(held: Atlas, find: Finding) -> Question:
    """Which subject is it?"""

    def solve(world: World) -> str | None:
        key = find(world)
        return None if key is None else held.names.get(key)

    return Question(Sought("country"), solve)


def fact_of(find: Finding, relation: str) -> Question:
    """What is the value, of the subject that is found?"""

    def solve(world: World) -> str | None:
        key = find(world)
        return None if key is None else world.known((key, relation))

    return Question(Sought(sort_of(relation)), solve)
