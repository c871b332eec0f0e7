"""What stands in the files that a conversion reads: names, shapes, and each tensor only when it is asked for.

PyTorch's files are mapped into memory (`torch.load(mmap=True)`), safetensors are read tensor by tensor: a file of 13 GB is never
held whole. Files from before PyTorch 1.6 can't be mapped and are read at once.
"""

from __future__ import annotations

import json
import pickle
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, final

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import AutoConfig, LlamaConfig, PretrainedConfig

from errata.core.counted import counted
from errata.core.errors import BadInput, quoted, shortened
from errata.models._chat import brief
from errata.models._files import weights_of

_NAMED: Final = 4
"""Names that a refusal lists."""

_SPECIAL: Final = ("rotary_emb.inv_freq",)
"""Ends of names that old LLaMA files hold and that are worked out from the configuration."""

_KINDS: Final = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


_BROKEN: Final = (OSError, RuntimeError, pickle.UnpicklingError, EOFError, ValueError, KeyError, AttributeError)
"""What `torch.load` raises of files that aren't whole, or aren't its own."""


@final
@dataclass(frozen=True)
class Held:
    """One tensor of a file."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    read: Callable[[], Tensor]


@final
@dataclass(frozen=True)
class Part:
    """One of the files that were given, or the folder."""

    what: str
    """What it should be, as a sentence names it."""

    path: Path
    held: Mapping[str, Held]

    def require(self, names: Iterable[str]) -> None:
        """Whether it holds these names.

        Raises:
            BadInput: it lacks some, so that it is a file of another kind.
        """
        missing = [name for name in names if name not in self.held]
        if missing:
            raise BadInput(
                f"{shortened(self.path)} isn't {self.what}: it has no {listed(missing)}. It holds {listed(sorted(self.held))}. "
                "Give the file that its authors name so."
            )

    def shape(self, name: str, rank: int) -> tuple[int, ...]:
        """The shape of a tensor that is there.

        Raises:
            BadInput: it has another number of dimensions.
        """
        shape = self.held[name].shape
        if len(shape) != rank:
            raise BadInput(
                f"{shortened(self.path)} isn't {self.what}: its {name} has the shape {list(shape)}, "
                f"and {counted(rank, 'dimension')} were looked for. Give the file that its authors name so."
            )
        return shape


def listed(names: Iterable[str]) -> str:
    """The first few of some names, and how many more there are."""
    found = list(names)
    shown = ", ".join(shortened(name) for name in found[:_NAMED]) or "nothing"
    return shown if len(found) <= _NAMED else f"{shown} and {len(found) - _NAMED:,} more"


def saved(path: Path, what: str) -> Part:
    """The tensors of a file that `torch.save` wrote: a table of names, or one under "model".

    Raises:
        BadInput: it is missing, broken, or holds no tensors by name; nothing but tensors and plain values is read of it.
    """
    if not path.is_file():
        raise BadInput(f"There is no file {shortened(path)}, which should be {what}. Name the file.")
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except _BROKEN as error:
        raise BadInput(
            f"{shortened(path)}, which should be {what}, can't be read: it was cut short, isn't a file of PyTorch, or holds more "
            f"than tensors ({brief(error)}) Download it again."
        ) from error
    if isinstance(found, Mapping) and isinstance(found.get("model"), Mapping):
        found = found["model"]
    tensors = {str(name): one for name, one in found.items() if isinstance(one, Tensor)} if isinstance(found, Mapping) else {}
    if not tensors:
        raise BadInput(f"{shortened(path)} isn't {what}: it holds no tensors by name. Give the file that its authors name so.")
    return Part(what, path, {name: Held(tuple(one.shape), one.dtype, partial(_itself, one)) for name, one in tensors.items()})


def language_model(folder: Path) -> tuple[Part, LlamaConfig]:
    """A LLaMA in a folder as transformers has it: safetensors or `pytorch_model.bin`, whole or in shards; and its configuration.

    Raises:
        BadInput: the folder is missing, holds another kind of model, or its weights are missing, broken or quantised.
    """
    what = "a LLaMA or Vicuna in the layout of transformers"
    if not folder.is_dir():
        raise BadInput(f"There is no folder {shortened(folder)}, which should be {what}. Name the folder.")
    try:
        plain, _ = PretrainedConfig.get_config_dict(folder)
        config: Any = AutoConfig.from_pretrained(folder) if plain.get("model_type") == "llama" else None
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(
            f"{shortened(folder)} isn't {what}: its config.json can't be read: {brief(error)} Download it again."
        ) from error
    if not isinstance(config, LlamaConfig):
        raise BadInput(
            f"{shortened(folder)} isn't {what}: its config.json says {quoted(plain.get('model_type'))}. Give the folder of a LLaMA."
        )
    if "quantization_config" in plain:
        raise BadInput(
            f"The weights in {shortened(folder)} are quantised and can't be converted. Give the folder as it was before."
        )
    held = {name: one for name, one in _of_folder(folder, what).items() if not name.endswith(_SPECIAL)}
    return Part(what, folder, held), config


def _of_folder(folder: Path, what: str) -> dict[str, Held]:
    weights = weights_of(str(folder), shortened(folder))
    if weights is not None:
        return {name: one for file in weights.files for name, one in _safe(file).items()}
    index, whole = folder / "pytorch_model.bin.index.json", folder / "pytorch_model.bin"
    if not index.is_file() and not whole.is_file():
        raise BadInput(f"{shortened(folder)} isn't {what}: it holds no model.safetensors and no pytorch_model.bin. Download them.")
    files = {whole} if not index.is_file() else {folder / name for name in _shards(index)}
    return {name: one for file in sorted(files) for name, one in saved(file, "weights of the language model").held.items()}


def _shards(index: Path) -> set[str]:
    try:
        return {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{shortened(index)} isn't an index of tensors. Download it again.") from error


def _safe(file: Path) -> dict[str, Held]:
    with safe_open(file, "pt") as opened:
        slices = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118  # it is no mapping
        return {
            name: Held(tuple(one.get_shape()), _KINDS.get(one.get_dtype(), torch.uint8), partial(_from_safe, file, name))
            for name, one in slices.items()
        }


def _from_safe(file: Path, name: str) -> Tensor:
    with safe_open(file, "pt") as opened:
        found: Tensor = opened.get_tensor(name)
        return found


def _itself(tensor: Tensor) -> Tensor:
    return tensor
