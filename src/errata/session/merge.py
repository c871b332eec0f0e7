"""A corrected model as an ordinary checkpoint: the weights with every edit in force in them.

Only an editor that reads every query alike can be merged (`core.editor.Merges`). The store stays the record: nothing can be taken
back from a merged checkpoint, and whoever has both it and the base can work out what was written.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from errata.core.canonical import JSON
from errata.core.editor import Merges
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.model import Patch
from errata.models import TransformersModel, load
from errata.models.converting.folder import check_folder, draft_of
from errata.models.exported.checkpoint import write_checkpoint
from errata.session.asking import said, unedited
from errata.session.session import Session

SLIP: Final = "errata.json"
"""The file in a merged checkpoint that says what it was made of."""


@dataclass(frozen=True)
class Merged:
    """A checkpoint that was written, and how it answers."""

    edits: int
    """Edits in the weights."""

    ending: int
    """Of them those that end by themselves in the store, and don't in the checkpoint."""

    agree: int
    """Of their own questions, how many the checkpoint answers as the store does."""

    digest: str
    """The merged model's."""


def _nothing_more(draft: Path, merged: TransformersModel) -> None:
    """Nothing is done to a checkpoint before it gets its name."""


def merge_into(
    session: Session,
    folder: Path,
    *,
    weights: Patch | None = None,
    finish: Callable[[Path, TransformersModel], None] = _nothing_more,
) -> Merged:
    """Write the corrected model as a checkpoint folder, open it again and ask it every edit's own question.

    Args:
        session: with edits in force; what others append meanwhile isn't in the checkpoint.
        folder: written whole or not at all; it must not be there, or be empty.
        weights: what the editor's `merged` gave, where it was asked already.
        finish: is given the folder before it gets its name, and the model in it; what it raises leaves nothing behind.

    Raises:
        BadInput: the folder isn't empty or can't be written, no edit is in force, or the editor can't be merged.
    """
    check_folder(folder)
    model, state, slip = session.model, session.state, slip_of(session)
    assert isinstance(model, TransformersModel), "a session's model is the one real model"
    check_dense(model)
    patch = _patch(session) if weights is None else weights
    edits = [session.log.edit(edit) for edit in patch.edits]
    queries, targets = [edit.query for edit in edits], [edit.target for edit in edits]
    apart = session.said(queries, state, targets)
    with draft_of(folder.resolve()) as draft:
        with patch.on(model):
            write_checkpoint(model, draft)
        merged = load(draft, device=str(model.place), dtype=str(model.net.dtype).removeprefix("torch."))
        together = said(merged, unedited, queries, targets=targets)
        told = {**slip, "merged": merged.digest, "edits": len(edits)}
        (draft / SLIP).write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        finish(draft, merged)
    agree = sum(same(one, other) for one, other in zip(apart, together, strict=True))
    return Merged(len(edits), sum(edit.valid_until is not None for edit in edits), agree, merged.digest)


def check_dense(model: TransformersModel) -> None:
    """Whether every weight is at hand, a number each.

    Raises:
        BadInput: some are quantised, or left elsewhere until they are used.
    """
    if not model.dense:
        raise BadInput(
            "The model is quantised, or some of its weights are left elsewhere until they are used, and what is written with edits "
            "in its weights needs them all. Open it on one device, in float32 or bfloat16."
        )


def _patch(session: Session) -> Patch:
    """The session's state as weights."""
    name = session.editor.spec(session.model).name
    if not session.standing():
        raise BadInput("No edit is in force, so there is nothing to merge. Add edits first: errata edit add")
    patch = session.editor.merged(session.model, session.state) if isinstance(session.editor, Merges) else None
    if patch is None:
        raise BadInput(
            f"The editor {name} can't be merged: what it says to a question isn't in one set of weights. Serve it from its store, "
            "or write the edits with an editor of weights, such as scopeedit or finetune."
        )
    return patch


def slip_of(session: Session) -> dict[str, JSON]:
    """What something was made of: the base, the editor, the branch and its entry."""
    seq, digest = session.seen
    return {
        "base": {"name": session.model.name, "digest": session.model.digest},
        "editor": session.editor.spec(session.model).name,
        "branch": session.log.branch,
        "entry": seq,
        "hash": digest,
    }
