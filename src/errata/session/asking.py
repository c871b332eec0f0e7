"""How a state is asked: with room for what must be said, and who spoke told as far as it can be.

Who spoke is known after an answer where every edit has a place of its own (`core.model.Generated.spoke`); edits that share weights
are told apart by leaving each one out (`takeback.left_out`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from errata.core.errors import BadInput
from errata.core.model import ANSWER_TOKENS, Model, Patch
from errata.core.records import Query
from errata.log import EditLog
from errata.nn.patches import NoPatch
from errata.session.receipts import Answer

Read = Callable[[Query], Patch]
"""What a state has to say to a query."""

_ENDS: Final = 2
"""Tokens beside a target's bytes: one that a tokenizer may put in front, and the end."""


def unedited(query: Query) -> NoPatch:
    """The state that has nothing to say."""
    return NoPatch()


def needed(model: Model, query: Query, target: str | None) -> int:
    """How many new tokens let the query be answered with the target and ended; ANSWER_TOKENS at least."""
    if target is None or len(target.encode()) + _ENDS <= ANSWER_TOKENS:  # a token is a byte or more
        return ANSWER_TOKENS
    return max(ANSWER_TOKENS, len(model.positions(query, target).target) + 1)


def heard(
    model: Model, read: Read, queries: Sequence[Query], *, targets: Sequence[str | None] = (), limit: int | None = None
) -> list[Answer]:
    """The answers with who spoke; where that can't be told, every edit that may have. One batch, and one for each longer limit.

    Args:
        model: the model; left as found.
        read: what the state has to say to a query.
        queries: what is asked.
        targets: for each query what it should be answered with, None where that isn't known; none: of no query.
        limit: new tokens at most; None: ANSWER_TOKENS, or what a target needs.
    """
    wanted = targets or [None] * len(queries)
    limits = [needed(model, query, target) if limit is None else limit for query, target in zip(queries, wanted, strict=True)]
    patches = [read(query) for query in queries]
    answers: dict[int, Answer] = {}
    for most in sorted(set(limits)):
        rows = [row for row, own in enumerate(limits) if own == most]
        found = model.generated([queries[row] for row in rows], [patches[row] for row in rows], max_new_tokens=most)
        for row, one in zip(rows, found, strict=True):
            told, patch = one.spoke is not None, patches[row]
            spoke = patch.edits if one.spoke is None else one.spoke
            answers[row] = Answer(one.text, spoke, patch.decision, told, one.whole, one.prompt, one.tokens)
    return [answers[row] for row in range(len(queries))]


def answered(model: Model, log: EditLog, read: Read, queries: Sequence[Query], *, limit: int | None) -> list[Answer]:
    """What somebody is told who asks: `heard`, and where no limit was given, `ended`."""
    answers = heard(model, read, queries, limit=limit)
    return answers if limit is not None else ended(model, log, read, queries, answers)


def ended(model: Model, log: EditLog, read: Read, queries: Sequence[Query], answers: Sequence[Answer]) -> list[Answer]:
    """The answers, those that were cut asked again with the room that the corrections that speak need, where that is more."""
    found = list(answers)
    for row, (query, answer) in enumerate(zip(queries, answers, strict=True)):
        if answer.whole or not answer.edits:
            continue
        with suppress(BadInput):  # beyond the model's context
            limit = max(needed(model, query, log.words(edit).target) for edit in answer.edits)
            if limit > ANSWER_TOKENS:
                found[row] = heard(model, read, [query], limit=limit)[0]
    return found


def said(model: Model, read: Read, queries: Sequence[Query], *, targets: Sequence[str | None] = ()) -> list[str]:
    """The texts of `heard`."""
    return [answer.text for answer in heard(model, read, queries, targets=targets)]
