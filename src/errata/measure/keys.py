"""Where a correction's question and its probes meet: cosines of what goes into each module where an answer begins.

For every module of the last layers, and each metric: the mean cosine between an edit's question and its probes of each kind, and
how many probes a read by the nearest key would get right, at the reach at which 95 of 100 probes that must stay are silent: in
scope, its own edit is the nearest of all and within reach; out of scope, none is. No editor and no write: only what the model sees
as alike.

Metrics: `raw` inputs; `chatter` and `pool`, the root of the inverse of what prompts without sense, or the stream's pool of ordinary
queries, have in common (`errata.nn.codes.lens`).

Shapes: N probes, E edits, I the module's input width.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, final

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from errata.benchmarks.scopeworld.stream import OUT_OF_SCOPE, ScopeWorldStream
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.records import Query
from errata.nn.codes import coded, lens

INSIDE: Final = ("text_generality", "image_generality", "cross_modal")
KINDS: Final = (*INSIDE, *OUT_OF_SCOPE)
"""The kinds of probes that are looked at, those in scope first."""

_CHATTER, _CHATTER_SEED = 300, 42


class Kind(NamedTuple):
    """The probes of one kind."""

    cosine: float
    """With their own edit's question, mean."""

    right: float
    """The share that a read by the nearest key gets right."""


@final
@dataclass(frozen=True)
class Alike:
    """What one module sees as alike in one metric."""

    module: str
    metric: str
    reach: float
    """The cosine below which the probes that must stay are kept silent."""

    inside: float
    """The share of probes in scope that are right."""

    kinds: Mapping[str, Kind]


class _Probes(NamedTuple):
    """What is asked of each edit."""

    edits: list[Query]
    asked: list[Query]
    kinds: NDArray[np.str_]
    own: NDArray[np.int64]
    """Whose probe each is."""


def alike(model: Model, stream: ScopeWorldStream, *, layers: int, weight: float, kept: float) -> Iterator[Alike]:
    """Every module of the last layers in every metric, in their order.

    Args:
        layers: how many, from the end.
        weight: of what a metric takes out; see `errata.nn.codes.lens`.
        kept: the share of the probes that must stay that are silent, 0 to 1.

    Raises:
        BadInput: a number out of range, or a model that the questions can't be put to.
    """
    if not (0 <= kept <= 1 and 0 <= weight < np.inf):
        raise BadInput(f"--kept is a share from 0 to 1 and --weight a number of 0 or more; these are {kept} and {weight}.")
    top = max(model.groups.values())
    if layers > top + 1:
        raise BadInput(f"{model.name} has {top + 1} layers, not {layers}. Give at most {top + 1} to --layers.")
    paths = tuple(path for path in model.writable["text"] if model.groups[path] > top - layers)
    probes = _drawn(stream)
    edits, asked = _keys(model, paths, probes.edits), _keys(model, paths, probes.asked)
    if any(len(edits[path]) < len(probes.edits) or len(asked[path]) < len(probes.asked) for path in paths):
        raise BadInput(
            f"{model.name} can't be put every question of this stream, so its keys can't be compared. Name another model."
        )
    grounds = {
        "raw": None,
        "chatter": _keys(model, paths, model.chatter(_CHATTER, seed=_CHATTER_SEED)),
        "pool": _keys(model, paths, stream.pool()),
    }
    for path in paths:
        for metric, ground in grounds.items():
            whole_II = torch.eye(edits[path].shape[1])
            lens_RI = whole_II if ground is None else lens(ground[path], whole_II, weight=weight)
            cosines_NE = (coded(asked[path], lens_RI) @ coded(edits[path], lens_RI).T).numpy()
            yield _alike(path, metric, cosines_NE, probes, kept)


def _keys(model: Model, paths: Sequence[str], queries: Sequence[Query]) -> Mapping[str, Float[Tensor, "N I"]]:
    return {path: x_NI.cpu() for path, x_NI in model.beginnings(queries, paths).items()}


def _drawn(stream: ScopeWorldStream) -> _Probes:
    """Every edit's question and its probes, as they stand when it is the only one."""
    cases = [stream[index] for index in range(len(stream))]
    flat = [(index, probe) for index, case in enumerate(cases) for probe in case.probes if probe.kind in KINDS]
    return _Probes(
        [case.edit.query for case in cases],
        [probe.query for _, probe in flat],
        np.array([probe.kind for _, probe in flat]),
        np.array([index for index, _ in flat]),
    )


def _alike(module: str, metric: str, cosines_NE: NDArray[np.float32], probes: _Probes, kept: float) -> Alike:
    inside = np.isin(probes.kinds, INSIDE)
    nearest, best = cosines_NE.argmax(1), cosines_NE.max(1)
    reach = float(np.quantile(best[~inside], kept))
    right = np.where(inside, (best > reach) & (nearest == probes.own), best <= reach)
    own = cosines_NE[np.arange(len(probes.own)), probes.own]
    of_kind = {kind: probes.kinds == kind for kind in KINDS if kind in probes.kinds}
    kinds = {kind: Kind(float(own[of].mean()), float(right[of].mean())) for kind, of in of_kind.items()}
    return Alike(module, metric, reach, float(right[inside].mean()), kinds)
