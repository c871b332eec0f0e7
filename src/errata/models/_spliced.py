"""Words and pictures side by side as embeddings: how the three layouts with a table of their own are asked (see `_front`).

Words become embeddings, pictures become frozen features (kept), features pass the projector into the places of the image tokens;
from there on the model's own code runs on the embeddings.

Shapes: B rows, T positions, D width of the text stack, N images, P features of one, V their width.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from copy import copy
from functools import cached_property, partial
from itertools import groupby
from typing import TYPE_CHECKING, cast, final, get_args

import torch
from torch import Tensor, nn

from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.model import Model, Role
from errata.core.records import Query
from errata.models._chat import brief, check_pictures, check_target, pad_of, prompt_text, tokenizer_of
from errata.models._eyes import Eyes
from errata.models._front import Put, Row, Turn, padded
from errata.models._groups import chunks
from errata.models._turn import turn_of
from errata.models.families.family import Family
from errata.nn.patches import LowRank, NoPatch, in_rows
from errata.nn.places import entry_of

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from transformers import PreTrainedModel, ProcessorMixin


@final
class Spliced:
    """See `errata.models._front.Front`.

    Args:
        net: the model, with its weights.
        processor: its processor.
        name: what it was loaded as.
        family: its family's table.

    Raises:
        BadInput: a path of the table isn't in this model, or its processor isn't this model's.
    """

    def __init__(self, net: PreTrainedModel, *, processor: ProcessorMixin, name: str, family: Family) -> None:
        self._net, self._processor, self._family = net, processor, family
        self.writable = {role: _resolve(net, family.modules[role], name) for role in get_args(Role)}
        self.by_row: Set[str] = frozenset(path for paths in self.writable.values() for path in paths)
        self.layers = _layers(net, family.modules["text"])
        self.speaker = family.speaker(net)
        self.max_images = family.max_images
        self.tower = family.tower
        self.end: int | None = None
        self.unsteady = ""
        self.image_token: int | None = family.image_token(net)
        try:
            self._eyes = Eyes(net, processor, family)
        except ValueError as error:
            raise BadInput(
                f"The processor of {name} prepares pictures as its tower doesn't take them: {brief(error)} "
                "Take both from the same checkpoint."
            ) from error
        self._pad = pad_of(tokenizer_of(processor))

    @property
    def decoder(self) -> int:
        return self._eyes.decoder

    def seeing(self, decoder: int) -> Spliced:
        other = copy(self)  # the weights are shared, and so are hooks: only what is kept of pictures is another
        other._eyes = self._eyes.seeing(decoder)
        return other

    def row(self, query: Query, target: str | None) -> Row:
        token = self._family.image_token(self._net)
        check_pictures(tokenizer_of(self._processor), token, query.texts)
        inputs = self._family.encode(self._processor, query, target)
        if target is not None:
            check_target(self._processor, target, inputs.target)
        places = inputs.prompt.count(token)
        if places != len(inputs.images):
            raise BadInput(
                f"The model's chat template makes room for {places} images where the query has {len(inputs.images)}. "
                "Put the images into the user's message."
            )
        lengths = iter([self._eyes.length(image) for image in inputs.images])
        wide = [id_ for token_ in inputs.prompt for id_ in ([token_] * next(lengths) if token_ == token else [token_])]
        return Row((*wide, *inputs.target), len(wide), inputs.target, inputs.images)

    def image_positions(self, row: Row) -> int | None:
        return sum(self._eyes.length(picture) for picture in row.images)

    def passes(self, rows: Sequence[Row], *, more: int) -> list[list[int]]:
        return chunks([len(row.ids) + more for row in rows])

    def put(self, model: Model, rows: Sequence[Row], patches: Sequence[NoPatch | LowRank]) -> Put:
        """The vision side and the projector run here, each row's under its own patch."""
        ids_BT, mask_BT, positions_BT = padded(rows, pad=self._pad, device=entry_of(self._net))
        x_BTD: Tensor = self._net.get_input_embeddings()(ids_BT)
        seen = [(image, patch) for row, patch in zip(rows, patches, strict=True) for image in row.images]
        if seen:
            spots_BT1: Bool[Tensor, "B T 1"] = ids_BT.eq(cast("int", self.image_token))[..., None]
            with in_rows(model, [patch for _, patch in seen], role="projector"):
                features_NKD = self._family.project(self._net, self._look(model, seen))
            assert spots_BT1.sum() * x_BTD.shape[-1] == features_NKD.numel(), (
                f"{int(spots_BT1.sum())} image positions for features of shape {tuple(features_NKD.shape)}."
            )
            x_BTD = x_BTD.masked_scatter(spots_BT1, features_NKD.to(x_BTD.dtype))
        # Given embeddings alone, generate returns the new tokens alone.
        named = {"inputs_embeds": x_BTD, "attention_mask": mask_BT}
        return Put(self.speaker, named, positions_BT, prompt=0)

    def still(self, changing: Collection[str]) -> Sequence[nn.Module]:
        return ()  # none of them runs in `forward`

    def look(self, query: Query) -> Float[Tensor, "N K D"] | None:
        return self._family.project(self._net, torch.stack([self._features(image) for image in query.images]))

    def straight(self) -> dict[str, Tensor] | None:
        return None

    @cached_property
    def turn(self) -> Turn:
        return turn_of(partial(prompt_text, self._processor, plain=self._family.plain), tokenizer_of(self._processor))

    def _look(self, model: Model, seen: Sequence[tuple[Image, NoPatch | LowRank]]) -> Float[Tensor, "N P V"]:
        features = []
        for image, patch in seen:
            inside = isinstance(patch, LowRank) and any(path in self.writable["vision"] for path in patch.deltas)
            if inside:
                with patch.on(model):
                    features.append(self._eyes.features(image, afresh=True))
            else:
                features.append(self._features(image))
        return torch.stack(features)

    def _features(self, image: Image) -> Float[Tensor, "P V"]:
        return self._eyes.features(image, afresh=not self._eyes.as_loaded())


def _resolve(net: PreTrainedModel, templates: tuple[str, ...], name: str) -> dict[str, int | None]:
    """Templates -> paths in depth order, each with its layer (None for a path without one)."""
    linears = {path for path, module in net.named_modules() if isinstance(module, nn.Linear)}
    found: dict[str, int | None] = {}
    for stack, paths in groupby(templates, key=_stack):
        together, layer = tuple(paths), 0
        if stack is None:
            found.update((path, None) for path in together if path in linears)
        while stack is not None and all(path.format(layer=layer) in linears for path in together):
            found.update((path.format(layer=layer), layer) for path in together)
            layer += 1
    missing = [path for path in templates if path.format(layer=0) not in found]
    if missing:
        raise BadInput(
            f"The model {name} has no linear module at {missing[0].format(layer=0)}, where its family has one. "
            "It can't be edited; use a checkpoint of the family's own layout."
        )
    return found


def _layers(net: PreTrainedModel, templates: tuple[str, ...]) -> tuple[nn.Module, ...]:
    """The decoder's layers, lowest first: where the table's text side has its `{layer}`."""
    stack = next(stack for stack in map(_stack, templates) if stack is not None)
    return tuple(cast("nn.ModuleList", net.get_submodule(stack)))


def _stack(template: str) -> str | None:
    """The path of the layers that a template runs over; None where it names one module."""
    stack, layered, _ = template.partition(".{layer}")
    return stack if layered else None
