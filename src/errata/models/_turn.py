"""What a chat template writes around an answer, read off by having it write two conversations.

Nothing is known of any template beforehand: made-up words go in, and what stands between them comes out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from errata.core.errors import BadInput, quoted
from errata.core.records import Message, Query
from errata.models._front import Turn

_ASKED: Final = ("zqa", "zqb", "zqc")
"""Words that no template writes: a question, its answer, another question."""

Writer = Callable[[Query], str]
"""A conversation as the template writes it, up to where an answer begins; raises `BadInput` where it refuses."""


def turn_of(write: Writer, tokenizer: Any) -> Turn:
    """What a template writes before an answer, after it, and between turns.

    Args:
        write: renders a conversation.
        tokenizer: the checkpoint's.
    """
    first, answer, second = _ASKED
    prompt = write(Query.ask(first))
    fallback = "" if prompt[-1:].isspace() or _ends_with_control(prompt, tokenizer) else " "
    try:
        told = write(Query((Message("user", (first,)), Message("assistant", (answer,)), Message("user", (second,)))))
    except BadInput:  # one question only
        return Turn(fallback, None, _plain((prompt.split(first)[0], prompt.split(first)[-1]), tokenizer))
    marks = _plain(_between(told), tokenizer)
    head, found, tail = told.partition(answer)
    ids = tokenizer(tail.lstrip(" "), add_special_tokens=False)["input_ids"]
    controls = {*tokenizer.all_special_ids, *tokenizer.added_tokens_decoder}
    end = int(ids[0]) if ids and ids[0] in controls else None
    return Turn(head[len(prompt) :] if found and head.startswith(prompt) else fallback, end, marks)


def check_turns(turn: Turn, texts: Sequence[str]) -> None:
    """Whether texts write no turn of their own.

    Raises:
        BadInput: one holds what stands between turns.
    """
    for mark in turn.marks:
        if any(mark in text for text in texts):
            raise BadInput(
                f"The text holds {quoted(mark)}, which begins a turn of this model's conversations. Write it differently."
            )


def _between(told: str) -> list[str]:
    first, answer, second = _ASKED
    before, _, rest = told.partition(first)
    to_answer, _, rest = rest.partition(answer)
    to_user, _, after = rest.partition(second)
    return [before, to_answer, to_user, after]


def _plain(pieces: Sequence[str], tokenizer: Any) -> tuple[str, ...]:
    """The pieces that are words alone. A control token in a piece keeps it from being written: a text can't hold one.

    Of a piece with controls what stands after the last one could be written, but not what makes it a turn.
    """
    controls = _controls(tokenizer)
    found = {piece.strip() for piece in pieces if piece.strip() and not any(control in piece for control in controls)}
    return tuple(sorted(piece for piece in found if not piece.isalnum()))


def _ends_with_control(prompt: str, tokenizer: Any) -> bool:
    return any(prompt.endswith(control) for control in _controls(tokenizer))


def _controls(tokenizer: Any) -> set[str]:
    return {*tokenizer.all_special_tokens, *(token.content for token in tokenizer.added_tokens_decoder.values())}
