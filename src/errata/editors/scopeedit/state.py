"""What ScopeEdit remembers, as values: for each module a factor and two preconditioners, and what was measured first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON, finite
from errata.core.records import EditId
from errata.nn.outward import Outward
from errata.nn.patches import Delta
from errata.nn.recursion import log_determinant, started


@dataclass(frozen=True)
class Written:
    """One module. A write makes a new one; whatever it doesn't change is the very same tensor as before.

    Columns of B, rows of A: the shared branch first, then the local one. S = rank_shared, L = rank_local, R = S + L.
    """

    delta: Delta
    """y += (s B)(A x). A is the frozen orthonormal basis, the same tensor in every state; the scale s is folded into `b_OR`."""

    p_shared_SS: Float[Tensor, "S S"]
    p_local_LL: Float[Tensor, "L L"]

    unit_shared: float | None = None
    """m: the mean squared norm of this module's shared codes, frozen once measured; None: not measured."""

    unit_local: float | None = None
    """The same for the local codes."""

    outward: Outward | None = None
    """Q, what steps leave out on the output side; None: nothing."""

    edits: int = 0
    """How many edits wrote here; a module that none wrote has nothing to say when read."""

    @property
    def rank_shared(self) -> int:
        return self.p_shared_SS.shape[0]

    def measured(self, keys_KI: Float[Tensor, "K I"]) -> Written:
        """The same with its units frozen at the mean squared norms of these keys' codes."""
        square_R = (keys_KI @ self.delta.a_RI.T).square().mean(0)
        cut = self.rank_shared
        return replace(self, unit_shared=float(square_R[:cut].sum()), unit_local=float(square_R[cut:].sum()))

    def used_to(self, codes_NR: Float[Tensor, "N R"], *, weight: float) -> Written:
        """The same with P_l started from ordinary codes, N of them; a weight of 0 leaves the identity."""
        return replace(self, p_local_LL=started(codes_NR[:, self.rank_shared :], weight=weight))


@dataclass(frozen=True)
class Ground:
    """The mean inputs of one module over the pool, from the unedited model: what any text and any image have in common there."""

    text_I: Float[Tensor, " I"]
    image_I: Float[Tensor, " I"]


@dataclass(frozen=True)
class State:
    """The fold of the edits in force."""

    edits: tuple[EditId, ...]
    modules: Mapping[str, Written]
    """Path -> what is written there."""

    grounds: Mapping[str, Ground]
    """Path -> its means; empty when evidence isn't centred, or there is no pool to measure on."""

    answers: tuple[str | None, ...]
    """The unedited model's answer to each query of the pool; None where it gave nothing that can be a target."""

    last: Mapping[str, JSON]
    """What the last write did, in plain numbers; empty before the first."""

    protecting: Mapping[str, Float[Tensor, "N L"]] = field(default_factory=dict)
    """Path -> the local code of each query of the pool (zeros where it has no answer), where no edit can change what goes into the
    module: it is the only one written. Empty elsewhere: then they are asked through the edited model, after each edit."""


def told_of_sites(state: State) -> dict[str, JSON]:
    """The last write's numbers of each module, and beside them ln det P of both branches as it stands."""
    sites = state.last["sites"]
    assert isinstance(sites, Mapping), "what a write tells of its modules"
    found: dict[str, JSON] = {}
    for path, numbers in sites.items():
        assert isinstance(numbers, Mapping), "what a write tells of one module"
        module = state.modules[path]
        found[path] = {
            **numbers,
            "log_det_local": finite(log_determinant(module.p_local_LL)),
            "log_det_shared": finite(log_determinant(module.p_shared_SS)),
        }
    return found
