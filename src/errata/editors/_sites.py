"""Where an editor writes: which modules of a model, in which groups, with how much room in each.

The published ScopeEdit writes the MLPs of the last 12 of 32 decoder layers and the projector, at rank 512 = 448 + 64, in the best 7
of these 13 groups. A smaller model gets the same shares of its own depth and width; the published model gets the published numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import nn

from errata.core.errors import BadInput
from errata.core.model import Model, Role

LAYERS_SHARE = 12 / 32
"""Published: the last 12 of LLaMA-7B's 32 layers."""

GROUPS_SHARE = 7 / 13
"""Published: 7 groups written at each step, of 12 layers and the projector."""

SHARED_OF_WRITTEN = 6 / 7
"""Published: the first 6 of the 7 may write the shared branch."""


@dataclass(frozen=True)
class Site:
    """One linear module that is written."""

    path: str
    group: str
    """Modules of one group are chosen together: a decoder layer, or a whole role outside the text side."""

    side: Role
    width: int
    """in_features."""

    out: int
    """out_features."""

    rank_local: int
    rank_shared: int

    @property
    def rank(self) -> int:
        return self.rank_shared + self.rank_local


def spread(model: Model, depths: int, *, until: int | None = None) -> tuple[str, ...]:
    """The first writable module of evenly spread decoder layers: it reads what the layer's attention left.

    Args:
        depths: how many, >= 1.
        until: layers from this one on are left out, but it itself may be the last; None: all may be read.

    Raises:
        BadInput: there are fewer layers.
    """
    last = max(model.groups.values()) + 1 if until is None else until + 1
    if last < depths:
        raise BadInput(f"The model has {last} decoder layers to read; {depths} of them can't be had. Give fewer depths.")
    if until is None:
        layers = [min(round((place + 1) * last / (depths + 0.5)), last - 1) for place in range(depths)]
    else:
        layers = [round((place + 1) * until / depths) for place in range(depths)]
    return tuple(next(path for path in model.writable["text"] if model.groups[path] == layer) for layer in layers)


@dataclass(frozen=True)
class Plan:
    """What resulted for one model."""

    sites: tuple[Site, ...]
    layers: int
    top_k: int
    shared_groups: int

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group, in the order of the sites."""
        return tuple(dict.fromkeys(site.group for site in self.sites))


def linear(model: Model, path: str) -> nn.Linear:
    """The module at a path, which must be linear to be written."""
    module = model.module(path)
    if not isinstance(module, nn.Linear):
        raise BadInput(f"{path} is a {type(module).__name__}, not a linear module: it can't be written. Name others in its family.")
    return module


def last_layers(model: Model, count: int | None) -> tuple[int, ...]:
    """The indices of the last `count` decoder layers that have writable modules; None: the published share of them, rounded up."""
    layers = sorted(set(model.groups.values()))
    if not layers:
        raise BadInput(f"The model {model.name} declares no writable module on its text side. Choose another family.")
    wanted = math.ceil(LAYERS_SHARE * len(layers)) if count is None else min(count, len(layers))
    return tuple(layers[len(layers) - wanted :])


def plan(
    model: Model,
    *,
    layers: int | None,
    projector: bool,
    modules: Literal["all", "last"],
    rank_local: int,
    rank_shared: int,
    rank_share: float,
    top_k: int | None,
    shared_groups: int | None,
) -> Plan:
    """The sites of a model and how many groups of them are written at a time. None asks for the published share."""
    chosen = last_layers(model, layers)
    places: list[tuple[str, str, Role]] = [
        (path, f"layer.{model.groups[path]}", "text") for path in model.writable["text"] if model.groups[path] in chosen
    ]
    if modules == "last":
        places = list({group: (path, group, side) for path, group, side in places}.values())
    if projector:
        places += [(path, "projector", "projector") for path in model.writable["projector"]]
    sites = []
    for path, group, side in places:
        module = linear(model, path)
        local, shared = ranks(module.in_features, local=rank_local, shared=rank_shared, share=rank_share)
        sites.append(Site(path, group, side, module.in_features, module.out_features, local, shared))
    groups = len({site.group for site in sites})
    written = max(1, round(GROUPS_SHARE * groups)) if top_k is None else min(top_k, groups)
    sharing = max(1, round(SHARED_OF_WRITTEN * written)) if shared_groups is None else min(shared_groups, written)
    return Plan(tuple(sites), len(chosen), written, sharing)


def ranks(width: int, *, local: int, shared: int, share: float) -> tuple[int, int]:
    """The two ranks at a module of this width: as asked, unless their sum is above `share` of the width; then both shrink alike."""
    asked = local + shared
    room = max(1, min(asked, int(width * share)))
    if room == asked:
        return local, shared
    fitted = min(round(room * shared / asked), room - 1) if room > 1 else 0
    return room - fitted, fitted
