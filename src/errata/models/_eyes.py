"""What a model sees: pixels and frozen vision features, each worked out once for a picture and kept by its digest.

Every picture goes through the vision side alone. A batch would be somewhat faster, but its sums come out in another order, and then
a feature would depend on which pictures happened to be beside it: a replayed edit could differ in the last bit from the first.
"""

from __future__ import annotations

import io
from copy import copy
from typing import TYPE_CHECKING, Any, final

import torch
from PIL import Image as Pillow

from errata.core.cache import Recent
from errata.core.images import NEWEST, Image
from errata.models.families.family import Family
from errata.nn.places import entry_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor, nn
    from transformers import PreTrainedModel, ProcessorMixin

FEATURE_BYTES = 256 * 1024 * 1024
"""The most bytes of vision features that are kept (LLaVA-1.5-7B: about 110 pictures; the tiny model: tens of thousands)."""

PIXEL_BYTES = 64 * 1024 * 1024
"""The most bytes of preprocessed pixels that are kept."""

LENGTH_BYTES = 8 * 1024 * 1024
"""The most bytes of remembered feature counts, at about 200 for a picture."""


@final
class Eyes:
    """The vision side of one model, with its caches.

    Features are kept only while the tower computes what it was loaded to compute: with a hook on it, other weights in it, or a
    gradient wanted through it, it runs afresh.
    """

    decoder: int = NEWEST
    """The version of how pictures are decoded."""

    def __init__(self, net: PreTrainedModel, processor: ProcessorMixin, family: Family) -> None:
        self._net = net
        self._family = family
        self._preprocess: Any = processor.image_processor
        self._forget()
        # The library puts hooks of its own on the tower when it is first asked for hidden states, and leaves them: let it, before
        # counting, by a look at a grey square.
        with torch.no_grad():
            self._look(grey_square())
        modules = [module for path in family.tower for module in net.get_submodule(path).modules()]
        # What belongs to no part of the model, such as a Q-Former's queries, is the vision side's too.
        weights = [(module, name, own) for module in (net, *modules) for name, own in module._parameters.items()]
        self._weights = [(module, name, own, own._version) for module, name, own in weights if own is not None]
        self._hooks = [(module, _hooks_on(module)) for module in modules]

    def seeing(self, decoder: int) -> Eyes:
        """The same vision side, with pictures decoded in this way."""
        other = copy(self)
        other.decoder = decoder
        other._forget()
        return other

    def _forget(self) -> None:
        self._pixels: Recent[str, Tensor] = Recent(PIXEL_BYTES, _bytes)
        self._features: Recent[str, Tensor] = Recent(FEATURE_BYTES, _bytes)
        self._lengths: Recent[str, int] = Recent(LENGTH_BYTES, lambda _: 200)

    def length(self, image: Image) -> int:
        """How many features the decoder layers see for this picture."""
        return self._lengths.get(image.digest, lambda: self._family.image_length(self._net, self.pixels(image)))

    def pixels(self, image: Image) -> Float[Tensor, "C H W"]:
        """The picture as the vision side takes it."""
        return self._pixels.get(image.digest, lambda: self._pixels_of(image))

    def features(self, image: Image, *, afresh: bool) -> Float[Tensor, "P V"]:
        """What the vision side hands to the projector.

        Args:
            image: the picture.
            afresh: run the tower, and keep nothing: a patch reaches into it, or `as_loaded` says no.
        """
        if afresh:
            return self._look(image)
        return self._features.get(image.digest, lambda: self._look_without_graph(image))

    def as_loaded(self) -> bool:
        """Whether the tower computes what it was loaded to compute, with nobody listening and no gradient wanted."""
        return all(_hooks_on(module) == hooks for module, hooks in self._hooks) and all(
            module._parameters[name] is own and own._version == version and not own.requires_grad
            for module, name, own, version in self._weights
        )

    def _look(self, image: Image) -> Tensor:
        pixels_NCHW = self.pixels(image).to(device=entry_of(self._net), dtype=self._net.dtype)[None]
        return self._family.look(self._net, pixels_NCHW)[0]

    def _look_without_graph(self, image: Image) -> Tensor:
        with torch.no_grad():
            return self._look(image)

    def _pixels_of(self, image: Image) -> Tensor:
        pixels: Tensor = self._preprocess(images=[image.pixels(self.decoder)], return_tensors="pt")["pixel_values"][0]
        return pixels


def _hooks_on(module: nn.Module) -> tuple[int, ...]:
    return (*module._forward_pre_hooks, *module._forward_hooks, *module._backward_pre_hooks, *module._backward_hooks)


def grey_square() -> Image:
    """A picture of nothing, for who has to show one."""
    data = io.BytesIO()
    Pillow.new("RGB", (8, 8), (128, 128, 128)).save(data, "PNG")
    return Image.of(data.getvalue())


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()
