"""The checkpoint's own processor and its own `forward`: how any layout of the hub is asked (see `_front`).

Nothing of a family is worked out again here: how pictures become tokens, where they stand, how positions are counted and what may
look at what is the checkpoint's own code. What is added is a target after the prompt, and padding on the left.

Shapes: B rows, T positions, N images, K features of one, D width of the text stack.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from copy import copy
from functools import cached_property
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, cast, final
from warnings import catch_warnings, simplefilter

import torch
from torch import Tensor, nn
from torch.nn import functional

from errata.core.errors import BadInput
from errata.core.images import NEWEST
from errata.core.model import Model, Role
from errata.core.records import Query
from errata.models._chat import brief, check_pictures, check_target, in_place, pad_of, prompt_text, put_in_front, tokenizer_of
from errata.models._front import Put, Row, Turn, padded
from errata.models._groups import chunks
from errata.models._structure import structure_of, turned, under
from errata.models._turn import turn_of
from errata.models.families.family import Hub
from errata.nn.patches import LowRank, NoPatch
from errata.nn.places import entry_of

if TYPE_CHECKING:
    from jaxtyping import Float
    from transformers import PreTrainedModel

_BY_TOKEN: Final = ("token_type_ids", "mm_token_type_ids", "cross_attention_mask")
"""What a processor says of each token of the sequence, beside the ids."""

_DROPPED: Final = ("input_ids", "attention_mask", "labels", "pixel_values_videos", "video_grid_thw")
"""What isn't kept of what a processor gives: said here, or of no use."""


