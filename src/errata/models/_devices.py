"""Where a model is put and in what it is held: one device, or as many as it needs; and the precision of its weights."""

from __future__ import annotations

import atexit
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from tempfile import mkdtemp
from types import MappingProxyType
from typing import Any, Final, final

import torch

from errata.core.errors import BadInput, Unknown, quoted
from errata.models._chat import brief
from errata.models._files import cache_folder

FLOATING: Mapping[str, torch.dtype] = MappingProxyType(
    {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
)
INT8: Final = "int8"
"""Linear modules' weights in 8 bits, each row with its scale (torchao), all else as the device has it."""

PRECISIONS: Final = (*FLOATING, INT8)

AUTO: Final = "auto"
"""Over all devices that there are, then in memory, then left on disk and fetched when used (accelerate)."""

_ROOM = re.compile(r"(cpu|\d+)=(\d+(?:\.\d+)?(?:[KMG]B))")


@final
@dataclass(frozen=True)
class Placing:
    """Where a model goes."""

    place: torch.device
    """Where it takes its inputs."""

    spread: bool = False
    """Whether accelerate spreads it."""

    rooms: Mapping[int | str, str] = field(default_factory=dict)
    """How much of each device it may take at most, "cpu" or a number -> "20GB"; empty: whatever is free."""

    def settings(self) -> dict[str, Any]:
        """What `from_pretrained` is told of it."""
        if not self.spread:
            return {}
        return {"device_map": "auto", "offload_folder": _aside(), **({"max_memory": dict(self.rooms)} if self.rooms else {})}


def placing_at(device: str) -> Placing:
    """What is said of a place: "cpu", "cuda:1", "auto", or "auto:0=20GB,cpu=60GB" with how much each may take at most.

    Raises:
        BadInput: it isn't said so, isn't there, or accelerate, which spreads, isn't installed.
    """
    how, _, said = device.partition(":")
    if how != AUTO:
        return Placing(device_at(device))
    rooms: dict[int | str, str] = {}
    for one in filter(None, said.split(",")):
        found = _ROOM.fullmatch(one.strip())
        if found is None:
            raise BadInput(f"The device {quoted(device)} can't be used: write what each may take as auto:0=20GB,cpu=60GB.")
        rooms[found[1] if found[1] == "cpu" else int(found[1])] = found[2]
    if find_spec("accelerate") is None:
        raise BadInput("--device auto spreads a model with accelerate, which isn't installed: pip install 'errata[spread]'")
    return Placing(device_at(AUTO), spread=True, rooms=rooms)


def _aside() -> str:
    """A folder, until the program ends, for weights that a checkpoint lays out otherwise than the model does (mixtures of experts).

    Raises:
        BadInput: none can be made.
    """
    where = cache_folder()
    try:
        where.mkdir(parents=True, exist_ok=True)
        made = mkdtemp(prefix="aside-", dir=where)
    except OSError as error:
        raise BadInput(
            f"{where}, where weights can be left on disk, can't be written: {error.strerror}. Set ERRATA_CACHE to another folder."
        ) from error
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def device_at(device: str) -> torch.device:
    """A device by its name; of "auto", the first that there is.

    Raises:
        BadInput: it isn't there.
    """
    if device.partition(":")[0] == AUTO:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"The device {quoted(device)} can't be used: {brief(error)} Use cpu, or a device that is there.") from error
    return place


def precision_of(dtype: str | None, place: torch.device) -> tuple[torch.dtype | str, dict[str, Any]]:
    """What `from_pretrained` is told of precision: what is computed in, and how weights are held where that is another thing.

    Args:
        dtype: one of `PRECISIONS`. None: float32 on a CPU, the checkpoint's own elsewhere.

    Raises:
        Unknown: no such precision.
        BadInput: torchao, which holds weights in 8 bits, isn't installed.
    """
    if dtype is not None and dtype not in PRECISIONS:
        raise Unknown("dtype", dtype, PRECISIONS)
    own: torch.dtype | str = torch.float32 if place.type == "cpu" else "auto"
    if dtype != INT8:
        return (own if dtype is None else FLOATING[dtype]), {}
    if find_spec("torchao") is None:
        raise BadInput("--dtype int8 holds weights in 8 bits with torchao, which isn't installed: pip install 'errata[int8]'")
    from torchao.quantization import Int8WeightOnlyConfig
    from transformers import TorchAoConfig

    return own, {"quantization_config": TorchAoConfig(Int8WeightOnlyConfig())}
