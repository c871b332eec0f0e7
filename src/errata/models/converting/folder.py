"""A checkpoint folder written shard by shard: what is in memory at a time is one shard, and half a folder never has its name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Final, final

import torch
from safetensors.torch import save_file
from torch import Tensor

from errata.core.errors import BadInput, shortened
from errata.core.progress import Progress

SHARD_BYTES: Final = 2 * 10**9
"""The most bytes of tensors in one file, unless one tensor has more."""

_BESIDE_BYTES: Final = 50 * 10**6
"""Room for the tokenizer and the rest."""


@final
@dataclass(frozen=True)
class Planned:
    """One tensor that is to be written."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    make: Callable[[], Tensor]

    @property
    def size(self) -> int:
        """Bytes."""
        return prod(self.shape) * self.dtype.itemsize


def check_folder(folder: Path) -> None:
    """Whether a checkpoint could be written there.

    Raises:
        BadInput: it is there and isn't an empty folder.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{shortened(folder)} is there and isn't empty. Name a new folder; nothing was written.")


def check_disk(folder: Path, planned: Sequence[Planned]) -> None:
    """Whether the disk has room for what is planned.

    Raises:
        BadInput: it hasn't.
    """
    needed = sum(one.size for one in planned) + _BESIDE_BYTES
    there = next(place for place in (folder.absolute(), *folder.absolute().parents) if place.is_dir())
    free = shutil.disk_usage(there).free
    if needed > free:
        raise BadInput(
            f"{shortened(folder)} would take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free there. "
            "Free some, or name a folder on another disk; nothing was written."
        )


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """A folder beside `folder` that gets its name when the block is done, and is gone when the block fails.

    Raises:
        BadInput: it can't be written.
    """
    whole = folder.absolute()
    draft = whole.parent / f".{whole.name}-{os.getpid()}"
    try:
        draft.mkdir(parents=True)
        yield draft
        os.replace(draft, whole)
    except OSError as error:
        raise BadInput(
            f"{shortened(folder)} can't be written: {error.strerror or error}. Name another folder; nothing was written."
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_shards(folder: Path, planned: Sequence[Planned], *, limit: int, progress: Progress) -> int:
    """Write safetensors and, where there are several, their index. Returns the bytes of all tensors.

    Args:
        folder: is there.
        planned: in the order in which they are written.
        limit: the most bytes of one file.
        progress: is told after each.
    """
    shards = _shards(planned, limit)
    names = ["model.safetensors"] if len(shards) == 1 else [_name(i, len(shards)) for i in range(len(shards))]
    size = sum(one.size for one in planned)
    for done, (name, shard) in enumerate(zip(names, shards, strict=True), start=1):
        tensors = {one.name: one.make().to(one.dtype, copy=True).contiguous() for one in shard}
        save_file(tensors, folder / name, metadata={"format": "pt"})
        progress("files", done, len(shards))
    if len(shards) > 1:
        where = {one.name: name for name, shard in zip(names, shards, strict=True) for one in shard}
        index = {"metadata": {"total_size": size}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return size


def _shards(planned: Sequence[Planned], limit: int) -> list[list[Planned]]:
    shards: list[list[Planned]] = [[]]
    for one in planned:
        if shards[-1] and sum(other.size for other in shards[-1]) + one.size > limit:
            shards.append([])
        shards[-1].append(one)
    return shards


def _name(number: int, of: int) -> str:
    return f"model-{number + 1:05}-of-{of:05}.safetensors"
