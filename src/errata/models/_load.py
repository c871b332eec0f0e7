"""From a name to a model: the shipped one, a checkpoint folder, or a hub id; and a sentence for whatever can be wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoProcessor, PretrainedConfig

from errata.core.errors import BadInput, Unknown, quoted
from errata.models._quiet import quiet
from errata.models._transformers import TransformersModel
from errata.models.families.blip2 import BLIP2
from errata.models.families.family import Family
from errata.models.families.llava import LLAVA
from errata.models.families.minigpt4 import MINIGPT4

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (LLAVA, BLIP2, MINIGPT4)})
"""Name -> family. A checkpoint's is found by the `model_type` of its config.json, and of its language model's part."""

_UNSAID = MappingProxyType({"blip-2": "opt"})
"""`model_type` -> that of the language model where config.json leaves it out."""

_SHIPPED = ("llava-tiny", "minigpt4-tiny", "blip2-tiny")

_NAMEABLE = (*_SHIPPED, "a checkpoint folder", "owner/name on the hub when it can be reached")

_DTYPES = MappingProxyType({"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16})


def shipped() -> tuple[str, ...]:
    """The names of the models inside the package."""
    return tuple(sorted(_SHIPPED))


def load(name_or_path: str | Path, *, device: str = "cpu", dtype: str | None = None) -> TransformersModel:
    """Open a model.

    Args:
        name_or_path: a shipped name, a checkpoint folder as `save_pretrained` writes it, or a hub id ("owner/name").
        device: "cpu", "cuda", "cuda:1", ...
        dtype: "float32", "bfloat16" or "float16". None: float32 on a CPU, the checkpoint's own elsewhere.

    Raises:
        Unknown: no such model, family or dtype.
        BadInput: the folder is no checkpoint, its weights are broken or don't fit, or the device isn't there.
    """
    name = str(name_or_path)
    place = device_at(device)
    if dtype is not None and dtype not in _DTYPES:
        raise Unknown("dtype", dtype, _DTYPES)
    precision = _DTYPES[dtype] if dtype is not None else torch.float32 if place.type == "cpu" else "auto"
    source = source_of(name)
    with quiet():
        family = family_of(source, name)
        processor = _processor(source, name)
        net = _net(source, name, family=family, dtype=precision)
    why = family.refuse(net)
    if why is not None:
        raise BadInput(f"The model {name} is of the family {family.name!r} and can't be used: {why}.")
    return TransformersModel(net.to(place), processor=processor, name=name, family=family)  # type: ignore[arg-type]


def asset(name: str) -> str:
    """Where what ships under this name lies."""
    return str(files("errata").joinpath("assets", name))


def source_of(name: str) -> str:
    """Where transformers finds it: a folder, or a hub id."""
    if not name.strip():
        raise Unknown("model", name, _NAMEABLE)
    if name in _SHIPPED:
        return asset(name)
    if Path(name).is_dir():
        return name
    if Path(name).exists():
        raise BadInput(f"{name} is a file; a model is a folder with config.json and weights. Give the folder.")
    owner, _, rest = name.partition("/")
    if not rest or "/" in rest or owner in ("", ".", "..", "~"):
        raise Unknown("model", name, _NAMEABLE)
    return name


def family_of(source: str, name: str) -> Family:
    """The family that the config.json at `source` is of.

    Raises:
        Unknown: nothing is there, or it is of a model_type that isn't known.
        BadInput: it can't be read, or its language model isn't known.
    """
    try:
        config, _ = PretrainedConfig.get_config_dict(source)
    except (OSError, ValueError) as error:
        if Path(source).is_dir():
            raise BadInput(
                f"The folder {name} is no checkpoint: its config.json is missing or isn't JSON. Save it again."
            ) from error
        raise Unknown("model", name, _NAMEABLE) from error
    model_type = config.get("model_type")
    if not isinstance(model_type, str):
        raise BadInput(f"The folder {name} is no checkpoint: its config.json names no model_type. Save it again.")
    like = [family for family in FAMILIES.values() if family.model_type == model_type]
    if not like:
        raise Unknown("model family", model_type, sorted({family.model_type for family in FAMILIES.values()}))
    text_type = (config.get("text_config") or {}).get("model_type", _UNSAID.get(model_type))
    fitting = [family for family in like if family.text_type in (None, text_type)]
    if not fitting:
        known = " or ".join(sorted(str(family.text_type) for family in like))
        raise BadInput(
            f"The model {name} is a {model_type} with a language model of the type {text_type!r}; {known} is known. Use another."
        )
    return fitting[0]


def _processor(source: str, name: str) -> ProcessorMixin:
    try:
        # Pillow's resizing whatever else is installed: the same picture gives the same pixels everywhere.
        return cast("ProcessorMixin", AutoProcessor.from_pretrained(source, backend="pil"))  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(
            f"The model {name} has no usable processor (tokenizer and image settings): {brief(error)} Save it again."
        ) from error


def _net(source: str, name: str, *, family: Family, dtype: torch.dtype | str) -> PreTrainedModel:
    try:
        loaded: Any = family.net.from_pretrained(source, dtype=dtype, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BadInput(f"The weights of {name} can't be read: {brief(error)} Save or download them again.") from error
    return cast("PreTrainedModel", fitting(loaded, name))


def fitting(loaded: Any, name: str) -> Any:
    """The network of what `from_pretrained` gives with its loading info.

    Raises:
        BadInput: some of its weights are missing, or of another shape than its configuration says.
    """
    net, info = loaded
    amiss = sorted(str(key) for kind in ("missing_keys", "mismatched_keys") for key in info[kind])
    if amiss:
        raise BadInput(
            f"The weights of {name} don't fit its configuration: {len(amiss)} are missing or of another shape, first {amiss[0]}. "
            "Save or download them again."
        )
    return net


def device_at(device: str) -> torch.device:
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(f"The device {quoted(device)} can't be used: {brief(error)} Use cpu, or a device that is there.") from error
    return place


def brief(error: Exception) -> str:
    """The first line of another library's message, as a sentence."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    first = lines[0] if lines else type(error).__name__
    return first if first.endswith((".", "!", "?")) else f"{first}."
