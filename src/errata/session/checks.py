"""What is looked at before anything is written: whether an edit can be put to this model and log, taken back, or approved."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime

from errata.core.errors import BadInput, LogError
from errata.core.model import Model
from errata.core.records import Edit, EditId
from errata.log import EditLog, Kind

_APPLIED: tuple[Kind, ...] = ("applied",)


def check(model: Model, log: EditLog, edit: Edit, *, now: datetime, given: Callable[[], bool]) -> None:
    """Whether an edit can be made.

    Args:
        model: what it is put to.
        log: where it would stand.
        edit: the edit.
        now: the time.
        given: whether the model gives it already; asked where it is in force.

    Raises:
        BadInput: it can't be put to this model, is in force and given, needs an erased image, or its time is over.
        LogError: the log is a view of the past.
    """
    for query in (edit.query, *edit.also):
        model.check(query, edit.target)
    for query in edit.keep:
        model.check(query)
    for query in (edit.query, *edit.also, *edit.keep):
        model.check_read(query)
    if edit.id in log.ids_in_force() and (edit.id in log.fixed() or given()):
        raise BadInput(f"The edit {edit.id[:12]} is in force already, word for word. Nothing was changed.")
    for image in edit.images:
        if log.was_erased(image):
            raise BadInput(
                f"The image {image.digest[:12]} was erased on this branch, and isn't taken in again. Nothing was changed."
            )
    if why := edit.over(now):
        raise BadInput(why)
    if log.upto is not None:
        raise LogError(f"This session shows the past, after entry {log.upto}; it can't be edited. Edit the present one.")


def check_out(log: EditLog, ids: Collection[EditId], *, ended: Collection[EditId]) -> None:
    """Whether these edits can be taken out of force.

    Args:
        log: where they stand.
        ids: the edits.
        ended: edits whose time is over though no entry says so yet.

    Raises:
        BadInput: one of them isn't in force, or its effect was pinned.
    """
    standing, fixed = log.ids_in_force(), log.fixed()
    for edit in ids:
        if edit in ended:
            raise BadInput(f"The edit {edit[:12]} isn't in force any more: its time is over. There is nothing to take back.")
        if edit not in standing:
            raise BadInput(f"The edit {edit[:12]} isn't in force, so there is nothing to take back.")
        if edit in fixed:
            raise BadInput(
                f"The edit {edit[:12]} can't be taken back: its effect was kept when an image was erased, and nothing before "
                "that can be replayed. Nothing was changed. Correct it with another edit."
            )


def check_restorable(log: EditLog, edit: EditId, *, standing: Collection[EditId]) -> None:
    """Whether an edit was in force once and isn't any more.

    Args:
        log: where it stood.
        edit: the edit.
        standing: those that speak now.

    Raises:
        BadInput: it is in force, or was never applied.
    """
    if edit in standing:
        raise BadInput(f"The edit {edit[:12]} is in force, so there is nothing to restore. Nothing was changed.")
    if next(log.find(edit, kinds=_APPLIED), None) is None:
        raise BadInput(
            f"The edit {edit[:12]} was never applied, so there is nothing to restore. If it waits for approval, approve it."
        )


def check_waits(log: EditLog, edit: EditId) -> None:
    """Whether a proposed edit waits for approval.

    Raises:
        BadInput: it doesn't.
    """
    if edit not in log.proposed():
        raise BadInput(f"No proposed edit {edit[:12]} waits for approval. `errata edit list --proposed` shows what does.")
