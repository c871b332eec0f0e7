"""The state that a log says: from the newest snapshot that serves, or from the beginning, edit by edit; and a state as bytes."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from errata.core.editor import Editor, Forgets, Parts
from errata.core.errors import BadInput, LogError
from errata.core.model import Model
from errata.core.records import EditId
from errata.editors import from_tensors, state_bytes, to_tensors
from errata.log import EditLog, Entry, PartShelf, Snapshots


class Folded(NamedTuple):
    """A state, and how many edits were written for it."""

    state: Any
    written: int


def folded(model: Model, editor: Editor[Any], log: EditLog, *, without: Collection[EditId] = ()) -> Folded:
    """The fold of the edits in force.

    Args:
        model: the model; left as found.
        editor: the editor.
        log: a log, or a view of its past.
        without: edits that are left out.
    """
    found = Snapshots(log).start(without=without).snapshot
    state, done = None, 0
    if found is not None:
        state, done = thawed(found.data), found.edits
    if state is None:
        state, done = _begun(model, editor, log), 0
    written = 0
    for edit in log.in_force(skip=done, without=without):
        state = editor.write(model, state, edit)
        written += 1
        kept_part(log, editor, state, edit.id)
    return Folded(state, written)


def followed(editor: Editor[Any], log: EditLog, *, without: Collection[EditId] = (), since: Any | None = None) -> Any | None:
    """The fold of the edits in force where no model is at hand: from the newest snapshot that serves, and from what each later
    edit left by itself when it was written.

    Args:
        editor: one whose edits can be kept by themselves.
        log: a log, or a view of its past.
        without: edits that are left out.
        since: an earlier state of the same log, which is gone on from where its edits are the first of those in force.

    Returns:
        The state; None where no edit is in force.

    Raises:
        BadInput: the editor's edits can't be kept by themselves.
        LogError: what an edit wrote isn't in the store (yet): the sentence says which, and what to do.
    """
    if not isinstance(editor, Parts):
        raise BadInput("What this editor writes can't be told apart by edit, so no state can be put together without the model.")
    ids = tuple(edit for edit in log.ids_in_force() if edit not in without)
    if not ids:
        return None
    state, done = since, 0 if since is None else len(since.edits)
    if since is None or since.edits != ids[:done]:
        found = Snapshots(log).start(without=without).snapshot
        state, done = (None, 0) if found is None else (thawed(found.data), found.edits)
    if state is None:
        raise LogError("The store holds no state to begin with. Open it once with its model: errata ask")
    later = ids[done:]
    parts = PartShelf(log).get(later)
    for edit in later:
        part = thawed(parts[edit]) if edit in parts else None
        if part is None:
            raise LogError(f"What the edit {edit[:12]} wrote isn't in the store. Open the store once with its model: errata ask")
        state = editor.joined(state, edit, part)
    return state


def gone_on(
    model: Model, editor: Editor[Any], log: EditLog, since: tuple[Any, Sequence[EditId]] | None, ids: Sequence[EditId]
) -> Folded | None:
    """The fold of edits in force, gone on from an earlier state: what isn't in force any more is forgotten, what is new is joined
    from what it left by itself, or written where it left nothing. So a server that follows another's edits needn't write them.

    Args:
        model: the model; left as found.
        editor: the editor.
        log: a log, or a view of its past.
        since: a state of the same log with the edits that are in it; None where there is none.
        ids: the edits that are to be in it, in their order.

    Returns:
        None where the state can only be told by a fold.
    """
    if since is None or log.pin is not None:
        return None
    (state, before), now = since, set(ids)
    stays = [edit for edit in before if edit in now]
    if stays != list(ids[: len(stays)]):
        return None
    if len(stays) < len(before):
        state = forgotten(editor, state, [edit for edit in before if edit not in now])
    if state is None:
        return None
    later, written = ids[len(stays) :], 0
    parts = PartShelf(log).get(later) if isinstance(editor, Parts) else {}
    for edit in later:
        part = thawed(parts[edit]) if edit in parts else None
        if part is not None and isinstance(editor, Parts):
            state = editor.joined(state, edit, part)
        else:
            state = editor.write(model, state, log.edit(edit))
            written += 1
    return Folded(state, written)


def forgotten(editor: Editor[Any], state: Any, ids: Collection[EditId]) -> Any | None:
    """The state without some edits, where the editor can tell it from the state alone; else None."""
    if not isinstance(editor, Forgets):
        return None
    for edit in ids:
        state = None if state is None else editor.forget(state, edit)
    return state


def kept_part(log: EditLog, editor: Editor[Any], state: Any, edit: EditId | None) -> None:
    """Keep what an edit wrote, by itself, where the editor can tell; what can't be kept is found out by a fold with the model."""
    part = editor.part(state, edit) if edit is not None and isinstance(editor, Parts) else None
    if edit is not None and part is not None:
        with suppress(LogError):
            PartShelf(log).put(edit, frozen(part))


def kept(log: EditLog, entry: Entry, state: Any) -> None:
    """Keep a state as the snapshot after an entry: one that can't be kept costs a longer fold, and the edit is committed."""
    with suppress(LogError):
        Snapshots(log).put(entry, frozen(state))


def frozen(state: Any) -> bytes:
    """The state as the bytes of a safetensors file."""
    saved = to_tensors(state)
    data: bytes = bytes_of(saved.tensors, saved.metadata)
    return data


def thawed(data: bytes) -> Any | None:
    """The state in a snapshot, or None where it isn't one: a snapshot is a cache, the log has it all."""
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        return from_tensors(tensors_of(data), metadata)
    except (SafetensorError, ValueError, KeyError, BadInput):
        return None


def _begun(model: Model, editor: Editor[Any], log: EditLog) -> Any:
    """The state without edits; kept as the snapshot after the first entry, since it can take longer than many a write."""
    state = editor.begin(model)
    first = next(log.entries(1, 2), None)
    if first is not None and state_bytes(state):
        kept(log, first, state)
    return state
