"""A corrected model as an ordinary checkpoint: the weights with every edit in force in them.

Only an editor that reads every query alike can be merged (`core.editor.Merges`). The store stays the record: nothing can be taken
back from a merged checkpoint, and whoever has both it and the base can work out what was written.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from errata.core.editor import Merges
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.model import Patch
from errata.engine.session import Session
from errata.models import TransformersModel, load
from errata.nn.patches import NoPatch

SLIP: Final = "errata.json"
"""The file in a merged checkpoint that says what it was made of."""


@dataclass(frozen=True)
class Merged:
    """A checkpoint that was written, and how it answers."""

    edits: int
    """Edits in force, all in the weights."""

    agree: int
    """Of their own questions, how many the checkpoint answers as the store does."""

    digest: str
    """The merged model's."""


def merged_patch(session: Session) -> Patch:
    """The session's state as weights.

    Raises:
        BadInput: no edit is in force, or the editor can't be merged.
    """
    name = session.editor.spec(session.model).name
    if not session.standing():
        raise BadInput("No edit is in force, so there is nothing to merge. Add edits first: errata edit add")
    patch = session.editor.merged(session.model, session.state) if isinstance(session.editor, Merges) else None
    if patch is None:
        raise BadInput(
            f"The editor {name} can't be merged: what it adds depends on the question. Serve it from its store, or write the edits "
            "with an editor of weights, such as scopeedit or finetune."
        )
    return patch


def merge_into(session: Session, folder: Path) -> Merged:
    """Write the corrected model as a checkpoint folder, open it again and ask it every edit's own question.

    Args:
        session: with edits in force.
        folder: written whole or not at all; it must not be there, or be empty.

    Raises:
        BadInput: the folder isn't empty, no edit is in force, or the editor can't be merged.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder} is there and isn't empty. Name a new folder; nothing was written.")
    model, patch = session.model, merged_patch(session)
    assert isinstance(model, TransformersModel), "a session's model is the one real model"
    queries = [session.log.edit(edit).query for edit in session.standing()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with patch.on(model):
            model.save(draft)
        merged = load(draft, device=str(model.net.device), dtype=str(model.net.dtype).removeprefix("torch."))
        said = merged.answers(queries, [NoPatch()] * len(queries))
        agree = sum(same(answer.text, text) for answer, text in zip(session.ask(queries), said, strict=True))
        (draft / SLIP).write_text(_slip(session, merged.digest, len(queries)), encoding="utf-8")
        draft.chmod(0o755)
        os.replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return Merged(len(queries), agree, merged.digest)


def _slip(session: Session, digest: str, edits: int) -> str:
    head = session.head
    assert head is not None, "a session's log has begun"
    told = {
        "base": {"name": session.model.name, "digest": session.model.digest},
        "merged": digest,
        "editor": session.editor.spec(session.model).name,
        "branch": session.log.branch,
        "entry": head.seq,
        "hash": head.hash,
        "edits": edits,
    }
    return json.dumps(told, indent=1) + "\n"
