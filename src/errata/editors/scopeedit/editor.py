"""ScopeEdit: a preconditioned gradient step in frozen low-rank coordinates, and a gate on how much of it both modalities share.

Li, Zhang, Liu, Wang, Li, "ScopeEdit", arXiv 2607.01978; what its text leaves open is taken from its published code
(lab-klc/ScopeEdit) in the LLaVA configuration. Each written linear module gets

    y = W x + s (B_l A_l x + B_s A_s x),        [A_s; A_l] orthonormal and frozen, B from zero, s = alpha / r = 2.

The *local* branch takes what the edit says as it is said; the *shared* branch what text and image say alike. Per inner step, with
G = dL/dB of the target's mean negative log-likelihood L, in the top_k groups by gradient norm:

    B_l <- B_l - eta_l G_l P_l              P_l remembers z = A_l x, pooled where the answer is made
    B_s <- B_s - eta_s gamma_self G_s P_s   P_s remembers q; gate and q as in `gate`; text-side groups only

and afterwards P takes the new key in, by the recursion of `errata.nn.recursion`: the step knows earlier keys only. Published steps
are as long as eta says, and after an edit P_l takes in keys of a few ordinary queries, so that later writes step around them. The
default goes as far as the loss needs (`step_length`), and P_l knows the whole pool of ordinary queries from the start (`traffic`).
There is no gate when reading.

`ScopeEdit.preset("paper")` computes what the published code computes, its flaws included, with two differences: protection keys
come from a given pool and never from a benchmark's probes, and no warm-up edits stay in the weights. (That code reuses a
projector's last key when a text-only query is protected; here the projector didn't run, so it has no key. And it tokenizes a target
by itself, where it is tokenized in its place here: a token that only begins a word is neither learned nor a key.) The defaults mend
the flaws, each by a field of its own. Sizes are shares of the published model's (`_sites`): that model gets the published numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from statistics import fmean
from types import MappingProxyType
from typing import Literal, Self, final

import torch

from errata.core.canonical import JSON, digest_of_json, finite
from errata.core.editor import BEFORE
from errata.core.errors import BadInput, Unknown
from errata.core.model import Model
from errata.core.records import Edit, Query, Spec
from errata.editors import _sites
from errata.editors._objective import Objective
from errata.editors._pool import base_answers, draw, halves, split
from errata.editors._ranges import above, at_least
from errata.editors.scopeedit.keys import KeyPositions, Protected
from errata.editors.scopeedit.measure import measure
from errata.editors.scopeedit.state import State, Written, told_of_sites
from errata.editors.scopeedit.write import Ordinary, Writer
from errata.nn.lowrank import orthonormal_rows, xavier_normal_rows, xavier_rows
from errata.nn.patches import Delta, LowRank, Replaced, merged
from errata.nn.places import like
from errata.nn.recursion import plasticity, untouched


@final
@dataclass(frozen=True)
class ScopeEdit:
    """Online edits in two orthogonal low-rank branches, at a cost that doesn't grow with the stream."""

    rank_local: int = 448
    """r_l >= 1: rows of the local basis, before `rank_share` fits them to the module."""

    rank_shared: int = 64
    """r_s >= 0: rows of the shared basis, before `rank_share` fits them."""

    rank_share: float = 1.0
    """In (0, 1]: r_l + r_s takes at most this share of a module's width. Published: 512 of 4096, 11008 and (projector) 1024, so a
    half."""

    layers: int | None = 1
    """n_last_layers >= 1, from the end; None, as published: 12 of 32, rounded up."""

    projector: bool = False
    """Whether the projector's linear modules are written too, as one group, as published. Without them the vision side and the
    layers below run once for an edit instead of once for a step."""

    top_k: int | None = None
    """Groups written at each step, >= 1; None: 7 of 13."""

    shared_groups: int | None = None
    """How many of them, text side, best first, may write the shared branch, >= 0; None: 6 of 7."""

    scale: float = 2.0
    """s = alpha / r > 0."""

    eta_local: float = 8.0
    """eta_l > 0: step of the local branch on the text side; published 0.1, of raw steps (`normalise_step`)."""

    eta_vision: float = 0.1
    """eta_v >= 0: step of the local branch on the vision side; published 0.001, of raw steps."""

    eta_shared: float = 0.5
    """eta_s >= 0: step of the shared branch, times gamma_self; published 1.0, of raw steps."""

    step_length: Literal["polyak", "fixed"] = "polyak"
    """How far a step goes: "fixed", eta as it stands, as published; or "polyak", as far as the loss would need to reach zero at the
    slope it has, whatever the model's units (Polyak 1969): then the etas only say how branches and sides share a step."""

    relaxation: float = 0.85
    """Of Polyak's step, > 0: 1 goes to where the tangent meets zero."""

    longest: float | None = 0.05
    """Of Polyak's step, > 0: in no module longer than this share of its own weight's norm (orthonormal bases); None: as long as the
    loss says, which once the room is nearly used up, or the loss is flat, is so long that all that was written before is lost."""

    modules: Literal["all", "last"] = "last"
    """Which are written of a layer's: all that its family declares writable, as published, or the last."""

    lambda_local: float = 0.3
    """lambda_l > 0: small: past keys don't move; large: plain gradient steps."""

    lambda_shared: float = 1.0
    """lambda_s > 0."""

    tau: float = 0.2
    """The cosine of text and image evidence at which the gate is half open, in [-1, 1]."""

    beta: float = 10.0
    """Sharpness of the gate, > 0."""

    steps: int = 5
    """Inner steps per edit at most, >= 1. More of them learn long answers and hard edits, and move more of what must stay."""

    stop_nats: float | None = None
    """Stop once the target's mean loss is below this; None: never, as published."""

    environments: Literal["query", "also"] = "also"
    """What a step learns: the mean loss of the edit's query and of every other wording and view that its user gave, or of the query
    alone, as published. The keys of all of them are remembered."""

    learns_end: bool = field(default=True, metadata={BEFORE: True})
    """Whether the loss counts the end of the answer beside the target's tokens: without it an answer is learned, and not where it
    ends. Published: the target's tokens alone, so that of K of them a step is (K + 1) / K as long."""

    key_positions: KeyPositions = "predicting"
    """Where the answer's key is read. Published: "own", the answer's own tokens, one to the right of where the gradient enters."""

    keys_each: bool = True
    """Remember a key for each answer position; published: their mean alone."""

    downdate: Literal["step", "edit"] = "edit"
    """When P takes the edit's keys in: after every inner step, as published (an edit wears out its room), or once at its end."""

    gate_floor: float = 0.02
    """gamma_min in [0, 1): a gate below it neither writes nor takes up shared room; published 0."""

    shared_key: Literal["unit", "root_gate"] = "root_gate"
    """What P_s remembers: q ("unit", published: a nearly shut gate takes up as much room as an open one) or sqrt(gamma) q."""

    normalise_keys: bool = True
    """Measure codes in units of their module's mean size, so that lambda means the same everywhere; published: raw codes."""

    normalise_step: bool = True
    """Divide steps by the module's mean squared code, so that eta means the same everywhere; published: raw steps."""

    traffic: float = 10_000.0
    """>= 0: how much the pool weighs in P_l before the first edit: P_l = (I + traffic C)^-1, C the mean outer product of its keys'
    codes over their mean squared norm. 0, as published: P_l starts at I and knows nothing. (P_s takes in no ordinary query, as
    published: what it is for is what text and image say alike.)"""

    outward: float = 10.0
    """>= 0: how much the pool's own answers weigh in the output-side factor Q that steps are multiplied by (`errata.nn.outward`);
    0, as published: none."""

    centre: bool = True
    """Subtract each modality's mean over the pool from the evidence; published: raw evidence, which shares a large common part."""

    evidence: Literal["shared", "full"] = "full"
    """Measure evidence in the module's whole input, or in the r_s shared coordinates as published (a noisy estimate)."""

    protect: int = 1
    """Ordinary queries of each sort (text alone, with an image) whose keys enter P_l after an edit, >= 0; published: 1. They are
    seen through the edited model, where those of `traffic` are the unedited one's."""

    protect_positions: Protected = "predicting"
    """What is pooled for their keys: all positions as published, or those that predict the answer."""

    pool_size: int = 512
    """How many queries of the pool are used at most, >= 0, half of them with an image where there are enough; drawn by seed at
    `begin`. More of them make `traffic` know more of what must stay."""

    factors: Literal["float32", "model"] = "float32"
    """The dtype B is kept in; published: the model's, in which small steps round away if that is a half precision."""

    preconditioner: Literal["earlier", "current"] = "earlier"
    """Which keys a step's P knows: those of earlier steps, as published (M-ORE too, equations 12 and 13), or its own as well, which
    shortens it along its own key by lambda / (lambda + z^T P z)."""

    basis: Literal["orthonormal", "xavier_normal", "xavier"] = "orthonormal"
    """The frozen rows A: orthonormal, or drawn entry by entry, from a normal distribution as M-ORE's or from a uniform one of the
    same variance ("xavier"); those can't be cut into two branches, so r_s must be 0."""

    seed: int = 42
    """Draws bases, pool and protected queries."""

    pool: tuple[Query, ...] = field(default=(), repr=False)
    """Ordinary queries, none of which a probe touches; empty: nothing is protected, and nothing centred."""

    objective: Objective | None = field(default=None, repr=False)
    """What the inner steps lower, in place of the mean loss over the views that `environments` names."""

    @staticmethod
    def preset(name: str) -> ScopeEdit:
        """A named set of fields: "default", "paper", or "more" (M-ORE).

        Raises:
            Unknown: another name.
        """
        if name not in PRESETS:
            raise Unknown("preset of scopeedit", name, PRESETS)
        return PRESETS[name]

    def __post_init__(self) -> None:
        who = "ScopeEdit"
        at_least(who, 1, rank_local=self.rank_local, layers=self.layers, top_k=self.top_k, steps=self.steps)
        at_least(who, 0, rank_shared=self.rank_shared, shared_groups=self.shared_groups, protect=self.protect)
        at_least(who, 0, pool_size=self.pool_size, eta_vision=self.eta_vision, eta_shared=self.eta_shared)
        at_least(who, 0, stop_nats=self.stop_nats, gate_floor=self.gate_floor, traffic=self.traffic, outward=self.outward)
        if self.longest is not None:
            above(who, 0, longest=self.longest)
        above(who, 0, rank_share=self.rank_share, scale=self.scale, eta_local=self.eta_local, relaxation=self.relaxation)
        above(who, 0, lambda_local=self.lambda_local, lambda_shared=self.lambda_shared, beta=self.beta)
        if self.rank_share > 1 or self.gate_floor >= 1 or not -1 <= self.tau <= 1:
            raise BadInput("ScopeEdit's rank_share must be at most 1, its gate_floor below 1, its tau between -1 and 1.")
        if self.basis != "orthonormal" and self.rank_shared:
            raise BadInput(f"ScopeEdit's basis {self.basis} has no rows to share: set rank_shared=0, or basis=orthonormal.")

    def protecting(self, pool: Sequence[Query]) -> Self:
        """The same editor with a pool of ordinary queries."""
        return replace(self, pool=tuple(pool))

    def heeds_pool(self) -> bool:
        """See `core.editor.Heeds`: M-ORE's fields, for one, protect nothing."""
        return self.pool_size > 0 and (self._measures or self.protect > 0)

    @property
    def _measures(self) -> bool:
        """Whether it measures anything on the pool before the first edit."""
        return bool(self.centre or self.normalise_keys or self.normalise_step or self.traffic or self.outward)

    def lowering(self, objective: Objective) -> Self:
        """See `_objective.Lowers`."""
        return replace(self, objective=objective)

    def asked(self, edit: Edit) -> tuple[Query, ...]:
        """The ways in which the inner steps ask an edit."""
        if self.objective is not None:
            return self.objective.views(edit)
        return (edit.query, *edit.also) if self.environments == "also" else (edit.query,)

    def spec(self, model: Model) -> Spec:
        """Every field, with what resulted for this model: sites with their ranks, groups per step, and the pool's digest."""
        plan = self._plan(model)
        sites: JSON = {s.path: {"local": s.rank_local, "shared": s.rank_shared, "width": s.width} for s in plan.sites}
        given: dict[str, JSON] = {
            each.name: self.__dict__[each.name] for each in fields(self) if each.name not in ("pool", "objective")
        }
        return Spec(
            "scopeedit",
            given
            | {
                "layers": plan.layers,
                "top_k": plan.top_k,
                "shared_groups": plan.shared_groups,
                "pool": digest_of_json([query.digest for query in self.pool]) if self.pool else None,
                "sites": sites,
            },
        )

    def begin(self, model: Model) -> State:
        """Bases from the seed, B at zero, P_s the identity, P_l what the pool makes of it; all from the unedited model."""
        plan = self._plan(model)
        pool = self._pool()
        modules = {site.path: self._blank(model, site) for site in plan.sites}
        answers = base_answers(model, pool)
        state = State((), modules, {}, answers, {})
        if not (pool and self._measures):
            return state
        return measure(
            model,
            state,
            plan.sites,
            pool,
            at=self.key_positions,
            protect=self.protect_positions if self.protect else None,
            traffic=self.traffic,
            outward=self.outward,
            seed=self.seed,
        )

    def write(self, model: Model, state: State, edit: Edit) -> State:
        """Inner steps, then the protection keys."""
        model.check(edit.query, edit.target)
        writer = Writer.open(self, model, self._plan(model), state)
        writer.learn(edit)
        writer.protect(self._drawn(state))
        return writer.close(edit)

    def read(self, model: Model, state: State, query: Query) -> LowRank:
        """Both branches of every written module, for every query alike."""
        return _written(state)

    def merged(self, model: Model, state: State) -> Replaced:
        """Both branches added to the weights."""
        return merged(model, _written(state))

    def telemetry(self, state: State) -> Mapping[str, JSON]:
        """What the last write did, and the room left: `free`, the mean tr P_l / r of all modules, and ln det P of those written."""
        if not state.last:
            return {}
        local = [plasticity(module.p_local_LL) for module in state.modules.values()]
        return {**state.last, "free": finite(fmean(local)), "sites": told_of_sites(state)}

    def _plan(self, model: Model) -> _sites.Plan:
        return _sites.plan(
            model,
            layers=self.layers,
            projector=self.projector,
            modules=self.modules,
            rank_local=self.rank_local,
            rank_shared=self.rank_shared,
            rank_share=self.rank_share,
            top_k=self.top_k,
            shared_groups=self.shared_groups,
        )

    def _blank(self, model: Model, site: _sites.Site) -> Written:
        weight = like(_sites.linear(model, site.path))
        kept = weight.dtype if self.factors == "model" else torch.float32
        basis_RI = _ROWS[self.basis](site.rank, site.width, seed=self.seed, name=site.path).to(weight.device)
        delta = Delta(basis_RI, torch.zeros(site.out, site.rank, device=weight.device, dtype=kept))
        return Written(
            delta,
            p_shared_SS=untouched(site.rank_shared, device=weight.device),
            p_local_LL=untouched(site.rank_local, device=weight.device),
        )

    def _pool(self) -> tuple[Query, ...]:
        """The part of the pool in use."""
        return halves(self.pool, self.pool_size, self.seed)

    def _drawn(self, state: State) -> tuple[Ordinary, ...]:
        """The queries to protect after this edit, with their unedited answers: settled by the seed and the edit's place."""
        found = enumerate(zip(self._pool(), state.answers, strict=True))
        usable = {query: Ordinary(index, query, answer) for index, (query, answer) in found if answer is not None}
        texts, pictures = split(list(usable))
        place = int(digest_of_json([self.seed, len(state.edits)])[:15], 16)
        return tuple(usable[query] for each in (texts, pictures) for query in draw(each, self.protect, place))


