"""A rebase: the edits in force of a branch, put to a new base model one after another, onto a new branch; the old one stays.

An edit whose target the new model gives by itself is dropped. Each of the others goes through the guard, as when it was made, under
its author's name; one that is refused now couldn't be carried over, and the rebase says why. At the end the dropped ones are asked
again under all that was carried: one that no longer gets its answer is put too, after the others. Then the carried ones are asked
again: one that later ones took away is lost, and the rebase says so.

Each edit is put under a key that names the old head and the edit: a rebase that was interrupted goes on when it is run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal

from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.editor import Editor
from errata.core.errors import BadInput, LogError
from errata.core.matching import same
from errata.core.model import Model
from errata.core.progress import Progress
from errata.core.records import Edit, EditId, Provenance, instant
from errata.core.rules import Rules
from errata.log import EditLog, Entry, Kind
from errata.session.asking import said, unedited
from errata.session.pools import pool_in
from errata.session.receipts import receipt_in
from errata.session.session import Session

Fate = Literal["carried", "dropped", "failed", "lost"]
"""What became of an edit of the old branch."""

_GIVING: Final[tuple[Kind, ...]] = ("proposed", "applied")
"""The kinds of entries with which an edit comes into a log."""

_REBASED: Final[tuple[Kind, ...]] = ("rebased",)
_GIVEN: Final = "the new model gives the target by itself"


@dataclass(frozen=True)
class Settled:
    """One edit of the old branch, and what became of it."""

    edit: EditId
    fate: Fate
    seq: int
    """The number of its entry on the new branch; 0 where it has none."""

    question: str
    target: str
    why: str
    """Why it was dropped or couldn't be carried over; empty for a carried one."""

    unedited: str
    """What the new model answers by itself; empty where it can't be asked."""

    def to_json(self) -> dict[str, JSON]:
        return {
            "edit": self.edit,
            "fate": self.fate,
            "entry": self.seq,
            "question": self.question,
            "target": self.target,
            "why": self.why,
            "unedited": self.unedited,
        }


@dataclass(frozen=True)
class Rebased:
    """What a rebase did, edit by edit in the old order."""

    old: str
    """The head of the old branch that was rebased: `Entry.mark`."""

    edits: tuple[Settled, ...]

    def those(self, fate: Fate) -> tuple[EditId, ...]:
        return tuple(moved.edit for moved in self.edits if moved.fate == fate)


def check_rebase(old: EditLog, new: EditLog) -> Entry:
    """Whether a branch can be rebased onto another; nothing is changed, and no model is needed.

    Returns:
        The head of the old branch.

    Raises:
        BadInput: the two are the same branch, or the new one holds something else than an unfinished rebase of this head.
        LogError: the old branch has no entries, or an effect on it can't be replayed.
    """
    head = old.head
    if new.branch == old.branch:
        raise BadInput(f"Branch {old.branch!r} can't be rebased onto itself. Name a new branch with --onto.")
    if head is None:
        raise LogError(f"Branch {old.branch!r} has no entries, so there is nothing to rebase. Name another with --branch.")
    pin = old.pin
    if pin is not None:
        raise LogError(
            f"Branch {old.branch!r} can't be rebased: an image was erased with its effect kept (entry {pin.seq}), and what was "
            f"in force then ({counted(pin.edits, 'edit')}) can't be replayed on any model. Nothing was changed. Export the "
            "corrections that can still be read (errata edit export), and import them onto a new branch."
        )
    for entry in new.entries():
        key = entry.details.get("key")
        if entry.kind == "rebased":
            raise BadInput(
                f"Branch {new.branch!r} holds a rebase that is done (entry {entry.seq}). Nothing was changed. Name a new branch "
                "with --onto."
            )
        if entry.kind in ("applied", "refused") and not str(key).startswith(f"{_key(head)}:"):
            raise BadInput(
                f"Branch {new.branch!r} isn't empty: its entry {entry.seq} is no part of a rebase of branch {old.branch!r} at "
                f"entry {head.seq}. Nothing was changed. Name a new branch with --onto."
            )
    return head


def session_onto(model: Model, editor: Editor[Any], *, old: EditLog, new: EditLog, asked: str = "") -> Session:
    """The session of the new branch, with the pool of protected queries that the old one began with.

    Raises:
        WrongStore: the new branch was begun with another model or editor, or the old one's pool was lost.
    """
    first = next(old.entries(1, 2), None)
    pool = () if first is None else pool_in(old, first)
    return Session.open(model, editor, new, pool=pool, asked=asked, beside=True)


