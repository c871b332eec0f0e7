"""Any editor behind any scope: a memory of edits that is asked which of them, if any, a query is about.

SERAC (Mitchell et al., arXiv 2206.06520), MSCKE and IKE decide at the read: the edit of the highest rho speaks where rho >= 0.5,
and elsewhere the model answers as it is. With the memory `each` every edit has an inner state of its own, so edits can't disturb
each other, and deleting one leaves exactly what there would be had it never come; with `fold` the inner editor has one state of
all edits, and the scope gates it as a whole. Of equal scores the later edit speaks. An edit's keys, one for its query and one for
each other wording or view given with it, are worked out at the write.

Two edits contradict each other where the later one's query is in the earlier one's scope and their targets differ; edits of one and
the same query always do. That is settled at the later one's write. Where both are in a query's scope the later one speaks in the
earlier one's place, whatever their scores.

A scope may find edits by their keys and then read the nearest together with the question (`core.editor.Reranks`): what it makes of
them is the score, and the others aren't in scope. Of a question that concerns none by its key the sentence that asks is looked for,
spelled as the edits are (`scopes.spelling`); what is read beside them is the whole question.

Where it is wanted, a question on a picture that concerns no edit as it is shown is asked again in words, with what the model says
is on the picture (`naming`): so an edit in words holds on pictures, unless its reach is "text".

A large memory is asked through an index (`index`), where the scope says in which space the nearest key has the highest score and
faiss is installed: then the `LOOKED_AT` nearest edits, and those that came last, are the ones that are scored.

Shapes: K keys of one edit or block, D what the scope says, M where near is alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import Any, Final, Literal, NamedTuple, Protocol, final, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from errata.core.canonical import JSON
from errata.core.editor import Bound, Editor, Explains, Forgets, Judged, Kept, Nears, Reranks, Scope, Sort, Sorts
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.model import Decision, Model, Patch, fits
from errata.core.records import Edit, EditId, Query, Spec
from errata.editors.scoped.index import LARGE, Index, faiss
from errata.editors.scoped.memory import Held, Memory, Place
from errata.editors.scoped.naming import Naming
from errata.editors.scoped.scopes.spelling import asking
from errata.nn.patches import NoPatch, decided

INSIDE: Final = 0.5
"""rho from which on an edit is in scope."""

SURE: Final = 0.95
"""rho from which on the nearest edit, once it was read, is taken without a look at the others."""

BESIDE: Final = 0.75
"""rho of keys from which on an edit is read although another one is nearer."""

LOOKED_AT: Final = 64
"""Edits of a large memory that are scored at a read."""


_OUTSIDE: Final = math.nextafter(INSIDE, 0)


class _Score(NamedTuple):
    """What the scope makes of an edit."""

    rho: float
    sort: Sort | None = None
    """None: the scope says it of keys alone, if at all."""


class Found(NamedTuple):
    """An edit that the scope was asked about."""

    edit: EditId
    rho: float
    place: Place
    """Where in the memory it stands."""

    sort: Sort | None = None
    """How it concerns the query; None: only its key can tell."""


class _Asked(NamedTuple):
    """A question as it was put to the memory, and what came of it."""

    query: Query
    key_D: Tensor
    found: tuple[Found, ...]


@runtime_checkable
class Gathers(Protocol):
    """An inner editor that may speak for several edits at once; the first state is the deciding edit's, the rest ever less near."""

    def gather(self, model: Model, states: Sequence[Any], query: Query) -> Patch: ...


@runtime_checkable
class Routes(Protocol):
    """An inner editor that speaks otherwise by how its edit concerns a question (`core.editor.Sort`)."""

    def routed(self, model: Model, state: Any, query: Query, sort: Sort) -> Patch: ...


