"""A LoRA that is trained again on all corrections, as a nightly job does it (Hu et al., arXiv 2106.09685).

At each correction an adapter is begun afresh and trained on all of them, so that a write costs ever more, and taking one back is
another training. With `every` above 1 corrections wait for their night: until then they answer as before, which a session's guard
refuses. b begins at 0 and a is drawn; what is added is (alpha / rank) b a.

Shapes: I inputs, O outputs, R rank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import final

import torch
from torch import Tensor

from errata.core.canonical import JSON, finite
from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors._objective import mean_nats
from errata.editors._ranges import above, at_least
from errata.editors._sites import linear
from errata.nn.patches import Delta, LowRank, NoPatch, Replaced, merged
from errata.nn.places import plain


@dataclass(frozen=True)
class Nightly:
    """Every correction so far, and the adapter of the last training."""

    all: tuple[Edit, ...] = ()
    edits: tuple[EditId, ...] = ()
    """Those that the adapter was trained on."""

    deltas: Mapping[str, Delta] = field(default_factory=dict)
    """Module path -> what is added there, scaled; empty before the first training."""

    losses_nats: tuple[float, ...] = ()


@final
@dataclass(frozen=True)
class Lora:
    """One adapter for all corrections, trained afresh every so often."""

    every: int = 1
    """At every how many corrections it is trained, >= 1."""

    rank: int = 8
    """R, >= 1; PEFT's default."""

    alpha: float = 16.0
    """What is added is scaled by alpha / rank, > 0; usual: twice the rank."""

    epochs: int = 40
    """How often each correction is seen in a training, >= 1."""

    batch: int = 8
    """Corrections in a step, >= 1."""

    lr: float = 2e-3
    """Step size of AdamW, > 0; usual 2e-4 for models a thousand times larger."""

    seed: int = 0
    """Draws a, and the order of the corrections."""

    def __post_init__(self) -> None:
        at_least("Lora", 1, every=self.every, rank=self.rank, epochs=self.epochs, batch=self.batch)
        above("Lora", 0, alpha=self.alpha, lr=self.lr)
        at_least("Lora", 0, seed=self.seed)

    def spec(self, model: Model) -> Spec:
        """Every field, and the modules that are written in this model."""
        return Spec("lora", {**self.__dict__, "modules": list(self.paths(model))})

    def paths(self, model: Model) -> tuple[str, ...]:
        """Every linear module of the text stack that may be written."""
        return model.writable["text"]

    def begin(self, model: Model) -> Nightly:
        """No correction, no adapter."""
        return Nightly()

    def write(self, model: Model, state: Nightly, edit: Edit) -> Nightly:
        """One more correction, and a training where it is time.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        for query in (edit.query, *edit.also):
            model.check(query, edit.target)
        known = (*state.all, edit)
        if len(known) % self.every:
            return replace(state, all=known)
        return self._trained(model, known)

    def read(self, model: Model, state: Nightly, query: Query) -> LowRank | NoPatch:
        """The adapter, for every question alike."""
        return LowRank(state.deltas, state.edits) if state.deltas else NoPatch()

    def merged(self, model: Model, state: Nightly) -> Replaced | None:
        """The adapter in the weights; None before the first training."""
        patch = self.read(model, state, Query.ask("?"))
        return merged(model, patch) if isinstance(patch, LowRank) else None

    def telemetry(self, state: Nightly) -> Mapping[str, JSON]:
        """What the last training did, and how many corrections wait for the next."""
        losses: list[JSON] = [finite(loss) for loss in state.losses_nats]
        return {"losses_nats": losses, "trained_on": len(state.edits), "waiting": len(state.all) - len(state.edits)}

    def _trained(self, model: Model, known: Sequence[Edit]) -> Nightly:
        draws = torch.Generator().manual_seed(self.seed)
        a, b = dict[str, Tensor](), dict[str, Tensor]()
        for path in self.paths(model):
            module = linear(model, path)
            place = plain(module, path).device
            a[path] = (torch.randn(self.rank, module.in_features, generator=draws) / module.in_features**0.5).to(place)
            b[path] = torch.zeros(module.out_features, self.rank, device=place)
        leaves = [leaf.requires_grad_() for leaf in (*a.values(), *b.values())]
        scale = self.alpha / self.rank
        optimiser = torch.optim.AdamW(leaves, lr=self.lr, weight_decay=0.0)
        asked = [(query, edit.target) for edit in known for query in (edit.query, *edit.also)]
        losses = []
        for _ in range(self.epochs):
            order, sum_nats = torch.randperm(len(asked), generator=draws).tolist(), 0.0
            for first in range(0, len(order), self.batch):
                chosen = [asked[place] for place in order[first : first + self.batch]]
                speak = model.speaking_together(
                    [one for one, _ in chosen], [said for _, said in chosen], changing=self.paths(model)
                )
                patch = LowRank({path: Delta(a[path], scale * b[path]) for path in a})
                with torch.enable_grad(), patch.on(model):
                    loss = mean_nats(speak())
                for leaf, gradient in zip(leaves, torch.autograd.grad(loss, leaves), strict=True):
                    leaf.grad = gradient
                optimiser.step()
                sum_nats += float(loss.detach()) * len(chosen)
            losses.append(sum_nats / len(asked))
        return Nightly(
            tuple(known),
            tuple(edit.id for edit in known),
            {path: Delta(a[path].detach(), scale * b[path].detach()) for path in a},
            tuple(losses),
        )
