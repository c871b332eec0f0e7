"""Codebook: every correction in slots of its own, read by the nearest key: what one edit writes no other edit can disturb.

A low-rank write spreads by a linear rule: an input that is six tenths like an edit's gets six tenths of what was written, of every
edit at once, so leaks grow with each edit and edits wear each other out. Here one linear module, the last of a late decoder layer,
holds slots (`errata.nn.codes`):

1. A *key* for each position that predicts the answer: the module's input there, in a metric in which what all prompts have in
   common counts little, so that questions about one fact are near each other and two facts are far. It needs no traffic: prompts
   of words drawn from the vocabulary (`chatter`) show what prompts have in common.
2. A *value* for each key: what must be added to the module's output so that the unedited model gives the target; found by gradient
   steps, each as long as the loss needs (Polyak 1969).
3. A *read* adds the value of the nearest key within `reach`, goes on along that answer's slots while each next key is within
   `follow`, and leaves the output as it is, bit for bit, elsewhere.

Keys come from layers that no edit touches and values from the unedited model, so an edit's slots are the same whatever came before:
writes have no order, an edit is forgotten exactly by taking its slots away, and the state has one size from the first edit on. Of
two edits whose questions begin alike (`same`) the later one speaks. When all slots are taken, silent edits make room, then of the
two whose keys are nearest the older.

Where it comes from: GRACE (Hartvigsen et al., arXiv 2211.11031) keeps keys and values at a layer, with one key an edit and a radius
in raw activations; the metric is the root of a preconditioner as ScopeEdit's (arXiv 2607.01978), made once, before the first edit;
a key for each position, the added value, and the order-free write are ours.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from itertools import accumulate
from math import inf
from typing import Final, Literal, NamedTuple, final

import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON, finite
from errata.core.editor import BEFORE, Touched
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors._ranges import above, at_least
from errata.editors._sites import last_layers, linear
from errata.nn.codes import Codes, coded, lens
from errata.nn.lowrank import orthonormal_rows
from errata.nn.patches import LowRank
from errata.nn.places import place_of
from errata.nn.trace import inputs_of

_AT_ONCE: Final = 64
"""When too few slots are free a sixty-fourth of them is freed, so that most writes need not look for who leaves."""

_GONE: Final = -2.0
"""Below any cosine."""

_ROUNDING: Final = 1e-3
"""More than two ways to sum a cosine can differ by."""


@dataclass(frozen=True)
class State:
    """The fold of the edits in force. E edits hold slots, in the order in which they came."""

    edits: tuple[EditId, ...]
    book: Codes
    """Every tensor is of one size from `begin` on."""

    spans: tuple[tuple[int, ...], ...]
    """For each edit, how many slots each of its wordings and views takes, in their order."""

    dropped: int
    """How many edits made room for later ones."""

    losses_nats: tuple[tuple[float, ...], ...]
    """For each edit, its query's loss before the first step and after each."""


@dataclass(frozen=True)
class Part:
    """What one edit holds: K slots, as they stand in the book."""

    keys_KR: Float[Tensor, "K R"]
    values_KO: Float[Tensor, "K O"]
    span: tuple[int, ...]
    """How many slots each of its wordings and views takes, in their order."""

    losses_nats: tuple[float, ...]
    """Of its query, before the first step and after each."""


