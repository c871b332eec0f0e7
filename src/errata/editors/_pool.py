"""The pool of ordinary queries that an editor keeps out of the way of: which of them are used, and what the unedited model says."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.records import Query
from errata.nn.patches import NoPatch

ANSWER_TOKENS = 16
"""Answers to pool queries are cut here: their first words are what is protected."""


def split(queries: Sequence[Query]) -> tuple[tuple[Query, ...], tuple[Query, ...]]:
    """The queries without an image, and those with."""
    return tuple(q for q in queries if not q.images), tuple(q for q in queries if q.images)


def draw(queries: Sequence[Query], count: int, seed: int) -> tuple[Query, ...]:
    """`count` of the queries without repetition, or all of them; the same for the same seed."""
    order = torch.randperm(len(queries), generator=torch.Generator().manual_seed(seed))
    return tuple(queries[i] for i in order[:count].tolist())


def halves(pool: Sequence[Query], size: int, seed: int) -> tuple[Query, ...]:
    """`size` queries of a pool, text-only ones first, half and half as far as there are enough."""
    texts, pictures = split(pool)
    pictured = min(len(pictures), max(size // 2, size - len(texts)))
    return draw(texts, size - pictured, seed) + draw(pictures, pictured, seed + 1)


def base_answers(model: Model, pool: Sequence[Query]) -> tuple[str | None, ...]:
    """What the unedited model says to each query, where that can be put back to it as a target."""
    said = model.answers(pool, [NoPatch()] * len(pool), max_new_tokens=ANSWER_TOKENS) if pool else []
    usable: list[str | None] = []
    for query, answer in zip(pool, said, strict=True):
        try:
            model.check(query, answer)
            usable.append(answer if answer.strip() else None)
        except BadInput:  # an answer cut in the middle of a token, say: nothing to measure with
            usable.append(None)
    return tuple(usable)
