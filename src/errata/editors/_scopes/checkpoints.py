"""A trained scope on disk: one safetensors file that says what it is and which encoders it was trained on.

A file that doesn't fit (cut short, another kind of scope, other sizes, other encoders) is refused with a sentence.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from errata.core.canonical import JSON, canonical, digest_of
from errata.core.errors import BadInput

FILE = "scope.safetensors"
_KEY = "scope"


@dataclass(frozen=True)
class Checkpoint:
    """What stands in the file."""

    path: Path
    fields: Mapping[str, Any]
    """The scope's spec."""

    encoders: str
    """The name of the encoders; empty where it has none."""

    tensors: Mapping[str, Tensor]

    def into(self, net: nn.Module) -> None:
        """Put the weights into a net of the same sizes.

        Raises:
            BadInput: they don't fit.
        """
        try:
            net.load_state_dict(dict(self.tensors))
        except RuntimeError as error:
            why = str(error).strip().splitlines()[-1].strip().rstrip(".")
            raise BadInput(f"The weights in {self.path} don't fit what the file says of itself ({why}). Train it again.") from None


def save_scope(folder: Path, spec: Mapping[str, JSON], net: nn.Module, *, encoders: str = "") -> None:
    """Write a trained scope to `folder`, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    about: dict[str, JSON] = {"spec": dict(spec), "encoders": encoders}
    temporary = folder / f"{FILE}.tmp"
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    save_file(tensors, temporary, metadata={_KEY: canonical(about).decode()})
    temporary.replace(folder / FILE)


def read_scope(folder: str | Path, kind: str) -> Checkpoint:
    """The trained scope of a kind in `folder` (or the file itself).

    Raises:
        BadInput: there is none, it can't be read, or it is of another kind.
    """
    path = Path(folder)
    path = path / FILE if path.is_dir() else path
    if not path.is_file():
        raise BadInput(f"There is no trained scope at {path}. Give the folder that training wrote ({FILE} is in it).")
    try:
        with safe_open(path, "pt") as held:
            about = json.loads((held.metadata() or {})[_KEY])
            tensors = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118  not a mapping
        fields, encoders = dict(about["spec"]), str(about["encoders"])
        name = str(fields["kind"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        why = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise BadInput(f"The trained scope {path} can't be read ({why}). Copy it again, or train it again.") from None
    if name != kind:
        raise BadInput(f"The trained scope {path} is of the kind {name!r}, and {kind!r} was asked for. Give one of that kind.")
    return Checkpoint(path, fields, encoders, tensors)


def digest_of_net(net: nn.Module) -> str:
    """A digest of every tensor's name, shape and bytes."""
    told = []
    for name, tensor in sorted(net.state_dict().items()):
        data = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        told.append(canonical([name, list(tensor.shape), digest_of(data)]))
    return digest_of(b"\n".join(told))