@final
@dataclass(frozen=True)
class Codebook:
    """Edits as keys with values in one late layer; a read is moved by the nearest key within reach."""

    layer: int = 1
    """Which decoder layer holds the slots, >= 1, from the end; the module is the last of those that may be written in it."""

    slots: int = 4096
    """How many there are, >= 1. Each wording and view of an edit takes one for each token of the target, and one for the end."""

    width: int = 256
    """Of a key, >= 1; at most the module's. A part of a wide module's space keeps angles up to some 1 / sqrt(width)."""

    reach: float = 0.88
    """The cosine from which a key speaks, in (-1, 1]: lower, and edits spread further and leak more."""

    follow: float = 0.05
    """The cosine from which an answer that was begun goes on, in (-1, 1]."""

    chatter: int = 300
    """Prompts without sense that the metric is made from (`Model.chatter`), >= 0; 0: raw inputs, which are more alike."""

    weight: float = 3000.0
    """>= 0: how much what they have in common counts less (`errata.nn.codes.lens`); 0: raw inputs."""

    same: float = 0.98
    """The cosine of two edits' first keys from which the later one takes the earlier one's place, in (-1, 1]; 1: never."""

    steps: int = 60
    """Steps for a wording's values at most, >= 1."""

    stop_nats: float = 0.001
    """Stop once the target's mean loss is below this, > 0. Answers are ended elsewhere only where they are sure here."""

    relaxation: float = 2.0
    """Of Polyak's step, > 0: 1 stops where the tangent meets zero, which falls short, since the loss flattens as it falls."""

    gain: float = field(default=1.0, metadata={BEFORE: 1.0})
    """What values are multiplied by once found, >= 1: a long answer is sure of each token in other words too; 1: as found."""

    environments: Literal["query", "also"] = "also"
    """What gets slots: the edit's query and every other wording and view that its user gave, or the query alone."""

    seed: int = 42
    """Draws the prompts and the part of the space that keys lie in."""

    def __post_init__(self) -> None:
        at_least("Codebook", 1, layer=self.layer, slots=self.slots, width=self.width, steps=self.steps)
        at_least("Codebook", 0, chatter=self.chatter, weight=self.weight)
        above("Codebook", 0, stop_nats=self.stop_nats, relaxation=self.relaxation)
        if not 1 <= self.gain < inf:
            raise BadInput(f"Codebook's gain must be at least 1, not {self.gain}.")
        for name, cosine in (("reach", self.reach), ("follow", self.follow), ("same", self.same)):
            if not -1 < cosine <= 1:
                raise BadInput(f"Codebook's {name} is a cosine: above -1 and at most 1, not {cosine}.")

    def spec(self, model: Model) -> Spec:
        """Every field, with the module that holds the slots and the width that resulted."""
        path = self.path(model)
        given: dict[str, JSON] = {each.name: self.__dict__[each.name] for each in fields(self)}
        width = min(self.width, linear(model, path).in_features)
        return Spec("codebook", given | {"module": path, "width": width})

    def path(self, model: Model) -> str:
        """The module that holds the slots."""
        layer = last_layers(model, self.layer)[0]
        return [path for path in model.writable["text"] if model.groups[path] == layer][-1]

    def begin(self, model: Model) -> State:
        """Blank slots, and the metric from what the unedited model makes of prompts without sense."""
        path = self.path(model)
        return self.begun(model, model.beginnings(self.senseless(model), (path,))[path])

    def senseless(self, model: Model) -> list[Query]:
        """The prompts without sense that the metric is made from."""
        return model.chatter(self.chatter, seed=self.seed)

    def begun(self, model: Model, common_NI: Float[Tensor, "N I"]) -> State:
        """`begin`, where the module's inputs at the beginnings of answers to the prompts without sense are known already.

        Args:
            model: the unedited model.
            common_NI: as `Model.beginnings` gives them for `senseless`; they are the same whatever other field is changed but
                `layer`, `chatter` and `seed`.
        """
        module = linear(model, self.path(model))
        rows = min(self.width, module.in_features)
        rows_RI = orthonormal_rows(rows, module.in_features, seed=self.seed, name="codebook").to(place_of(module))
        book = Codes(
            lens_RI=lens(common_NI, rows_RI, weight=self.weight),
            keys_MR=rows_RI.new_zeros(self.slots, rows),
            values_MO=rows_RI.new_zeros(self.slots, module.out_features),
            first_M=torch.zeros(self.slots, dtype=torch.bool, device=rows_RI.device),
            shut_M=torch.zeros(self.slots, dtype=torch.bool, device=rows_RI.device),
            reach=self.reach,
            follow=self.follow,
            used=0,
        )
        return State((), book, (), 0, ())

    def write(self, model: Model, state: State, edit: Edit) -> State:
        """Find the edit's keys and values on the unedited model, and put them into slots.

        Raises:
            BadInput: the edit can't be put to this model, or needs more slots than there are.
        """
        model.check(edit.query, edit.target)
        asked = (edit.query, *edit.also) if self.environments == "also" else (edit.query,)
        found = [self._learn(model, state.book, query, edit.target) for query in asked]
        need = sum(len(one.keys_KR) for one in found)
        if need > self.slots:
            wanted = f"{need} slots for {len(found)} wordings and views"
            raise BadInput(f"The edit needs {wanted}, and the codebook has {self.slots}. Give it more: codebook:slots=...")
        keys_KR = torch.cat([one.keys_KR for one in found])
        values_KO = self.gain * torch.cat([one.values_KO for one in found])
        span = tuple(len(one.keys_KR) for one in found)
        return self.joined(state, edit.id, Part(keys_KR, values_KO, span, tuple(found[0].losses_nats)))

    def part(self, state: State, edit: EditId) -> Part | None:
        """The edit's slots; see `core.editor.Parts`."""
        if edit not in state.edits:
            return None
        place, bounds, book = state.edits.index(edit), _bounds(state.spans), state.book
        held = slice(bounds[place], bounds[place + 1])
        return Part(book.keys_MR[held].clone(), book.values_MO[held].clone(), state.spans[place], state.losses_nats[place])

    def read(self, model: Model, state: State, query: Query) -> LowRank:
        """The whole book, for every query alike: what is near enough is decided where the module runs."""
        bounds = tuple(_bounds(state.spans))
        return LowRank({self.path(model): state.book} if state.book.used else {}, state.edits, bounds=bounds)

    def forget(self, state: State, edit: EditId) -> State | None:
        """The state as if this edit had never been written; an edit that isn't in it changes nothing.

        None once an edit made room for others: what was dropped then would be there without this one.
        """
        if edit not in state.edits:
            return state
        if state.dropped:
            return None
        place, left = state.edits.index(edit), _without(state, (edit,))
        shut_M, bounds = left.book.shut_M.clone(), _bounds(left.spans)
        freed = _alike(state.book, _bounds(state.spans), place, self.same)
        others = range(len(left.spans)) if freed else ()
        silenced = {index for newer in others for index in _alike(left.book, bounds, newer, self.same)}
        for index in freed:  # unless someone else overrules them too
            shut_M[bounds[index] : bounds[index + 1]] = index in silenced
        return replace(left, book=replace(left.book, shut_M=shut_M))

    def telemetry(self, state: State) -> Mapping[str, JSON]:
        """Of the last write: losses, slots taken and left, how near an earlier key is, the size of its values, whom it silenced."""
        if not state.edits:
            return {}
        book, bounds, last = state.book, _bounds(state.spans), len(state.edits) - 1
        start, losses = bounds[last], state.losses_nats[last]
        earlier_ER = book.keys_MR[:start][~book.shut_M[:start]]
        nearest = (earlier_ER @ book.keys_MR[start]).max() if len(earlier_ER) else None
        return {
            "steps": len(losses) - 1,
            "losses_nats": [finite(loss) for loss in losses],
            "slots": book.used - start,
            "room": len(book.keys_MR) - book.used,
            "free": 1 - book.used / len(book.keys_MR),
            "nearest": None if nearest is None else finite(float(nearest)),
            "norm": finite(float(book.values_MO[start : book.used].norm(dim=1).max())),
            "overruled": [state.edits[index] for index in _alike(book, bounds, last, self.same)],
            "dropped": state.dropped,
        }

    def touched(self, before: State, after: State, most: int) -> Touched:
        """Those that made room for the last edit; those whose place it took (`same`), then those whose questions begin most like
        its own, from `reach` on."""
        held = set(after.edits)
        return Touched([edit for edit in before.edits if edit not in held], self._near(after, most))

    def _near(self, state: State, most: int) -> Sequence[EditId]:
        if len(state.edits) < 2:
            return ()
        book, bounds, last = state.book, _bounds(state.spans), len(state.edits) - 1
        overruled = _alike(book, bounds, last, self.same)
        firsts_ER, start = book.keys_MR[bounds[:last]], bounds[last]
        cosines_E = (firsts_ER @ book.keys_MR[start : bounds[last + 1]][book.first_M[start : bounds[last + 1]]].T).amax(1)
        order = cosines_E.argsort(descending=True).tolist()
        near = [index for index in order if float(cosines_E[index]) >= self.reach and index not in overruled][:most]
        return tuple(state.edits[index] for index in (*overruled, *near))

    def _learn(self, model: Model, book: Codes, query: Query, target: str) -> _Learned:
        """Keys from one pass of the unedited model, then steps on their values, read as any reader will; the best values stay."""
        path = self.path(model)
        speak = model.speaking(query, target, changing=(path,))
        with torch.no_grad(), inputs_of(model, (path,)) as inputs:
            speak()
        keys_KR = coded(inputs[path][list(model.positions(query, target).predicting)], book.lens_RI)
        values_KO = keys_KR.new_zeros(len(keys_KR), book.values_MO.shape[1])
        shut_K = torch.zeros(len(keys_KR), dtype=torch.bool, device=keys_KR.device)
        first_K = torch.arange(len(keys_KR), device=keys_KR.device) == 0
        best, losses = _Learned(keys_KR, values_KO, []), list[float]()
        while True:
            leaf_KO = values_KO.requires_grad_()
            draft = replace(book, keys_MR=keys_KR, values_MO=leaf_KO, first_M=first_K, shut_M=shut_K, used=len(keys_KR))
            with torch.enable_grad(), LowRank({path: draft}).on(model):
                loss = speak().loss
            losses.append(float(loss.detach()))
            if losses[-1] <= min(losses):
                best = _Learned(keys_KR, leaf_KO.detach(), losses)
            if losses[-1] < self.stop_nats or len(losses) > self.steps:
                return best
            (slope_KO,) = torch.autograd.grad(loss, leaf_KO)
            length = self.relaxation * losses[-1] / max(float(slope_KO.square().sum()), 1e-12)
            values_KO = leaf_KO.detach() - length * slope_KO

    def joined(self, state: State, edit: EditId, part: Part) -> State:
        """The edit's slots behind those in use; if there is no room, others leave. Edits that it overrules fall silent."""
        need = len(part.keys_KR)
        gone = _making_room(state, need - (self.slots - state.book.used))
        if gone:
            state = _without(state, gone)
        book, start = state.book, state.book.used
        keys_MR, values_MO, first_M, shut_M = (each.clone() for each in (book.keys_MR, book.values_MO, book.first_M, book.shut_M))
        first_M[[start + at for at in accumulate((0, *part.span[:-1]))]] = True
        keys_MR[start : start + need], values_MO[start : start + need] = part.keys_KR, part.values_KO
        spans = (*state.spans, part.span)
        book = replace(book, keys_MR=keys_MR, values_MO=values_MO, first_M=first_M, shut_M=shut_M, used=start + need)
        bounds = _bounds(spans)
        for index in _alike(book, bounds, len(spans) - 1, self.same):
            shut_M[bounds[index] : bounds[index + 1]] = True
        return State((*state.edits, edit), book, spans, state.dropped + len(gone), (*state.losses_nats, part.losses_nats))


