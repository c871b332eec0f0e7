"""Taking back more than one edit: what was applied in a range, everything since a point in time, everything that needs an image.

Always by new entries, never by a deletion. The state that results is worked out before the first entry is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from errata.core.canonical import JSON
from errata.core.errors import BadInput, LogError, Unknown
from errata.core.records import Edit, EditId, Provenance, Query
from errata.engine.frozen import frozen
from errata.engine.receipts import Moved, Receipt
from errata.engine.session import Session
from errata.log import Entry


@dataclass(frozen=True)
class Returned:
    """What going back to a point in time did, or would do."""

    seq: int
    """The entry whose state is in force again."""

    out: tuple[EditId, ...]
    """Edits taken back."""

    back: tuple[EditId, ...]
    """Edits applied again."""

    moved: tuple[Moved, ...]
    asked: int


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
        others: queries of which the result tells whose answers change, beside those of the edits themselves.

    Raises:
        BadInput: nothing has changed since; nothing was changed.
        LogError: there is no such entry, or what happened since can't be undone.
        BadImage: an edit that would have to be applied again needs an image that was erased.
    """
    session.expire()
    then, now = session.log.at(seq).ids_in_force(), session.log.ids_in_force()
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
    past = session.at(seq)
    again = [session.log.edit(edit) for edit in back]
    queries = [*(session.log.edit(edit).query for edit in out), *(edit.query for edit in again), *others]
    moved = session.moved(queries, past.state)
    if not dry_run:
        for edit_id in out:
            session.record("reverted", None, by, edit_id=edit_id, details={"to": seq})
        for edit in again:
            session.record("applied", edit, by, details=_restored(session, edit, seq))
        session.move(past.state)
    return Returned(seq, out, back, moved, len(queries))


def erase_image(session: Session, named: str, by: Provenance | None = None, *, keep_effect: bool = False) -> Erased:
    """Remove an image for good: a person's right. The chain stays whole, for entries hold its digest alone.

    An edit in force that needs the image is reverted; with `keep_effect` the state of now is pinned instead: every later fold
    starts from it, and what came before can't be taken back or rebased any more.

    Args:
        session: of the branch where the edits are in force.
        named: the image's digest, or its first digits.
        by: who, and why.
        keep_effect: pin the state.

    Raises:
        Unknown: no entry of the branch names such an image.
        LogError: it is erased already, an edit in force on another branch needs it, or the editor's state holds the picture
            itself; nothing was changed.
    """
    session.expire()
    naming = _naming(session, named)
    digest = next(iter(naming))
    if session.log.store.blobs.get(digest) is None:
        raise LogError(f"The image {digest[:12]} is erased already. Nothing was changed.")
    other_branches = _elsewhere(session, digest)
    standing = session.log.ids_in_force()
    concerned = tuple(edit for edit in standing if edit in naming[digest])
    reverted: tuple[Receipt, ...] = ()
    details: dict[str, JSON] = {"images": [digest], "edits": list(concerned)}
    if concerned and keep_effect:
        data = frozen(session.state)
        if session.log.image(digest).data in data:
            raise LogError(
                "This editor's state holds the picture itself, so its effect can't be kept without it. Nothing was changed. "
                "Erase without --keep-effect, which reverts the edits that need it."
            )
        details["pinned"] = session.log.store.blobs.put(data)
    elif concerned:
        reverted = session.withdraw("reverted", concerned, by, details={"erased": digest})
    session.record("erased", None, by, details=details)
    for branch in other_branches:
        branch_log = session.log.on(branch)
        branch_log.append("erased", None, by or Provenance(), details={"images": [digest], "edits": []})
    session.forget_image(digest)
    return Erased(digest, reverted, concerned if keep_effect else (), other_branches)


def finish_erasing(session: Session) -> None:
    """Where a crash came between the entry that says an image was erased and its erasing, erase it now."""
    head: Entry | None = session.head
    if head is not None and head.kind == "erased":
        images = head.details.get("images")
        for digest in images if isinstance(images, list) else ():
            session.forget_image(str(digest))


def _restored(session: Session, edit: Edit, seq: int) -> dict[str, JSON]:
    details: dict[str, JSON] = {"to": seq, "asks": edit.query.digest, "model": session.model.digest}
    return {**details, "until": edit.valid_until} if edit.valid_until is not None else details


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
