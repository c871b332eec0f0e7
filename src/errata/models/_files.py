"""The files of a checkpoint folder, looked at before anything large is loaded: are they all there and whole, and do they fit?

A safetensors file begins with the length of its header, and the header says where its last tensor ends: a file cut short shows by
its size alone. Layout: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, final

import torch

from errata.core.errors import BadInput, quoted
from errata.models._chat import brief
from errata.models._quiet import quiet

_INDEX: Final = "model.safetensors.index.json"
_WHOLE: Final = "model.safetensors"
_LARGE_BYTES: Final = 256 * 1024 * 1024
"""From here on a digest is kept: below it is worked out while one waits."""

_KEPT: Final = "digests.json"


def cache_folder() -> Path:
    """Where digests and models made from packages are kept between starts: `ERRATA_CACHE`, or errata's among the user's caches."""
    said = os.environ.get("ERRATA_CACHE")
    return Path(said) if said else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "errata"


def is_written(folder: Path) -> bool:
    """Whether a checkpoint folder is there as a whole."""
    return (folder / "config.json").exists()


def write_whole(folder: Path, write: Callable[[Path], None], *, name: str, afresh: bool) -> Path:
    """Write a checkpoint folder whole or not at all, and leave what another process wrote meanwhile.

    Args:
        folder: where, in the cache.
        write: fills an empty folder.
        name: the model's, for who is told that it can't be done.
        afresh: put it in the place of what is there.

    Raises:
        BadInput: the folder can't be written.
    """
    made = None
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder.parent))
        with quiet():
            write(made)
        if afresh or not is_written(folder):  # who else wrote it wrote the same, and may be reading it
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    except OSError as error:
        if not is_written(folder):
            raise BadInput(
                f"The model {name} can't be written to {folder}: {brief(error)} Free 0.6 GB, or set ERRATA_CACHE to another folder."
            ) from error
    finally:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
    return folder


@final
@dataclass(frozen=True)
class Weights:
    """What the headers of a folder's safetensors files say."""

    files: tuple[Path, ...]
    parameters: int
    size: int
    """Bytes on disk."""

    dtypes: tuple[str, ...]
    """As safetensors names them: F32, BF16, ..."""


def weights_of(source: str, name: str) -> Weights | None:
    """The weights in a folder by their headers; None for a hub id, or a folder with another kind of file.

    Raises:
        BadInput: a file of the index is missing or cut short, or the index names a tensor that its file hasn't.
    """
    folder = Path(source)
    if (folder / _INDEX).is_file():
        return _sharded(folder, name)
    if (folder / _WHOLE).is_file():
        return _told([(folder / _WHOLE, _header(folder / _WHOLE, name))])
    return None


def check_room(weights: Weights | None, *, name: str, dtype: torch.dtype | str, place: torch.device) -> None:
    """Whether the weights fit where they are to go.

    Raises:
        BadInput: they need more memory than is free.
    """
    free = free_bytes(place)
    if weights is None or free is None:
        return
    needed = weights.size if isinstance(dtype, str) else weights.parameters * dtype.itemsize
    if needed > free:
        kind = "its own precision" if isinstance(dtype, str) else str(dtype).removeprefix("torch.")
        raise BadInput(
            f"The model {name} takes {needed / 1e9:.1f} GB in {kind}, "
            f"and {free / 1e9:.1f} GB are free on {place}. Use --dtype bfloat16, another device, or a smaller model."
        )


@final
class Digests:
    """Digests of large checkpoints, kept by the place, sizes and times of their files.

    Args:
        source: the folder.
        dtype: what the weights are loaded as.
        where: the folder that they are kept in.
    """

    def __init__(self, source: str, *, dtype: str, where: Path) -> None:
        files = [path for path in sorted(Path(source).glob("*")) if path.is_file()] if Path(source).is_dir() else []
        large = sum(path.stat().st_size for path in files) >= _LARGE_BYTES
        stamp = [[path.name, path.stat().st_size, path.stat().st_mtime_ns] for path in files]
        told = json.dumps([str(Path(source).resolve()), dtype, stamp])
        self._key = sha256(told.encode()).hexdigest() if large else None
        self._path = where / _KEPT

    def known(self) -> str | None:
        """What was kept for these very files; None where nothing was."""
        if self._key is None:
            return None
        found = _read(self._path).get(self._key)
        return found if isinstance(found, str) else None

    def keep(self, digest: str) -> None:
        """For the next start. Where it can't be written it is worked out again."""
        if self._key is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            aside = self._path.with_suffix(f".{os.getpid()}")
            aside.write_text(json.dumps({**_read(self._path), self._key: digest}, indent=1), encoding="utf-8")
            aside.replace(self._path)
        except OSError:
            return


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _sharded(folder: Path, name: str) -> Weights:
    try:
        of = json.loads((folder / _INDEX).read_text(encoding="utf-8"))["weight_map"]
        shards: Mapping[str, str] = {str(tensor): str(file) for tensor, file in of.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"The weights of {name} can't be read: {_INDEX} isn't an index of tensors. Download it again.") from error
    files = sorted(set(shards.values()))
    missing = [file for file in files if not (folder / file).is_file()]
    if missing:
        raise BadInput(
            f"The weights of {name} can't be read: {missing[0]} is missing, one of {len(missing)} of the {len(files)} files "
            f"that {_INDEX} names. Download it."
        )
    headers = {file: _header(folder / file, name) for file in files}
    for tensor, file in shards.items():
        if tensor not in headers[file]:
            raise BadInput(
                f"The weights of {name} can't be read: {_INDEX} says that {quoted(tensor)} is in {file}, which hasn't got it. "
                "Download both again."
            )
    return _told([(folder / file, header) for file, header in headers.items()])


def _header(path: Path, name: str) -> Mapping[str, Any]:
    """What a safetensors file says that is in it."""
    size = path.stat().st_size
    cut = f"The weights of {name} can't be read: {path.name} was cut short or isn't a safetensors file"
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= size - 8:
                raise BadInput(f"{cut} ({size:,} bytes). Download it again.")
            header = json.loads(file.read(length))
        tensors = {key: value for key, value in header.items() if key != "__metadata__"}
        end = 8 + length + max((int(value["data_offsets"][1]) for value in tensors.values()), default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, BadInput):
            raise
        raise BadInput(f"{cut}. Download it again.") from error
    if size < end:
        raise BadInput(f"{cut}: {size:,} of {end:,} bytes are there. Download it again.")
    return tensors


def _told(headers: list[tuple[Path, Mapping[str, Any]]]) -> Weights:
    tensors = [value for _, header in headers for value in header.values()]
    count = 0
    for value in tensors:
        one = 1
        for side in value["shape"]:
            one *= int(side)
        count += one
    return Weights(
        files=tuple(path for path, _ in headers),
        parameters=count,
        size=sum(path.stat().st_size for path, _ in headers),
        dtypes=tuple(sorted({str(value["dtype"]) for value in tensors})),
    )


def free_bytes(place: torch.device) -> int | None:
    """Memory that is free on a device; None where it isn't known."""
    if place.type == "cuda":
        return int(torch.cuda.mem_get_info(place)[0])
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    found = [line.split() for line in lines if line.startswith("MemAvailable:")]
    return int(found[0][1]) * 1024 if found else None