class _Learned(NamedTuple):
    """One wording's keys and values."""

    keys_KR: Float[Tensor, "K R"]
    values_KO: Float[Tensor, "K O"]
    losses_nats: list[float]
    """After each step; of the unedited model where there was none."""


def _bounds(spans: Sequence[tuple[int, ...]]) -> list[int]:
    """Where each edit's slots begin, and where the last one's end."""
    return [0, *accumulate(map(sum, spans))]


def _alike(book: Codes, bounds: Sequence[int], edit: int, same: float) -> list[int]:
    """The edits before this one whose answers begin at a key like one of its own; bounds: see `_bounds`."""
    start, end = bounds[edit], bounds[edit + 1]
    firsts_F = book.first_M[:end].nonzero()[:, 0]
    earlier = int(book.first_M[:start].sum())
    if not earlier:
        return []
    keys_FR = book.keys_MR[firsts_F]
    old_FR, new_KR = keys_FR[:earlier], keys_FR[earlier:]
    near_N = ((old_FR @ new_KR.T).amax(1) >= same - _ROUNDING).nonzero()[:, 0]
    # Row by row, so that a cosine is the same to the bit however many others are asked for beside it.
    cosines_N = torch.stack([(old_FR[near_N] * new_R).sum(-1) for new_R in new_KR]).amax(0)
    slots = firsts_F[near_N[cosines_N >= same]].tolist()
    return sorted({bisect_right(bounds, slot) - 1 for slot in slots})


