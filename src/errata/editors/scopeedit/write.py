"""One edit of ScopeEdit, from its first inner step to its protection keys, on a draft that becomes the next state.

The old state's tensors are never changed: a module's B is copied the first time the edit writes it, and P is replaced, not updated.
S, L, R: the shared, local and whole rank; I, O: a module's widths in and out; K: keys of one edit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON, finite
from errata.core.model import Model, Positions, Spoken
from errata.core.records import Edit, Query
from errata.editors._sites import Plan, Site, linear
from errata.editors.scopeedit.gate import SHUT, Gate, judge, shared_key
from errata.editors.scopeedit.keys import Keys, Looked, Seen, Speak, Wanted, in_units, keys_of, look, protection_key
from errata.editors.scopeedit.state import State, Written
from errata.editors.scopeedit.terms import Terms
from errata.nn.patches import Delta
from errata.nn.places import plain
from errata.nn.recursion import after, plasticity


class View(NamedTuple):
    """One way the edit is asked, in one pass."""

    seen: Seen
    positions: Positions


class Code(NamedTuple):
    """What one module's inputs say about an edit, in its coordinates."""

    local_KL: Float[Tensor, "K L"]
    """z: what P_l will remember."""

    shared_S: Float[Tensor, " S"] | None
    """What P_s will remember; None: the gate is shut."""

    gate: Gate


class Ordinary(NamedTuple):
    """A query of the pool that is protected after an edit."""

    place: int
    """Where it stands in the part of the pool in use."""

    query: Query
    answer: str
    """The unedited model's."""