@final
@dataclass(frozen=True)
class Scoped:
    """The memory. Its spec, and so its identity in a log, is the scope's and the inner editor's together."""

    scope: Scope
    editor: Editor[Any]
    """Sees one edit at a time, each from its own beginning."""

    k: int = 1
    """At most how many edits in scope are handed to an inner editor that gathers them, >= 1; the nearest first."""

    memory: Literal["each", "fold"] = "each"
    """One inner state for each edit, or one for all, gated as a whole."""

    naming: Naming | None = None
    """What says in words what pictures show; None: what was corrected in words holds on no picture."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise BadInput(f"A scoped memory's k must be at least 1, not {self.k}.")

    def spec(self, model: Model) -> Spec:
        """The scope's and the inner editor's specs."""
        parts: dict[str, JSON] = {"scope": dict(self.scope.spec()), "editor": self.editor.spec(model).to_json()}
        named: dict[str, JSON] = {} if self.naming is None else {"naming": self.naming.spec()}
        return Spec("scoped", {**parts, "k": self.k, "memory": self.memory, **named})

    def begin(self, model: Model) -> Memory:
        """No edits.

        Raises:
            BadInput: the scope or the editor isn't for this model.
        """
        if isinstance(self.scope, Bound):
            self.scope.check(model)
        start = self.editor.begin(model)  # also asked for where it isn't kept: it says whether the editor fits this model
        return Memory(stream=start if self.memory == "fold" else None)

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        """The memory with one more edit: its keys, and an inner state with it alone.

        Raises:
            BadInput: the edit can't be put to this model.
        """
        for query in (edit.query, *edit.also):
            model.check(query, edit.target)
        fold = self.memory == "fold"
        inner = self.editor.write(model, state.stream if fold else self.editor.begin(model), edit)
        kept = self._kept(model, edit)
        over = tuple(self._contradicted(model, state, edit, kept))
        own = None if fold else inner
        shown = all(query.images for query in (edit.query, *edit.also))
        alone = self.naming is not None and (shown or edit.reach == "text")
        held = Held(edit.id, edit.query.digest, len(kept.keys_KD), edit.target, over, own, kept.words, kept.subject, alone)
        return state.added(held, kept.keys_KD, inner if fold else None)

    def _kept(self, model: Model, edit: Edit) -> Kept:
        if isinstance(self.scope, Reranks):
            return self.scope.kept(model, edit)
        keys_KD = torch.stack([self.scope.key(model, query, edit.target) for query in (edit.query, *edit.also)])
        return Kept(keys_KD, (), ())

    def forget(self, state: Memory, edit: EditId) -> Memory | None:
        """The memory as if this edit had never been written; an edit that isn't in it changes nothing.

        None where one inner state holds all edits and its editor can't forget one.
        """
        place = state.find(edit)
        if place is None:
            return state
        stream = None
        if self.memory == "fold":
            stream = self.editor.forget(state.stream, edit) if isinstance(self.editor, Forgets) else None
            if stream is None:
                return None
        return state.without(place, stream)

    def decide(self, model: Model, state: Memory, query: Query) -> tuple[Found, ...]:
        """The edits in scope, nearest first, at most `k` of them; where none is, the nearest one, with its rho below 0.5.

        An edit of this very query, the same words and the same bytes of the picture, is in scope with a rho of 1: nothing has to be
        learned to know it again; who contradicts it later still speaks in its place.
        None at all only where the memory is empty.

        Raises:
            BadInput: the query can't be put to this model.
        """
        return self._asked(model, state, query).found if state.count else ()

    def _asked(self, model: Model, state: Memory, query: Query) -> _Asked:
        """The question as it is or, where that concerns no edit and a picture is shown, with this in words, if it then does."""
        shown = self._looked_for(model, state, query)
        if self.naming is None or not query.images or shown.found[0].rho >= INSIDE:
            return shown
        worded = self.naming.worded(model, query)
        if worded is None or not fits(model, worded):
            return shown
        named = self._looked_for(model, state, worded, named=True)
        if named.found[0].rho < INSIDE:
            return shown
        if isinstance(self.scope, Reranks) and self.naming.asked_for(model, query, self.scope, inside=INSIDE):
            return shown
        return named

    def _looked_for(self, model: Model, state: Memory, query: Query, *, named: bool = False) -> _Asked:
        """What is found of a question or, where that is nothing, of the sentence of it that asks, spelled as the edits are. What
        has a name behind it (`named`) is one sentence."""
        asked_D = self.scope.key(model, query)
        first = _Asked(query, asked_D, self._found(model, state, query, asked_D, named=named))
        if not isinstance(self.scope, Reranks) or not self.scope.again or _direct(first.found[0]):
            return first
        text = state.as_spelled(query.text.strip() if named else asking(query.text))
        if text == query.text.strip():
            return first
        asked_D = self.scope.key_of(model, query, text)
        found = self._found(model, state, query, asked_D, named=named)
        return _Asked(query, asked_D, found) if _direct(found[0]) or found[0].rho >= INSIDE > first.found[0].rho else first

    def _found(self, model: Model, state: Memory, query: Query, asked_D: Tensor, *, named: bool = False) -> tuple[Found, ...]:
        scores = self._scores(model, state, query, asked_D)
        inside = [place for place, score in scores.items() if score.rho >= INSIDE and not (named and state.at(place).alone)]
        if not inside:
            nearest = max(scores, key=lambda place: (scores[place].rho, place))
            return (Found(state.at(nearest).edit, min(scores[nearest].rho, _OUTSIDE), nearest),)
        chosen: dict[Place, None] = {}  # in order, each once
        again = isinstance(self.scope, Reranks) and self.scope.again
        first = {place for place in inside if not again or _direct(scores[place])}
        for place in sorted(inside, key=lambda place: (place in first, scores[place].rho, place), reverse=True):
            chosen.setdefault(_heir(state, place, inside))
            if len(chosen) == self.k:
                break
        return tuple(Found(state.at(place).edit, scores[place].rho, place, scores[place].sort) for place in chosen)

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        """What the deciding edit has to say, or nothing where none is in scope; either way with the decision."""
        if not state.count:
            return NoPatch()
        asked, asked_D, found = self._asked(model, state, query)
        decision = Decision(found[0].edit, found[0].rho, found[0].rho >= INSIDE)
        if not decision.inside:
            return NoPatch(decision=decision)
        if self.memory == "fold":
            return decided(self.editor.read(model, state.stream, query), decision)
        inner = [state.at(each.place).inner for each in found]
        if isinstance(self.editor, Gathers):
            return decided(self.editor.gather(model, inner, query), decision)
        if isinstance(self.editor, Routes):
            return decided(self.editor.routed(model, inner[0], query, self._sort(state, asked, asked_D, found[0])), decision)
        return decided(self.editor.read(model, inner[0], query), decision)

    def _sort(self, state: Memory, query: Query, asked_D: Tensor, found: Found) -> Sort:
        """How the deciding edit concerns the query: by the key of its that is nearest; the same where the scope doesn't say."""
        if found.sort is not None:
            return found.sort
        if not isinstance(self.scope, Sorts) or state.at(found.place).asked == query.digest:
            return "same"
        keys_KD = state.keys_of(found.place).float()
        return self.scope.sort(asked_D, keys_KD[int(self.scope.rho(asked_D, keys_KD).argmax())])

    def telemetry(self, state: Memory) -> Mapping[str, JSON]:
        """What the inner editor tells of the last write, which earlier edits it contradicts, and how many are in memory."""
        latest = state.last
        if latest is None:
            return {"in_memory": 0}
        inner = state.stream if self.memory == "fold" else latest.inner
        last = dict(self.editor.telemetry(inner)) if isinstance(self.editor, Explains) else {}
        if self.memory != "fold":
            last.pop("free", None)  # of a state with this edit alone, not of the memory
        return {**last, "contradicts": list(latest.over), "in_memory": state.count}

    def _scores(self, model: Model, state: Memory, query: Query, asked_D: Tensor, *, writing: bool = False) -> dict[Place, _Score]:
        """The score of every edit in scope, and of the nearest one in any case, in the order in which they came.

        An edit's is the highest of its keys', and 1 where it is of this very query. At a write every near one is read.
        """
        index = self._index(state)
        found = self._highest(asked_D, state) if index is None else self._near(asked_D, state, index)
        own = list(state.asked(query.digest))
        if isinstance(self.scope, Reranks):
            scores = self._reranked(self.scope, model, state, query, asked_D, found=found, own=own, writing=writing)
        else:
            scores = {place: _Score(rho) for place, rho in found.items()}
        return dict(sorted((scores | dict.fromkeys(own, _Score(1.0, "same"))).items()))

    def _reranked(
        self,
        scope: Reranks,
        model: Model,
        state: Memory,
        query: Query,
        asked_D: Tensor,
        *,
        found: Mapping[Place, float],
        own: Sequence[Place],
        writing: bool,
    ) -> dict[Place, _Score]:
        """What a scope makes of the nearest edits beside the query; what isn't read isn't in scope, however near it is.

        At a read the others aren't looked at where one is known or surely in scope. Who contradicts an edit in scope is read in
        any case: it may speak in its place.
        """
        if scope.by_target:
            found = {**found, **self._saying(state, query, asked_D)}
        near = sorted(((rho, place) for place, rho in found.items() if rho >= INSIDE and place not in own), reverse=True)
        places = [place for rho, place in near[: scope.looked_at] if rho >= BESIDE or writing or place == near[0][1]]
        first, rest = ([], places) if own else (places[:1], places[1:])
        read = self._read_again(scope, model, state, query, first)
        sure = [score for score in read.values() if score.rho >= SURE and (_direct(score) or not scope.again)]
        if writing or not (own or sure):
            read |= self._read_again(scope, model, state, query, rest)
        inside = [*own, *(place for place, score in read.items() if score.rho >= INSIDE)]
        heirs = [place for place in _contradicting(state, inside) if place not in read and place not in own]
        heirs = [place for place, rho in self._nearest_of(state, heirs, asked_D).items() if rho > 0]
        read |= self._read_again(scope, model, state, query, heirs)
        return read or {place: _Score(min(rho, _OUTSIDE)) for place, rho in found.items()}

    def _saying(self, state: Memory, query: Query, asked_D: Tensor) -> dict[Place, float]:
        """Edits whose target the question says: as what is near beside others, the nearest of them first."""
        found = self._nearest_of(state, list(state.said_in(query.text)), asked_D)
        return {place: BESIDE + (1 - BESIDE) * rho for place, rho in found.items() if rho > 0}

    def _read_again(
        self, scope: Reranks, model: Model, state: Memory, query: Query, places: Sequence[Place]
    ) -> dict[Place, _Score]:
        """What a scope makes of some edits beside the query: of each the wording that it is surest of."""
        shown = bool(query.images)
        rows = [(place, (words, state.at(place).target)) for place in places for words in state.at(place).read_as(shown=shown)]
        found: dict[Place, Judged] = {}
        for (place, _), judged in zip(rows, scope.judged(model, query, [pair for _, pair in rows]) if rows else (), strict=True):
            found[place] = max(found.get(place, judged), judged, key=lambda one: one.rho)
        return {place: _Score(judged.rho, judged.sort) for place, judged in found.items()}

    def _near(self, asked_D: Tensor, state: Memory, index: Index) -> dict[Place, float]:
        """The scores of the edits that an index finds nearest, and those in scope of the open block."""
        places = sorted(index.nearest(state.blocks, asked_D, LOOKED_AT))
        some = Memory(state.blocks[-1:]) if not state.blocks[-1].closed else Memory()
        late = {Place(len(state.blocks) - 1, place.slot): rho for place, rho in self._highest(asked_D, some).items()}
        return self._nearest_of(state, places, asked_D) | late

    def _nearest_of(self, state: Memory, places: Sequence[Place], asked_D: Tensor) -> dict[Place, float]:
        """The scores of some edits, each its highest key's."""
        rows = [state.keys_of(place) for place in places]
        rho_K = self.scope.rho(asked_D, torch.cat(rows).float()).tolist() if rows else []
        ends = list(accumulate(len(each) for each in rows))
        return {place: max(rho_K[end - len(each) : end]) for place, each, end in zip(places, rows, ends, strict=True)}

    def _highest(self, asked_D: Tensor, state: Memory) -> dict[Place, float]:
        """The same by a look at every key."""
        found: dict[Place, float] = {}
        nearest: tuple[float, Place] | None = None
        for number, block in enumerate(state.blocks):
            rho_K = self.scope.rho(asked_D, block.keys_KD.float()).detach().cpu().numpy()
            rho_E = np.maximum.reduceat(rho_K, block.starts)
            rho_E[block.gone] = -1
            found |= {Place(number, int(slot)): float(rho_E[slot]) for slot in np.flatnonzero(rho_E >= INSIDE)}
            best = len(rho_E) - 1 - int(np.argmax(rho_E[::-1]))  # of equals the later
            nearest = max(nearest or (-1.0, Place(-1, -1)), (float(rho_E[best]), Place(number, best)))
        if not found and nearest is not None:
            return {nearest[1]: nearest[0]}
        return found

    def _index(self, state: Memory) -> Index | None:
        """The index of a large memory; it hangs on the memory's first block, so that it goes when the memory goes."""
        if state.count < LARGE or not isinstance(self.scope, Nears) or self.scope.near(state.blocks[0].keys_KD[:1].float()) is None:
            return None
        mark = state.blocks[0].mark
        library = faiss()
        if mark.index is None and library is not None:
            mark.index = Index(library, self.scope.near)
        found: Index | None = mark.index
        return found

    def _contradicted(self, model: Model, state: Memory, edit: Edit, kept: Kept) -> Iterator[EditId]:
        if not state.count:
            return
        found = set(state.asked(edit.query.digest))
        for query, asked_D in kept.asks or ((edit.query, self.scope.key(model, edit.query)),):
            scores = self._scores(model, state, query, asked_D, writing=True)
            meant = (place for place, score in scores.items() if score.rho >= INSIDE and _asks_the_same(score))
            found |= {place for place in meant if not same(state.at(place).target, edit.target)}
        yield from (state.at(place).edit for place in sorted(found))


