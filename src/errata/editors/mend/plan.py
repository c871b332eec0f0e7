"""A MEND before it has learned anything: where it will write, how large its network is, how its training loss is weighed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, final

from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.model import Model
from errata.editors._ranges import above, at_least
from errata.editors._sites import last_layers, linear
from errata.editors.odedit.invariance import Weights
from errata.nn.hypernetwork import Hypernetwork, Shape


@final
@dataclass(frozen=True)
class Plan:
    """The fields of `errata train mend:FIELD=VALUE,...`."""

    where: Literal["text", "vision"] = "text"
    """The MLPs of the last decoder layers, or the projector's linear modules."""

    layers: int = 3
    """Decoder layers that are written, from the end, >= 1; published 3."""

    rank: int = 1920
    """R >= 1 of the network's matrices, before `rank_share` fits it."""

    rank_share: float = 0.15
    """In (0, 1]: R takes at most this share of D = I + O. Published: 1920 of OPT-2.7B's 12,800."""

    edit_rate: float = 1e-3
    """alpha > 0 at the start of the training, for every module; published 1e-4, for models a thousand times as large."""

    edit_weight: float = 1.0
    """c_e > 0: what a nat of the edit's own loss counts beside a nat of divergence; published 0.1."""

    locality_weight: float = 1.0
    """c_loc >= 0: what a nat of divergence from the unedited model counts; published 1."""

    objective: Literal["mend", "odedit"] = "mend"
    """The published loss, or ODEdit's: see `errata.editors.odedit.invariance`."""

    generality_weight: float = 1.0
    """Of ODEdit: what R_gen counts beside a nat of the edit's own loss, >= 0."""

    invariance: float = 0.1
    """Of ODEdit: lambda, what the penalty counts likewise, before the training, >= 0; 0: no penalty."""

    seed: int = 0
    """Draws the network, >= 0."""

    def __post_init__(self) -> None:
        at_least("MEND", 1, layers=self.layers, rank=self.rank)
        above("MEND", 0, edit_rate=self.edit_rate, edit_weight=self.edit_weight)
        if not 0 < self.rank_share <= 1:
            raise BadInput(f"MEND's rank_share must be above 0 and at most 1, not {self.rank_share}.")
        at_least("MEND", 0, locality_weight=self.locality_weight, seed=self.seed)
        at_least("MEND", 0, generality_weight=self.generality_weight, invariance=self.invariance)
        if self.objective not in ("mend", "odedit"):
            raise BadInput(f"MEND's objective is 'mend' or 'odedit', not {quoted(self.objective)}.")
        if self.where not in ("text", "vision"):
            raise BadInput(f"MEND's where is 'text' or 'vision', not {quoted(self.where)}.")

    def odedit(self) -> Weights:
        """What ODEdit's terms count beside a nat of the edit's own loss; lambda moves with the training's own steps."""
        return Weights(self.locality_weight / self.edit_weight, self.generality_weight, self.invariance)

    def to_json(self) -> dict[str, JSON]:
        """Every field."""
        return {each.name: self.__dict__[each.name] for each in fields(self)}

    def shapes(self, model: Model) -> dict[str, Shape]:
        """The modules that are written in this model -> their (in-features, out-features).

        Raises:
            BadInput: the model has no such module.
        """
        if self.where == "vision":
            paths = model.writable["projector"]
        else:
            chosen = last_layers(model, self.layers)
            paths = tuple(path for path in model.writable["text"] if model.groups[path] in chosen)
        if not paths:
            raise BadInput(
                f"The model {model.name} has no linear module to write at MEND's where={self.where}. Choose another side."
            )
        modules = {path: linear(model, path) for path in paths}
        return {path: (module.in_features, module.out_features) for path, module in modules.items()}

    def network(self, shapes: dict[str, Shape]) -> Hypernetwork:
        """The network for these modules, as it is before training. R is fitted to the narrowest shape."""
        room = max(1, int(self.rank_share * min(sum(shape) for shape in shapes.values())))
        return Hypernetwork(shapes, rank=min(self.rank, room), edit_rate=self.edit_rate, seed=self.seed)
