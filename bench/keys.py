"""Where a correction's question and its probes meet: cosines of what goes into each module where an answer begins.

    OMP_NUM_THREADS=2 .venv/bin/python bench/keys.py --seed 3 --edits 60

For every module of the last layers, and each metric: the mean cosine between an edit's question and its probes of each kind, and
how many probes a read by the nearest key would get right, at the reach at which 95 of 100 probes that must stay are silent: in
scope, its own edit is the nearest of all and within reach; out of scope, none is. No editor and no write: only what the model sees
as alike.

Metrics: `raw` inputs; `chatter` and `pool`, the root of the inverse of what prompts without sense, or the stream's pool of ordinary
queries, have in common (`errata.nn.codes.lens`).
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from errata.benchmarks.scopeworld.stream import OUT_OF_SCOPE, ScopeWorldStream
from errata.core.records import Query
from errata.models import load
from errata.nn.codes import coded, lens
from errata.nn.trace import beginnings_of

INSIDE = ("text_generality", "image_generality", "cross_modal")
KINDS = (*INSIDE, *OUT_OF_SCOPE)


class Probes(NamedTuple):
    """What is asked of each edit. N: probes."""

    edits: list[Query]
    asked: list[Query]
    kinds: list[str]
    own: NDArray[np.int64]
    """Whose probe each is."""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", default="llava-tiny")
    options.add_argument("--seed", type=int, default=3)
    options.add_argument("--edits", type=int, default=60)
    options.add_argument("--layers", type=int, default=3, help="from the end")
    options.add_argument("--weight", type=float, default=3000.0)
    options.add_argument("--kept", type=float, default=0.95)
    given = options.parse_args()
    model, stream = load(given.model), ScopeWorldStream(seed=given.seed, edits=given.edits)
    top = max(model.groups.values())
    paths = tuple(path for path in model.writable["text"] if model.groups[path] > top - given.layers)
    probes = drawn(stream)
    edits, asked = beginnings_of(model, paths, probes.edits), beginnings_of(model, paths, probes.asked)
    grounds = {
        "raw": None,
        "chatter": beginnings_of(model, paths, model.chatter(300, seed=42)),
        "pool": beginnings_of(model, paths, stream.pool()),
    }
    print(f"{'module':42} {'metric':8} {'reach':>5} {'in':>4}  " + " ".join(f"{kind:>16}" for kind in KINDS))
    for path in paths:
        for name, ground in grounds.items():
            whole = torch.eye(edits[path].shape[1])
            metric = whole if ground is None else lens(ground[path], whole, weight=given.weight)
            cosines = (coded(asked[path], metric) @ coded(edits[path], metric).T).numpy()
            print(f"{path.removeprefix('model.language_model.'):42} {name:8} {told(cosines, probes, given.kept)}", flush=True)


def drawn(stream: ScopeWorldStream) -> Probes:
    """Every edit's question and its probes, as they stand when it is the only one."""
    cases = [stream[index] for index in range(len(stream))]
    flat = [(index, probe) for index, case in enumerate(cases) for probe in case.probes if probe.kind in KINDS]
    return Probes(
        [case.edit.query for case in cases],
        [probe.query for _, probe in flat],
        [probe.kind for _, probe in flat],
        np.array([index for index, _ in flat]),
    )


def told(cosines: NDArray[np.float32], probes: Probes, kept: float) -> str:
    """The reach, the share of probes in scope that are right, and for each kind its mean cosine and the share that is right."""
    kinds = np.array(probes.kinds)
    inside = np.isin(kinds, INSIDE)
    nearest, best = cosines.argmax(1), cosines.max(1)
    reach = float(np.quantile(best[~inside], kept))
    right = np.where(inside, (best > reach) & (nearest == probes.own), best <= reach)
    own = cosines[np.arange(len(kinds)), probes.own]
    cells = [f"{own[kinds == kind].mean():9.2f} {100 * right[kinds == kind].mean():5.0f}%" for kind in KINDS]
    return f"{reach:5.2f} {100 * right[inside].mean():3.0f}%  " + " ".join(f"{cell:>16}" for cell in cells)


if __name__ == "__main__":
    main()
