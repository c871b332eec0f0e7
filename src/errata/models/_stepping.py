"""A batch that goes on token by token, in which rows enter and leave between steps (see `core.model.Stepper`).

Rows that enter are read in a pass of their own. What their layers then hold (keys and values of every position) is put behind that
of the rows that are there, all filled on the left to one length, as a batch of `generate` is; a row that leaves is cut out, and so
are columns that are nobody's any more. Positions are counted for each row.

Not every family allows it. A window that slides and a state that recurs have forgotten which columns are padding; positions of
several kinds, and a prompt that is told apart token by token, are the model's own to work out. Those are answered whole.

Shapes: B rows, T positions, H heads, D width of one, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from inspect import signature
from typing import TYPE_CHECKING, Any, Final, Protocol, cast, final

import torch
from torch.nn.functional import pad
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer
from transformers.generation.utils import GenerationMixin

from errata.core.model import Entrant, Model, Patch, together
from errata.core.records import EditId, Query
from errata.models._chat import tokenizer_of
from errata.models._front import Front, Put, Row
from errata.nn.patches import LowRank, NoPatch, Rewrite, voices
from errata.nn.running import Carried, Running

if TYPE_CHECKING:
    from jaxtyping import Float, Int
    from torch import Tensor
    from transformers import PreTrainedModel, ProcessorMixin

_MANY: Final = 8
"""From so many questions on, what their template writes before each is read once for all."""

_OTHERS: Final = tuple(map(Query.ask, ("?", "a", "The 1")))
"""With none of them does a prompt that stands for what a template writes around a question begin."""

_NEEDED: Final = frozenset({"past_key_values", "attention_mask", "position_ids", "logits_to_keep"})
"""What a `forward` must take."""


class Fronted(Model, Protocol):
    """A model and how it is asked: `TransformersModel`."""

    front: Front
    processor: ProcessorMixin

    @property
    def context(self) -> int:
        """The most positions that a prompt and its answer may take together."""
        ...

    def checked(self, query: Query, *, reserve: int) -> Row:
        """The row of a query that is answered with up to `reserve` tokens; raises `BadInput` where it doesn't fit."""
        ...


def unsteady(front: Front) -> str:
    """Why a model's rows can't go on token by token, each with its own age; empty where they can."""
    speaker: Any = front.speaker
    if speaker.config.is_encoder_decoder:
        return "it is an encoder with a decoder"
    if type(speaker).generate is not GenerationMixin.generate:
        return "it has a way of its own to generate"
    if not signature(speaker.forward).parameters.keys() >= _NEEDED:
        return "its forward pass isn't told where each row stands"
    if not all(type(layer) is DynamicLayer for layer in _empty(speaker).layers):
        return "its layers hold a window that slides, or a state that recurs"
    return front.unsteady


def _empty(speaker: PreTrainedModel) -> DynamicCache:
    return DynamicCache(config=speaker.config.get_text_config(decoder=True))


@final
@dataclass(eq=False)
class _Held:
    """One row of the batch."""

    carried: Carried
    patch: Patch
    """As it was given: of a rewritten question, `carried` has none."""

    context: int


@final
@dataclass(eq=False)
class _Batch:
    """What the layers hold of some rows, and where each stands."""

    layers: list[tuple[Tensor, Tensor]]
    """Keys and values [B, H, T, D] of every layer."""

    mask_BT: Int[Tensor, "B T"]
    next_B: Int[Tensor, " B"]
    """The position of each row's next token."""

    def joined(self, other: _Batch) -> _Batch:
        """These rows, and the others behind them."""
        length = max(self.mask_BT.shape[1], other.mask_BT.shape[1])
        one, two = self.filled(length), other.filled(length)
        layers = [
            (torch.cat([keys, more_keys]), torch.cat([values, more_values]))
            for (keys, values), (more_keys, more_values) in zip(one.layers, two.layers, strict=True)
        ]
        return _Batch(layers, torch.cat([one.mask_BT, two.mask_BT]), torch.cat([one.next_B, two.next_B]))

    def filled(self, length: int) -> _Batch:
        """The same, filled on the left to a length."""
        more = length - self.mask_BT.shape[1]
        if not more:
            return self
        layers = [(pad(keys, (0, 0, more, 0)), pad(values, (0, 0, more, 0))) for keys, values in self.layers]
        return _Batch(layers, pad(self.mask_BT, (more, 0)), self.next_B)

    def chosen(self, rows: Sequence[int]) -> _Batch:
        """Some rows in this order, without the columns that are none of theirs."""
        rows_B = torch.tensor(rows, device=self.mask_BT.device)
        mask_BT = self.mask_BT[rows_B]
        first = int(mask_BT.any(0).int().argmax())

        def cut(held: Tensor) -> Tensor:
            return held[rows_B.to(held.device), :, first:]

        return _Batch([(cut(keys), cut(values)) for keys, values in self.layers], mask_BT[:, first:], self.next_B[rows_B])


