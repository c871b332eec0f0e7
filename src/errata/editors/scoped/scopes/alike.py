"""The same question, and one that is near by an encoder of one's own: a scope that asks nothing of the model.

The same question: the same words however they are typed, and the same pixels (`core.matching.asks`), in the same conversation; what
the system says isn't looked at, since every client says something else there. A near one is asked by itself, with at most one
picture, and both its words and its picture are at least as alike as the threshold:

    s = min(cos(words, words_e), cos(picture, picture_e)),    pictures only where both have one; nothing where one of them has.

So another picture under the same words is another question, which a weighted mean of both would let pass. A question whose words
the encoder doesn't read to their end is near to none: what it didn't read may say something else.

Shapes: N keys, W width of the encoder's vectors, D = 33 + 2 W, or 32 without an encoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from errata.core.canonical import JSON
from errata.core.encoder import Encoder
from errata.core.errors import BadInput
from errata.core.matching import asks
from errata.core.model import Model
from errata.core.records import Query

_NAME: Final = 32
"""Bytes of a question's name."""

_WITHIN: Final = 2
"""In the place of the number of pictures: asked within a conversation, or with more pictures, so that it is near to none."""


@final
@dataclass(frozen=True)
class Alike:
    """See the module."""

    threshold: float
    """The least similarity that is near, above 0 and below 1; of an encoder alone."""

    encoder: Encoder | None = None
    """By which a question is near; None: the same question alone."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise BadInput(f"The scope's threshold must be above 0 and below 1, not {self.threshold}.")

    def spec(self) -> Mapping[str, JSON]:
        """Its kind, and the encoder by its digest with the threshold, where there is one."""
        if self.encoder is None:
            return {"kind": "alike"}
        return {"kind": "alike", "threshold": self.threshold, "encoder": self.encoder.digest}

    def key(self, model: Model, query: Query, target: str | None = None) -> Float[Tensor, " D"]:
        """The bytes of the question's name; then how many pictures there are, and unit vectors of words and picture.

        Neither the target is looked at nor the model, but for how its log decodes pictures.
        """
        said = Query(tuple(message for message in query.messages if message.role != "system"))
        name = torch.tensor([float(byte) for byte in bytes.fromhex(asks(said, decoder=model.decoder))])
        return name if self.encoder is None else torch.cat([name, *self._seen(self.encoder, said)])

    def rho(self, asked_D: Float[Tensor, " D"], keys_ND: Float[Tensor, "N D"]) -> Float[Tensor, " N"]:
        """1 for the same question, else the similarity, bent so that the threshold is at 0.5; nothing alike at 0, the same at 1."""
        same_N = (keys_ND[:, :_NAME] == asked_D[:_NAME]).all(-1)
        if self.encoder is None:
            return same_N.float()
        width = self.encoder.width
        both_N2W = (keys_ND[:, _NAME + 1 :] * asked_D[_NAME + 1 :]).reshape(-1, 2, width)
        s_N2 = both_N2W.sum(-1).clamp(0, 1)
        count = asked_D[_NAME]
        s_N = s_N2.amin(-1) if count == 1 else s_N2[:, 0]
        s_N = torch.where((keys_ND[:, _NAME] == count) & (count < _WITHIN), s_N, 0.0)
        bent_N = torch.where(
            s_N >= self.threshold, 0.5 + 0.5 * (s_N - self.threshold) / (1 - self.threshold), 0.5 * s_N / self.threshold
        )
        return torch.where(same_N, 1.0, bent_N)

    def _seen(self, encoder: Encoder, query: Query) -> tuple[Tensor, Tensor, Tensor]:
        images, none_W = query.images, torch.zeros(encoder.width)
        if len(query.messages) > 1 or len(images) >= _WITHIN:  # near to none: nothing of it is compared
            return torch.tensor([float(_WITHIN)]), none_W, none_W
        text = encoder.text(query.text)
        whole = len(encoder.text(f"{query.text} .").parts_PD) > len(text.parts_PD)  # else it was cut, and reads no more
        image_W = encoder.image(images[0]).whole_D if whole and images else none_W
        count = torch.tensor([float(len(images) if whole else _WITHIN)])
        return count, normalize(text.whole_D, dim=0), normalize(image_W, dim=0)
