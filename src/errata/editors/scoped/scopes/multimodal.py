"""MSCKE's scope (FGVEdit, section 3): text and picture together tell which edits a question is about.

    z_e = head(Fusion(h^t(t_e, y_e), h^i(i_e))),  z = head(Fusion(h^t(t), h^i(i))),  rho = Sim(z_e, z)

The encoders stay as they are; alignment, fusion, head and similarity are learned with binary cross-entropy. (The released
code fine-tunes CLIP whole.) So what is seen of a text or a picture is worked out once, and a trained scope is small. Either side
may come without a picture.

Shapes: N pairs or keys, Z width of z.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON
from errata.core.encoder import Encoder
from errata.core.records import Query
from errata.editors._checkpoints import Checkpoint
from errata.editors.scoped.scopes.fusion import Batch, Fuse, Fusion, Glance
from errata.editors.scoped.scopes.learned import LearnedNet, LearnedScope
from errata.editors.scoped.scopes.similarity import Alike, Similarity

KIND = "multimodal"
TRAINED_AS = "mscke"


@dataclass(frozen=True)
class FusionSizes:
    """Which fusion and similarity, and how large."""

    fusion: Fusion = "dot"
    similarity: Similarity = "learned"
    """On small encoders 97 of 100 hard decisions are right with it, 76 with the cosine: that adds up what is alike, where a
    question must be about the same thing *and* the same fact."""

    width: int = 128
    """Z; 4 divides it."""

    layers: int = 2
    """Of the fusion "joint"; the others have none."""


class _Net(LearnedNet):
    def __init__(self, sizes: FusionSizes, wide: int) -> None:
        super().__init__()
        self.fuse = Fuse(sizes.fusion, wide=wide, width=sizes.width, layers=sizes.layers)
        self.alike = Alike(sizes.similarity, sizes.width)


@final
class MultimodalScope(LearnedScope):
    """See the top of this file. Its weights are fixed after training.

    Args:
        encoder: what it sees with.
        sizes: which fusion and similarity, and how large.
        seed: draws the weights before training.
    """

    def __init__(self, encoder: Encoder, sizes: FusionSizes | None = None, *, seed: int = 0) -> None:
        self.encoder = encoder
        self.sizes = sizes or FusionSizes()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net: _Net = _Net(self.sizes, encoder.width)

    def spec(self) -> Mapping[str, JSON]:
        """The sizes, and digests of the encoders and of the weights."""
        return {"kind": KIND, **asdict(self.sizes), "encoders": self.encoder.digest, "weights": self.learnt().digest}

    @staticmethod
    def load(found: Checkpoint, encoder: Encoder) -> MultimodalScope:
        """The trained scope of a checkpoint, behind the encoders that it was trained with.

        Raises:
            BadInput: it was trained with others, or its weights don't fit.
        """
        found.check(encoder, instead="Give encoders=FOLDER with the ones it was trained for, or train it again.")
        try:
            scope = MultimodalScope(encoder, FusionSizes(**found.plan))  # type: ignore[arg-type]
        except TypeError as error:
            raise found.unknown(error) from None
        found.fill(scope.net)
        return scope

    @property
    def parameters(self) -> int:
        """How many parameters there are, the encoders' included."""
        return super().parameters + self.encoder.parameters

    @property
    def size(self) -> int:
        """Bytes that they take."""
        return super().size + self.encoder.size

    def learnt(self) -> Checkpoint:
        """As it stands now."""
        return Checkpoint(TRAINED_AS, asdict(self.sizes), self.encoder.name, self.encoder.digest, self.net.state_dict())

    def _see(self, asked: Sequence[tuple[Query, str]]) -> Float[Tensor, "N Z"]:
        """z of words and pictures."""
        glances = [self._glance(query, text) for query, text in asked]
        found: Tensor = self.net.fuse(Batch.of(glances, self.net.fuse.nothing.device))
        return found

    def _glance(self, query: Query, text: str) -> Glance:
        words, seen = self.encoder.text(text), [self.encoder.image(image) for image in query.images]
        if not seen:
            return Glance(words.whole_D, words.parts_PD, None, None)
        image_D = torch.stack([each.whole_D for each in seen]).mean(0)
        return Glance(words.whole_D, words.parts_PD, image_D, torch.cat([each.parts_PD for each in seen]))
