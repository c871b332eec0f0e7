"""From a name to a model: the shipped one, a checkpoint folder, or a hub id; and a sentence for whatever can be wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES

from errata.core.errors import BadInput, Unknown
from errata.models._borrowed import SMOLLM2, smollm2
from errata.models._chat import brief
from errata.models._devices import placing_at, precision_of
from errata.models._files import Digests, cache_folder, check_room, weights_of
from errata.models._processors import processor_of
from errata.models._quiet import quiet
from errata.models._spliced import Spliced
from errata.models._structure import straighten
from errata.models._transformers import TransformersModel
from errata.models._whole import Whole
from errata.models.atlas.whole import ATLAS, atlas
from errata.models.families.blip2 import BLIP2
from errata.models.families.family import Family, Hub
from errata.models.families.instructblip import INSTRUCTBLIP
from errata.models.families.llava import LLAVA
from errata.models.families.minigpt4 import MINIGPT4
from errata.models.families.paligemma import PALIGEMMA
from errata.nn.places import quantised

if TYPE_CHECKING:
    from transformers import PreTrainedModel, ProcessorMixin

FAMILIES: Mapping[str, Family] = MappingProxyType({family.name: family for family in (LLAVA, BLIP2, MINIGPT4)})
"""Name -> family with a table of its own, found by the `model_type` of its config.json, and of its language model's part."""

ODD: Mapping[str, Hub] = MappingProxyType({hub.name: hub for hub in (PALIGEMMA, INSTRUCTBLIP)})
"""`model_type` -> what is odd about it. Any other that transformers knows is asked as its checkpoint says, and nothing is."""

_UNSAID = MappingProxyType({"blip-2": "opt"})
"""`model_type` -> that of the language model where config.json leaves it out."""