def rebase(
    session: Session,
    old: EditLog,
    by: Provenance | None = None,
    *,
    rules: Rules | None = None,
    now: datetime | None = None,
    progress: Progress = lambda what, done, total: None,
) -> Rebased:
    """Put the edits in force of the old branch to the session's model, in their order.

    Args:
        session: of the new branch, on the new model (`session_onto`).
        old: the old branch; only read.
        by: who rebases; each edit keeps its own author, reason and ticket.
        rules: what must and must not follow on the new branch.
        now: the moment at which the edits' validity is judged; None: the present.
        progress: told how many edits are done.

    Raises:
        BadInput, LogError: as `check_rebase`.
        BadImage: an image of an edit in force was lost.
    """
    head = check_rebase(old, session.log)
    old = old.at(head.seq)  # whatever is appended to it meanwhile
    run = _Run(session, _key(head), _authors(old), rules, datetime.now(UTC) if now is None else now)
    total = len(old.ids_in_force())
    found: list[Settled] = []
    for edit in old.in_force():
        found.append(run.put(edit))
        progress("edits", len(found), total)
    for number, moved in enumerate(found):
        if moved.why == _GIVEN:
            found[number] = run.dropped_still(old.edit(moved.edit), moved)
    if old.two_people and not session.log.two_people:  # now that everything is carried over: two people agreed to each
        session.record("ruled", None, by, details={"two_people": True})
    done = Rebased(head.mark, run.asked_again(old, found))
    session.record("rebased", None, by, details=_told(session, old, done), key=run.key)
    return done


@dataclass(frozen=True)
class _Run:
    """What is the same for every edit of a rebase."""

    session: Session
    key: str
    authors: Mapping[EditId, Provenance]
    rules: Rules | None
    now: datetime

    def put(self, edit: Edit) -> Settled:
        """One edit, in its turn."""
        unedited = self._unedited(edit)
        if self.session.log.keyed(self._key(edit)) is not None:  # an interrupted run settled it
            return self._carry(edit, unedited)
        if edit.valid_until is not None and instant(edit.valid_until) <= self.now:
            return _settled(edit, "dropped", why=f"its time was over on {edit.valid_until}", unedited=unedited)
        if unedited and _given(edit, unedited):
            return _settled(edit, "dropped", why=_GIVEN, unedited=unedited)
        return self._carry(edit, unedited)

    def dropped_still(self, edit: Edit, moved: Settled) -> Settled:
        """A dropped edit, asked again under all that was carried, and put after all where its answer moved."""
        wordings = [edit.query, *edit.also]
        answers = self.session.said(wordings, self.session.state, [edit.target] * len(wordings))
        return moved if _given(edit, answers) else self._carry(edit, [moved.unedited])

    def asked_again(self, old: EditLog, found: Sequence[Settled]) -> tuple[Settled, ...]:
        """The carried ones, asked once more under all that was carried; what isn't given any more is lost."""
        carried = {moved.edit: old.edit(moved.edit) for moved in found if moved.fate == "carried"}
        pairs = [(edit, query) for edit in carried.values() for query in (edit.query, *edit.also)]
        answers = self.session.said([query for _, query in pairs], self.session.state, [edit.target for edit, _ in pairs])
        lost = {
            edit.id: text for (edit, _), text in zip(reversed(pairs), reversed(answers), strict=True) if not same(text, edit.target)
        }
        return tuple(
            replace(moved, fate="lost", why=f"given when it was put; after the others {lost[moved.edit]!r} is answered")
            if moved.edit in lost
            else moved
            for moved in found
        )

    def _carry(self, edit: Edit, unedited: Sequence[str]) -> Settled:
        key = self._key(edit)
        known = self.session.log.keyed(key)
        try:
            by = self.authors[edit.id]
            receipt = self.session.edit(edit, by, key=key, rules=self.rules) if known is None else receipt_in(known)
        except BadInput as error:  # such as a prompt that is too long for the new model
            return _settled(edit, "failed", why=str(error), unedited=unedited)
        fate: Fate = "carried" if receipt.status == "applied" else "failed"
        return _settled(edit, fate, seq=receipt.seq, why=receipt.why, unedited=unedited)

    def _unedited(self, edit: Edit) -> list[str]:
        """What the new model says by itself to the question and every wording; nothing where it can't be asked."""
        queries, model = [edit.query, *edit.also], self.session.model
        try:
            for query in queries:
                model.check(query)
        except BadInput:
            return []
        return said(model, unedited, queries, targets=[edit.target] * len(queries))

    def _key(self, edit: Edit) -> str:
        return f"{self.key}:{edit.id}"


def _given(edit: Edit, answers: Sequence[str]) -> bool:
    return all(same(answer, edit.target) for answer in answers)


def _settled(edit: Edit, fate: Fate, *, seq: int = 0, why: str, unedited: Sequence[str]) -> Settled:
    return Settled(edit.id, fate, seq, edit.query.text, edit.target, why, unedited[0] if unedited else "")


def _key(head: Entry) -> str:
    return f"rebase:{head.hash}"


def _authors(old: EditLog) -> dict[EditId, Provenance]:
    """Who made each edit, as the entry with which it came says: a later one is by whoever approved or restored it."""
    found: dict[EditId, Provenance] = {}
    for entry in old.find(kinds=_GIVING):
        if entry.edit_id is not None:
            found.setdefault(entry.edit_id, entry.by)
    return found


def _told(session: Session, old: EditLog, done: Rebased) -> dict[str, JSON]:
    """What the `rebased` entry remembers."""
    first = next(old.entries(1, 2))
    was = first.details.get("model")
    return {
        "from": old.branch,
        "head": done.old,
        "old_model": was.get("digest") if isinstance(was, Mapping) else None,
        "model": session.model.digest,
        "carried": list(done.those("carried")),
        "dropped": list(done.those("dropped")),
        "failed": {moved.edit: moved.why for moved in done.edits if moved.fate == "failed"},
        **({"lost": list(done.those("lost"))} if done.those("lost") else {}),
    }