@final
class Stepping:
    """See `core.model.Stepper`. Made by `TransformersModel.stepper`.

    Args:
        model: whose rows these are; other views of its weights may bring rows too.
        ends: tokens that end an answer.
    """

    def __init__(self, model: Fronted, *, ends: Sequence[int]) -> None:
        self._model = model
        self._speaker = model.front.speaker
        self._tokenizer = tokenizer_of(model.processor)
        self.ends = frozenset(ends)
        self._held: list[_Held] = []
        self._batch: _Batch | None = None
        self._cache: DynamicCache | None = None
        self._running: Running | None = None

    @property
    def rows(self) -> int:
        return len(self._held)

    def takes(self, patch: Patch) -> bool:
        return isinstance(patch, NoPatch | Rewrite) or (
            isinstance(patch, LowRank) and patch.deltas.keys() <= self._model.front.by_row
        )

    def enter(self, entrants: Sequence[Entrant]) -> Float[Tensor, "B V"]:
        held, rows = [], []
        for each in entrants:
            assert self.takes(each.patch), f"A {type(each.patch).__name__} can't go by row. Answer it whole."
            model = cast("Fronted", each.model)
            query = each.patch.query if isinstance(each.patch, Rewrite) else each.query
            row = model.checked(query, reserve=each.reserve)
            own = each.patch if isinstance(each.patch, NoPatch | LowRank) else NoPatch()
            held.append(_Held(Carried(own, row.prompt_length), each.patch, model.context))
            rows.append(row)
        together: dict[int, list[int]] = {}
        for place, each in enumerate(entrants):
            together.setdefault(id(each.model), []).append(place)
        found: list[tuple[list[int], _Batch, Tensor]] = []
        for places in together.values():
            model = cast("Fronted", entrants[places[0]].model)
            for chunk in model.front.passes([rows[place] for place in places], more=0):
                chosen = [places[i] for i in chunk]
                found.append((chosen, *self._read(model, [rows[i] for i in chosen], [held[i].carried for i in chosen])))
        order = [place for places, _, _ in found for place in places]
        batch = found[0][1]
        for _, more, _ in found[1:]:
            batch = batch.joined(more)
        logits_BV = torch.cat([logits_BV for _, _, logits_BV in found])
        if order != sorted(order):
            back = [order.index(place) for place in range(len(order))]
            batch, logits_BV = batch.chosen(back), logits_BV[torch.tensor(back, device=logits_BV.device)]
        self._set(batch if self._batch is None else self._now().joined(batch), [*self._held, *held])
        return logits_BV

    def step(self, tokens: Sequence[int]) -> Float[Tensor, "B V"]:
        batch, cache, running = self._batch, self._cache, self._running
        assert len(tokens) == len(self._held) > 0, f"{len(tokens)} tokens came for {len(self._held)} rows."
        assert batch is not None
        assert cache is not None
        if running is None:
            running = self._running = Running(self._model, [each.carried for each in self._held])
        device = batch.mask_BT.device
        batch.mask_BT = pad(batch.mask_BT, (0, 1), value=1)
        with torch.no_grad(), running.on():
            speak: Any = self._speaker
            said = speak(
                input_ids=torch.tensor(tokens, device=device)[:, None],
                attention_mask=batch.mask_BT,
                position_ids=batch.next_B[:, None],
                past_key_values=cache,
                use_cache=True,
                logits_to_keep=1,
            )
        batch.next_B = batch.next_B + 1
        return cast("Tensor", said.logits)[:, -1].float()

    def keep(self, rows: Sequence[int]) -> None:
        if len(rows) == len(self._held):
            return
        self._set(self._now().chosen(rows) if rows else None, [self._held[row] for row in rows])

    def spoke(self, row: int) -> tuple[EditId, ...] | None:
        held = self._held[row]
        return held.carried.spoke if isinstance(held.patch, LowRank) else voices(held.patch)

    def prompt(self, row: int) -> int:
        return self._held[row].carried.prompt

    def room(self, row: int) -> int:
        return self._held[row].context - self.prompt(row)

    def words(self, tokens: Sequence[int]) -> str:
        return cast("str", self._tokenizer.decode(list(tokens), skip_special_tokens=True))

    def _read(self, model: Fronted, rows: Sequence[Row], carried: Sequence[Carried]) -> tuple[_Batch, Tensor]:
        """The rows' prompts, in one pass."""
        cache = _empty(self._speaker)
        with torch.no_grad():
            put = model.front.put(model, rows, [each.patch for each in carried])
            assert put.speaker is self._speaker, "Another part speaks; see `unsteady`."
            assert put.positions_BT is not None, "It counts positions itself; see `unsteady`."
            with Running(model, carried).on():
                logits_BV = _spoken(put, cache)
        return _Batch(_layers_of(cache), put.named["attention_mask"], put.positions_BT[:, -1] + 1), logits_BV

    def _now(self) -> _Batch:
        """The batch with what the last steps added."""
        assert self._batch is not None
        assert self._cache is not None
        return _Batch(_layers_of(self._cache), self._batch.mask_BT, self._batch.next_B)

    def _set(self, batch: _Batch | None, held: list[_Held]) -> None:
        self._held, self._running = held, None
        self._batch = self._cache = None
        if batch is None:
            return
        self._cache = _holding(self._speaker, batch.layers)
        self._batch = _Batch([], batch.mask_BT, batch.next_B)


