"""How a state is asked: with room for what must be said, and who spoke told as far as it can be.

Who spoke is known after an answer where every edit has a place of its own (`core.model.Generated.spoke`). Edits that share weights
are told apart by leaving each one out: exact for any editor, at the price of a state without it for each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.model import ANSWER_TOKENS, Model, Patch
from errata.core.records import EditId, Query
from errata.nn.patches import NoPatch
from errata.session.checks import check_out
from errata.session.receipts import Answer

if TYPE_CHECKING:
    from errata.session.session import Session

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
            answers[row] = Answer(one.text, one.spoke if one.spoke is not None else patch.edits, patch.decision, told, one.whole)
    return [answers[row] for row in range(len(queries))]


def said(model: Model, read: Read, queries: Sequence[Query], *, targets: Sequence[str | None] = ()) -> list[str]:
    """The texts of `heard`."""
    return [answer.text for answer in heard(model, read, queries, targets=targets)]


def left_out(
    session: Session,
    queries: Sequence[Query],
    answers: Sequence[Answer],
    *,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> list[tuple[EditId, ...]]:
    """For each answer the edits without which it would be another: each that spoke, or may have, is left out once.

    Not all that spoke are: the model may say the same by itself, or another edit in its place.

    Args:
        session: with edits in force.
        queries: what was asked.
        answers: what `session.ask` said to each.
        progress: told how many edits have been left out.

    Raises:
        BadInput: an edit can't be left out, since its effect was pinned.
    """
    model, editor = session.model, session.editor
    rows_of: dict[EditId, list[int]] = {}
    for row, answer in enumerate(answers):
        for edit in answer.edits:
            rows_of.setdefault(edit, []).append(row)
    check_out(session.log, tuple(rows_of), ended=())
    found: list[list[EditId]] = [[] for _ in queries]
    for number, (edit, rows) in enumerate(rows_of.items(), start=1):
        state = session.without((edit,)).state
        asked = [queries[row] for row in rows]
        rooms = [answers[row].text if _expressible(model, queries[row], answers[row].text) else None for row in rows]
        for row, answer in zip(rows, heard(model, partial(editor.read, model, state), asked, targets=rooms), strict=True):
            if not same(answers[row].text, answer.text):
                found[row].append(edit)
        progress("left out", number, len(rows_of))
    return [tuple(edits) for edits in found]


def _expressible(model: Model, query: Query, text: str) -> bool:
    """Whether an answer can be put to the model as a target: what was cut, or is no text, can't always."""
    with suppress(BadInput):
        needed(model, query, text)
        return True
    return False
