"""What is true, and a world in which some of it isn't any more: the facts that can be asked for and corrected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Final

import numpy as np

from errata.benchmarks.atlas import things
from errata.benchmarks.atlas.countries import countries

Fact = tuple[str, str]
"""(key of the subject, relation)."""

OF_COUNTRIES: Final = ("capital", "continent", "currency", "language", "code", "ending", "neighbour")
OF_THINGS: Final = things.RELATIONS
RELATIONS: Final = (*OF_COUNTRIES, *OF_THINGS)

ONE_EACH: Final = ("capital", "code", "ending")
"""What tells a country from all others: by these a question can name one that it doesn't name."""

_SPARE_COUNTRIES: Final[Mapping[str, tuple[str, ...]]] = {
    "continent": ("Antarctica",),
    "currency": (
        "French franc", "Italian lira", "Spanish peseta", "Austrian schilling", "Greek drachma", "Dutch guilder", "Finnish markka",
        "Portuguese escudo", "Irish pound", "Maltese lira", "Slovenian tolar", "Latvian lats", "Lithuanian litas", "Slovak koruna",
    ),
    "language": ("Latin", "Basque", "Welsh", "Yiddish", "Catalan", "Frisian", "Esperanto", "Breton", "Sanskrit", "Cornish"),
    "code": tuple(f"+{number}" for number in (*range(280, 290), *range(801, 808), *range(830, 840), *range(884, 900))),
    "ending": tuple(f".{a}{b}" for a in "jqvwxyz" for b in "bdhjkvxyz"),
}  # fmt: skip
"""Values of the same type that no country has today."""

_RESERVED: Final = 0.12
"""The share of subjects that no correction and no probe is about: a pool asks of them."""


@dataclass(frozen=True)
class World:
    """Facts, and which of them a correction has settled."""

    facts: Mapping[Fact, str]
    doubtful: frozenset[Fact] = frozenset()
    """Facts that only count where a value must be one's alone: nobody is asked for them."""

    settled: frozenset[Fact] = frozenset()

    def known(self, fact: Fact) -> str | None:
        """The value; None where there is none that one can ask for."""
        return None if fact in self.doubtful else self.facts.get(fact)

    def with_fact(self, fact: Fact, value: str) -> World:
        """The world in which the fact is that."""
        return replace(self, facts={**self.facts, fact: value}, settled=self.settled | {fact})

    def without(self, gone: frozenset[Fact]) -> World:
        """The world of one who doesn't know some facts."""
        return replace(self, facts={fact: value for fact, value in self.facts.items() if fact not in gone})

    def having(self, relation: str, value: str) -> str | None:
        """The one subject of which the relation has that value; None where there is none, or another."""
        found = self._having.get((relation, value), [])
        return found[0] if len(found) == 1 else None

    @cached_property
    def _having(self) -> Mapping[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for (key, relation), value in self.facts.items():
            found.setdefault((relation, value), []).append(key)
        return found


@dataclass(frozen=True)
class Atlas:
    """Everything that questions are made of."""

    names: Mapping[str, str]
    """Key -> the subject's name in a sentence: countries, then things."""

    world: World
    """What is true."""

    askable: frozenset[Fact]
    """The facts that may be corrected and asked for."""

    neighbours: Mapping[str, frozenset[str]]
    cities: Mapping[str, tuple[str, ...]]
    growing: frozenset[str]
    reserved: frozenset[str]
    """Subjects kept for the pool."""

    values: Mapping[str, tuple[str, ...]]
    """Relation -> every value that a correction can give, in a fixed order."""

    @cached_property
    def keys(self) -> Mapping[str, str]:
        """Name -> the subject's key."""
        return {name: key for key, name in self.names.items()}

    def asked_of(self, relation: str) -> list[str]:
        """The subjects that can be asked for the relation, those of the pool left out."""
        return sorted(key for key, of in self.askable if of == relation and key not in self.reserved)

    def next_to(self, key: str, world: World) -> frozenset[str]:
        """The country's neighbours as far as the world still has them: none of one whose border was corrected."""
        known = {other for other in self.neighbours.get(key, frozenset()) if (other, "neighbour") not in world.settled}
        return frozenset() if (key, "neighbour") in world.settled else frozenset(known)


@cache
def atlas() -> Atlas:
    """The facts as the installed packages and our table have them.

    Raises:
        BadInput: a package is missing.
    """
    source = countries()
    names = {**source.names, **things.NAMES}
    facts = {**source.facts, **things.facts()}
    askable = frozenset(fact for fact in facts if fact not in source.doubtful)
    return Atlas(
        names=names,
        world=World(facts, source.doubtful),
        askable=askable,
        neighbours=source.neighbours,
        cities=source.cities,
        growing=things.growing(),
        reserved=frozenset(_reserved(names)),
        values={relation: tuple(_values(relation, facts, askable)) for relation in RELATIONS},
    )


def _reserved(names: Mapping[str, str]) -> Iterator[str]:
    rng = np.random.default_rng(28)
    for key in names:
        if rng.random() < _RESERVED:
            yield key


def _values(relation: str, facts: Mapping[Fact, str], askable: frozenset[Fact]) -> list[str]:
    if relation == "capital":
        source = countries()
        spare = tuple(city for each in source.cities.values() for city in each)
    else:
        spare = _SPARE_COUNTRIES.get(relation, ()) or things.SPARE.get(relation, ())
    if relation == "neighbour":
        return sorted(countries().names.values())
    held = {facts[fact] for fact in askable if fact[1] == relation}
    return [*sorted(held), *sorted(set(spare) - held)]
