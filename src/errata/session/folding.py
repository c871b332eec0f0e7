"""The state that a log says: from the newest snapshot that serves, or from the beginning, edit by edit; and a state as bytes."""

from __future__ import annotations

import json
from collections.abc import Collection
from contextlib import suppress
from typing import Any, NamedTuple

from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from errata.core.editor import Editor
from errata.core.errors import BadInput, LogError
from errata.core.model import Model
from errata.core.records import EditId
from errata.editors import from_tensors, state_bytes, to_tensors
from errata.log import EditLog, Entry, Snapshots


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
    return Folded(state, written)


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
