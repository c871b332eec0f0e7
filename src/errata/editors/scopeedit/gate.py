"""The evidence gate: how far an edit may go beyond its own words, judged from what text and image say at one layer.

ScopeEdit (arXiv 2607.01978) writes a shared branch only as far as the two kinds of evidence point the same way and are of like
size. With u the text evidence (where the answer is made) and v the image evidence (over the image's positions) of one layer,

    c = <u, v> / (|u| |v| + eps)            rho = min(|u|, |v|) / (max(|u|, |v|) + eps)
    gamma = sigmoid(beta (c - tau)) rho
    gamma_self = gamma |v| / (|u| + |v| + eps)        gamma_other = gamma |u| / (|u| + |v| + eps)

The shared step is multiplied by gamma_self: at most a half when the two balance, and not symmetric: of two edits with one gamma the
one with the stronger image writes more. The gate acts when writing; a reader meets no gate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

EPS = 1e-6
"""Below this norm there is no evidence, and the gate is shut (the published value)."""


@dataclass(frozen=True)
class Gate:
    """What the evidence of one module allows."""

    cosine: float = 0.0
    """c, in [-1, 1]."""

    support: float = 0.0
    """rho, in [0, 1]."""

    gamma: float = 0.0
    own: float = 0.0
    """gamma_self: multiplies the shared step."""

    other: float = 0.0
    """gamma_other: with gamma_self, the weights of the shared key."""


SHUT = Gate()
"""No evidence from one of the two sides: nothing is shared."""


def judge(text_E: Float[Tensor, " E"], image_E: Float[Tensor, " E"], *, tau: float, beta: float, floor: float) -> Gate:
    """The gate from the two evidence vectors, which live in one space of any width E.

    Args:
        tau: the cosine at which the sigmoid is at a half.
        beta: how sharply it opens there.
        floor: a gamma below this counts as 0, so that a shut gate costs nothing; 0 as published.
    """
    text, image = float(text_E.norm()), float(image_E.norm())
    if text <= EPS or image <= EPS:
        return SHUT
    cosine = float(text_E @ image_E) / (text * image + EPS)
    support = min(text, image) / (max(text, image) + EPS)
    gamma = support / (1.0 + math.exp(-beta * (cosine - tau)))
    if gamma < floor:
        return Gate(cosine, support)
    both = text + image + EPS
    return Gate(cosine, support, gamma, own=gamma * image / both, other=gamma * text / both)


def shared_key(gate: Gate, text_S: Float[Tensor, " S"], image_S: Float[Tensor, " S"]) -> Float[Tensor, " S"] | None:
    """q, of unit norm: the direction in the shared coordinates that this edit takes up; None when the gate is shut.

    q is proportional to gamma_other u + gamma_self v with u, v the evidence in the S shared coordinates.
    """
    q_S = gate.other * text_S + gate.own * image_S
    norm = float(q_S.norm())
    return q_S / norm if norm > EPS else None
