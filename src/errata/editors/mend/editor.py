"""MEND: a trained network turns an edit's gradient into a low-rank write (Mitchell et al., arXiv 2110.11309).

The gradient of the target's mean negative log-likelihood at a linear module comes in factors, sum_t delta_t u_t^T. The network of
`errata.nn.hypernetwork` makes new factors of them, and the write is W <- W - alpha sum_t delta~_t u~_t^T: one pass, no inner loop,
and as low-rank as the edit has positions. It was trained so that after the write an equivalent query x' gives the target y and
unrelated ones z stay as they were (equation 4 and the lines above it):

    L = c_e L_e + L_loc,   L_e = -log p_edited(y | x'),   L_loc = KL(p_base(. | z) || p_edited(. | z)),

with the mean over tokens in both. Both are taken at the positions that predict a token of the answer; the popular code takes L_e
one to the right of where that token is predicted. Where the paper's L_loc has the whole of z, here it has the unedited answer to z.
The base model stays frozen, and what an edit's gradient is doesn't depend on the network: the training's gradient is exact.

Edits one after another: each takes its gradient from the model as the last one left it, and its write is added to theirs; from the
second on the sum is multiplied out, so that a state stops growing. Published training sees single edits, and in sequence the writes
pile up: put it behind a scope for more than a few. Other wordings and views that the user gave are learned on the mean of all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import torch

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors.mend import loss as losses
from errata.editors.mend.learned import Learned, learned_in
from errata.nn.factors import added, norm
from errata.nn.patches import Delta, LowRank, Replaced, merged


@dataclass(frozen=True)
class State:
    """What the edits added to the model's weights."""

    edits: tuple[EditId, ...]
    deltas: Mapping[str, Delta]
    """Module path -> the sum of the writes: of one edit, its own factors; of more, multiplied out."""

    last: Mapping[str, JSON]
    """What the last write did, in plain numbers."""


@final
@dataclass(frozen=True)
class Mend:
    """One pass and a trained network for each edit."""

    checkpoint: str = ""
    """The folder that `errata train mend` wrote. Required."""

    learned: Learned | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.learned is not None:
            return
        if not self.checkpoint:
            raise BadInput(
                "MEND writes with a network that has to be trained: give its folder, as in mend:checkpoint=FOLDER. "
                "Train one with: errata train mend --out FOLDER"
            )
        object.__setattr__(self, "learned", learned_in(self.checkpoint))

    def spec(self, model: Model) -> Spec:
        """The digest of what was learned, for the place where it lay; the plan, and the modules that are written."""
        held = self._fitting(model)
        plan: JSON = held.told()
        return Spec("mend", {"checkpoint": held.checkpoint().digest, "learned": plan})

    def begin(self, model: Model) -> State:
        """Nothing added yet.

        Raises:
            BadInput: the network was trained for another model.
        """
        self._fitting(model)
        return State((), {}, {})

    def write(self, model: Model, state: State, edit: Edit) -> State:
        """One gradient, turned by the network, added to what is there. A module that the edit doesn't reach stays."""
        held = self._fitting(model)
        model.check(edit.query, edit.target)
        with self.read(model, state, edit.query).on(model):
            raw = losses.raw(model, held.network.paths, edit)
        with torch.no_grad(), held.writing() as network:
            new = network(raw.factors)
        deltas = {path: added(delta, new[path]) if path in new else delta for path, delta in state.deltas.items()}
        deltas |= {path: delta for path, delta in new.items() if path not in deltas}
        last: dict[str, JSON] = {
            "loss_nats": raw.loss_nats,
            "ranks": {path: len(delta.a_RI) for path, delta in new.items()},
            "moved": {path: norm(delta) for path, delta in new.items()},
        }
        return State((*state.edits, edit.id), deltas, last)

    def read(self, model: Model, state: State, query: Query) -> LowRank:
        """The sum of the writes, for every query alike."""
        return LowRank(state.deltas, state.edits)

    def merged(self, model: Model, state: State) -> Replaced:
        """The sum of the writes added to the weights."""
        return merged(model, LowRank(state.deltas, state.edits))

    def telemetry(self, state: State) -> Mapping[str, JSON]:
        """What the last write did."""
        return state.last

    def _fitting(self, model: Model) -> Learned:
        assert self.learned is not None, "it is read when the editor is made"
        self.learned.check(model)
        return self.learned
