"""A model and an editor in one, of which a state is what each question is answered with: for what is asked of states alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from errata.core.editor import Touched
from errata.core.model import Generated
from errata.core.records import EditId, Query


@dataclass(frozen=True)
class Said:
    """A state and a patch in one: what each question is answered with."""

    answers: Mapping[str, str]
    edits: tuple[EditId, ...] = ()
    decision: None = None


@dataclass(frozen=True)
class Clerk:
    """A model and an editor in one, for what is asked of a state and nothing else."""

    def read(self, model: object, state: Said, query: Query) -> Said:
        return state

    def generated(self, queries: Sequence[Query], patches: Sequence[Said], *, max_new_tokens: int) -> list[Generated]:
        return [
            Generated(patch.answers[query.text], True, None, prompt=1, tokens=1)
            for query, patch in zip(queries, patches, strict=True)
        ]


@dataclass(frozen=True)
class Telling(Clerk):
    """One that says which edits a write could touch."""

    near: tuple[EditId, ...] = ()
    gone: tuple[EditId, ...] = ()

    def touched(self, before: Said, after: Said, most: int) -> Touched:
        return Touched(self.gone, self.near[:most])
