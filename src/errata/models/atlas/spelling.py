"""Captions as the language model has them: tokens, and their input embeddings, which eyes are to spell.

Shapes: N pictures, K slots, D width of the language model, V tokens that captions are made of.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, Final

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.functional import normalize
from transformers import AutoConfig, AutoTokenizer

from errata.models._borrowed import smollm2
from errata.models.atlas.eyes import SLOTS

_FILLED: Final = " "
"""What stands after a caption: a token that says nothing."""


class Vocabulary:
    """The tokens that captions are made of.

    Args:
        captions: every one, or of those that share all their words one.

    Raises:
        BadInput: the language model isn't installed.
    """

    def __init__(self, captions: Sequence[str]) -> None:
        folder = smollm2()
        self.text: Any = AutoConfig.from_pretrained(folder)
        """The language model's configuration."""
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        filled = self._ids(_FILLED)[0]
        self._tokens = sorted({filled, *(token for caption in captions for token in self._ids(f" {caption}"))})
        self._place = {token: place for place, token in enumerate(self._tokens)}
        self.nothing = self._place[filled]
        """The place of the token that says nothing."""
        with safe_open(folder / "model.safetensors", "pt") as held:
            self.embeddings_VD: Tensor = held.get_tensor("model.embed_tokens.weight")[self._tokens].float()
        self.mean_D = self.embeddings_VD.mean(0)
        self.directions_VD = normalize(self.embeddings_VD - self.mean_D)
        """Each embedding from the mean of all, of length one."""

    @cached_property
    def apart_VV(self) -> Tensor:
        """|e - e'|^2 / 2: how much likelier a word is than another where it is spelled exactly."""
        return torch.cdist(self.embeddings_VD, self.embeddings_VD).square() / 2

    def slots(self, caption: str) -> list[int]:
        """K places in the vocabulary: the caption's, cut where it is too long, then nothing."""
        places = [self._place[token] for token in self._ids(f" {caption}")][:SLOTS]
        return places + [self.nothing] * (SLOTS - len(places))

    def likeness(self, features: Tensor) -> Tensor:
        """-|o - e|^2 / 2 for each embedding e, up to what is the same for all: [..., D] -> [..., V]."""
        return features @ self.embeddings_VD.T - self.embeddings_VD.square().sum(-1) / 2

    def read(self, features_NKD: Tensor) -> list[str]:
        """What eyes spell: each slot as the nearest token."""
        nearest_NK = self.likeness(features_NKD).argmax(-1)
        rows = [[self._tokens[place] for place in row] for row in nearest_NK.tolist()]
        return [str(self._tokenizer.decode(row)).strip() for row in rows]

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return found
