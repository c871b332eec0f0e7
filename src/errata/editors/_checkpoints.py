"""What a training leaves: one safetensors file with the learned tensors, the plan they were made by, and what they are for.

The file names its own digest, so one that was cut, changed or mixed up is told from a whole one before anything is computed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from errata.core.canonical import JSON, canonical
from errata.core.errors import BadInput
from errata.nn.digest import hash_of

FILE = "learned.safetensors"
"""Its name in the folder of a training."""

_KEY = "errata"


class Base(Protocol):
    """What something is trained for: a model, or encoders."""

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...


class Named(NamedTuple):
    """What a checkpoint says of what it was trained for."""

    name: str
    digest: str


@dataclass(frozen=True)
class Checkpoint:
    """Learned tensors, and what they are of."""

    kind: str
    """What `errata train` calls what was trained, such as "mend"."""

    plan: Mapping[str, JSON]
    """What it was made by: every field of its plan, and what resulted."""

    base_name: str
    """The model or the encoders that it was trained for; empty where it needs neither."""

    base_digest: str
    tensors: Mapping[str, Tensor]
    place: str = ""
    """Where it was read, for messages."""

    @property
    def digest(self) -> str:
        """Of all of it but names and places, which say only where something lay."""
        return hash_of([self.kind, self.plan, self.base_digest], self.tensors).hexdigest()

    def check(self, base: Base, *, instead: str) -> None:
        """Whether it may be used with this model or these encoders.

        Args:
            instead: what to do if not, as a sentence.

        Raises:
            BadInput: it was trained for another one, or for this one in another precision.
        """
        if base.digest != self.base_digest:
            raise BadInput(
                f"This checkpoint of {self.kind} was trained for {self.base_name} ({self.base_digest[:12]}), not for {base.name} "
                f"({base.digest[:12]}). {instead}"
            )

    def fill(self, module: nn.Module) -> None:
        """Put the tensors into a module that was made by the plan.

        Raises:
            BadInput: they aren't that module's.
        """
        try:
            module.load_state_dict(dict(self.tensors))
        except RuntimeError as error:
            said = str(error).strip().splitlines()[-1].strip().rstrip(".")
            raise BadInput(f"The checkpoint {self.place} doesn't hold what its own plan says ({said}). Train it afresh.") from None

    def unknown(self, error: Exception) -> BadInput:
        """What to raise where the plan can't be made out."""
        why = f"{error}".rstrip(".")
        return BadInput(f"The checkpoint {self.place} is of a plan that this version doesn't know ({why}). Train it afresh.")

    def write(self, folder: Path) -> Path:
        """Write the file whole or not at all; where it is."""
        folder.mkdir(parents=True, exist_ok=True)
        path, temporary = folder / FILE, folder / f"{FILE}.tmp"
        base: JSON = {"name": self.base_name, "digest": self.base_digest}
        told: JSON = {"format": 1, "kind": self.kind, "plan": self.plan, "base": base, "digest": self.digest}
        held = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
        with temporary.open("wb") as file:
            file.write(save(held, {_KEY: canonical(told).decode()}))
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        return path


def read(place: str | Path, *, kind: str) -> Checkpoint:
    """The checkpoint in a folder, or in a file.

    Raises:
        BadInput: there is none, it is broken, or it is of something else.
    """
    path = Path(place)
    if path.is_dir():
        path = path / FILE
    if not path.is_file():
        raise BadInput(f"There is no checkpoint at {path}. Give the folder that `errata train {kind} --out FOLDER` wrote.")
    try:
        with safe_open(path, "pt") as held:
            told: Any = json.loads((held.metadata() or {})[_KEY])
            tensors = {name: held.get_tensor(name) for name in held.keys()}  # noqa: SIM118  not a mapping
        found = Checkpoint(told["kind"], told["plan"], told["base"]["name"], told["base"]["digest"], tensors, str(path))
        whole = found.digest == told["digest"] and told["format"] == 1
    except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        why = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise BadInput(f"The checkpoint {path} can't be read ({why}). Take another copy, or train it afresh.") from None
    if not whole:
        raise BadInput(f"The checkpoint {path} isn't what was written: its digest differs. Take another copy, or train it afresh.")
    if found.kind != kind:
        raise BadInput(f"The checkpoint {path} is of {found.kind}, not of {kind}. Name the right one.")
    return found
