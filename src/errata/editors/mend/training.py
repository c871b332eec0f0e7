"""A MEND that learns, for one model: what `school.fit` moves, and the loss that it lowers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, final

import torch
from torch import nn

from errata.core.benchmark import Case
from errata.core.model import Model
from errata.editors._checkpoints import Checkpoint
from errata.editors.mend import loss as losses
from errata.editors.mend.editor import Mend
from errata.editors.mend.learned import Learned
from errata.editors.mend.plan import Plan
from errata.editors.odedit.invariance import Dual, terms, total
from errata.nn.hypernetwork import Hypernetwork

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class _Players(nn.Module):
    """The network that writes, and the one that moves against it."""

    def __init__(self, network: Hypernetwork, dual: Dual) -> None:
        super().__init__()
        self.network = network
        self.dual = dual


@final
class MendTraining:
    """See `errata.core.editor.Trainable`. Before any training the network is the identity: one normalised gradient step.

    Raises:
        BadInput: the model has no module at the plan's side.
    """

    def __init__(self, plan: Plan, model: Model) -> None:
        self._model = model
        self._learned = Learned.nothing(plan, model)
        self._weights = plan.odedit()
        penalised = plan.objective == "odedit" and plan.invariance > 0
        self._players = _Players(self._learned.network, Dual(plan.invariance, seed=plan.seed)) if penalised else None

    @property
    def network(self) -> Hypernetwork:
        """What writes, as it stands."""
        return self._learned.network

    def trainee(self) -> Hypernetwork | _Players:
        """The network; under ODEdit's penalty the one that weighs it, too."""
        return self._players or self.network

    def objective(self, examples: Sequence[Case]) -> Float[Tensor, ""]:
        """The mean over some edits of c_e L_e + c_loc L_loc (see `loss`), or of ODEdit's objective (see `odedit.invariance`)."""
        each = self._published if self._learned.plan.objective == "mend" else self._invariant
        still = losses.unedited(self._model, examples)
        return torch.stack([each(case, kept) for case, kept in zip(examples, still, strict=True)]).mean()

    def _published(self, case: Case, still: losses.Still) -> Float[Tensor, ""]:
        plan = self._learned.plan
        risk = losses.risk(losses.answered(self._model, self._learned.network, case, still))
        return plan.edit_weight * risk.edit_nats + plan.locality_weight * risk.locality_nats

    def _invariant(self, case: Case, still: losses.Still) -> Float[Tensor, ""]:
        """Whoever goes down this gradient takes Psi up: lambda's own share comes in with its sign turned, and counts nothing."""
        found = terms(*losses.answered(self._model, self._learned.network, case, still, own=True))
        if self._players is None:
            return self._learned.plan.edit_weight * total(found, self._weights, None)
        weight: Tensor = self._players.dual(found)
        turned = (weight.detach() - weight) * found.variation.detach()
        return self._learned.plan.edit_weight * (total(found, self._weights, weight) + turned)

    def learnt(self) -> Checkpoint:
        """What was learned so far."""
        return self._learned.checkpoint()

    def editor(self) -> Mend:
        """The editor that writes with the network as it stands, also while it learns."""
        return Mend(learned=self._learned)
