"""Answers that are pinned: the stored answer is given back as it stands, to the very same question or to one that is near.

What people do today where they can't change a model: an exact cache, or a semantic one, filled by hand. No token of the answer is
the model's, so nothing follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON
from errata.core.matching import asks
from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.nn.patches import NoPatch, Verbatim


@final
@dataclass(frozen=True)
class Exactly:
    """The very same question as a scope: the same words however they are typed, and the same pixels (`core.matching.asks`)."""

    def spec(self) -> Mapping[str, JSON]:
        """Its kind."""
        return {"kind": "exactly"}

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " D"]:
        """The bytes of the question's name, D = 32; neither the target nor the model is looked at."""
        return torch.tensor([float(byte) for byte in bytes.fromhex(asks(query))])

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """1 where all bytes are the same, else 0."""
        return (keys_ND == asked_D).all(-1).float()


@dataclass(frozen=True)
class Pinned:
    """One edit's answer."""

    edits: tuple[EditId, ...] = ()
    target: str = ""


@final
@dataclass(frozen=True)
class Answer:
    """An inner editor that gives the edit's target back as it stands."""

    def spec(self, model: Model) -> Spec:
        """Nothing but its name."""
        return Spec("answer", {})

    def begin(self, model: Model) -> Pinned:
        """Nothing to say."""
        return Pinned()

    def write(self, model: Model, state: Pinned, edit: Edit) -> Pinned:
        """This edit, which takes the place of the one before: each has a state of its own."""
        return Pinned((edit.id,), edit.target.strip())

    def read(self, model: Model, state: Pinned, query: Query) -> Verbatim | NoPatch:
        """The target."""
        return Verbatim(state.target, state.edits) if state.edits else NoPatch()
