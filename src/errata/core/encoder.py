"""What a scope sees with: words and pictures as vectors of one space, whole and in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from errata.core.images import Image

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor


class Seen(NamedTuple):
    """A text or a picture. D: width of the space that both share, P: parts."""

    whole_D: Float[Tensor, "D"]
    """The vector that was trained to be compared."""

    parts_PD: Float[Tensor, "P D"]
    """The tokens of a text, begin and end included; the patches of a picture, row by row. In the same space."""


class Encoder(Protocol):
    """Frozen encoders of text and pictures. The real ones stand over transformers, in `errata.models`.

    Contract: what is seen of a text or a picture depends on nothing else, and carries no graph.
    """

    @property
    def name(self) -> str:
        """The folder or hub id that they were loaded from."""
        ...

    @property
    def digest(self) -> str:
        """A digest of every weight, the configuration and the tokenizer."""
        ...

    @property
    def width(self) -> int:
        """D."""
        ...

    @property
    def parameters(self) -> int:
        """How many parameters there are."""
        ...

    @property
    def size(self) -> int:
        """Bytes that they take."""
        ...

    def text(self, text: str) -> Seen:
        """What is seen of a text; cut where it is longer than the encoder reads."""
        ...

    def image(self, image: Image) -> Seen:
        """What is seen of a picture."""
        ...
