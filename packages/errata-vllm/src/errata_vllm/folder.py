"""A model as a folder that vLLM opens, with a note of which model it is, so that another model's log is refused.

Its tensors have the hub's names, which vLLM asks for (`errata.models.exported.checkpoint`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from errata.core.errors import BadInput
from errata.models import load
from errata.models.converting.folder import check_folder, draft_of
from errata.models.exported.checkpoint import write_checkpoint

NOTE: Final = "errata-model.json"
"""The file in the folder that says which model it is."""


def prepare(model: str, folder: Path) -> str:
    """Write a model as a folder for vLLM, in float32.

    Args:
        model: a shipped name, a checkpoint folder or a hub id, as `errata edit add --model` takes it.
        folder: written whole or not at all; it must not be there, or be empty.

    Returns:
        The model's digest, as its logs name it.

    Raises:
        BadInput, Unknown: there is no such model, or the folder can't be written.
    """
    check_folder(folder)
    opened = load(model)
    with draft_of(folder.resolve()) as draft:
        write_checkpoint(opened, draft)
        note = {"name": opened.name, "digest": opened.digest}
        (draft / NOTE).write_text(json.dumps(note, indent=1) + "\n", encoding="utf-8")
    return opened.digest


def digest_in(folder: str) -> str:
    """The digest of the model in a folder that `prepare` wrote.

    Raises:
        BadInput: it holds no note.
    """
    try:
        told = json.loads((Path(folder) / NOTE).read_text(encoding="utf-8"))
        return str(told["digest"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BadInput(
            f"{folder} doesn't say which model it is, so nothing tells whether the log's corrections are for it. "
            "Write the folder with: python -m errata_vllm prepare MODEL FOLDER"
        ) from None
