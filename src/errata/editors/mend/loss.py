"""MEND's training loss for one edit, and the raw gradient that both the training and a write begin with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch

from errata.core.benchmark import UNCHANGED, Case
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.editors._pool import base_answers
from errata.editors.odedit.invariance import divergence
from errata.nn.factors import Factors, Found, factors_of, joint
from errata.nn.hypernetwork import Hypernetwork
from errata.nn.patches import LowRank

if TYPE_CHECKING:
    from jaxtyping import Float
    from torch import Tensor

    from errata.core.model import Spoken


class Risk(NamedTuple):
    """The two terms, each with a graph to the network."""

    edit_nats: Float[Tensor, ""]
    """L_e: mean nats per target token, the mean over the equivalent queries."""

    locality_nats: Float[Tensor, ""]
    """L_loc: divergence per token of the unedited answer, the mean over the queries that must not move."""


def raw(model: Model, paths: Sequence[str], edit: Edit) -> Found:
    """The factors of the gradient of the mean loss over the edit's query and its `also`."""
    asked = (edit.query, *edit.also)
    passes = [_pass(model, paths, query, edit.target) for query in asked]
    factors: dict[str, list[Factors]] = {}
    for each in passes:
        for path, some in each.factors.items():
            factors.setdefault(path, []).append(some.scaled(1 / len(asked)) if edit.also else some)
    mean = sum(each.loss_nats for each in passes) / len(asked)
    return Found(mean, {path: joint(factors[path]) for path in paths if path in factors})


def _pass(model: Model, paths: Sequence[str], query: Query, target: str) -> Found:
    speak = model.speaking(query, target, changing=paths)
    return factors_of(model, paths, lambda: speak().loss)


class Answered(NamedTuple):
    """What the edited model gives, and the unedited one gave."""

    inside: list[Spoken]
    """To the target, asked in equivalent ways."""

    outside: list[Spoken]
    """To the unedited answers of queries that must not move."""

    before: list[Spoken]
    """The unedited model to the same."""


def risk(found: Answered) -> Risk:
    """The published terms."""
    learned = torch.stack([spoken.loss for spoken in found.inside]).mean()
    if not found.outside:
        return Risk(learned, torch.zeros_like(learned))
    moved = [divergence(was, now) for was, now in zip(found.before, found.outside, strict=True)]
    return Risk(learned, torch.stack(moved).mean())


class Still(NamedTuple):
    """What must not move for one case."""

    queries: list[Query]
    answers: list[str]
    """What the unedited model says."""

    spoken: list[Spoken]
    """What it gives to its own answers."""


def unedited(model: Model, cases: Sequence[Case]) -> list[Still]:
    """Each case's probes that expect UNCHANGED, with what the unedited model says; where that can't be said again, a probe is left
    out. The cases are asked together: that takes little longer than one of them."""
    asked = [probe.query for case in cases for probe in case.probes if probe.expect is UNCHANGED]
    usable = {query: answer for query, answer in zip(asked, base_answers(model, asked), strict=True) if answer is not None}
    with torch.no_grad():
        given = dict(zip(usable, model.spoken(list(usable), list(usable.values())), strict=True)) if usable else {}

    def still(case: Case) -> Still:
        kept = [probe.query for probe in case.probes if probe.expect is UNCHANGED and probe.query in usable]
        return Still(kept, [usable[query] for query in kept], [given[query] for query in kept])

    return [still(case) for case in cases]


def answered(model: Model, network: Hypernetwork, case: Case, still: Still, *, own: bool = False) -> Answered:
    """Write the case's edit into the unedited model and see what came of it.

    Equivalent queries are the probes that expect the edit's own target (the edit's query where there are none); other probes, but
    for those that must not move, are left out. One pass serves all of them.

    Args:
        still: of this case, from `unedited`.
        own: ask the edit's own query in any case, and first.
    """
    edit = case.edit
    same = [probe.query for probe in case.probes if probe.expect == edit.target] or [edit.query]
    if own:
        same = [edit.query, *(query for query in same if query.digest != edit.query.digest)]
    patch = LowRank(network(raw(model, network.paths, edit).factors))
    with patch.on(model):
        after = model.spoken([*same, *still.queries], [*[edit.target] * len(same), *still.answers])
    return Answered(after[: len(same)], after[len(same) :], still.spoken)
