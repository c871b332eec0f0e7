"""SERAC's scope (Mitchell et al., arXiv 2206.06520): a small transformer over words tells which edits a question is about.

    rho = exp(-||f(t_e y_e) - f(t)||^2),  in scope from 0.5 on

f is the state over the first token after the last layer, with no projection; distance squared and scale 1, as the released
multimodal version has them. There f is DistilBERT; here it is trained from scratch, over hashed words, without a vocabulary.
No picture enters: which thing of a picture is meant it can't know.

Shapes: N texts, T tokens, Z width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.records import Query
from errata.editors._checkpoints import Checkpoint
from errata.editors.scoped.scopes.learned import LearnedNet, LearnedScope
from errata.editors.scoped.scopes.similarity import Alike
from errata.editors.scoped.scopes.words import bucket, words

KIND = "text"
TRAINED_AS = "serac"

_PAD, _FIRST, _SPECIAL = 0, 1, 2
"""Ids of padding and of the first token; words come after them."""


@dataclass(frozen=True)
class TextSizes:
    """How large the transformer is."""

    buckets: int = 4096
    """Into how many numbers words are hashed."""

    width: int = 96
    """Z; attention heads are 32 wide."""

    layers: int = 3
    ffn: int = 384
    """Inner width of a layer's two linear maps."""

    length: int = 64
    """Words that are read; the rest of a longer text is left out."""

    def __post_init__(self) -> None:
        if min(self.buckets, self.layers, self.ffn) < 1 or self.length < 2 or self.width < 32 or self.width % 32:
            raise BadInput(f"A text scope needs a width that 32 divides and sizes of at least 1, not {self}.")


class _TextNet(LearnedNet):
    """f, and how two of its values are compared."""

    def __init__(self, sizes: TextSizes) -> None:
        super().__init__()
        self.words = nn.Embedding(_SPECIAL + sizes.buckets, sizes.width, padding_idx=_PAD)
        self.places = nn.Embedding(sizes.length, sizes.width)
        layer = nn.TransformerEncoderLayer(
            sizes.width, sizes.width // 32, sizes.ffn, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, sizes.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(sizes.width)
        self.alike = Alike("distance", sizes.width)

    def forward(self, ids_NT: Tensor) -> Float[Tensor, "N Z"]:
        x_NTZ = self.words(ids_NT) + self.places(torch.arange(ids_NT.shape[1], device=ids_NT.device))
        found: Tensor = self.norm(self.layers(x_NTZ, src_key_padding_mask=ids_NT == _PAD)[:, 0])
        return found


@final
class TextScope(LearnedScope):
    """See the top of this file. Its weights are fixed after training.

    Args:
        sizes: how large it is.
        seed: draws the weights before training.
    """

    def __init__(self, sizes: TextSizes | None = None, *, seed: int = 0) -> None:
        self.sizes = sizes or TextSizes()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net: _TextNet = _TextNet(self.sizes)

    def spec(self) -> Mapping[str, JSON]:
        """The sizes, and a digest of the weights."""
        return {"kind": KIND, **asdict(self.sizes), "weights": self.learnt().digest}

    @staticmethod
    def load(found: Checkpoint) -> TextScope:
        """The trained scope of a checkpoint.

        Raises:
            BadInput: it isn't what it says.
        """
        try:
            scope = TextScope(TextSizes(**found.plan))  # type: ignore[arg-type]
        except TypeError as error:
            raise found.unknown(error) from None
        found.fill(scope.net)
        return scope

    def learnt(self) -> Checkpoint:
        """As it stands now."""
        return Checkpoint(TRAINED_AS, asdict(self.sizes), "", "", self.net.state_dict())

    def _see(self, asked: Sequence[tuple[Query, str]]) -> Float[Tensor, "N Z"]:
        """f of the words."""
        ids = [self._ids(text) for _, text in asked]
        longest = max(len(each) for each in ids)
        device = self.net.words.weight.device
        found: Tensor = self.net(torch.tensor([each + [_PAD] * (longest - len(each)) for each in ids], device=device))
        return found

    def _ids(self, text: str) -> list[int]:
        """The first token, then the words."""
        return [_FIRST, *(_SPECIAL + bucket(word, self.sizes.buckets) for word in words(text))][: self.sizes.length]