def _making_room(state: State, slots: int) -> list[EditId]:
    """The edits that leave so that so many more slots are free, and some for later edits: see `_leaving`."""
    if slots <= 0:
        return []
    bounds, gone = _bounds(state.spans), list[EditId]()
    slots = max(slots, len(state.book.keys_MR) // _AT_ONCE)
    for index in _leaving(state.book.keys_MR[bounds[:-1]], state.book.shut_M[bounds[:-1]].tolist()):
        gone.append(state.edits[index])
        slots -= bounds[index + 1] - bounds[index]
        if slots <= 0:
            break
    return gone


def _leaving(firsts_ER: Float[Tensor, "E R"], silent: Sequence[bool]) -> Iterator[int]:
    """Which edits leave, in their order: silent ones, the oldest first; then of the two whose first keys are nearest the older,
    again and again, since what it was asked is likeliest to be answered by the other one; the last is the last."""
    yield from (index for index, shut in enumerate(silent) if shut)
    here = [index for index, shut in enumerate(silent) if not shut]
    near_EE = firsts_ER @ firsts_ER.T
    near_EE[torch.ones_like(near_EE).tril().bool()] = _GONE
    near_EE[list(silent)], near_EE[:, list(silent)] = _GONE, _GONE
    while len(here) > 1:
        index = int(near_EE.argmax()) // len(firsts_ER)
        near_EE[index], near_EE[:, index] = _GONE, _GONE
        here.remove(index)
        yield index
    yield from here


def _without(state: State, leaving: Collection[EditId]) -> State:
    """The state without some edits' slots, the rest moved up; who was silent stays so."""
    stay = [index for index, edit in enumerate(state.edits) if edit not in leaving]
    book, bounds = state.book, _bounds(state.spans)
    rows = [row for index in stay for row in range(bounds[index], bounds[index + 1])]
    tensors = (book.keys_MR, book.values_MO, book.first_M, book.shut_M)
    keys_MR, values_MO, first_M, shut_M = (torch.zeros_like(each) for each in tensors)
    for new, old in zip((keys_MR, values_MO, first_M, shut_M), tensors, strict=True):
        new[: len(rows)] = old[rows]
    return replace(
        state,
        edits=tuple(state.edits[index] for index in stay),
        spans=tuple(state.spans[index] for index in stay),
        losses_nats=tuple(state.losses_nats[index] for index in stay),
        book=replace(book, keys_MR=keys_MR, values_MO=values_MO, first_M=first_M, shut_M=shut_M, used=len(rows)),
    )