COMMON = ("llava", "llava_next", "qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "internvl", "smolvlm", "llama", "qwen3", "gpt2")
"""Some of the `model_type`s that transformers knows, for who asks."""

_SHIPPED = ("llava-tiny", "minigpt4-tiny", "blip2-tiny")

PUT_TOGETHER: Mapping[str, Callable[[], Path]] = MappingProxyType({ATLAS: atlas, SMOLLM2: smollm2})
"""Name -> what writes it into the cache where it isn't there yet."""

_NAMEABLE = (*_SHIPPED, ATLAS, SMOLLM2, "a checkpoint folder", "owner/name on the hub when it can be reached")


def shipped() -> tuple[str, ...]:
    """The names of the models inside the package."""
    return tuple(sorted(_SHIPPED))


def load(name_or_path: str | Path, *, device: str = "cpu", dtype: str | None = None) -> TransformersModel:
    """Open a model.

    Args:
        name_or_path: a shipped name, a checkpoint folder as `save_pretrained` writes it, or a hub id ("owner/name").
        device: "cpu", "cuda", "cuda:1", ...; "auto": over all there are, then in memory, then left on disk; "auto:0=20GB,cpu=60GB":
            the same with the most that each may take.
        dtype: "float32", "bfloat16", "float16", or "int8": linear modules' weights in 8 bits. None: float32 on a CPU, the
            checkpoint's own elsewhere.

    Raises:
        Unknown: no such model, family or dtype.
        BadInput: the folder is no checkpoint, its weights are broken or don't fit, or the device isn't there.
    """
    name = str(name_or_path)
    placing = placing_at(device)
    with quiet():
        precision, held = precision_of(dtype, placing.place)
    source = source_of(name)
    with quiet():
        family = family_of(source, name)
        weights = weights_of(source, name)
        if not placing.spread:
            check_room(weights, name=name, dtype=torch.int8 if held else precision, place=placing.place)
        kept = Digests(source, dtype=f"{precision} {dtype}" if held else str(precision), where=cache_folder())
        processor = processor_of(source, name, eyes=family.eyes)
        net = _net(source, name, family=family, dtype=precision, **held, **placing.settings())
        if not placing.spread:
            net.to(placing.place)  # type: ignore[arg-type]
    if held and not any(map(quantised, net.parameters())):
        raise BadInput(f"The model {name} has no linear module that torchao holds in 8 bits. Use --dtype bfloat16.")
    return model_of(net, processor=processor, name=name, family=family, digests=kept)


def model_of(
    net: PreTrainedModel, *, processor: ProcessorMixin, name: str, family: Family | Hub, digests: Digests | None = None
) -> TransformersModel:
    """An opened checkpoint as a model, by the front that its family is asked by. Arguments: see `TransformersModel`.

    Raises:
        BadInput: the family can't be used as the checkpoint has it.
    """
    net.requires_grad_(False)
    front: Spliced | Whole
    if isinstance(family, Family):
        why = family.refuse(net)
        if why is not None:
            raise BadInput(f"The model {name} is of the family {family.name!r} and can't be used: {why}.")
        family.settle(net)
        front = Spliced(net, processor=processor, name=name, family=family)
    else:
        front = Whole(net, processor=processor, name=name, hub=family, straightened=straighten(net))
    return TransformersModel(net, processor=processor, name=name, family=family, front=front, digests=digests)


def asset(name: str) -> str:
    """Where what ships under this name lies."""
    return str(files("errata").joinpath("assets", name))


def source_of(name: str) -> str:
    """Where transformers finds it: a folder, or a hub id."""
    if not name.strip():
        raise Unknown("model", name, _NAMEABLE)
    if name in _SHIPPED:
        return asset(name)
    if name in PUT_TOGETHER and not Path(name).is_dir():
        return str(PUT_TOGETHER[name]())
    if Path(name).is_dir():
        return name
    if Path(name).exists():
        raise BadInput(f"{name} is a file; a model is a folder with config.json and weights. Give the folder.")
    owner, _, rest = name.partition("/")
    if not rest or "/" in rest or owner in ("", ".", "..", "~"):
        raise Unknown("model", name, _NAMEABLE)
    return name


def family_of(source: str, name: str) -> Family | Hub:
    """The family that the config.json at `source` is of.

    Raises:
        Unknown: nothing is there, or it is of a model_type that transformers doesn't know.
        BadInput: it can't be read, or is of a kind that can't be edited.
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
    text_type = (config.get("text_config") or {}).get("model_type", _UNSAID.get(model_type))
    like = [family for family in FAMILIES.values() if family.model_type == model_type]
    fitting = [family for family in like if family.text_type in (None, text_type)]
    if like and not fitting:
        known = " or ".join(sorted(str(family.text_type) for family in like))
        raise BadInput(
            f"The model {name} is a {model_type} with a language model of the type {text_type!r}; {known} is known. Use another."
        )
    return fitting[0] if fitting else _hub(model_type, config, name)


def _hub(model_type: str, config: Mapping[str, Any], name: str) -> Hub:
    """How a checkpoint without a table of its own is asked.

    Raises:
        Unknown: transformers doesn't know the model_type.
        BadInput: what it knows isn't a model that answers in words.
    """
    if model_type not in CONFIG_MAPPING:
        all_ = sorted({*MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES, *MODEL_FOR_CAUSAL_LM_MAPPING_NAMES})
        raise Unknown("model family", model_type, get_close_matches(model_type, all_, n=6, cutoff=0.4) or COMMON)
    if _has_encoder(model_type, config):
        raise BadInput(
            f"The model {name} reads its question in an encoder ({model_type}), and errata edits decoders. "
            "Use a checkpoint whose language model is one."
        )
    if model_type in ODD:
        return ODD[model_type]
    eyes = model_type in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
    if eyes and (model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or "vision_config" in config):
        return Hub(model_type)
    if model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise BadInput(
            f"The model {name} is a {model_type}, which transformers doesn't open as one that answers in words. "
            "Use a vision-language model or a language model."
        )
    return Hub(model_type, eyes=False)


def _has_encoder(model_type: str, config: Mapping[str, Any]) -> bool:
    """Whether a model reads its question in an encoder; False where the configuration makes none, which opening it tells."""
    kind: Any = CONFIG_MAPPING[model_type]
    try:
        whole = kind.from_dict(dict(config))
        return bool(whole.is_encoder_decoder or whole.get_text_config().is_encoder_decoder)
    except (AttributeError, KeyError, TypeError, ValueError):
        return False


def class_of(family: Family | Hub) -> Any:
    """The class of transformers that opens a checkpoint of the family."""
    return family.net if isinstance(family, Family) else AutoModelForImageTextToText if family.eyes else AutoModelForCausalLM


def _net(source: str, name: str, *, family: Family | Hub, **settings: Any) -> PreTrainedModel:
    try:
        loaded: Any = class_of(family).from_pretrained(source, output_loading_info=True, **settings)
    except ImportError as error:  # a quantiser that the checkpoint's own configuration asks for
        raise BadInput(f"The weights of {name} are held in a way that needs another package: {brief(error)}") from error
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
