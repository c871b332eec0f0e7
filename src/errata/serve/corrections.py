"""What is done with corrections on a branch's session, on the engine's thread: each function is one change or one look."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

from errata.core.errors import BadImage, BadInput, quoted
from errata.core.model import Decision
from errata.core.records import Edit, EditId, Provenance, Query
from errata.door import Session
from errata.serve.wire.errors import ApiError
from errata.session import proposals, takeback
from errata.session.checks import check_restorable, check_waits
from errata.session.receipts import Receipt, Returned

Mode = Literal["dry_run", "apply", "propose"]

_ASKED: Final = 200
"""Edits in force whose questions a dry run of taking back asks; the newest."""

_TWO_PEOPLE: Final = (403, "two_people")
_STATE: Final = (409, "edit_state")
"""Statuses with their codes: another person is needed; it can't be done as things are."""

_ENTRIES: Final = re.compile(r"(\d{1,18})(?:-(\d{1,18}))?")


@dataclass(frozen=True)
class Given:
    """A correction, by whom, and how it is to be taken."""

    edit: Edit
    by: Provenance
    mode: Mode
    key: str = ""
    """Names the request: given again, nothing is done twice."""

    supersede: tuple[str, ...] = ()
    recent: tuple[Query, ...] = ()
    """Other questions that a dry run asks."""


def give(given: Given, session: Session) -> Receipt:
    """Try, apply or propose a correction.

    Raises:
        ApiError: the branch asks for two people, and this is one (403).
        ErrataError: as `errata.session.Session.edit` and `propose`.
    """
    inner = session.inner
    if given.mode == "propose":
        if given.supersede:
            raise BadInput("A proposal can't say what it supersedes: who approves it sees what it would take away. Leave one out.")
        return proposals.propose(inner, given.edit, given.by, key=given.key)
    named = [inner.log.resolve(edit) for edit in given.supersede]
    if given.mode == "dry_run":
        return inner.preview(given.edit, recent=given.recent, supersede=named)
    if not (given.key and inner.log.keyed(given.key) is not None):  # what was done is told again, whoever may do it now
        with _answering(*_TWO_PEOPLE):
            inner.log.check_alone("applied", given.edit.id, given.by.author)
    return session.writing.edit(given.edit, given.by, key=given.key, supersede=named)


def approve(edit: str, by: Provenance, dry_run: bool, recent: Sequence[Query], session: Session) -> Receipt:
    """Apply what was proposed; who proposed it can't, where the branch asks for two people.

    Raises:
        ApiError: it needs another person (403), or doesn't wait (409).
        ErrataError: as `proposals.approve`.
    """
    inner, named = session.inner, session.inner.log.resolve(edit)
    with _answering(*_STATE):
        check_waits(inner.log, named)
    with _answering(*_TWO_PEOPLE):
        inner.log.check_alone("approved", named, by.author)
    if dry_run:
        return inner.preview(inner.log.edit(named), recent=recent)
    return proposals.approve(session.writing, named, by)


def reject(edit: str, by: Provenance, session: Session) -> Receipt:
    """Turn down what was proposed.

    Raises:
        ApiError: it doesn't wait (409).
        ErrataError: as `proposals.reject`.
    """
    named = session.inner.log.resolve(edit)
    with _answering(*_STATE):
        check_waits(session.inner.log, named)
    return proposals.reject(session.writing, named, by)


def restore(edit: str, by: Provenance, dry_run: bool, recent: Sequence[Query], session: Session) -> Receipt:
    """Apply again what was in force once.

    Raises:
        ApiError: it is in force, or was never applied (409), or needs two people (403).
        ErrataError: as `takeback.restore`.
    """
    inner, named = session.inner, session.inner.log.resolve(edit)
    with _answering(*_STATE):
        check_restorable(inner.log, named, standing=inner.standing())
    with _answering(*_TWO_PEOPLE):
        inner.log.check_alone("applied", named, by.author)
    if dry_run:
        return inner.preview(inner.log.edit(named), recent=recent)
    return takeback.restore(session.writing, named, by)


def revert(edit: str, by: Provenance, dry_run: bool, recent: Sequence[Query], session: Session) -> Receipt:
    """Take one correction back. Raises as `withdraw`."""
    return withdraw([edit], by, dry_run, recent, session)[0]


def withdraw(edits: Sequence[str], by: Provenance, dry_run: bool, recent: Sequence[Query], session: Session) -> tuple[Receipt, ...]:
    """Take corrections back together; a dry run asks the questions of the newest edits in force too.

    Raises:
        ApiError: one isn't in force (409).
        ErrataError: as `errata.session.Session.withdraw`.
    """
    inner = session.inner
    named = [inner.log.resolve(edit) for edit in edits]
    standing = inner.log.ids_in_force()
    for edit in named:
        if edit not in standing:
            raise _as_things_are(
                f"The edit {edit[:12]} isn't in force, so there is nothing to take back. `errata edit list` shows what is."
            )
    others = (*_questions(session), *recent) if dry_run else ()
    opened = inner if dry_run else session.writing
    return opened.withdraw("reverted", named, by, dry_run=dry_run, others=others)


def applied_by(entries: str, session: Session) -> tuple[EditId, ...]:
    """The edits in force that a range of entries applied, as FIRST-LAST.

    Raises:
        BadInput: it names none.
    """
    found = _ENTRIES.fullmatch(entries.strip())
    if found is None:
        raise BadInput(f"{quoted(entries)} names no entries. Write FIRST-LAST, such as 5-9.")
    return session.inner.log.applied_between(int(found[1]), int(found[2] or found[1]))


def go_back(point: str, by: Provenance, dry_run: bool, recent: Sequence[Query], session: Session) -> Returned:
    """Bring back the state after a point of the log.

    Raises:
        ErrataError: as `takeback.to_point`.
    """
    inner = session.inner
    others = (*_questions(session), *recent) if dry_run else ()
    opened = inner if dry_run else session.writing
    return takeback.to_point(opened, inner.log.point(point), by, dry_run=dry_run, others=others)


def scores(edit: str, asked: Sequence[Query], session: Session) -> list[Decision | None]:
    """What one edit's scope says of questions, as if it were the only one in force; None where its editor scores nothing.

    Raises:
        ErrataError: there is no such edit, or it can't be written any more.
    """
    inner = session.inner
    made = inner.log.edit(edit)
    state = inner.editor.write(inner.model, inner.editor.begin(inner.model), made)
    read = partial(inner.editor.read, inner.model, state)
    return [read(query).decision for query in asked]


@contextmanager
def _answering(status: int, code: str) -> Iterator[None]:
    """What a check refuses, with the status that says why."""
    try:
        yield
    except BadInput as error:
        raise ApiError(status, str(error), code=code) from None


def _as_things_are(message: str) -> ApiError:
    return ApiError(_STATE[0], message, code=_STATE[1])


def _questions(session: Session) -> list[Query]:
    """The questions of the newest edits in force."""
    found = []
    for edit in session.inner.standing()[-_ASKED:]:
        with suppress(BadImage):  # an edit whose image was erased with its effect kept can't be asked any more
            found.append(session.inner.log.edit(edit).query)
    return found