def in_words(row: Row) -> bool:
    """Whether nothing but tokens is given of it."""
    return not row.images and not row.given


@final
class Begun:
    """What a template writes before every question, read once for many of them. For models that are steady (see `unsteady`).

    Args:
        model: whose rows are read, as it stands now.
        ids: what they all begin with, P of them.
    """

    def __init__(self, model: Fronted, ids: tuple[int, ...]) -> None:
        self._model, self.length = model, len(ids)
        cache = _empty(model.front.speaker)
        with torch.no_grad():
            self._pass([Row(ids, len(ids), (), ())], cache, begun=0)
        self._layers = _layers_of(cache)

    @staticmethod
    def of(model: Fronted, rows: Sequence[Row], around: Sequence[int], kept: list[Begun] | None = None) -> Begun | None:
        """What the rows in words begin with; None where they are few or begin with nothing, or the model isn't steady.

        Args:
            model: whose rows.
            rows: to be read.
            around: a prompt that shares with any other what the template writes around it.
            kept: what was read before, one at most, of the model as it is now: few rows go behind that, too; it is filled.
        """
        plain = [row.ids[: row.prompt_length] for row in rows if in_words(row)]
        if not plain or (kept is None and len(plain) < _MANY) or unsteady(model.front):
            return None
        before = min(together(prompt, around) for prompt in plain)
        if kept is not None:
            always = kept[0].length if kept else min(together(model.front.row(each, None).ids, around) for each in _OTHERS)
            if not 0 < always <= before:
                return Begun.of(model, rows, around)
            kept[:] = kept or [Begun(model, tuple(around[:always]))]
            return kept[0]
        return Begun(model, tuple(around[:before])) if before else None

    def read(self, rows: Sequence[Row]) -> None:
        """A pass of what comes behind: text alone, rows filled on the left, their first P positions left out."""
        every = len(rows), -1, -1, -1
        cache = _holding(self._model.front.speaker, [(keys.expand(every), values.expand(every)) for keys, values in self._layers])
        begun = self.length
        self._pass([replace(row, ids=row.ids[begun:], prompt_length=row.prompt_length - begun) for row in rows], cache, begun=begun)

    def _pass(self, rows: Sequence[Row], cache: DynamicCache, *, begun: int) -> None:
        _spoken(self._model.front.put(self._model, rows, [NoPatch()] * len(rows)), cache, begun=begun)


def _spoken(put: Put, cache: DynamicCache, *, begun: int = 0) -> Float[Tensor, "B V"]:
    """What the head says at the last position of rows that go behind what a cache holds of them, `begun` positions of each."""
    assert put.positions_BT is not None, "It counts positions itself; see `unsteady`."
    named = {**put.named, "attention_mask": pad(put.named["attention_mask"], (begun, 0), value=1)}
    speak: Any = put.speaker
    said = speak(**named, position_ids=put.positions_BT + begun, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return cast("Tensor", said.logits)[:, -1].float()


def _holding(speaker: PreTrainedModel, layers: Sequence[tuple[Tensor, Tensor]]) -> DynamicCache:
    """A cache of keys and values."""
    cache = _empty(speaker)
    for layer, held in zip(cast("list[Any]", cache.layers), layers, strict=True):
        layer.update(*held)
    return cache


def _layers_of(cache: DynamicCache) -> list[tuple[Tensor, Tensor]]:
    return [(layer.keys, layer.values) for layer in cast("list[Any]", cache.layers)]
