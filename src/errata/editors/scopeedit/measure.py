"""What ScopeEdit measures on the pool before the first edit: the size of codes, and what texts and images have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from errata.core.model import Model, Spoken
from errata.core.records import Query
from errata.editors._sites import Site
from errata.editors.scopeedit.keys import KeyPositions, keys_of, look
from errata.editors.scopeedit.state import Ground, State, Written
from errata.nn.outward import Sketch


def measure(
    model: Model,
    state: State,
    sites: Sequence[Site],
    pool: Sequence[Query],
    *,
    at: KeyPositions,
    traffic: float,
    outward: float,
    seed: int,
) -> State:
    """The state with its units, grounds and first preconditioners, from one pass for each query of the pool that has an answer; and
    with output-side factors, for which each pass is a forward and a backward one, where `outward` isn't 0.

    A module that no query of the pool reaches (the projector, in a pool of words) stays unmeasured; the first edit that reaches it
    sets its units.
    """
    texts: dict[str, list[Tensor]] = {site.path: [] for site in sites}
    images: dict[str, list[Tensor]] = {site.path: [] for site in sites}
    codes: dict[str, list[Tensor]] = {site.path: [] for site in sites}
    sketches = {path: _sketch(module, path, seed) for path, module in state.modules.items()} if outward else {}
    for query, answer in zip(pool, state.answers, strict=True):
        if answer is None:
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
    return replace(state, modules=modules, grounds=grounds)


def _own_loss(spoken: Sequence[Spoken]) -> Tensor:
    return spoken[0].loss


def _sketch(module: Written, path: str, seed: int) -> Sketch:
    b_OR = module.delta.b_OR
    return Sketch(b_OR.shape[0], seed=seed, name=path, device=b_OR.device)
