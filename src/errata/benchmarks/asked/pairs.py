"""Pairs of a correction and a question, each with how the one concerns the other, drawn by a seed.

A correction is of a made-up fact. It concerns the same fact in other words, whether it is so, whether something else is so in its
place, and the way back from its value. It doesn't concern another subject in the very same words, another question about the same
subject, or any of theirs. No relation and no wording is one that Atlas reports or judges on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

import numpy as np

from errata.benchmarks.asked.relation import Relation
from errata.benchmarks.asked.relations import RELATIONS
from errata.benchmarks.asked.words import AFTER, BEFORE, SUBJECTS, VALUES, WHETHER, WHETHER_NOT
from errata.benchmarks.atlas.probes import ordinary
from errata.core.benchmark import Pair, check_drawn
from errata.core.editor import Sort
from errata.core.records import Edit, Query

NAME: Final = "asked"

_BEFORE, _AFTER, _LOWER, _SLIP, _DENIED = 0.45, 0.4, 0.14, 0.1, 0.2
"""How often something is said before a question, after it, how often it is in lower case, how often two letters changed places, and
how often a statement is denied."""

_ALIKE: Final = 4
"""Letters by which a value names a subject."""

T = TypeVar("T")


@dataclass(frozen=True)
class Fact:
    """A made-up fact, corrected to and asked about."""

    relation: str
    subject: str
    wording: str
    """Its own question's, with a place for the subject."""

    edit: Edit
    same: tuple[Query, ...]
    """Its question in other words, and in its own among others."""

    yes: tuple[Query, ...]
    no: tuple[Query, ...]
    follows: tuple[Query, ...]

    @property
    def asked(self) -> tuple[Query, ...]:
        """Every question about it."""
        return (self.edit.query, *self.same, *self.yes, *self.no, *self.follows)


def facts(*, seed: int, edits: int) -> list[Fact]:
    """Some facts, of every relation in turn, no subject twice in one.

    Raises:
        BadInput: `edits` below 1, or `seed` negative.
    """
    check_drawn(seed=seed, edits=edits)
    rng = np.random.default_rng([seed, 1])
    left = {name: some(rng, SUBJECTS[one.subjects], len(SUBJECTS[one.subjects])) for name, one in RELATIONS.items()}
    found: list[Fact] = []
    while len(found) < edits and any(left.values()):
        for name in some(rng, [name for name, subjects in left.items() if subjects], edits - len(found)):
            found.append(_fact(rng, name, left[name].pop()))
    return found


def pairs(*, seed: int, edits: int) -> Iterator[Pair]:
    """The pairs of some facts. Arguments and errors as in `facts`."""
    drawn, rng, traffic = facts(seed=seed, edits=edits), np.random.default_rng([seed, 2]), ordinary("tune")
    of_relation: dict[str, list[Fact]] = {}
    of_subject: dict[str, list[Fact]] = {}
    for fact in drawn:
        of_relation.setdefault(fact.relation, []).append(fact)
        of_subject.setdefault(fact.subject, []).append(fact)
    for fact in drawn:
        yield from (paired(fact.edit, query, "same") for query in (fact.edit.query, *fact.same))
        yield from (paired(fact.edit, query, "yes") for query in fact.yes)
        yield from (paired(fact.edit, query, "no") for query in fact.no)
        yield from (paired(fact.edit, query, "follows") for query in fact.follows)
        others = [other for other in of_relation[fact.relation] if other.subject != fact.subject]
        strangers = [subject for subject in SUBJECTS[RELATIONS[fact.relation].subjects] if subject != fact.subject]
        apart = [Query.ask(worded(fact.wording, subject, "")) for subject in some(rng, strangers, 2)]
        for other in some(rng, others, 3):
            reversed_too = () if other.edit.target == fact.edit.target else other.follows
            apart += some(rng, (*other.same, *other.yes, *other.no, *reversed_too), 2)
        for other in some(rng, [other for other in of_subject[fact.subject] if other.relation != fact.relation], 4):
            apart += some(rng, other.asked, 3)
        apart += some(rng, some(rng, drawn, 1)[0].same, 1) if len(others) < len(drawn) - 1 else []
        for name, subject in some(rng, _named_by(fact.edit.target), 1):
            apart.append(Query.ask(around(rng, worded(some(rng, RELATIONS[name].wordings, 1)[0], subject, ""))))
        apart.append(Query.ask(some(rng, traffic, 1)[0]))
        known = {query.digest for query in fact.asked}
        yield from (paired(fact.edit, query, "apart") for query in apart if query.digest not in known)


