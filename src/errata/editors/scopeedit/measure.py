"""What ScopeEdit measures on the pool before the first edit: the size of codes, and what texts and images have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from errata.core.model import Model, Positions, Spoken
from errata.core.records import Query
from errata.editors._sites import Site
from errata.editors.scopeedit.keys import KeyPositions, Protected, keys_of, look, protection_key
from errata.editors.scopeedit.state import Ground, State, Written
from errata.nn.outward import Sketch
from errata.nn.trace import Inputs


def measure(
    model: Model,
    state: State,
    sites: Sequence[Site],
    pool: Sequence[Query],
    *,
    at: KeyPositions,
    protect: Protected | None,
    traffic: float,
    outward: float,
    seed: int,
) -> State:
    """The state with its units, grounds and first preconditioners, from one pass for each query of the pool that has an answer; and
    with output-side factors, for which each pass is a forward and a backward one, where `outward` isn't 0.

    A module that no query of the pool reaches (the projector, in a pool of words) stays unmeasured; the first edit that reaches it
    sets its units.

    Args:
        protect: where the keys of protected queries are pooled: of a module that is written alone no edit can change them, and they
            are taken now. None: no query is protected.
    """
    texts: dict[str, list[Tensor]] = {site.path: [] for site in sites}
    images: dict[str, list[Tensor]] = {site.path: [] for site in sites}
    codes: dict[str, list[Tensor]] = {site.path: [] for site in sites}
    lone = sites[0] if protect is not None and len(sites) == 1 and sites[0].side == "text" else None
    protecting: list[Tensor | None] = []
    sketches = {path: _sketch(module, path, seed) for path, module in state.modules.items()} if outward else {}
    for query, answer in zip(pool, state.answers, strict=True):
        if answer is None:
            protecting.append(None)
            continue
        positions = model.positions(query, answer)
        speak = model.speaking(query, answer, changing=tuple(state.modules))
        looked = look(model, state.modules, [speak], _own_loss if outward else None)
        inputs = looked.views[0].inputs
        for path, gradient_OR in looked.gradients.items():
            sketches[path].add(gradient_OR)
        for site in sites:
            if site.path in inputs:
                keys = keys_of(site, inputs[site.path], positions, at=at, each=True)
                texts[site.path].append(keys.text_I)
                codes[site.path].append(keys.local_KI @ state.modules[site.path].delta.a_RI.T)
                images[site.path] += [] if keys.image_I is None else [keys.image_I]
        if lone is not None:
            protecting.append(_protection(lone, state, inputs, positions, narrow=protect == "predicting"))
    modules = dict(state.modules)
    grounds: dict[str, Ground] = {}
    for site in sites:
        if not texts[site.path]:
            continue
        keys_KI = torch.stack(texts[site.path])
        modules[site.path] = modules[site.path].measured(keys_KI).used_to(torch.cat(codes[site.path]), weight=traffic)
        if outward:
            modules[site.path] = replace(modules[site.path], outward=sketches[site.path].factor(outward))
        if images[site.path]:
            grounds[site.path] = Ground(keys_KI.mean(0), torch.stack(images[site.path]).mean(0))
    if lone is None:
        return replace(state, modules=modules, grounds=grounds)
    return replace(state, modules=modules, grounds=grounds, protecting={lone.path: _table(protecting, lone.rank_local)})


def _protection(site: Site, state: State, inputs: Inputs, positions: Positions, *, narrow: bool) -> Tensor:
    """The local code of a protected query, one row."""
    key_I = protection_key(inputs[site.path], positions, narrow=narrow)
    return key_I[None] @ state.modules[site.path].delta.a_RI[site.rank_shared :].T


def _table(codes: Sequence[Tensor | None], width: int) -> Tensor:
    """One row for each query, of zeros where there is no code."""
    held = next((code for code in codes if code is not None), torch.zeros(1, width))
    return torch.cat([held.new_zeros(1, width) if code is None else code for code in codes])


def _own_loss(spoken: Sequence[Spoken]) -> Tensor:
    return spoken[0].loss


def _sketch(module: Written, path: str, seed: int) -> Sketch:
    b_OR = module.delta.b_OR
    return Sketch(b_OR.shape[0], seed=seed, name=path, device=b_OR.device)
