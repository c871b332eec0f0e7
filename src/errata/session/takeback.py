"""Taking back more than one edit, and bringing one back: a range, all since a point in time, all that needs an image.

Always by new entries, never by a deletion. The state that results is worked out before the first entry is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import takewhile

from errata.core.canonical import JSON
from errata.core.errors import BadInput, LogError, Unknown
from errata.core.records import Edit, EditId, Provenance, Query, instant
from errata.core.rules import Rules
from errata.log import EditLog, Kind, Snapshots, holding
from errata.session.frozen import frozen
from errata.session.pools import pool_in
from errata.session.receipts import Moved, Receipt, beyond
from errata.session.session import Session

_APPLIED: tuple[Kind, ...] = ("applied",)


@dataclass(frozen=True)
class Returned:
    """What going back to a point in time did, or would do."""

    seq: int
    """The entry whose state is in force again."""

    out: tuple[EditId, ...]
    """Edits taken back."""

    back: tuple[EditId, ...]
    """Edits applied again."""

    own: tuple[Moved, ...]
    """The question of each of these edits, in this order, with the answers before and after."""

    moved: tuple[Moved, ...]
    """Of the other queries that were asked, the answers that change."""

    asked: int
    """How many other queries were asked, each counted once."""


@dataclass(frozen=True)
class Erased:
    """What the erasing of an image did."""

    image: str
    reverted: tuple[Receipt, ...]
    kept: tuple[EditId, ...]
    """The edits whose effect stays though they can't be replayed any more."""

    branches: tuple[str, ...]
    """Other branches whose entries name the image; each says now that it was erased."""


def to_point(
    session: Session,
    seq: int,
    by: Provenance | None = None,
    *,
    dry_run: bool = False,
    others: Sequence[Query] = (),
) -> Returned:
    """Bring back the state after entry `seq`: what was applied since is reverted, what was withdrawn since is applied again.

    Edits are reverted from the last one back and applied again in their old order, so that the fold is the one of then.

    Args:
        session: of the present.
        seq: the entry.
        by: who, and why.
        dry_run: append nothing; the result says what would happen.
        others: queries of which the result tells whose answers change; those of the edits themselves aren't among them.

    Raises:
        BadInput: nothing has changed since; nothing was changed.
        LogError: there is no such entry, or what happened since can't be undone.
        BadImage: an edit that would have to be applied again needs an image that was erased.
    """
    if not dry_run:
        session.expire()
    past = session.log.at(seq)
    over = {edit for edit, end in past.ending().items() if instant(end) <= session.now()}
    then, now = tuple(edit for edit in past.ids_in_force() if edit not in over), session.standing()
    common = len(list(takewhile(lambda pair: pair[0] == pair[1], zip(then, now, strict=False))))
    out, back = tuple(reversed(now[common:])), then[common:]
    if not out and not back:
        raise BadInput(f"The edits in force are those after entry {seq} already. Nothing was changed.")
    pin = session.log.pin
    if pin is not None and pin.edits > common:
        raise LogError(
            f"The state after entry {seq} can't be brought back: an image was erased with its effect kept (entry {pin.seq}), and "
            "nothing before that can be replayed. Nothing was changed."
        )
    state, _ = session.folded(past, over)
    again = [session.log.edit(edit) for edit in back]
    queries = [*(session.log.edit(edit).query for edit in out), *(edit.query for edit in again)]
    before, after = session.said(queries, session.state), session.said(queries, state)
    own = tuple(Moved(query.text, was, is_) for query, was, is_ in zip(queries, before, after, strict=True))
    apart = beyond(others, queries)
    moved = session.moved(apart, state)
    if not dry_run:
        for edit_id, one in zip(out, own, strict=False):
            session.record("reverted", None, by, edit_id=edit_id, details={"to": seq, "before": one.before, "after": one.after})
        for edit, one in zip(again, own[len(out) :], strict=True):
            told = {**_restored(session, edit, seq), "before": one.before, "after": one.after}
            session.record("applied", edit, by, details=told)
        session.move(state)
    return Returned(seq, out, back, own, moved, len(apart))


def restore(session: Session, edit_id: EditId, by: Provenance | None = None, *, rules: Rules | None = None) -> Receipt:
    """Apply an edit again that was in force once: reverted, superseded, expired or quarantined since. It is guarded as any other.

    Args:
        session: of the present.
        edit_id: the edit.
        by: who, and why.
        rules: what it must not break.

    Raises:
        BadInput: it is in force, or was never applied; nothing was changed.
        BadImage: it needs a picture that was erased.
    """
    if edit_id in session.standing():
        raise BadInput(f"The edit {edit_id[:12]} is in force, so there is nothing to restore. Nothing was changed.")
    if next(session.log.find(edit_id, kinds=_APPLIED), None) is None:
        raise BadInput(
            f"The edit {edit_id[:12]} was never applied, so there is nothing to restore. If it waits for approval, approve it."
        )
    return session.edit(session.log.edit(edit_id), by, rules=rules)


