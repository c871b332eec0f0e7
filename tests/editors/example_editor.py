"""A user's own editor, in a file outside the package: gradient descent on one module. It passes the same contracts as the rest."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from errata.core.records import EditId, Spec
from errata.nn.patches import Replaced


@dataclass(frozen=True)
class State:
    edits: tuple[EditId, ...]
    weights: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Nudge:
    """Descends on the last module of the text side."""

    steps: int = 40
    lr: float = 20.0

    def spec(self, model):
        return Spec("nudge", {"steps": self.steps, "lr": self.lr})

    def begin(self, model):
        return State((), {})

    def write(self, model, state, edit):
        model.check(edit.query, edit.target)
        path = model.writable["text"][-1]
        weight = state.weights[path] if state.weights else model.module(path).weight.detach()
        for _ in range(self.steps):
            leaf = weight.clone().requires_grad_()
            with Replaced({path: leaf}).on(model):
                loss = model.loss(edit.query, edit.target)
            (gradient,) = torch.autograd.grad(loss, [leaf])
            weight = weight - self.lr * gradient
        return State((*state.edits, edit.id), {path: weight})

    def read(self, model, state, query):
        return Replaced(state.weights, state.edits)
