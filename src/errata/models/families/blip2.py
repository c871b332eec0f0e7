"""The BLIP-2 family with OPT for a language model; its tower and Q-Former are in `qformer`.

The prompt is "Question: {question} Answer:". The pictures' features stand in front of everything, the begin token too, as they did
when the published checkpoints were trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from errata.core.records import Query
from errata.models._chat import encode_chat, tokenizer_of
from errata.models.families import qformer
from errata.models.families.family import Inputs

if TYPE_CHECKING:
    from transformers import ProcessorMixin

IMAGE = "<image>"
"""The processor of this layout adds this token to whatever tokenizer it gets."""


def encode(processor: ProcessorMixin, query: Query, target: str | None) -> Inputs:
    """See `Family.encode`."""
    words = encode_chat(processor, query, target, plain=plain)
    pictures = (int(tokenizer_of(processor).convert_tokens_to_ids(IMAGE)),) * len(query.images)
    return Inputs((*pictures, *words.prompt), words.target, words.images)


def plain(query: Query) -> str:
    """Earlier turns as questions with their answers, and the last question; the pictures aren't in the words."""
    names = {"user": "Question: ", "assistant": "Answer: ", "system": ""}
    return "".join(f"{names[message.role]}{message.text} " for message in query.messages) + "Answer:"


BLIP2 = qformer.family(
    "blip2",
    text_type="opt",
    text=("language_model.model.decoder.layers.{layer}.fc1", "language_model.model.decoder.layers.{layer}.fc2"),
    encode=encode,
    plain=plain,
)
"""BLIP-2 OPT and every checkpoint of its layout."""
