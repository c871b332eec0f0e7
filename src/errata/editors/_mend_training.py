"""A MEND that learns, for one model: what `engine.fit` moves, and the loss that it lowers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import torch

from errata.core.benchmark import Case
from errata.core.model import Model
from errata.editors import _mend_loss
from errata.editors._checkpoints import Checkpoint
from errata.editors._mend_learned import Learned
from errata.editors._mend_plan import Plan
from errata.editors.mend import Mend
from errata.nn.hypernetwork import Hypernetwork

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


@final
class MendTraining:
    """See `errata.core.editor.Trainable`. Before any training the network is the identity: one normalised gradient step.

    Raises:
        BadInput: the model has no module at the plan's side.
    """

    def __init__(self, plan: Plan, model: Model) -> None:
        self._model = model
        self._learned = Learned.nothing(plan, model)

    def trainee(self) -> Hypernetwork:
        """The network."""
        return self._learned.network

    def objective(self, examples: Sequence[Case]) -> Float[Tensor, ""]:
        """c_e L_e + c_loc L_loc, the mean over some edits; see `_mend_loss`."""
        plan = self._learned.plan
        risks = [_mend_loss.risk(self._model, self._learned.network, case) for case in examples]
        return torch.stack([plan.edit_weight * risk.edit_nats + plan.locality_weight * risk.locality_nats for risk in risks]).mean()

    def learnt(self) -> Checkpoint:
        """What was learned so far."""
        return self._learned.checkpoint()

    def editor(self) -> Mend:
        """The editor that writes with the network as it stands, also while it learns."""
        return Mend(learned=self._learned)
