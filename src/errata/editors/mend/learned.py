"""What a MEND has learned, with the plan and the model that it is of; in a checkpoint and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import torch

from errata.core.canonical import JSON
from errata.core.model import Model
from errata.editors._checkpoints import Checkpoint, read
from errata.editors._sites import linear
from errata.editors.mend.plan import Plan
from errata.nn.hypernetwork import Hypernetwork, Shape
from errata.nn.places import place_of
from errata.nn.weights import count_of

NAME = "mend"


@final
@dataclass(frozen=True, eq=False)
class Learned:
    """A network that fits some modules of one model. Training changes it in place; nothing else does."""

    plan: Plan
    shapes: Mapping[str, Shape]
    """Module path -> its widths, in the order in which the network counts them."""

    network: Hypernetwork
    model_name: str
    model_digest: str

    @staticmethod
    def nothing(plan: Plan, model: Model) -> Learned:
        """The network before training, beside the model's weights.

        Raises:
            BadInput: the model has no module at the plan's side.
        """
        shapes = plan.shapes(model)
        return Learned(plan, shapes, plan.network(shapes).to(_device(model, shapes)), model.name, model.digest)

    def told(self) -> dict[str, JSON]:
        """The plan, the modules with their shapes, and the network's size."""
        modules: JSON = [[path, *shape] for path, shape in self.shapes.items()]  # a list: their order counts
        size = count_of(self.network)
        return self.plan.to_json() | {"modules": modules, "parameters": size}

    def checkpoint(self) -> Checkpoint:
        """As it stands now."""
        return Checkpoint(NAME, self.told(), self.model_name, self.model_digest, self.network.state_dict())

    def check(self, model: Model) -> None:
        """Whether it may be used on this model; the network goes to where the model's weights are.

        Raises:
            BadInput: it is of another model, or of this one in another precision.
        """
        train = f"errata train {NAME} --model {model.name} --out FOLDER"
        self.checkpoint().check(model, instead=f"Use that model in the precision it was trained in, or train another: {train}")
        self.network.to(_device(model, self.shapes))

    @contextmanager
    def writing(self) -> Iterator[Hypernetwork]:
        """The network with its statistics held still, for the length of a `with` block."""
        training = self.network.training
        self.network.train(False)
        try:
            yield self.network
        finally:
            self.network.train(training)


def _device(model: Model, shapes: Mapping[str, Shape]) -> torch.device:
    return place_of(linear(model, next(iter(shapes))))


def learned_in(place: str) -> Learned:
    """What a folder or file holds.

    Raises:
        BadInput: nothing that can be used; see `_checkpoints.read`.
    """
    found = read(place, kind=NAME)
    fields: dict[str, Any] = dict(found.plan)
    try:
        shapes: dict[str, Shape] = {path: (int(width), int(out)) for path, width, out in fields.pop("modules")}
        fields.pop("parameters")
        plan = Plan(**fields)
        network = plan.network(shapes)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise found.unknown(error) from None
    found.fill(network)
    network.train(False).requires_grad_(False)
    return Learned(plan, shapes, network, found.base_name, found.base_digest)
