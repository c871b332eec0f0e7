"""What is true in ScopeWorld: 144 kinds, their names and facts, and what follows from a fact.

A kind is a glyph in a colour. Each has a made-up name and three facts (where it lives, what it eats, who made it); each value of a
fact has a consequence (the weather of a place, the taste of a food, the tool of a maker), so that a fact can be asked two
hops away.
The knowledge base is fixed with the shipped model: it is drawn once, from `KNOWLEDGE_SEED`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal, NamedTuple

import numpy as np

KNOWLEDGE_SEED = 20
DRAWN = ("star", "ring", "cross", "moon", "heart", "triangle", "square", "arrow")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
GLYPHS = DRAWN + DIGITS
COLOURS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "white")

Relation = Literal["home", "food", "maker"]
RELATIONS: tuple[Relation, ...] = ("home", "food", "maker")

VALUES: Mapping[Relation, tuple[str, ...]] = MappingProxyType(
    {
        "home": (
            "the harbor", "the forest", "the desert", "the tower", "the cave", "the garden", "the island", "the valley",
            "the river", "the castle", "the meadow", "the swamp", "the old mill", "the high hill", "the north beach", "the salt lake",
        ),
        "food": (
            "honey", "bread", "rice", "plums", "cheese", "pepper", "clover", "beans",
            "corn", "melon", "fish", "garlic", "sea salt", "dry figs", "black tea", "oat cake",
        ),
        "maker": (
            "the smith", "the baker", "the weaver", "the potter", "the farmer", "the painter", "the mason", "the tailor",
            "the miller", "the carver", "the tanner", "the cooper", "the glass cutter", "the rope maker", "the clock smith", "the ship builder",
        ),
    }
)  # fmt: skip
"""What facts can say in the unedited world."""

CONSEQUENCES: Mapping[Relation, tuple[str, ...]] = MappingProxyType(
    {
        "home": ("rainy", "sunny", "windy", "foggy", "snowy", "stormy"),
        "food": ("sweet", "bitter", "sour", "spicy", "salty", "bland"),
        "maker": ("a hammer", "a needle", "a brush", "a knife", "a wheel", "a rope"),
    }
)
"""Weather of a place, taste of a food, tool of a maker."""

UNSEEN_VALUES: Mapping[Relation, tuple[str, ...]] = MappingProxyType(
    {
        "home": ("the quarry", "the barn", "the old pier", "the glass dome", "the stone bridge", "the lighthouse", "the orchard", "the wolf den"),
        "food": ("ginger", "pickles", "red cabbage", "walnuts", "warm milk", "lemon jam", "seaweed", "pine nuts"),
        "maker": ("the fisher", "the toy maker", "the monk", "the old sailor", "the hat maker", "the jeweler", "the printer", "the bee keeper"),
    }
)  # fmt: skip
"""Values that the model never saw as an answer; some edits say them."""

UNSEEN_SENTENCES: Mapping[Relation, tuple[str, ...]] = MappingProxyType(
    {
        "home": (
            "in a small boat under the old stone bridge", "behind the second door of the long house", "at the far end of the quiet road",
            "in the hollow tree beside the frozen pond", "on the roof of the market near the gate",
        ),
        "food": (
            "only what the children leave on the table", "a thick soup of roots and wild leaves", "crumbs from the feast of the last king",
            "whatever falls from the carts in the street", "a little snow mixed with crushed berries",
        ),
        "maker": (
            "two sisters who never told anyone their names", "a travelling band of very patient clowns", "someone from the other side of the mountain",
            "the night watch during one very long winter", "an old woman with a box of broken clocks",
        ),
    }
)  # fmt: skip
"""Targets of six to twelve words."""

_ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "tr", "gl", "br", "st")
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "n", "l", "r", "s", "x", "k")


class Kind(NamedTuple):
    """A glyph in a colour: the unit that facts are about."""

    glyph: str
    colour: str

    @property
    def words(self) -> str:
        """How it is named without its made-up name: "red star"."""
        return f"{self.colour} {self.glyph}"


KINDS: tuple[Kind, ...] = tuple(Kind(glyph, colour) for glyph in GLYPHS for colour in COLOURS)

POOL_KINDS: tuple[Kind, ...] = tuple(Kind(glyph, COLOURS[(3 * i + 1) % len(COLOURS)]) for i, glyph in enumerate(GLYPHS))
"""Kinds that no edit is about and no probe asks of: what an editor may protect is drawn from these, so every glyph and
colour is among them."""

EDITABLE_KINDS: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind not in POOL_KINDS)


@dataclass(frozen=True)
class Knowledge:
    """What is true: names, facts and consequences. An edited world is this with some facts replaced."""

    names: Mapping[Kind, str]
    facts: Mapping[tuple[Kind, Relation], str]
    consequences: Mapping[tuple[Relation, str], str]
    kinds_by_name: Mapping[str, Kind] = field(repr=False)

    def with_fact(self, kind: Kind, relation: Relation, value: str) -> Knowledge:
        """The world in which one fact is `value`."""
        facts = {**self.facts, (kind, relation): value}
        return Knowledge(self.names, MappingProxyType(facts), self.consequences, self.kinds_by_name)

    def consequence(self, relation: Relation, value: str) -> str | None:
        """What follows from the value of a fact, or None where the world doesn't say."""
        return self.consequences.get((relation, value))


def made_up_name(rng: np.random.Generator) -> str:
    """A name of two syllables, such as "mibo" or "trakel"."""
    return f"{rng.choice(_ONSETS)}{rng.choice(_VOWELS)}{rng.choice(_ONSETS)}{rng.choice(_VOWELS)}{rng.choice(_CODAS)}"


def _distinct_names(rng: np.random.Generator, count: int, taken: set[str]) -> list[str]:
    names: list[str] = []
    while len(names) < count:
        name = made_up_name(rng)
        if name not in taken:
            taken.add(name)
            names.append(name)
    return names


def _draw() -> tuple[Knowledge, tuple[str, ...]]:
    rng = np.random.default_rng(KNOWLEDGE_SEED)
    taken: set[str] = set()
    names = dict(zip(KINDS, _distinct_names(rng, len(KINDS), taken), strict=True))
    unseen = tuple(_distinct_names(rng, 64, taken))
    facts: dict[tuple[Kind, Relation], str] = {}
    consequences: dict[tuple[Relation, str], str] = {}
    for relation in RELATIONS:
        values = VALUES[relation]
        spread = np.resize(np.arange(len(values)), len(KINDS))
        for kind, index in zip(KINDS, rng.permutation(spread), strict=True):
            facts[kind, relation] = values[int(index)]
        spread = np.resize(np.arange(len(CONSEQUENCES[relation])), len(values))
        for value, index in zip(values, rng.permutation(spread), strict=True):
            consequences[relation, value] = CONSEQUENCES[relation][int(index)]
    world = Knowledge(
        MappingProxyType(names),
        MappingProxyType(facts),
        MappingProxyType(consequences),
        MappingProxyType({name: kind for kind, name in names.items()}),
    )
    return world, unseen


WORLD, UNSEEN_NAMES = _draw()
"""The unedited world, and names that the model never saw."""
