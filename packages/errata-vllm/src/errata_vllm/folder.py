"""A model as a folder that vLLM opens, with a note of which model it is, so that another model's log is refused.

transformers 5.20 and later write the tower of a LLaVA without the level `vision_model`, which the hub's checkpoints have and vLLM
0.32 asks for; it is put back here. Everything else is as `save_pretrained` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from safetensors import safe_open
from safetensors.torch import save_file

from errata.core.errors import BadInput
from errata.models import load
from errata.models.converting.folder import check_folder, draft_of

NOTE: Final = "errata-model.json"
"""The file in the folder that says which model it is."""

_TOWER: Final = "vision_tower."
_LEVEL: Final = "vision_model."


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
        opened.save(draft)
        for file in sorted(draft.glob("*.safetensors")):
            _as_on_the_hub(file)
        index = draft / "model.safetensors.index.json"
        if index.exists():
            told = json.loads(index.read_text(encoding="utf-8"))
            told["weight_map"] = {hub_name(name): file for name, file in told["weight_map"].items()}
            index.write_text(json.dumps(told, indent=1), encoding="utf-8")
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


def hub_name(name: str) -> str:
    """A tensor's name as the hub's checkpoints have it."""
    before, tower, rest = name.partition(_TOWER)
    return f"{before}{tower}{_LEVEL}{rest}" if tower and not rest.startswith(_LEVEL) else name


def _as_on_the_hub(file: Path) -> None:
    with safe_open(file, "pt") as held:
        names, told = list(held.keys()), held.metadata()
        if all(hub_name(name) == name for name in names):
            return
        tensors = {hub_name(name): held.get_tensor(name) for name in names}
    save_file(tensors, file, told)
