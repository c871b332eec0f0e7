"""ODEdit around an editor that writes in steps: each step lowers three risks and a penalty on how much environments differ
(arXiv 2601.19700). The objective, its derivation and what of it is ours stand in `errata.editors.odedit.invariance`.

Environments are given by the user and by ordinary traffic, never by a probe: in, the edit's own query; equivalent, its `also` and
further views of its picture, made on the spot; out, its `keep` and some queries of the pool, with the unedited model's answers.
The editor inside decides where and how to write: `odedit:editor=finetune:steps=10;lr=0.0005` (its fields are separated by
semicolons). A trained editor learns under the same objective: `errata train mend:objective=odedit`.

With locality=0, generality=0 and invariance=0 the same environments are asked in as many passes and only R_rel is lowered: what
ODEdit's own terms bring is the difference to that.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, final

import torch
from torch import Tensor

from errata.core.canonical import JSON, digest_of_json
from errata.core.editor import Editor, Explains, Merges, protected, takes_pool
from errata.core.errors import BadInput, quoted
from errata.core.model import Model, Patch, Spoken
from errata.core.records import Edit, Query, Spec
from errata.editors import _registry
from errata.editors._objective import Lower, Lowers
from errata.editors._pool import base_answers, draw, halves
from errata.editors._ranges import at_least
from errata.editors.odedit.invariance import Dual, Weights, ascend, terms, total
from errata.editors.odedit.views import view


@dataclass(frozen=True)
class State:
    """The inner editor's state, and what the unedited model says to the pool."""

    inner: Any
    answers: tuple[str | None, ...]


