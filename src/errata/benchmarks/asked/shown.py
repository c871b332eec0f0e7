"""The same facts corrected on a picture: the question says "the person in this picture", and the correction who that is.

Such a correction concerns the same fact in other words about the same picture, and in words about its subject. It doesn't concern
another fact of either, nor what the picture shows. There are no pictures: whether two are the same is no matter of words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from errata.benchmarks.asked.pairs import Fact, around, facts, paired, some, whether, worded
from errata.benchmarks.asked.relations import RELATIONS
from errata.benchmarks.asked.words import SUBJECTS, VALUES
from errata.core.benchmark import Pair
from errata.core.records import Edit, Query

NAME: Final = "asked-shown"

_CLAUSES: Final[Mapping[str, tuple[str, ...]]] = {
    "person": ("the person in this picture", "whoever is in the photo", "the person on the left"),
    "company": ("the company with this logo", "the company whose sign this is"),
    "book": ("the book on this cover", "the book in the picture"),
    "film": ("the film on this poster", "the film that this still is from"),
    "city": ("the city in this photo", "the city whose skyline you see"),
    "country": ("the country with this flag", "the country marked on the map", "the country this stamp is from"),
    "river": ("the river in this picture", "the river on the map"),
    "mountain": ("the mountain in this photo", "the mountain in the background"),
    "animal": ("the animal in the picture", "the animal on the right"),
    "food": ("the dish in this photo", "what is on the plate"),
    "plant": ("the plant in this picture", "the plant on the window sill"),
    "thing": ("the thing in the picture", "the thing you see here", "this object"),
}
_ANY: Final = ("the one in this picture", "what you see in the photo", "the one on the left", "this")
_OF_PICTURES: Final = (
    "What do you see here?", "Describe this picture.", "Who or what is this?", "Is this a photograph or a drawing?",
    "How many people are in this picture?", "What is in the background?", "Give this picture a title.",
    "What colours are in the picture?", "Whose is this?", "Where was this taken?",
)  # fmt: skip


def pairs(*, seed: int, edits: int) -> Iterator[Pair]:
    """The pairs of some facts. Arguments and errors as in `errata.benchmarks.asked.pairs.facts`."""
    drawn, rng = facts(seed=seed, edits=edits), np.random.default_rng([seed, 6])
    of_relation: dict[str, list[Fact]] = {}
    for fact in drawn:
        of_relation.setdefault(fact.relation, []).append(fact)
    for fact in drawn:
        others = [other for other in of_relation[fact.relation] if other.subject != fact.subject]
        yield from _of(rng, fact, others)


def _of(rng: np.random.Generator, fact: Fact, others: list[Fact]) -> Iterator[Pair]:
    one, value = RELATIONS[fact.relation], fact.edit.target
    own, *clauses = some(rng, _CLAUSES.get(one.subjects, _ANY) + _ANY[:2], 3)
    edit = Edit(Query.ask(worded(fact.wording, own, value)), value, reach="kind", subject=fact.subject)
    asked = some(rng, one.wordings, 3)
    yield from (
        paired(edit, Query.ask(around(rng, worded(wording, some(rng, (own, *clauses), 1)[0], value))), "same") for wording in asked
    )
    yield from (paired(edit, query, "same") for query in some(rng, fact.same, 3))
    wrong = next(other for other in some(rng, VALUES[one.values], 2) if other != value)
    for yes, no in (whether(rng, one, some(rng, (own, *clauses), 1)[0], value, wrong), (fact.yes, fact.no)):
        yield from (paired(edit, query, "yes") for query in yes)
        yield from (paired(edit, query, "no") for query in no)
    yield from (paired(edit, query, "follows") for query in fact.follows)
    yield from (paired(edit, query, "apart") for query in _apart(rng, fact, others, (own, *clauses)))


def _apart(rng: np.random.Generator, fact: Fact, others: list[Fact], clauses: tuple[str, ...]) -> Iterator[Query]:
    """Another fact of what is shown, what is shown itself, and another subject in words."""
    one = RELATIONS[fact.relation]
    akin = [name for name, other in RELATIONS.items() if other.subjects == one.subjects and name != fact.relation]
    for name in some(rng, akin, 4):
        wording = some(rng, RELATIONS[name].wordings, 1)[0]
        subject = some(rng, (*clauses, fact.subject), 1)[0]
        yield Query.ask(around(rng, worded(wording, subject, "")))
    yield from (Query.ask(text) for text in some(rng, _OF_PICTURES, 2))
    strangers = [subject for subject in SUBJECTS[one.subjects] if subject != fact.subject]
    yield from (Query.ask(worded(fact.wording, subject, "")) for subject in some(rng, strangers, 1))
    for other in some(rng, others, 2):
        yield from some(rng, (*other.same, *other.yes, *other.no), 1)
