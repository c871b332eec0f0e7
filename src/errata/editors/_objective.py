"""What the inner steps of a write lower: the mean loss over the ways in which the edit is asked, or what is handed in instead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, final, runtime_checkable

import torch

from errata.core.model import Model, Spoken
from errata.core.records import Edit, Query

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

Lower = Callable[[Sequence[Spoken]], "Float[Tensor, '']"]
"""What is to be lowered, from what the model gives to the target in each view, under whatever patch is in force at the call."""


class Objective(Protocol):
    """What the inner steps of a write lower. Contract: both verbs are pure; what `opened` gives is used for one write."""

    def views(self, edit: Edit) -> tuple[Query, ...]:
        """The ways in which the edit is asked, its own query first."""
        ...

    def opened(self, model: Model, edit: Edit, *, changing: Collection[str]) -> Lower:
        """What this edit's steps lower.

        Args:
            changing: paths of the modules that the write changes; nothing else does while it lasts.
        """
        ...


@final
@dataclass(frozen=True)
class Mean:
    """The mean loss over the edit's query and its `also`."""

    def views(self, edit: Edit) -> tuple[Query, ...]:
        """The query and every other wording and view that the user gave."""
        return (edit.query, *edit.also)

    def opened(self, model: Model, edit: Edit, *, changing: Collection[str]) -> Lower:
        """Nothing but what the views give."""
        return mean_nats


def mean_nats(spoken: Sequence[Spoken]) -> Float[Tensor, ""]:
    """The mean over the views of each one's mean nats per token."""
    return torch.stack([each.loss for each in spoken]).mean()


@runtime_checkable
class Lowers(Protocol):
    """An editor whose inner steps can be given another objective."""

    def lowering(self, objective: Objective) -> Self:
        """The same editor, whose writes lower this."""
        ...