@cache
def _named_by(value: str) -> tuple[tuple[str, str], ...]:
    """Relations of the subjects that a value names, or sounds like: "Norwegian" and Norway. A correction to it isn't about them."""
    start = _bare(value)[:_ALIKE]
    if len(start) < _ALIKE:
        return ()
    alike = {(one, subject) for one, subjects in SUBJECTS.items() for subject in subjects if _bare(subject).startswith(start)}
    return tuple((name, subject) for one, subject in sorted(alike) for name, each in RELATIONS.items() if each.subjects == one)


def _bare(name: str) -> str:
    return re.sub(r"^(the|an?) ", "", name.casefold())


def _fact(rng: np.random.Generator, name: str, subject: str) -> Fact:
    one = RELATIONS[name]
    own, *others = some(rng, one.wordings, 4)
    value, other = some(rng, VALUES[one.values], 2)
    yes, no = whether(rng, one, subject, value, other)
    asked = [Query.ask(around(rng, worded(wording, subject, value))) for wording in (*others, own)]
    return Fact(
        name,
        subject,
        own,
        Edit(Query.ask(_slipped(rng, worded(own, subject, value))), value, reach="text", subject=subject),
        tuple(asked),
        yes,
        no,
        tuple(Query.ask(worded(form, subject, value)) for form in some(rng, one.reverse, 1)),
    )


def whether(
    rng: np.random.Generator, one: Relation, subject: str, value: str, other: str
) -> tuple[tuple[Query, ...], tuple[Query, ...]]:
    """Whether the value holds of the subject, and whether another does, either of them denied now and then: those whose answer is
    yes, and those whose answer is no."""
    yes, no = list[Query](), list[Query]()
    for said, holds in ((value, True), (other, False)):
        denied = rng.random() < _DENIED
        frame = some(rng, WHETHER_NOT if denied else WHETHER, 1)[0]
        stated = worded(some(rng, one.stated, 1)[0], subject, said)
        (yes if holds != denied else no).append(Query.ask(frame.format(it=stated)))
    return tuple(yes), tuple(no)


def paired(edit: Edit, query: Query, sort: Sort) -> Pair:
    """A correction and a question that it concerns in this way."""
    return Pair(edit, query, sort != "apart", sort, False, sort)


def worded(template: str, subject: str, value: str) -> str:
    """A template with a subject and a value in it."""
    own = f"{subject}'" if subject.endswith("s") else f"{subject}'s"
    return template.format(s=subject, S=subject[:1].upper() + subject[1:], p=own, v=value)


def around(rng: np.random.Generator, text: str) -> str:
    """As people write it, among other words."""
    before = f"{some(rng, BEFORE, 1)[0].strip()} " if rng.random() < _BEFORE else ""
    return f"{before}{_slipped(rng, text)}{some(rng, AFTER, 1)[0] if rng.random() < _AFTER else ''}"


def _slipped(rng: np.random.Generator, text: str) -> str:
    """As people type it: now and then in lower case, and with two letters that changed places."""
    text = text.lower() if rng.random() < _LOWER else text
    places = [place for place in range(1, len(text) - 2) if text[place : place + 2].isalpha()]
    if rng.random() >= _SLIP or not places:
        return text
    at = int(rng.choice(places))
    return text[:at] + text[at + 1] + text[at] + text[at + 2 :]


def some(rng: np.random.Generator, among: Sequence[T], count: int) -> list[T]:
    """At most so many of them, each once, in an order that is drawn."""
    return [among[int(place)] for place in rng.permutation(len(among))[:count]]
