"""What is corrected: what a base model gets wrong, to the truth, and counterfactual facts, to a wrong value of the same sort."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from errata.benchmarks.atlas.chance import one_of
from errata.benchmarks.atlas.facts import Atlas, Fact
from errata.benchmarks.atlas.matcher import Matcher
from errata.benchmarks.atlas.questions import OF_SPLIT, SHOWN, Split, Wording, fact, phrased, told, wordings
from errata.benchmarks.atlas.sights import Sight
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted
from errata.core.records import Query

CORRECTIONS: Final = ("counterfactual", "truth", "both")
"""Which corrections of facts there can be: to a wrong value, of what the base model gets wrong, or first these and then those."""

IDENTITY: Final = "identity"
"""Corrections of what a picture shows."""


Answers = Callable[[Sequence[Query]], Sequence[str]]
"""What a base model says to some queries."""

Posing = Callable[[str, Wording], tuple[Wording, Sight | None]]
"""How a fact of a subject is asked when it is corrected: the wording, or another that fits a picture, and the picture."""

_CORRECTS_EARLIER: Final = 0.1
_OF_NOBODY: Final = 0.5
"""How often a new value is one that nobody has, where there are many such."""

_AT_ONCE: Final = 32


@dataclass(frozen=True)
class Correction:
    """A fact of a subject is this value; or its picture, by a relation of `questions.SHOWN`, shows this."""

    key: str
    relation: str
    value: str
    wording: Wording
    old: str | None
    """The value before, where one is known: the true one, or what the base model took for it."""

    sight: Sight | None = None
    """The picture that it is asked on; None: in words."""

    true: bool = False
    """Whether the value is the truth, which the base model got wrong."""

    @property
    def fact(self) -> Fact:
        return self.key, self.relation

    @property
    def of_picture(self) -> bool:
        """Whether it is of what a picture shows."""
        return self.relation in SHOWN.values()


@dataclass
class Draft:
    """The corrections drawn so far."""

    held: Atlas
    split: Split
    rng: np.random.Generator
    posed: Posing
    taken: dict[Fact, str] = field(default_factory=dict)
    """Fact -> its present value."""

    def counterfactual(self) -> Correction:
        """One of a fact that none has corrected yet; one in ten corrects an earlier one, and each where all facts are taken."""
        free = self._free()
        if self.taken and (not free or self.rng.random() < _CORRECTS_EARLIER):
            key, relation = one_of(self.rng, list(self.taken))
        else:
            relation = one_of(self.rng, sorted(free))
            key = one_of(self.rng, free[relation])
        true = self.held.world.facts[key, relation]
        old = self.taken.get((key, relation), true)
        value = self._wrong(key, relation, {old, true})
        self.taken[key, relation] = value
        wording, sight = self.posed(key, one_of(self.rng, wordings(relation)[self.split]))
        return Correction(key, relation, value, wording, old, sight)

    def truths(self, answers: Answers, matcher: Matcher) -> Iterator[Correction]:
        """Those of what the base model gets wrong, in an order drawn by the seed, as far as they are asked for."""
        free = [(key, relation) for relation, keys in sorted(self._free().items()) for key in keys]
        order = [free[place] for place in self.rng.permutation(len(free))]
        ways = [(key, one_of(self.rng, wordings(relation)[self.split])) for key, relation in order]
        for start in range(0, len(order), _AT_ONCE):
            some = [(key, *self.posed(key, wording)) for key, wording in ways[start : start + _AT_ONCE]]
            asked = [asking(self.held, key, wording, sight) for key, wording, sight in some]
            for (key, wording, sight), query, said in zip(some, asked, answers(asked), strict=True):
                relation = wording.relation
                true, sought = self.held.world.facts[key, relation], fact(key, relation).sought
                question = told(query, None if sight is None else self.held.names[key])
                if matcher.gives(said, true, sought=sought, question=question):
                    continue
                taken_for = matcher.claims(said, sought=sought, question=question) - {true}
                self.taken[key, relation] = true
                old = next(iter(taken_for)) if len(taken_for) == 1 else None
                yield Correction(key, relation, true, wording, old, sight, true=True)

    def _free(self) -> Mapping[str, list[str]]:
        found = {
            relation: [key for key in self.held.asked_of(relation) if (key, relation) not in self.taken]
            for relation in OF_SPLIT[self.split]
        }
        return {relation: keys for relation, keys in found.items() if keys}

    def _wrong(self, key: str, relation: str, never: set[str]) -> str:
        among = [value for value in self.held.values[relation] if value not in never | {self.held.names[key]}]
        if relation == "capital" and self.rng.random() < _OF_NOBODY:
            among = [city for city in self.held.cities[key] if city not in never] or among
        elif relation in ("currency", "language", "code", "ending"):
            held = set(self.held.world.facts.values())
            nobody = [value for value in among if value not in held]
            among = nobody if self.rng.random() < _OF_NOBODY else [value for value in among if value in held]
        return one_of(self.rng, among)


def worded(held: Atlas, key: str, wording: Wording, clause: str | None = None) -> str:
    """A wording of a subject, by its name or by a clause that stands for it."""
    text = phrased(wording.template, name=clause or held.names[key], grows=key in held.growing)
    return text.lower() if wording.construction == "lower case" else text


def asking(held: Atlas, key: str, wording: Wording, sight: Sight | None = None) -> Query:
    """The question in that wording: in words, or on a picture."""
    if sight is None:
        return Query.ask(worded(held, key, wording))
    return Query.ask(worded(held, key, wording, sight.clause), sight.image)


def in_words(key: str, wording: Wording) -> tuple[Wording, Sight | None]:
    """Every correction in words, as they stand."""
    return wording, None


def check_corrections(corrections: str, *, eyes: bool) -> None:
    """Refuse what isn't the name of any, and those of pictures where nothing is seen.

    Raises:
        BadInput: so it is.
    """
    there_are = (*CORRECTIONS, IDENTITY) if eyes else CORRECTIONS
    if corrections not in there_are:
        raise BadInput(f"There are no corrections {quoted(corrections)}. Ask for one of: {', '.join(there_are)}.")


def drawn(
    held: Atlas,
    split: Split,
    *,
    seed: int,
    edits: int,
    corrections: str,
    answers: Answers | None,
    matcher: Matcher,
    posed: Posing = in_words,
) -> Iterator[Correction]:
    """The corrections of a stream, in order.

    Raises:
        BadInput: corrections to the truth without a base model's answers, or more of them than it gets wrong.
    """
    draft = Draft(held, split, np.random.default_rng([seed, 1]), posed)
    count = 0
    if corrections != "counterfactual":
        if answers is None:
            raise BadInput(
                f"Corrections {corrections!r} are of what a base model gets wrong, so its answers are needed. "
                "Give them, or ask for counterfactual ones."
            )
        wanted = edits if corrections == "truth" else (edits + 1) // 2
        found = draft.truths(answers, matcher)
        for correction in (each for each, _ in zip(found, range(wanted), strict=False)):
            count += 1
            yield correction
        if count < edits and corrections == "truth":
            raise BadInput(
                f"The model gets {counted(count, 'fact')} of this seed's wrong, fewer than the {edits} asked for. "
                f"Ask for fewer, or for both kinds."
            )
    for _ in range(edits - count):
        yield draft.counterfactual()
