"""What tells one model family from another: a table of module paths, and five small functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from errata.core.images import Image
from errata.core.model import Role
from errata.core.records import Query

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn
    from transformers import PreTrainedModel, ProcessorMixin


@final
@dataclass(frozen=True)
class Inputs:
    """A query, and a target after it, in tokens; each image is still one token, to be widened to as many as it has features."""

    prompt: tuple[int, ...]
    """Ids up to where the answer begins, special tokens included."""

    target: tuple[int, ...]
    """Ids of the target alone; empty when there is none."""

    images: tuple[Image, ...]
    """In the order of their tokens."""


@final
@dataclass(frozen=True)
class Hub:
    """A layout that the checkpoint's own processor, `forward` and `generate` know all about; here is only what is odd about it."""

    name: str
    """What `config.json` calls it."""

    eyes: bool = True
    """Whether it takes pictures."""

    max_images: int = 8
    """The most images that one query may hold."""

    plain: Callable[[Query], str] | None = None
    """The words of a prompt where there is no chat template. None: the last question as it stands, and nothing else."""

    first_position: int = 0
    """Where positions are counted from."""

    target_kind: int = 0
    """What `token_type_ids` says of an answer's tokens."""

    padded: bool = True
    """Whether rows of several lengths can go through it together; else those of one length do."""

    blind_part: str | None = None
    """The part that is asked where the query has no picture, since the whole wants one; None: the whole."""


@final
@dataclass(frozen=True)
class Family:
    """One layout of multimodal model. A new family is one file that fills this in, and one line in `errata.models.FAMILIES`."""

    name: str
    """What users call it, and what `errata.models.FAMILIES` has it under."""

    model_type: str
    """What `config.json` calls it; exact, never a part of a name."""

    text_type: str | None
    """What `config.json` calls its language model, where that tells families of one model_type apart; None: any."""

    net: type[PreTrainedModel]
    """The class of transformers that holds it."""

    modules: Mapping[Role, tuple[str, ...]]
    """Role -> paths of its linear modules, in depth order; a path with `{layer}` stands for one in each layer."""

    tower: tuple[str, ...]
    """Paths of the frozen vision side, the tower first: every `vision` module lies inside, every `projector` module outside."""

    max_images: int
    """The most images that one query may hold."""

    encode: Callable[[ProcessorMixin, Query, str | None], Inputs]
    """The query, and the target, in tokens. May raise `BadInput`."""

    plain: Callable[[Query], str]
    """The words of a prompt where the processor has no chat template."""

    image_token: Callable[[PreTrainedModel], int]
    """The id that stands for one image feature in the sequence."""

    image_length: Callable[[PreTrainedModel, Float[Tensor, "C H W"]], int]
    """How many features the decoder layers see for these pixels; runs no module, so that whoever records inputs sees none."""

    look: Callable[[PreTrainedModel, Float[Tensor, "N C H W"]], Float[Tensor, "N P V"]]
    """Pixels -> what the vision side hands to the projector."""

    project: Callable[[PreTrainedModel, Float[Tensor, "N P V"]], Float[Tensor, "N K D"]]
    """What the vision side hands over -> features among the words, K = image_length of them."""

    speaker: Callable[[PreTrainedModel], PreTrainedModel]
    """The part that turns embeddings into logits and text: the whole model, or its language model."""

    refuse: Callable[[nn.Module], str | None]
    """A sentence when a checkpoint has this model_type and yet a layout that isn't known; else None."""

    settle: Callable[[nn.Module], None] = lambda _: None
    """Puts into an opened model what its configuration says and transformers doesn't heed."""

    @property
    def eyes(self) -> bool:
        """Whether it takes pictures: each of these does."""
        return True