def _asks_the_same(score: _Score) -> bool:
    """Whether an edit's question is another's, as far as that is known: one that only follows from it contradicts nothing."""
    return score.sort in (None, "same")


def _direct(one: _Score | Found) -> bool:
    """Whether an edit in scope says what is asked: what only follows from it has to be worked out."""
    return one.rho >= INSIDE and one.sort != "follows"


def _contradicting(state: Memory, places: Sequence[Place]) -> list[Place]:
    """Who contradicts one of some edits, and who contradicts these, in the order in which they came."""
    named, found = {state.at(place).edit for place in places}, list[Place]()
    for number, block in enumerate(state.blocks):
        if named.isdisjoint(block.contradicted):
            continue
        for slot, held in enumerate(block.held):
            if held is not None and not named.isdisjoint(held.over):
                found.append(Place(number, slot))
                named.add(held.edit)
    return found


def _heir(state: Memory, place: Place, inside: Sequence[Place]) -> Place:
    """Who speaks in an edit's place: the latest in scope that contradicts it, and who contradicts that one; else itself."""
    for later in reversed(inside):
        if later <= place:
            return place
        if state.at(place).edit in state.at(later).over:
            return _heir(state, later, inside)
    return place


class Remembers:
    """A registered editor that is a scoped memory: its fields say which, and its verbs are the memory's."""

    def _memory(self) -> Scoped:
        raise NotImplementedError

    def begin(self, model: Model) -> Memory:
        """An empty memory; see `Scoped.begin`."""
        return self._memory().begin(model)

    def write(self, model: Model, state: Memory, edit: Edit) -> Memory:
        """One more edit in memory; see `Scoped.write`."""
        return self._memory().write(model, state, edit)

    def forget(self, state: Memory, edit: EditId) -> Memory | None:
        """The memory as if this edit had never been written; see `Scoped.forget`."""
        return self._memory().forget(state, edit)

    def read(self, model: Model, state: Memory, query: Query) -> Patch:
        """What the deciding edit says, or the model as it is; see `Scoped.read`."""
        return self._memory().read(model, state, query)

    def decider(self) -> Scope:
        """What decides which edit a question is about."""
        return self._memory().scope

    def _named(self, name: str, model: Model) -> Spec:
        """Every field, and the memory that they make."""
        memory = self._memory().spec(model)
        return replace(memory, name=name, fields={**memory.fields, **self.__dict__})