_ROWS = MappingProxyType({"orthonormal": orthonormal_rows, "xavier_normal": xavier_normal_rows, "xavier": xavier_rows})


def _written(state: State) -> LowRank:
    return LowRank({path: module.delta for path, module in state.modules.items() if module.edits}, state.edits)


_PAPER = ScopeEdit(
    rank_share=0.5,
    layers=None,
    modules="all",
    projector=True,
    eta_local=0.1,
    eta_vision=0.001,
    eta_shared=1.0,
    lambda_local=1.0,
    steps=5,
    stop_nats=None,
    environments="query",
    learns_end=False,
    key_positions="own",
    keys_each=False,
    downdate="step",
    gate_floor=0.0,
    shared_key="unit",
    normalise_keys=False,
    normalise_step=False,
    step_length="fixed",
    longest=None,
    traffic=0.0,
    outward=0.0,
    centre=False,
    evidence="shared",
    protect=1,
    pool_size=64,
    protect_positions="all",
    factors="model",
)

PRESETS: Mapping[str, ScopeEdit] = {
    "default": ScopeEdit(),
    "paper": _PAPER,
    "more": replace(
        _PAPER,
        rank_local=512,
        rank_shared=0,
        eta_vision=0.1,
        lambda_local=2000.0,
        protect=0,
        basis="xavier_normal",
    ),
}
"""Paper: the published LLaVA configuration, every field in which the defaults mend it. More: M-ORE (arXiv 2605.20273) by the same
repository's LLaVA configuration: one branch, one step size for both sides, its own lambda and basis, and no protected queries."""
