"""The guard: an edit is read back before it is committed. Pure: two states go in, a verdict comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from errata.core.editor import Editor
from errata.core.errors import quoted
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit
from errata.session.asking import said

Gives = Callable[[Edit, str], bool]
"""Whether an answer to an edit's query, or to one of its `also`, gives the edit's target."""


def gives_itself(edit: Edit, answer: str) -> bool:
    """Whether an answer is the edit's target itself."""
    return same(answer, edit.target)


@dataclass(frozen=True)
class Verdict:
    """What the read-back found."""

    before: str
    """The answer to the edit's query before the write."""

    after: str
    kept: tuple[bool, ...]
    """For each query of `keep`, whether its answer stayed."""

    why: str
    """Why the edit must be refused; empty when it may pass."""

    also: tuple[str, ...] = ()
    """The answer to each of `also` after the write."""

    keep: tuple[tuple[str, str], ...] = ()
    """The answer to each of `keep` before the write, and after."""

    @property
    def passed(self) -> bool:
        return not self.why


def read_back(model: Model, editor: Editor[Any], *, before: Any, after: Any, edit: Edit, gives: Gives = gives_itself) -> Verdict:
    """Ask the edit's query, its `also` and its `keep` under the old and the new state; `gives` reads what has to be the target."""
    asked = [edit.query, *edit.also, *edit.keep]
    first = 1 + len(edit.also)
    wanted = [*[edit.target] * first, *[None] * len(edit.keep)]
    old = said(model, partial(editor.read, model, before), [edit.query, *edit.keep])
    new = said(model, partial(editor.read, model, after), asked, targets=wanted)
    kept = tuple(same(was, now) for was, now in zip(old[1:], new[first:], strict=True))
    pairs = tuple(zip(old[1:], new[first:], strict=True))
    return Verdict(old[0], new[0], kept, _why(edit, new[:first], kept, gives), tuple(new[1:first]), pairs)


def _why(edit: Edit, answers: list[str], kept: tuple[bool, ...], gives: Gives) -> str:
    for number, answer in enumerate(answers):
        if gives(edit, answer):
            continue
        if number:
            return f"wording {number} of `also` gives {quoted(answer)} instead of {quoted(edit.target)}"
        return f"it was not learned: the model answers {quoted(answer)} instead of {quoted(edit.target)}"
    for number, stayed in enumerate(kept):
        if not stayed:
            return f"the answer to query {number + 1} of `keep` ({quoted(edit.keep[number].text)}) moved"
    return ""
