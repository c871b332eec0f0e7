"""Four nouns of measurement: a case is an edit and its probes; an outcome is a probe with the answers before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol, runtime_checkable

from errata.core.canonical import digest_of_json
from errata.core.editor import Sort
from errata.core.errors import BadInput
from errata.core.records import Edit, Query


class _Unchanged(Enum):
    UNCHANGED = "unchanged"


UNCHANGED: Final = _Unchanged.UNCHANGED
"""The expectation that the answer stays what the unedited model gives: locality is a probe, not a special path."""

Unchanged = _Unchanged
"""The type of `UNCHANGED`."""


@dataclass(frozen=True)
class Probe:
    """A question put to the edited model, and what it must do."""

    kind: str
    """One of the probe kinds that the benchmark claims, such as "text_generality"."""

    query: Query

    expect: str | Unchanged
    """The answer to give, or UNCHANGED."""


@dataclass(frozen=True)
class Case:
    """An edit and every probe that tells what it did."""

    edit: Edit
    probes: tuple[Probe, ...]


@dataclass(frozen=True)
class Outcome:
    """A probe, asked before and after."""

    probe: Probe
    before: str
    """The unedited model's answer."""

    after: str
    """The edited model's answer."""


Metric = Callable[[Sequence[Outcome]], float]
"""A number in [0, 1] from outcomes."""


class Benchmark(Protocol):
    """A sequence of cases, the same for the same seed, byte for byte.

    Contract: stable order, unique edit ids, at least one probe of each kind that it claims.
    """

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str:
        """A digest of every case."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Case: ...


def check_drawn(*, seed: int, edits: int, what: str = "stream") -> None:
    """Whether a benchmark can be drawn.

    Raises:
        BadInput: fewer than one edit, or a negative seed.
    """
    if edits < 1:
        raise BadInput(f"A {what} needs at least 1 edit; {edits} were asked for.")
    if seed < 0:
        raise BadInput(f"The seed must be 0 or more; {seed} was given.")


def digest_of_cases(benchmark: Benchmark) -> str:
    """The digest of every edit and probe."""
    cases = [benchmark[index] for index in range(len(benchmark))]
    return digest_of_json(
        [[case.edit.id, *([probe.kind, probe.query.digest, str(probe.expect)] for probe in case.probes)] for case in cases]
    )


def standing(cases: Sequence[Case]) -> list[Case]:
    """The cases as they stand when all of their edits are in force, where an edit settles its own query and nothing else.

    A probe that asks exactly what another of the edits answers becomes one of kind "cross_edit" with that answer; a case whose edit
    a later one of the same query overrules has no probes any more.
    """
    last = {case.edit.query.digest: case.edit for case in cases}

    def stands(case: Case, probe: Probe) -> Probe:
        other = last.get(probe.query.digest)
        if other is None or other.id == case.edit.id:
            return probe
        return Probe("cross_edit", probe.query, other.target)

    return [
        Case(case.edit, tuple(stands(case, probe) for probe in case.probes) if last[case.edit.query.digest] is case.edit else ())
        for case in cases
    ]


class Stream(Benchmark, Protocol):
    """A benchmark whose edits arrive one after another, so that what is true depends on how many have."""

    def truth(self, horizon: int) -> Sequence[Case]:
        """The first `horizon` cases with their probes as they stand after all of these edits.

        A probe that another edit of the stream entails becomes one of kind "cross_edit" with that edit's answer. A case
        whose edit a
        later one corrects keeps its place with no probes: it is no longer scored.
        """
        ...

    def pool(self) -> Sequence[Query]:
        """Ordinary queries that an editor may protect: disjoint from every probe by (kind, fact)."""
        ...


@runtime_checkable
class Matches(Protocol):
    """A benchmark whose answers are sentences, so that it reads them by a matcher of its own; exact match is reported beside it."""

    @property
    def matcher(self) -> str:
        """What the matcher asks of an answer, as results name it."""
        ...

    def gives(self, outcome: Outcome) -> bool:
        """Whether the answer after does what the probe expects. Only for probes that the benchmark has drawn."""
        ...


@dataclass(frozen=True)
class Pair:
    """An edit and a question, and whether the edit's scope holds the question: what a scope is trained and judged on."""

    edit: Edit
    query: Query
    in_scope: bool
    kind: str
    """The probe kind that the question is of."""

    hard: bool
    """Whether the words alone leave it open, so that only the picture settles it."""

    sort: Sort | None = None
    """How the edit concerns the question; None: the benchmark doesn't say."""


class FineGrained(Stream, Protocol):
    """A stream that says of each probe whether it is in scope, and whether it is hard."""

    def pairs(self, index: int) -> Sequence[Pair]:
        """A pair for each probe of case `index`, in the order of its probes."""
        ...
