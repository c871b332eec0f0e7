"""The corrections beside one: edits in force that a write may have touched are asked again before it is committed.

An acknowledged correction stays, or a receipt says that it doesn't. An editor that knows which earlier edits its last write reached
says so (`core.editor.Touches`: the codebook does, of those that made room too), and a write that would take one of them away is
refused. One that writes into what all edits share moves every edit a little: a bounded sample is asked, the newest and some others,
and what a write took away is named in its receipt; refusing would leave such an editor little to write. The audit finds the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, Final

from errata.core.canonical import JSON
from errata.core.editor import Editor, Touched, Touches
from errata.core.errors import BadImage, quoted
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit, EditId
from errata.log import EditLog
from errata.session.asking import said

MOST: Final = 8
"""Edits that are asked again for one write, beside those that it surely silenced and those that made room for it."""

_FULL: Final = (
    "The editor is full, and they would make room; one with more begins on another branch: errata rebase --model MODEL --onto NAME "
    "--editor NAME:FIELD=VALUE (of the codebook, slots=8192)"
)


@dataclass(frozen=True)
class Lost:
    """A correction that would not be given any more."""

    edit: EditId
    question: str
    target: str
    now: str
    """What its question, or a wording of its `also`, would be answered with."""

    @property
    def sentence(self) -> str:
        return f"edit {self.edit[:12]} ({quoted(self.question)} -> {quoted(self.target)}) would be answered {quoted(self.now)}"

    def to_json(self) -> dict[str, JSON]:
        return {"edit": self.edit, "question": self.question, "target": self.target, "now": self.now}


@dataclass(frozen=True)
class Beside:
    """What was asked again, and what would be lost."""

    asked: tuple[EditId, ...] = ()
    lost: tuple[Lost, ...] = ()
    surely: bool = True
    """Whether the editor said itself whom its write could touch, so that a loss refuses it; else a sample was asked."""

    crowded: bool = False
    """Whether one would be lost because it made room for the write."""

    @property
    def why(self) -> str:
        """Why the write must be refused; empty where nothing is lost, or losses are only named."""
        if not self.lost or not self.surely:
            return ""
        ids = " ".join(f"--supersede {one.edit[:12]}" for one in self.lost)
        told = f"it would take another correction away: {'; '.join(one.sentence for one in self.lost)}. To let it: {ids}"
        return f"{told}. {_FULL}" if self.crowded else told


def beside(
    model: Model, editor: Editor[Any], log: EditLog, *, before: Any, after: Any, edit: Edit, but: Collection[EditId]
) -> Beside:
    """Ask the edits in force that a write may have touched: one batch, and another where something is lost.

    Args:
        model: the model; left as found.
        editor: whose write it was.
        log: what is in force.
        before: the state before the write; what it didn't give either, the write didn't take away.
        after: the state after it.
        edit: what was written.
        but: edits that leave with it.
    """
    standing = [each for each in log.ids_in_force() if each not in but and each != edit.id]
    surely = isinstance(editor, Touches)
    touched = editor.touched(before, after, MOST) if isinstance(editor, Touches) else Touched(near=_sample(standing, edit))
    within = set(standing)
    chosen = dict.fromkeys(each for each in (*touched.gone, *touched.near) if each in within)
    held = [found for each in chosen if (found := readable(log, each)) is not None]
    queries = [(one, query) for one in held for query in (one.query, *one.also)]
    if not queries:
        return Beside()
    asked = [query for _, query in queries]
    targets = [one.target for one, _ in queries]
    now = said(model, partial(editor.read, model, after), asked, targets=targets)
    gone = [index for index, (one, _) in enumerate(queries) if not same(now[index], one.target)]
    again = [asked[index] for index in gone]
    was = said(model, partial(editor.read, model, before), again, targets=[targets[index] for index in gone])
    lost: dict[EditId, Lost] = {}
    for index, text in zip(gone, was, strict=True):
        one, query = queries[index]
        if same(text, one.target):
            lost.setdefault(one.id, Lost(one.id, query.text, one.target, now[index]))
    crowded = any(each in lost for each in touched.gone)
    return Beside(tuple(one.id for one in held), tuple(lost.values()), surely, crowded)


def _sample(standing: Sequence[EditId], edit: Edit) -> list[EditId]:
    newest, older = standing[-MOST // 2 :], standing[: -MOST // 2]
    drawn = sorted(older, key=lambda each: sha256(f"{edit.id}{each}".encode()).digest())[: MOST // 2]  # the same for the same log
    return [*newest, *drawn]


def readable(log: EditLog, edit: EditId) -> Edit | None:
    """The edit; None where its picture was erased, so that it can't be asked."""
    with suppress(BadImage):
        return log.edit(edit)
    return None