@dataclass
class Writer:
    """The draft of the next state while one edit is written. Made by `open`, used once."""

    terms: Terms
    model: Model
    plan: Plan
    state: State
    modules: dict[str, Written]
    losses_nats: list[float] = field(default_factory=list)
    groups: list[tuple[str, ...]] = field(default_factory=list)
    """The groups of each step, best first."""

    lengths: list[float] = field(default_factory=list)
    """How far each step went along its directions."""

    sharing: set[str] = field(default_factory=set)
    """The groups whose shared branch a step could write."""

    norms: dict[str, float] = field(default_factory=dict)
    """Path -> the norm of its module's own weight, once a step asked for it."""

    codes: dict[str, Code] = field(default_factory=dict)
    """Path -> the last code of each module that was written."""

    @staticmethod
    def open(terms: Terms, model: Model, plan: Plan, state: State) -> Writer:
        """A draft that starts as the old state."""
        return Writer(terms, model, plan, state, dict(state.modules))

    @property
    def active(self) -> set[str]:
        """Every group that some step of this edit wrote."""
        return {group for groups in self.groups for group in groups}

    def learn(self, edit: Edit) -> None:
        """The inner steps: look, choose groups, write, and let P take the keys in."""
        asked = self.terms.asked(edit)
        positions = [self._positions(query, edit.target) for query in asked]
        speaking = [self._speaking(query, edit.target) for query in asked]
        wanted = self._wanted(edit)
        for _ in range(self.terms.steps):
            looked = look(self.model, self.modules, speaking, wanted)
            views = [View(seen, where) for seen, where in zip(looked.views, positions, strict=True)]
            self.losses_nats.append(max(seen.loss_nats for seen in looked.views))
            self._measure(views)
            if not looked.gradients:
                self._refresh(views)
                break
            self._step(views, looked)
        if self.terms.downdate == "edit":
            self._remember([site for site in self.plan.sites if site.path in self.codes])

    def protect(self, queries: Sequence[Ordinary]) -> None:
        """Let P_l of the modules of the active groups remember ordinary queries, seen through the edited model; where no edit can
        change what goes into the module, as they were measured at the beginning."""
        active = self.active
        sites = [site for site in self.plan.sites if site.group in active]
        for each in queries if sites else ():
            known = self.state.protecting
            codes = {path: known[path][each.place][None] for path in known} or self._asked(each, sites)
            for path, code_1L in codes.items():
                module = self.modules[path]
                in_units_1L = in_units(code_1L, module.unit_local if self.terms.normalise_keys else None)
                self.modules[path] = replace(module, p_local_LL=self._local_after(module, in_units_1L))

    def _asked(self, ordinary: Ordinary, sites: Sequence[Site]) -> dict[str, Float[Tensor, "1 L"]]:
        """The local code of an ordinary query in each module that it reaches, seen through the edited model."""
        speak = self.model.speaking(ordinary.query, ordinary.answer, changing=tuple(self.modules))
        inputs = look(self.model, self.modules, [speak]).views[0].inputs
        positions = self.model.positions(ordinary.query, ordinary.answer)
        found = {}
        for site in sites:
            if site.path in inputs:
                narrow = self.terms.protect_positions == "predicting" and site.side == "text"
                key_I = protection_key(inputs[site.path], positions, narrow=narrow)
                found[site.path] = key_I[None] @ self.modules[site.path].delta.a_RI[site.rank_shared :].T
        return found

    def close(self, edit: Edit) -> State:
        """The next state."""
        for path in self.codes:
            self.modules[path] = replace(self.modules[path], edits=self.modules[path].edits + 1)
        return replace(self.state, edits=(*self.state.edits, edit.id), modules=self.modules, last=self._telemetry())

    def _speaking(self, query: Query, target: str) -> Speak:
        """What the model gives to what is learned: the target, and its end where that is learned too."""
        speak = self.model.speaking(query, target, changing=tuple(self.modules))
        return speak if self.terms.learns_end else lambda: speak().unended

    def _positions(self, query: Query, target: str) -> Positions:
        """Those of a query and target. The last one predicts the end alone: where that isn't learned no gradient enters there."""
        found = self.model.positions(query, target)
        return found if self.terms.learns_end else replace(found, predicting=found.predicting[:-1])

    def _wanted(self, edit: Edit) -> Wanted:
        """What the steps lower: the views' mean loss, to which one that is learned adds nothing, or the editor's own objective."""
        stop = -math.inf if self.terms.stop_nats is None else self.terms.stop_nats
        own = self.terms.objective
        lower = None if own is None else own.opened(self.model, edit, changing=tuple(self.modules))

        def wanted(spoken: Sequence[Spoken]) -> Tensor | None:
            open_ = [each.loss for each in spoken if float(each.loss.detach()) >= stop]
            if not open_:
                return None
            return torch.stack(open_).sum() / len(spoken) if lower is None else lower(spoken)

        return wanted

    def _measure(self, views: Sequence[View]) -> None:
        """Without a pool the first edit that reaches a module sets its units, once."""
        if not (self.terms.normalise_keys or self.terms.normalise_step):
            return
        for site in self.plan.sites:
            if _reached(site, views) and self.modules[site.path].unit_local is None:
                self.modules[site.path] = self.modules[site.path].measured(self._keys(site, views).text_I[None])

    def _step(self, views: Sequence[View], looked: Looked) -> None:
        gradients = looked.gradients
        groups = self._best(gradients)
        sides = {site.group: site.side for site in self.plan.sites}
        sharing = [group for group in groups if sides[group] == "text"][: self.plan.shared_groups]
        self.groups.append(groups)
        self.sharing |= set(sharing)
        written = [site for site in self.plan.sites if site.group in groups and site.path in gradients]
        self.codes |= {site.path: self._code(site, views, shares=site.group in sharing) for site in written}
        directions = {site.path: self._direction(site, gradients[site.path], self.codes[site.path]) for site in written}
        length = self._length(looked.nats, gradients, directions)
        self.lengths.append(length)
        for path, direction_OR in directions.items():
            self._move(path, length * direction_OR)
        if self.terms.downdate == "step":
            self._remember(written)

    def _refresh(self, views: Sequence[View]) -> None:
        """The codes as they stand once the target is learned: what later edits must leave alone."""
        for site in self.plan.sites:
            if site.path in self.codes:
                self.codes[site.path] = self._code(site, views, shares=site.group in self.sharing)

    def _best(self, gradients: Mapping[str, Float[Tensor, "O R"]]) -> tuple[str, ...]:
        """The top_k groups by the summed norms of their local gradients, best first."""
        score = dict.fromkeys(self.plan.groups, 0.0)
        for site in self.plan.sites:
            if site.path in gradients:
                score[site.group] += float(gradients[site.path][:, site.rank_shared :].norm())
        return tuple(sorted(score, key=lambda group: -score[group])[: self.plan.top_k])

    def _keys(self, site: Site, views: Sequence[View]) -> Keys:
        """Every view's keys, and the means of their evidence; a view that didn't reach the module has none."""
        found = [
            keys_of(site, seen.inputs[site.path], positions, at=self.terms.key_positions, each=self.terms.keys_each)
            for seen, positions in views
            if site.path in seen.inputs
        ]
        images = [keys.image_I for keys in found if keys.image_I is not None]
        return Keys(
            torch.cat([keys.local_KI for keys in found]),
            torch.stack([keys.text_I for keys in found]).mean(0),
            torch.stack(images).mean(0) if images else None,
        )

    def _code(self, site: Site, views: Sequence[View], *, shares: bool) -> Code:
        module = self.modules[site.path]
        keys = self._keys(site, views)
        local_KL = self._local(module, keys.local_KI)
        if keys.image_I is None:
            return Code(local_KL, None, SHUT)
        shared_SI = module.delta.a_RI[: site.rank_shared]
        text_I, image_I = keys.text_I, keys.image_I
        if self.terms.centre and site.path in self.state.grounds:
            ground = self.state.grounds[site.path]
            text_I, image_I = text_I - ground.text_I, image_I - ground.image_I
        evidence = (text_I, image_I) if self.terms.evidence == "full" else (shared_SI @ text_I, shared_SI @ image_I)
        gate = judge(*evidence, tau=self.terms.tau, beta=self.terms.beta, floor=self.terms.gate_floor)
        if not shares:
            return Code(local_KL, None, gate)
        key_S = shared_key(gate, shared_SI @ keys.text_I, shared_SI @ keys.image_I)
        if key_S is not None and self.terms.shared_key == "root_gate":
            key_S = math.sqrt(gate.gamma) * key_S
        return Code(local_KL, key_S, gate)

    def _local(self, module: Written, keys_KI: Float[Tensor, "K I"]) -> Float[Tensor, "K L"]:
        codes_KL = keys_KI @ module.delta.a_RI[module.rank_shared :].T
        return in_units(codes_KL, module.unit_local if self.terms.normalise_keys else None)

    def _direction(self, site: Site, gradient_OR: Float[Tensor, "O R"], code: Code) -> Float[Tensor, "O R"]:
        """eta Q G P of both branches, with P of earlier keys, or of this one too (`preconditioner`).

        The factor is kept as s B, and G is taken for it, hence s squared.
        """
        module = self.modules[site.path]
        cut = site.rank_shared
        eta = self.terms.eta_local if site.side == "text" else self.terms.eta_vision
        current = self.terms.preconditioner == "current"
        p_local_LL = self._local_after(module, code.local_KL) if current else module.p_local_LL
        direction_OR = torch.zeros_like(gradient_OR)
        direction_OR[:, cut:] = self._stride(eta, module.unit_local) * gradient_OR[:, cut:] @ p_local_LL
        if code.shared_S is not None:
            stride = self._stride(self.terms.eta_shared * code.gate.own, module.unit_shared)
            p_shared_SS = self._shared_after(module, code.shared_S) if current else module.p_shared_SS
            direction_OR[:, :cut] = stride * gradient_OR[:, :cut] @ p_shared_SS
        return direction_OR if module.outward is None else module.outward.of(direction_OR)

    def _length(self, nats: float, gradients: Mapping[str, Tensor], directions: Mapping[str, Tensor]) -> float:
        """How far to go along the directions: once, or as far as the loss would need to reach zero if it went on falling at their
        slope, times `relaxation` (Polyak's step), but by no more than `longest` in any module."""
        if self.terms.step_length == "fixed":
            return 1.0
        slope = sum(float((gradients[path] * d_OR).sum()) for path, d_OR in directions.items())
        length = self.terms.relaxation * nats / slope if slope > 0 else 0.0
        if self.terms.longest is None:
            return length
        bounds = (self._norm(path) / max(float(d_OR.norm()), 1e-12) for path, d_OR in directions.items())
        return min(length, self.terms.longest * min(bounds))

    def _norm(self, path: str) -> float:
        """Of a module's own weight."""
        if path not in self.norms:
            self.norms[path] = float(torch.linalg.vector_norm(plain(linear(self.model, path), path), dtype=torch.float32))
        return self.norms[path]

    def _move(self, path: str, step_OR: Float[Tensor, "O R"]) -> None:
        """B <- B - step, on a copy the first time."""
        module = self.modules[path]
        b_OR = module.delta.b_OR
        if b_OR is self.state.modules[path].delta.b_OR:
            b_OR = b_OR.clone()
        b_OR -= step_OR.to(b_OR.dtype)
        self.modules[path] = replace(module, delta=Delta(module.delta.a_RI, b_OR))

    def _stride(self, eta: float, unit: float | None) -> float:
        stride = eta * self.terms.scale**2
        return stride / max(unit, 1e-12) if self.terms.normalise_step and unit is not None else stride

    def _remember(self, sites: Sequence[Site]) -> None:
        for site in sites:
            module, code = self.modules[site.path], self.codes[site.path]
            p_shared_SS = module.p_shared_SS
            if code.shared_S is not None:
                p_shared_SS = self._shared_after(module, code.shared_S)
            self.modules[site.path] = replace(module, p_shared_SS=p_shared_SS, p_local_LL=self._local_after(module, code.local_KL))

    def _shared_after(self, module: Written, code_S: Float[Tensor, " S"]) -> Float[Tensor, "S S"]:
        return after(module.p_shared_SS, code_S[None], lam=self.terms.lambda_shared)

    def _local_after(self, module: Written, codes_KL: Float[Tensor, "K L"]) -> Float[Tensor, "L L"]:
        return after(module.p_local_LL, codes_KL, lam=self.terms.lambda_local)

    def _telemetry(self) -> dict[str, JSON]:
        sites: dict[str, JSON] = {path: self._site_telemetry(path, code) for path, code in self.codes.items()}
        return {
            "steps": len(self.groups),
            "lengths": [finite(length) for length in self.lengths],
            "losses_nats": [finite(loss) for loss in self.losses_nats],
            "groups": [list(groups) for groups in self.groups],
            "sites": sites,
        }

    def _site_telemetry(self, path: str, code: Code) -> JSON:
        module, old = self.modules[path], self.state.modules[path]
        moved_OR = module.delta.b_OR.float() - old.delta.b_OR.float()
        cut = module.rank_shared
        numbers = {
            "cosine": code.gate.cosine,
            "support": code.gate.support,
            "gamma": code.gate.gamma,
            "gamma_self": code.gate.own,
            "moved_local": float(torch.linalg.vector_norm(moved_OR[:, cut:])),
            "moved_shared": float(torch.linalg.vector_norm(moved_OR[:, :cut])),
            "norm_local": float(torch.linalg.vector_norm(module.delta.b_OR[:, cut:].float())),
            "norm_shared": float(torch.linalg.vector_norm(module.delta.b_OR[:, :cut].float())),
            "plasticity_local": plasticity(module.p_local_LL),
            "plasticity_shared": plasticity(module.p_shared_SS),
        }
        return {name: finite(number) for name, number in numbers.items()}


def _reached(site: Site, views: Sequence[View]) -> bool:
    return any(site.path in view.seen.inputs for view in views)
