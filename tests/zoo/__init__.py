"""Small random checkpoints in the exact layout of the hub, one file for each family; a new family is here by its file alone."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOMS = ("words", "eyes")


@dataclass(frozen=True)
class Zoo:
    """A family: what writes its checkpoint, and what may be asked of it."""

    name: str
    """The file's, and unique: one model type can have several forms."""

    model_type: str
    """As `config.json` has it."""

    eyes: bool
    """Whether it sees pictures."""

    pictures: int
    """The most pictures that one prompt can hold here: 0, 1 or 2."""

    build: Callable[..., None]
    """`build(folder, *, seed=0)` writes the checkpoint."""


def families() -> dict[str, Zoo]:
    """Every family by its name."""
    found = {}
    for room in ROOMS:
        package = importlib.import_module(f"{__name__}.{room}")
        for module in pkgutil.iter_modules(package.__path__):
            if not module.name.startswith("_"):
                family = importlib.import_module(f"{package.__name__}.{module.name}")
                pictures = family.PICTURES if family.EYES else 0
                found[module.name] = Zoo(module.name, family.MODEL_TYPE, family.EYES, pictures, family.build)
    return found


__all__ = ["Zoo", "families"]


def folder_of(zoo: Zoo, root: Path) -> Path:
    """The family's checkpoint under `root`, built where there is none."""
    folder = root / zoo.name
    if not (folder / "model.safetensors.index.json").exists():
        zoo.build(folder)
    return folder
