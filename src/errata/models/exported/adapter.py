"""One LoRA adapter in PEFT's own format, exact: what a patch adds is carried as it stands, at scaling 1.

PEFT computes y = W x + (lora_alpha / r) B A x (Hu et al., arXiv 2106.09685, section 4.1); with lora_alpha = r that is
`nn.patches.Delta`. A weight that was replaced is carried by its difference D to the base's, at full rank: D = D I or I D, whichever
is narrower. All modules get the same r, the ranks of some filled up with zeros, because not every engine reads a pattern of ranks.

Shapes: I in-features, O out-features, R rank.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from warnings import catch_warnings, simplefilter

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from errata.core.errors import BadInput, quoted, shortened
from errata.models._chat import brief
from errata.models._load import load, source_of
from errata.models._quiet import quiet
from errata.models._transformers import TransformersModel
from errata.nn.patches import Delta, LowRank, Replaced
from errata.nn.places import plain

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

CONFIG: Final = "adapter_config.json"
TENSORS: Final = "adapter_model.safetensors"

INSTALL: Final = "pip install 'errata[peft]'"

_PREFIX: Final = "base_model.model."
"""What PEFT writes before a module's path."""


@dataclass(frozen=True)
class Adapter:
    """An adapter that was written."""

    rank: int
    paths: tuple[str, ...]
    """Of the modules that it adds to."""


def check_peft() -> None:
    """Whether PEFT is here, looked up without loading it.

    Raises:
        BadInput: it isn't.
    """
    if find_spec("peft") is None:
        raise BadInput(f"An adapter is proved by PEFT itself, which isn't installed. Install it: {INSTALL}")


def write_adapter(model: TransformersModel, patch: LowRank | Replaced, folder: Path) -> Adapter:
    """Write a patch as an adapter.

    Args:
        model: the unedited model that the patch is for.
        patch: deltas or weights that are the same for every query.
        folder: is there; two files are written into it.

    Raises:
        BadInput: nothing is added anywhere.
    """
    found = _factors(model, patch)
    moving = {path: pair for path, pair in found.items() if bool(pair[1].any()) and bool(pair[0].any())}
    if not moving:
        raise BadInput("The edits in force left every weight as it was, so there is nothing to export.")
    rank = max(a_RI.shape[0] for a_RI, _ in moving.values())
    tensors = {}
    for path, (a_RI, b_OR) in moving.items():
        more = rank - a_RI.shape[0]
        tensors[f"{_PREFIX}{path}.lora_A.weight"] = torch.nn.functional.pad(a_RI, (0, 0, 0, more)).contiguous()
        tensors[f"{_PREFIX}{path}.lora_B.weight"] = torch.nn.functional.pad(b_OR, (0, more)).contiguous()
    save_file(tensors, folder / TENSORS, metadata={"format": "pt"})
    told = _config(model, tuple(moving), rank)
    (folder / CONFIG).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return Adapter(rank, tuple(moving))


def open_adapter(folder: Path, *, base: str = "", device: str = "cpu", dtype: str | None = None) -> TransformersModel:
    """The base model with an adapter that PEFT itself put into it. What PEFT only warns of isn't said: answers tell.

    Args:
        folder: the adapter's.
        base: the model that it is for; "": what its configuration names.
        device: as in `errata.models.load`.
        dtype: likewise.

    Raises:
        BadInput: PEFT isn't installed, or it refuses the folder.
    """
    check_peft()
    model = load(base or base_of(folder), device=device, dtype=dtype)
    try:
        with quiet(), catch_warnings():
            simplefilter("ignore")
            import peft

            peft.PeftModel.from_pretrained(model.net, str(folder))  # it puts its modules into the network that it is given
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        raise BadInput(f"PEFT doesn't open the adapter in {shortened(folder)}: {brief(error)} Export it again.") from error
    model.net.train(False)
    return model


def base_of(folder: Path) -> str:
    """The model that an adapter names as its base.

    Raises:
        BadInput: its configuration is missing or names none.
    """
    try:
        told = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"{shortened(folder)} is no adapter: its {CONFIG} is missing or isn't JSON. Export it again.") from error
    named = told.get("base_model_name_or_path") if isinstance(told, dict) else None
    if not isinstance(named, str) or not named:
        raise BadInput(f"The {CONFIG} in {shortened(folder)} names no base model. Name it: --model MODEL")
    return named


def source_named(name: str) -> str:
    """Where another program finds a model that was opened under this name: a folder's whole path, or the hub id."""
    source = source_of(name)
    return str(Path(source).resolve()) if Path(source).is_dir() else source


def _factors(
    model: TransformersModel, patch: LowRank | Replaced
) -> Mapping[str, tuple[Float[Tensor, "R I"], Float[Tensor, "O R"]]]:
    """Path -> A and B in float32, on the CPU."""
    if isinstance(patch, Replaced):
        return {path: _difference(model, path, weight) for path, weight in patch.weights.items()}
    found = {}
    for path, delta in patch.deltas.items():
        assert isinstance(delta, Delta), f"What is added at {quoted(path)} depends on the question."
        found[path] = delta.a_RI.detach().float().cpu(), delta.b_OR.detach().float().cpu()
    return found


def _difference(
    model: TransformersModel, path: str, weight_OI: Float[Tensor, "O I"]
) -> tuple[Float[Tensor, "R I"], Float[Tensor, "O R"]]:
    module: Any = model.module(path)
    own_OI = plain(module, path)
    new_OI = weight_OI.detach().to(own_OI)  # as it stands in the module's place
    moved_OI = (new_OI.float() - own_OI.float()).cpu()
    out, width = moved_OI.shape
    return (torch.eye(width), moved_OI) if width <= out else (moved_OI, torch.eye(out))


def _config(model: TransformersModel, paths: tuple[str, ...], rank: int) -> dict[str, Any]:
    return {
        "peft_type": "LORA",
        "task_type": None,
        "base_model_name_or_path": source_named(model.name),
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(paths),
        "fan_in_fan_out": model.front.straight() is not None,
        "inference_mode": True,
        "init_lora_weights": True,
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": False,
        "use_dora": False,
    }
