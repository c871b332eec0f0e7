"""What one pass of one query tells ScopeEdit: its loss, the inputs of the written modules, the gradients of their factors.

Everything after that is pooling: which positions of a module's input stand for the edit, and which for its picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.model import Model, Positions, Spoken
from errata.editors._sites import Site
from errata.editors.scopeedit.state import Written
from errata.nn.patches import Delta, LowRank
from errata.nn.trace import Inputs, inputs_of

KeyPositions = Literal["own", "predicting"]
"""Where an answer's key is read: at the answer's own tokens, or at the positions that predict them."""


Protected = Literal["all", "predicting"]
"""What is pooled for the key of a protected query: all of its positions, or those that predict the answer."""


class Seen(NamedTuple):
    """One pass over (query, target) with everything written so far in force."""

    loss_nats: float
    inputs: Inputs


class Looked(NamedTuple):
    """One pass for each view, and a backward one through all of them."""

    views: list[Seen]
    nats: float
    """What was to be lowered."""

    gradients: Mapping[str, Float[Tensor, "O R"]]
    """Path -> its gradient for s B, float32. Empty when nothing was to be learned; a module that didn't run isn't in it."""


Speak = Callable[[], Spoken]
"""What the model gives to one (query, target), under whatever patch is in force at the call: see `Model.speaking`."""

Wanted = Callable[[Sequence[Spoken]], "Float[Tensor, ''] | None"]
"""What is to be lowered, from what came of each view; None where nothing is."""


def look(model: Model, modules: Mapping[str, Written], speaking: Sequence[Speak], wanted: Wanted | None = None) -> Looked:
    """A forward pass for each view, and a backward one if there is something to be lowered.

    Gradients are taken with respect to copies of the handles, not the tensors of the state, and never reach the model's weights.
    """
    learn = wanted is not None
    leaves = {path: module.delta.b_OR.detach().requires_grad_(learn) for path, module in modules.items()}
    patch = LowRank({path: Delta(module.delta.a_RI, leaves[path]) for path, module in modules.items()})
    views, loss = list[Seen](), None
    with torch.set_grad_enabled(learn), patch.on(model):
        spoken = []
        for speak in speaking:
            with inputs_of(model, tuple(modules)) as inputs:
                spoken.append(speak())
            views.append(Seen(float(spoken[-1].loss.detach()), inputs))
        if wanted is not None:
            loss = wanted(spoken)
    if loss is None:
        return Looked(views, 0.0, {})
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    # A projector that no image reached has no gradient, whatever torch's signature says.
    gradients = {path: g.float() for path, g in zip(leaves, found, strict=True) if g is not None}  # type: ignore[redundant-expr]
    return Looked(views, float(loss.detach()), gradients)


class Keys(NamedTuple):
    """The pooled inputs of one module."""

    local_KI: Float[Tensor, "K I"]
    """What is written for: one key, or one for each position of the answer."""

    text_I: Float[Tensor, " I"]
    """Their mean: the text's evidence."""

    image_I: Float[Tensor, " I"] | None
    """The mean over the image's positions, at the same layer; None without an image, and on the vision side."""


def keys_of(site: Site, x_PI: Float[Tensor, "P I"], positions: Positions, *, at: KeyPositions, each: bool) -> Keys:
    """Pool a module's inputs. On the vision side every position is the picture's, so the key is the mean of all.

    Positions that don't match the sequence are an error here, never a silent fallback to other ones: a mask that misses its tokens
    would shut the gate for good without a word.
    """
    if site.side != "text":
        mean_I = x_PI.mean(0)
        return Keys(mean_I[None], mean_I, None)
    assert x_PI.shape[0] == positions.length, f"{site.path} saw {x_PI.shape[0]} positions; the sequence has {positions.length}."
    answer_KI = x_PI[list(positions.predicting if at == "predicting" else positions.target)]
    mean_I = answer_KI.mean(0)
    image_I = x_PI[list(positions.image)].mean(0) if positions.image else None
    return Keys(answer_KI if each else mean_I[None], mean_I, image_I)


def protection_key(x_PI: Float[Tensor, "P I"], positions: Positions, *, narrow: bool) -> Float[Tensor, " I"]:
    """The mean input that stands for a protected query: where its answer is predicted (`narrow`), or everywhere."""
    return (x_PI[list(positions.predicting)] if narrow else x_PI).mean(0)


def in_units(codes_KR: Float[Tensor, "K R"], unit: float | None) -> Float[Tensor, "K R"]:
    """Codes divided by the root of their module's mean squared norm, so that one lambda means the same in every module."""
    return codes_KR if unit is None else codes_KR / max(unit, 1e-12) ** 0.5
