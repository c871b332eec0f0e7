"""What errata finds in a checkpoint, without loading its weights: the configuration, the headers of its files, its processor."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from transformers import AutoConfig, GenerationConfig, ProcessorMixin

from errata.core.errors import BadInput
from errata.core.model import Role
from errata.core.records import Query
from errata.models._chat import brief, prompt_text, tokenizer_of
from errata.models._devices import FLOATING
from errata.models._eyes import grey_square
from errata.models._files import Weights, free_bytes, weights_of
from errata.models._load import class_of, family_of, model_of, source_of
from errata.models._processors import processor_of
from errata.models._quiet import quiet
from errata.models._structure import straighten, structure_of
from errata.models._transformers import TransformersModel, ending
from errata.models._whole import Whole
from errata.models.families.family import Family, Hub

ASKED = "What is this?"


@final
@dataclass(frozen=True)
class Inspected:
    """What was found."""

    name: str
    family: str
    """The name of its table, or its `model_type`."""

    way: str
    """How it is asked: by embeddings, or whole."""

    parameters: int
    weights: Weights | None
    """By the headers of its files; None for a hub id or another format."""

    layers: int
    writable: Mapping[Role, tuple[str, ...]]
    experts: bool
    """Whether some layers' MLPs are mixtures of experts, so that their attention's way out is written instead."""

    image_token: str | None
    """The token that stands for a piece of a picture; None without eyes."""

    prompt: str
    """A question, with a picture where it has eyes, as it is written out."""

    before: str
    """What stands between prompt and answer."""

    end: str
    """The token that ends an answer."""

    context: int
    free: int | None
    """Bytes of memory that are free here."""


def inspect(name_or_path: str | Path) -> Inspected:
    """Look into a checkpoint.

    Args:
        name_or_path: as `errata.models.load` takes it.

    Raises:
        Unknown, BadInput: see `errata.models.load`.
    """
    name = str(name_or_path)
    source = source_of(name)
    weights = weights_of(source, name)
    family, processor, net = _shapes(source, name)
    turned = straighten(net)
    structure = structure_of(net, name)
    hub = Hub(family.name, plain=family.plain) if isinstance(family, Family) else family
    front = Whole(net, processor=processor, name=name, hub=hub, straightened=turned)
    tokenizer = tokenizer_of(processor)
    end = ending(_speaker(family, net, source), tokenizer) if isinstance(family, Family) else front.end
    query = Query.ask(ASKED, grey_square()) if family.eyes else Query.ask(ASKED)
    token = front.image_token
    return Inspected(
        name=name,
        family=family.name,
        way="by embeddings" if isinstance(family, Family) else "whole",
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        weights=weights,
        layers=len(front.layers),
        writable={role: tuple(paths) for role, paths in structure.writable.items()},
        experts=structure.experts,
        image_token=None if token is None else str(tokenizer.convert_ids_to_tokens(token)),
        prompt=prompt_text(processor, query, plain=hub.plain or (lambda one: one.text)),
        before=front.turn.before,
        end=str(tokenizer.convert_ids_to_tokens(end)),
        context=int(net.config.get_text_config().max_position_embeddings),
        free=free_bytes(torch.device("cpu")),
    )


def blank(name_or_path: str | Path, *, dtype: str | None = None) -> TransformersModel:
    """A checkpoint as a model of its shapes, without weights: it can't be asked.

    Args:
        name_or_path: as `errata.models.load` takes it.
        dtype: "float32", "bfloat16" or "float16"; anything else: float32.

    Raises:
        Unknown, BadInput: see `errata.models.load`.
    """
    name = str(name_or_path)
    family, processor, net = _shapes(source_of(name), name)
    return model_of(net.to(FLOATING.get(dtype or "", torch.float32)), processor=processor, name=name, family=family)


def _shapes(source: str, name: str) -> tuple[Family | Hub, ProcessorMixin, Any]:
    """A checkpoint's family, its processor, and its model without weights."""
    with quiet():
        family = family_of(source, name)
        return family, processor_of(source, name, eyes=family.eyes), _empty(source, name, family)


def _speaker(family: Family, net: Any, source: str) -> Any:
    """What answers, with the generation settings that come with the weights where these are its own."""
    speaker = family.speaker(net)
    if speaker is net:
        with suppress(OSError):  # there are none: the configuration says it
            net.generation_config = GenerationConfig.from_pretrained(source)
    return speaker


def _empty(source: str, name: str, family: Family | Hub) -> Any:
    """The model without its weights."""
    kind = class_of(family)
    try:
        config = AutoConfig.from_pretrained(source)
        with torch.device("meta"):
            return kind(config) if isinstance(family, Family) else kind.from_config(config)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
        raise BadInput(
            f"The config.json of {name} describes no model that can be made: {brief(error)} Download it again."
        ) from error