@final
class Whole:
    """See `errata.models._front.Front`.

    Args:
        net: the model, with its weights.
        processor: its processor, or the tokenizer of a model without eyes.
        name: what it was loaded as.
        hub: what is odd about its layout.
        straightened: paths of modules whose weights the checkpoint holds the other way round.

    Raises:
        BadInput: it is put together in a way that isn't known.
    """

    decoder: int = NEWEST

    def __init__(self, net: PreTrainedModel, *, processor: Any, name: str, hub: Hub, straightened: tuple[str, ...] = ()) -> None:
        self._net, self._processor, self._name, self._hub = net, processor, name, hub
        self._straightened = straightened
        self.structure = structure_of(net, name)
        self.writable: Mapping[Role, Mapping[str, int | None]] = self.structure.writable
        self.by_row: Set[str] = frozenset(self.writable["text"])
        self.layers = tuple(cast("nn.ModuleList", net.get_submodule(self.structure.stack)))
        self.speaker = net
        self.tower = self.structure.tower
        self.max_images = hub.max_images if hub.eyes else 0
        self.image_token = _image_token(net, processor, name) if hub.eyes else None
        tokenizer = tokenizer_of(processor)
        self._tokenizer = tokenizer
        if tokenizer.eos_token_id is None:
            raise BadInput(
                f"The tokenizer of {name} has no token that ends a text (eos_token). Name one in its tokenizer_config.json."
            )
        pad = pad_of(tokenizer)
        self._pad = int(tokenizer.eos_token_id) if pad == self.image_token else pad
        self._taken = frozenset(signature(net.forward).parameters)

    @cached_property
    def turn(self) -> Turn:
        return turn_of(self._written, self._tokenizer)

    @property
    def end(self) -> int | None:
        return int(self._tokenizer.eos_token_id) if self.turn.end is None else self.turn.end

    def seeing(self, decoder: int) -> Whole:
        other = copy(self)
        other.decoder = decoder
        return other

    def row(self, query: Query, target: str | None) -> Row:
        if self.image_token is not None:
            check_pictures(self._tokenizer, self.image_token, query.texts)
        text = self._written(query)
        given = self._processed(query, text)
        prompt: list[int] = given.pop("input_ids")[0].tolist()
        if target is None:
            return Row(tuple(prompt), len(prompt), (), query.images, given)
        ids = in_place(self._tokenizer, text, self.turn.before, target)
        check_target(self._processor, target, ids)
        grown = {key: _grown(value, len(ids), self._hub.target_kind) if key in _BY_TOKEN else value for key, value in given.items()}
        return Row((*prompt, *ids), len(prompt), ids, query.images, grown)

    def image_positions(self, row: Row) -> int | None:
        return None

    def passes(self, rows: Sequence[Row], *, more: int) -> list[list[int]]:
        """Rows whose pictures stack: those without any, and those whose pixels and the like are of one shape."""
        alike: dict[object, list[int]] = {}
        for place, row in enumerate(rows):
            shapes = tuple((key, tuple(value.shape[2 if key in _BY_TOKEN else 1 :])) for key, value in sorted(row.given.items()))
            alike.setdefault((shapes, 0 if self._hub.padded else len(row.ids)), []).append(place)
        return [
            [places[i] for i in chunk]
            for places in alike.values()
            for chunk in chunks([len(rows[place].ids) + more for place in places])
        ]

    def put(self, model: Model, rows: Sequence[Row], patches: Sequence[NoPatch | LowRank]) -> Put:
        return self._put(rows)

    def _put(self, rows: Sequence[Row]) -> Put:
        ids_BT, mask_BT, positions_BT = padded(rows, pad=self._pad, device=entry_of(self._net))
        longest = ids_BT.shape[1]
        named = {"input_ids": ids_BT, "attention_mask": mask_BT}
        for key in rows[0].given:
            stacked = [_padded(row.given[key], longest) if key in _BY_TOKEN else row.given[key] for row in rows]
            value = torch.cat(stacked).to(ids_BT.device)
            named[key] = value.to(self._net.dtype) if value.is_floating_point() else value
        blind = self._hub.blind_part is not None and not rows[0].images
        speaker = cast("PreTrainedModel", self._net.get_submodule(cast("str", self._hub.blind_part))) if blind else self._net
        told = positions_BT + self._hub.first_position if blind or self._counts_plainly else None
        return Put(speaker, named, told, prompt=longest)

    def still(self, changing: Collection[str]) -> Sequence[nn.Module]:
        parts = [*self.structure.tower, *([self.structure.connector] if self.structure.connector else [])]
        outer = [part for part in parts if not any(part != other and under(part, other) for other in parts)]
        if any(under(path, part) for path in changing for part in outer):
            return ()
        return [self._net.get_submodule(part) for part in outer]

    def look(self, query: Query) -> Float[Tensor, "N K D"] | None:
        if "get_image_features" not in dir(type(self._net)):
            return None  # its pictures never stand among the words
        put = self._put([self.row(query, None)])
        find: Any = self._net.get_image_features
        wanted = signature(find).parameters
        found = find(
            **{key: value for key, value in put.named.items() if key in wanted and key not in ("input_ids", "attention_mask")}
        )
        features = found.pooler_output
        pieces = [features] if isinstance(features, Tensor) else list(features)
        return torch.cat([piece.flatten(0, -2) for piece in pieces])[None]

    def straight(self) -> dict[str, Tensor] | None:
        return turned(self._net, self._straightened)

    @cached_property
    def unsteady(self) -> str:
        if not self._hub.padded:
            return "rows of several lengths don't go through it together"
        if self._hub.blind_part is not None:
            return "questions without a picture are asked of a part of it"
        if not self._counts_plainly:
            return "its positions are of several kinds, or its own to count"
        if self._hub.eyes and {"token_type_ids", "cross_attention_mask"} & self._taken:
            return "its answers look at a prompt that is told apart token by token"
        return ""

    @cached_property
    def _counts_plainly(self) -> bool:
        """Whether positions are told: a model with positions of several kinds (time, height, width) finds its own."""
        known = {*dir(type(self._net.base_model)), *dir(type(self._net))}
        return "position_ids" in self._taken and "get_rope_index" not in known

    def _written(self, query: Query) -> str:
        """The words of the prompt."""
        return prompt_text(self._processor, query, plain=self._hub.plain or self._alone)

    def _alone(self, query: Query) -> str:
        """A prompt where there is no template and no custom: what is asked, and nothing around it."""
        if len(query.messages) > 1:
            raise BadInput(
                f"{self._name} has no chat template, so it knows no turns and no system message. "
                "Ask one question, with no others before it."
            )
        return query.text

    def _processed(self, query: Query, text: str) -> dict[str, Tensor]:
        """What the processor makes of a prompt. A begin token that the template writes isn't put in front once more, and what a
        tokenizer puts behind a text is left out: a prompt that ends with an end has nothing left to say."""
        begun = text.startswith((self._tokenizer.bos_token or "\0", self._front or "\0"))
        behind = 0 if begun else self._behind
        if not query.images:
            ids = self._tokenizer(text, add_special_tokens=not begun)["input_ids"]
            return {"input_ids": torch.tensor([ids[: len(ids) - behind]])}
        pictures = [image.pixels(self.decoder) for image in query.images]
        once: dict[str, Any] = {"add_special_tokens": False} if begun else {}
        try:
            with catch_warnings():
                simplefilter("ignore", DeprecationWarning)  # of a library, from one to another
                found = self._processor(images=pictures, text=[text], return_tensors="pt", **once)
        except (ValueError, TypeError, IndexError, RuntimeError) as error:
            why = f"The processor of {self._name} takes no such conversation: {brief(error)}"
            raise BadInput(f"{why} Ask with one picture in the last message.") from error
        kept = {key: value for key, value in found.items() if key not in _DROPPED and key in self._taken}
        ends = behind and found["input_ids"][0, -behind:].tolist() == self._tokenizer("a")["input_ids"][-behind:]
        if ends:
            kept |= {key: value[:, :-behind] for key, value in kept.items() if key in _BY_TOKEN}
        return {"input_ids": found["input_ids"][:, :-behind] if ends else found["input_ids"], **kept}

    @cached_property
    def _front(self) -> str:
        """What the tokenizer puts before a text, as text: a begin token, or GLM's two."""
        return str(self._tokenizer.decode(list(put_in_front(self._tokenizer))))

    @cached_property
    def _behind(self) -> int:
        """How many tokens the tokenizer puts behind a text."""
        bare, dressed = self._tokenizer("a", add_special_tokens=False)["input_ids"], self._tokenizer("a")["input_ids"]
        return len(dressed) - len(bare) - len(put_in_front(self._tokenizer))


def _image_token(net: PreTrainedModel, processor: Any, name: str) -> int:
    config = net.config.to_dict()
    for said in (config.get("image_token_id"), config.get("image_token_index"), vars(processor).get("image_token_id")):
        if isinstance(said, int):
            return said
    raise BadInput(
        f"The config.json of {name} doesn't say which token stands for a picture (image_token_id). "
        "Add the id of its tokenizer's image token."
    )


def _grown(value: Tensor, more: int, kind: int) -> Tensor:
    """What is said of each token, said of a target's too: the kind of an answer's tokens, or what was said of the last one."""
    if value.ndim == 2:
        return torch.cat([value, value.new_full((1, more), kind)], dim=1)
    return torch.cat([value, value[:, -1:].expand(-1, more, *value.shape[2:])], dim=1)


def _padded(value: Tensor, length: int) -> Tensor:
    """On the left, with zeros, to `length` tokens."""
    return functional.pad(value, (*(0, 0) * (value.ndim - 2), length - value.shape[1], 0))