@final
@dataclass(frozen=True)
class Odedit:
    """An editor that writes in steps, under ODEdit's objective."""

    editor: str = "finetune"
    """What writes: finetune or scopeedit, its fields separated by semicolons."""

    locality: float = 20.0
    """What R_loc counts beside R_rel, >= 0."""

    generality: float = 1.0
    """What R_gen counts, >= 0."""

    invariance: float = 0.1
    """Lambda, what the penalty counts, at a write's first step, >= 0; 0: no penalty."""

    dual_rate: float = 0.1
    """Step size with which lambda's network moves against the write, >= 0."""

    views: int = 1
    """Further views made of each of the edit's queries that has a picture, >= 0."""

    outside: int = 4
    """Queries of the pool that stand for all that an edit doesn't concern, drawn for each edit, >= 0; its `keep` comes on top."""

    pool_size: int = 64
    """How many queries of the pool they are drawn from, >= 0."""

    seed: int = 0
    """Draws views, queries and lambda's network."""

    pool: tuple[Query, ...] = field(default=(), repr=False)
    """Ordinary queries, none of which a probe touches."""

    made: Editor[Any] | None = field(default=None, repr=False, compare=False)
    """The inner editor; made from `editor`."""

    def __post_init__(self) -> None:
        self.weights().check("ODEdit")
        at_least("ODEdit", 0, views=self.views, outside=self.outside, pool_size=self.pool_size, seed=self.seed)
        made = _registry.in_room(self.editor, {}) if self.made is None else self.made
        if not isinstance(made, Lowers):
            raise BadInput(
                f"The editor {quoted(self.editor)} doesn't write in steps on a loss, so ODEdit has nothing to change. Use "
                "finetune or scopeedit; a MEND learns under it instead: errata train mend:objective=odedit"
            )
        object.__setattr__(self, "made", made)

    def protecting(self, pool: Sequence[Query]) -> Odedit:
        """With this pool, for the inner editor too."""
        return replace(self, pool=tuple(pool), made=protected(self._inner(), pool))

    def heeds_pool(self) -> bool:
        """See `core.editor.Heeds`: its queries stand for what an edit doesn't concern, and the inner editor may protect them."""
        return (self.pool_size > 0 and self.outside > 0) or takes_pool(self._inner())

    def spec(self, model: Model) -> Spec:
        """Every field, the pool's digest, and the inner editor's spec."""
        given: dict[str, JSON] = {each.name: self.__dict__[each.name] for each in fields(self) if each.name not in ("pool", "made")}
        pool = digest_of_json([query.digest for query in self.pool]) if self.pool else None
        return Spec("odedit", given | {"pool": pool, "made": self._inner().spec(model).to_json()})

    def begin(self, model: Model) -> State:
        """The inner editor's beginning; the unedited model is asked the pool's queries."""
        return State(self._inner().begin(model), base_answers(model, self._pool()))

    def write(self, model: Model, state: State, edit: Edit) -> State:
        """The inner editor's steps, on ODEdit's objective."""
        for query in (edit.query, *edit.also):
            model.check(query, edit.target)
        inner = self._inner()
        assert isinstance(inner, Lowers), "it was looked at when this editor was made"
        written = inner.lowering(_Environments(self, self._out(model, state, edit), model.decoder))
        return replace(state, inner=written.write(model, state.inner, edit))

    def read(self, model: Model, state: State, query: Query) -> Patch:
        """What the inner editor says."""
        return self._inner().read(model, state.inner, query)

    def merged(self, model: Model, state: State) -> Patch | None:
        """The inner editor's weights, where it has some."""
        inner = self._inner()
        return inner.merged(model, state.inner) if isinstance(inner, Merges) else None

    def telemetry(self, state: State) -> Mapping[str, JSON]:
        """What the inner editor says of its last write."""
        inner = self._inner()
        return inner.telemetry(state.inner) if isinstance(inner, Explains) else {}

    def weights(self) -> Weights:
        """What each term counts."""
        return Weights(self.locality, self.generality, self.invariance, self.dual_rate)

    def _inner(self) -> Editor[Any]:
        assert self.made is not None, "it is made with the editor"
        return self.made

    def _pool(self) -> tuple[Query, ...]:
        return halves(self.pool, self.pool_size, self.seed)

    def _out(self, model: Model, state: State, edit: Edit) -> list[tuple[Query, str]]:
        """Queries that the edit doesn't concern, with the unedited answers: its `keep`, and some of the pool."""
        usable = [(query, answer) for query, answer in zip(self._pool(), state.answers, strict=True) if answer is not None]
        answers = dict(usable)
        drawn = draw(tuple(answers), self.outside, int(digest_of_json([self.seed, edit.id])[:15], 16))
        kept = zip(edit.keep, base_answers(model, edit.keep), strict=True)
        return [(query, answer) for query, answer in kept if answer is not None] + [(query, answers[query]) for query in drawn]


@final
@dataclass(frozen=True)
class _Environments:
    """See `_objective.Objective`: one edit's environments."""

    editor: Odedit
    out: list[tuple[Query, str]]
    decoder: int

    def views(self, edit: Edit) -> tuple[Query, ...]:
        """The query, its `also`, and the views made of them."""
        given = (edit.query, *edit.also)
        seeds = range(self.editor.seed, self.editor.seed + self.editor.views)
        made = [view(query, seed=seed, decoder=self.decoder) for query in given if query.images for seed in seeds]
        return (*given, *made)

    def opened(self, model: Model, edit: Edit, *, changing: Collection[str]) -> Lower:
        """The objective at each step; lambda's network begins anew with each write."""
        weights = self.editor.weights()
        speak = model.speaking_together([query for query, _ in self.out], [answer for _, answer in self.out], changing=changing)
        with torch.no_grad():
            before = speak()
        dual = Dual(weights.invariance, seed=self.editor.seed) if weights.invariance else None

        def lower(inside: Sequence[Spoken]) -> Tensor:
            found = terms(inside, speak(), before)
            loss = total(found, weights, None if dual is None else dual(found))
            if dual is not None:
                ascend(dual, found, rate=weights.dual_rate)
            return loss

        return lower
