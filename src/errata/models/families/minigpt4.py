"""The MiniGPT-4 family: BLIP-2's tower and Q-Former (`qformer`) in front of a LLaMA or Vicuna.

Zhu et al., "MiniGPT-4", arXiv 2304.10592. Its own code has no class in transformers: its weights are those of a BLIP-2 with a LLaMA
language model, and such a checkpoint is this family's. The prompt is "###Human: <Img><image></Img> {question} ###Assistant:".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from errata.core.images import Image
from errata.core.records import Query
from errata.models._chat import encode_chat
from errata.models.families import qformer
from errata.models.families.family import Inputs

if TYPE_CHECKING:
    from transformers import ProcessorMixin


def encode(processor: ProcessorMixin, query: Query, target: str | None) -> Inputs:
    """See `Family.encode`."""
    return encode_chat(processor, query, target, plain=plain)


def plain(query: Query) -> str:
    """MiniGPT-4's layout: each picture between marks, at the head of its message."""
    names = {"user": "###Human: ", "assistant": "###Assistant: ", "system": ""}
    said = []
    for message in query.messages:
        images = "".join("<Img><image></Img> " for part in message.parts if isinstance(part, Image))
        said.append(f"{names[message.role]}{images}{message.text} ")
    return "".join(said) + "###Assistant:"


MINIGPT4 = qformer.family(
    "minigpt4",
    text_type="llama",
    text=("language_model.model.layers.{layer}.mlp.up_proj", "language_model.model.layers.{layer}.mlp.down_proj"),
    encode=encode,
    plain=plain,
)
"""MiniGPT-4 and every BLIP-2 with a LLaMA language model."""