def erase_image(session: Session, named: str, by: Provenance | None = None, *, keep_effect: bool = False) -> Erased:
    """Remove an image for good: a person's right. The chain stays whole, for entries hold its digest alone.

    An edit in force that needs the image is reverted; with `keep_effect` the state of now is pinned instead: every later fold
    starts from it, and what came before can't be taken back or rebased any more. The other branches that name the image are told
    first; then comes the entry that it is to be erased, then its bytes and all snapshots go, then an entry says that they are gone:
    a crash in between is made good when the branch is next opened to be written to.

    Args:
        session: of the branch where the edits are in force.
        named: the image's digest, or its first digits.
        by: who, and why.
        keep_effect: pin the state.

    Raises:
        Unknown: no entry of the branch names such an image.
        Held: another process writes to a branch that names it; nothing was changed.
        LogError: it is erased already, the log's pool or an edit in force on another branch needs it, an edit in force that
            needs it can't be reverted, or the editor's state holds the picture itself; nothing was changed.
    """
    session.expire()
    naming = _naming(session, named)
    digest = next(iter(naming))
    if session.log.store.blobs.get(digest) is None:
        raise LogError(f"The image {digest[:12]} is erased already. Nothing was changed.")
    _check_pool(session, digest)
    with ExitStack() as held:
        others = [EditLog(held.enter_context(holding(session.log.store, name)), name) for name in _elsewhere(session, digest)]
        _elsewhere(session, digest)  # again, now that nobody else writes there
        concerned = tuple(edit for edit in session.log.ids_in_force() if edit in naming[digest])
        details: dict[str, JSON] = {"images": [digest], "edits": list(concerned), "stage": "begun"}
        reverted: tuple[Receipt, ...] = ()
        if concerned and keep_effect:
            details["pinned"] = _pinned(session, digest)
        elif concerned:
            _check_free(session, concerned)
            reverted = session.withdraw("reverted", concerned, by, details={"erased": digest})
        for log in others:
            log.append("erased", None, by or Provenance(), details={"images": [digest], "edits": []})
        session.record("erased", None, by, details=details)
        _unlink(session, digest)
    return Erased(digest, reverted, concerned if keep_effect else (), tuple(log.branch for log in others))


def finish_erasing(session: Session) -> None:
    """Where a crash came between the entry that an image is to be erased and its erasing, erase it now.

    An image that an edit in force on another branch has brought in again meanwhile stays.
    """
    for digest in session.log.erasing():
        try:
            _elsewhere(session, digest)
        except LogError:
            session.record("erased", None, None, details={"images": [digest], "edits": [], "stage": "done"})
        else:
            _unlink(session, digest)


def _unlink(session: Session, digest: str) -> None:
    """Remove the bytes and every branch's snapshots, which may hold what was made of them; then say so."""
    session.log.store.blobs.erase(digest)
    for branch in session.log.branches():
        Snapshots(session.log.on(branch)).clear()
    session.record("erased", None, None, details={"images": [digest], "edits": [], "stage": "done"})


def _check_pool(session: Session, digest: str) -> None:
    first = next(session.log.entries(1, 2))
    if any(image.digest == digest for query in pool_in(session.log, first) for image in query.images):
        raise LogError(
            f"The log's pool of protected queries needs the image {digest[:12]}, and without it no state can be folded. Nothing "
            "was changed. Begin a new branch with another pool, and erase it there."
        )


def _check_free(session: Session, concerned: tuple[EditId, ...]) -> None:
    fixed = session.log.fixed()
    for edit in concerned:
        if edit in fixed:
            raise LogError(
                f"The edit {edit[:12]} needs the image and can't be reverted, since its effect was kept when another was erased. "
                "Nothing was changed. Erase this one with --keep-effect too."
            )


def _pinned(session: Session, digest: str) -> str:
    """Keep the state of now as a blob; its digest."""
    data = frozen(session.state)
    if session.log.image(digest).data in data:
        raise LogError(
            "This editor's state holds the picture itself, so its effect can't be kept without it. Nothing was changed. "
            "Erase without --keep-effect, which reverts the edits that need it."
        )
    return session.log.store.blobs.put(data)


def _restored(session: Session, edit: Edit, seq: int) -> dict[str, JSON]:
    """What the entry remembers that applied the edit before, and the point that brought it back."""
    known = next((dict(entry.details) for entry in session.log.find(edit.id, kinds=_APPLIED)), {})
    known.pop("supersedes", None)
    known.pop("key", None)
    return {**known, "to": seq}


def _naming(session: Session, named: str) -> dict[str, frozenset[EditId]]:
    """The one image of the branch whose digest begins so -> the edits whose content names it."""
    found: dict[str, set[EditId]] = {}
    for entry in session.log.entries():
        for digest in entry.image_digests():
            if digest.startswith(named) and entry.edit_id is not None:
                found.setdefault(digest, set()).add(entry.edit_id)
    if not found or not named:
        raise Unknown("image of an edit on this branch", named, ())
    if len(found) > 1:
        raise BadInput(
            f"{named!r} fits {len(found)} images: {', '.join(digest[:12] for digest in sorted(found))}. Give more digits."
        )
    return {digest: frozenset(edits) for digest, edits in found.items()}


def _elsewhere(session: Session, digest: str) -> tuple[str, ...]:
    """The other branches whose entries name the image; none of them may need it."""
    branches = []
    for branch in session.log.branches():
        if branch == session.log.branch:
            continue
        log = session.log.on(branch)
        naming = {entry.edit_id for entry in log.entries() if digest in entry.image_digests()}
        if not naming:
            continue
        if naming & set(log.ids_in_force()):
            raise LogError(
                f"An edit in force on branch {branch!r} needs the image {digest[:12]}. Nothing was changed. Revert it there first "
                f"(errata edit revert --branch {branch})."
            )
        branches.append(branch)
    return tuple(branches)
