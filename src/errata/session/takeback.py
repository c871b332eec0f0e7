"""Taking back more than one edit, and bringing one back: a range, all since a point in time, all that needs an image; and what
would be said without one.

Always by new entries, never by a deletion. The state that results is worked out before the first entry is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from itertools import takewhile

from errata.core.canonical import JSON
from errata.core.errors import BadInput, LogError
from errata.core.matching import same
from errata.core.model import fits
from errata.core.records import Edit, EditId, Provenance, Query, instant
from errata.core.rules import Rules
from errata.log import EditLog, Kind, PartShelf, Snapshots, holding
from errata.log.erasing import branches_naming, concerned
from errata.session.asking import heard
from errata.session.checks import check_out, check_restorable
from errata.session.folding import frozen, kept_part
from errata.session.pools import pool_in
from errata.session.receipts import Answer, Moved, Receipt, Returned, beyond
from errata.session.session import Session

_APPLIED: tuple[Kind, ...] = ("applied",)


@dataclass(frozen=True)
class Erased:
    """What the erasing of an image did, or would do."""

    image: str
    """The one that was named."""

    images: tuple[str, ...]
    """All that were erased."""

    reverted: tuple[Receipt, ...]
    kept: tuple[EditId, ...]
    """The edits whose effect stays though they can't be replayed any more."""

    branches: tuple[str, ...]
    """Other branches whose entries name the image; each says now that it was erased."""

    left: tuple[str, ...]
    """Other files of the branch that show the same pixels, and stay."""

    elsewhere: tuple[tuple[str, str], ...]
    """Files with these pixels that another branch alone names (branch, digest), and that stay."""


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
        BadInput: nothing has changed since, or edits would have to be applied again that need two people; nothing was changed.
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
    for named in back:
        session.log.check_alone("applied", named, (by or Provenance()).author)
    again = [session.log.edit(edit) for edit in back]
    touched = [*(session.log.edit(edit) for edit in out), *again]
    queries, targets = [edit.query for edit in touched], [edit.target for edit in touched]
    before, after = session.said(queries, session.state, targets), session.said(queries, state, targets)
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
        BadInput: it is in force, was never applied, or needs two people; nothing was changed.
        BadImage: it needs a picture that was erased.
    """
    check_restorable(session.log, edit_id, standing=session.standing())
    return session.edit(session.log.edit(edit_id), by, rules=rules)


def erase_image(
    session: Session,
    named: str,
    by: Provenance | None = None,
    *,
    keep_effect: bool = False,
    alike: bool = False,
    dry_run: bool = False,
) -> Erased:
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
        alike: erase the branch's other files that show the same pixels with it.
        dry_run: change nothing; the result says what would be.

    Raises:
        Unknown: no entry of the branch names such an image.
        Held: another process writes to a branch that names it; nothing was changed.
        LogError: it is erased already, the log's pool or an edit in force on another branch needs it, an edit in force that
            needs it can't be reverted, or the editor's state holds the picture itself; nothing was changed.
    """
    if not dry_run:
        session.expire()
    about = concerned(session.log, named, alike=alike)
    _check_pool(session, about.taken)
    pinned = _pinnable(session, about.taken) if about.edits and keep_effect else None
    leaving = () if keep_effect else about.edits
    _check_free(session, leaving)
    naming = branches_naming(session.log, about.taken)
    kept = about.edits if keep_effect else ()
    erased = Erased(about.image, about.taken, (), kept, tuple(naming), about.left, about.elsewhere)
    if dry_run:
        return replace(erased, reverted=session.withdraw("reverted", leaving, by, dry_run=True) if leaving else ())
    with ExitStack() as held:
        others = [EditLog(held.enter_context(holding(session.log.store, name)), name) for name in naming]
        naming = branches_naming(session.log, about.taken)  # again, now that nobody else writes there
        details: dict[str, JSON] = {"images": list(about.taken), "edits": list(about.edits), "stage": "begun"}
        if about.pixels is not None:
            details["pixels"] = about.pixels
        if pinned is not None:
            details["pinned"] = session.log.store.blobs.put(pinned)
        if leaving:
            erased = replace(erased, reverted=session.withdraw("reverted", leaving, by, details={"erased": about.image}))
        for log in others:
            log.append("erased", None, by or Provenance(), details={"images": list(naming[log.branch]), "edits": []})
        session.record("erased", None, by, details=details)
        _unlink(session, about.taken)
    return erased


def finish_erasing(session: Session) -> None:
    """Where a crash came between the entry that an image is to be erased and its erasing, erase it now.

    An image that an edit in force on another branch has brought in again meanwhile stays.
    """
    for digest in session.log.erasing():
        try:
            branches_naming(session.log, (digest,))
        except LogError:
            session.record("erased", None, None, details={"images": [digest], "edits": [], "stage": "done"})
        else:
            _unlink(session, (digest,))


def _unlink(session: Session, images: tuple[str, ...]) -> None:
    """Remove the bytes and every branch's snapshots, which may hold what was made of them; then say so."""
    for digest in images:
        session.log.store.blobs.erase(digest)
    for branch in session.log.branches():
        Snapshots(session.log.on(branch)).clear()
        PartShelf(session.log.on(branch)).clear()
    fixed = session.log.fixed()
    for edit in session.standing():  # of the rest of this branch what was written is at hand
        if edit not in fixed:
            kept_part(session.log, session.editor, session.state, edit)
    session.record("erased", None, None, details={"images": list(images), "edits": [], "stage": "done"})


def _check_pool(session: Session, images: tuple[str, ...]) -> None:
    first = next(session.log.entries(1, 2))
    pooled = {image.digest for query in pool_in(session.log, first) for image in query.images}
    for digest in images:
        if digest in pooled:
            raise LogError(
                f"The log's pool of protected queries needs the image {digest[:12]}, and without it no state can be folded. "
                "Nothing was changed. Begin a new branch with another pool, and erase it there."
            )


def _check_free(session: Session, edits: tuple[EditId, ...]) -> None:
    fixed = session.log.fixed()
    for edit in edits:
        if edit in fixed:
            raise LogError(
                f"The edit {edit[:12]} needs the image and can't be reverted, since its effect was kept when another was erased. "
                "Nothing was changed. Erase this one with --keep-effect too."
            )


def _pinnable(session: Session, images: tuple[str, ...]) -> bytes:
    """The state of now, as it can be kept without the pictures."""
    data = frozen(session.state)
    if any(session.log.image(digest).data in data for digest in images):
        raise LogError(
            "This editor's state holds the picture itself, so its effect can't be kept without it. Nothing was changed. "
            "Erase without --keep-effect, which reverts the edits that need it."
        )
    return data


def _restored(session: Session, edit: Edit, seq: int) -> dict[str, JSON]:
    """What the entry remembers that applied the edit before, and the point that brought it back."""
    known = next((dict(entry.details) for entry in session.log.find(edit.id, kinds=_APPLIED)), {})
    known.pop("supersedes", None)
    known.pop("key", None)
    return {**known, "to": seq}


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
        rooms = [text if fits(model, queries[row], text := answers[row].text) else None for row in rows]  # what was cut may not fit
        for row, answer in zip(rows, heard(model, partial(editor.read, model, state), asked, targets=rooms), strict=True):
            if not same(answers[row].text, answer.text):
                found[row].append(edit)
        progress("left out", number, len(rows_of))
    return [tuple(edits) for edits in found]
