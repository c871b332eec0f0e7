"""Plain fine-tuning, one edit after another: FT-LLM and FT-Visual as VLKEB defines them (Huang et al., arXiv 2403.07350).

AdamW on a few weights, on the mean negative log-likelihood of the target's tokens and nothing else: no locality term, no limit
on how far weights move. FT-LLM writes the MLP of the last decoder layer (up_proj, down_proj), FT-Visual the projector from vision
to text; an optimiser is made afresh for each edit. Published: 15 steps at 1e-4 (LLaVA-1.5: 10), and weights restored before the
next edit. Here edits accumulate, as a stream demands: the state is the weights so far. Other wordings and views that the user gave
are trained on beside the query, on the mean of their losses. The projector's biases, which VLKEB trains too, stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Literal, final

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON, finite
from errata.core.errors import BadInput, quoted
from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors._objective import Mean, Objective, mean_nats
from errata.editors._ranges import above, at_least
from errata.editors._sites import last_layers, linear
from errata.nn.patches import Replaced
from errata.nn.places import plain


@dataclass(frozen=True)
class State:
    """The weights as the edits left them."""

    edits: tuple[EditId, ...]
    weights: Mapping[str, Float[Tensor, "O I"]]
    """Module path -> its weight now, in the model's dtype; empty before the first edit."""

    last: Mapping[str, JSON]
    """What the last write did, in plain numbers."""


@final
@dataclass(frozen=True)
class FineTune:
    """Gradient descent on the edit alone."""

    where: Literal["text", "vision"] = "text"
    """FT-LLM: the last decoder layer's MLP. FT-Visual: the projector's linear modules."""

    steps: int = 15
    """Optimiser steps per edit, >= 1; published 15, and 10 for LLaVA-1.5."""

    lr: float = 1e-3
    """Step size of AdamW, > 0; published 1e-4 for 7B models, at which a model a thousand times smaller doesn't move."""

    weight_decay: float = 0.01
    """AdamW's, >= 0; published: the library's default, 0.01."""

    stop_nats: float | None = None
    """Stop once the target's mean loss is below this; None: never, as published."""

    objective: Objective = field(default=Mean(), repr=False)
    """What the steps lower."""

    def __post_init__(self) -> None:
        if self.where not in ("text", "vision"):
            raise BadInput(f"FineTune's where is 'text' or 'vision', not {quoted(self.where)}.")
        at_least("FineTune", 1, steps=self.steps)
        above("FineTune", 0, lr=self.lr)
        at_least("FineTune", 0, weight_decay=self.weight_decay, stop_nats=self.stop_nats)

    def spec(self, model: Model) -> Spec:
        """Every field, and the modules that are written in this model."""
        given: dict[str, JSON] = {each.name: self.__dict__[each.name] for each in fields(self) if each.name != "objective"}
        return Spec("finetune", given | {"modules": list(self.paths(model))})

    def lowering(self, objective: Objective) -> FineTune:
        """See `_objective.Lowers`."""
        return replace(self, objective=objective)

    def begin(self, model: Model) -> State:
        """No weights of its own yet."""
        self.paths(model)
        return State((), {}, {})

    def write(self, model: Model, state: State, edit: Edit) -> State:
        """Train copies of the weights on this edit; the model's own are read only."""
        model.check(edit.query, edit.target)
        if self.where == "vision" and not edit.query.images:
            return State((*state.edits, edit.id), state.weights, {"steps": 0, "losses_nats": []})
        now = {path: state.weights[path] if state.weights else plain(linear(model, path), path) for path in self.paths(model)}
        leaves = {path: weight.detach().clone().requires_grad_() for path, weight in now.items()}
        losses = self._train(model, leaves, edit)
        weights = {path: weight.detach() for path, weight in leaves.items()}
        moved = {path: finite(float((weights[path].float() - now[path].detach().float()).norm())) for path in weights}
        last: dict[str, JSON] = {"steps": len(losses), "losses_nats": [finite(loss) for loss in losses], "moved": moved}
        return State((*state.edits, edit.id), weights, last)

    def read(self, model: Model, state: State, query: Query) -> Replaced:
        """The trained weights, for every query alike."""
        return Replaced(state.weights, state.edits)

    def merged(self, model: Model, state: State) -> Replaced:
        """The trained weights as they are."""
        return Replaced(state.weights, state.edits)

    def telemetry(self, state: State) -> Mapping[str, JSON]:
        """What the last write did."""
        return state.last

    def _train(self, model: Model, leaves: Mapping[str, Tensor], edit: Edit) -> list[float]:
        optimiser = torch.optim.AdamW(leaves.values(), lr=self.lr, weight_decay=self.weight_decay, fused=True)
        losses: list[float] = []
        patch, changing = Replaced(leaves), tuple(leaves)
        asked = self.objective.views(edit)
        speak = model.speaking_together(asked, [edit.target] * len(asked), changing=changing)
        lower = self.objective.opened(model, edit, changing=changing)
        for _ in range(self.steps):
            with torch.enable_grad(), patch.on(model):
                spoken = speak()
                loss = lower(spoken)
            losses.append(float(mean_nats(spoken).detach()))
            if self.stop_nats is not None and losses[-1] < self.stop_nats:
                break
            gradients = torch.autograd.grad(loss, list(leaves.values()))
            for weight, gradient in zip(leaves.values(), gradients, strict=True):
                weight.grad = gradient
            optimiser.step()
        return losses

    def paths(self, model: Model) -> tuple[str, ...]:
        """The modules whose weights are trained."""
        if self.where == "vision":
            return model.writable["projector"]
        (last,) = last_layers(model, 1)
        return tuple(path for path in model.writable["text"] if model.groups[path] == last)
