"""What MEND does with one edit at a time, and what an edit costs in full passes, the network's transform included.

    OMP_NUM_THREADS=1 python -m bench.mend --editor mend:checkpoint=out/mend --seeds 101,102,103
    OMP_NUM_THREADS=1 python -m bench.mend --large

Each case of the seeds is written into the unedited model and all of its probes are asked, by generation and exact match. Beside
each editor stands MEND before any training but with its statistics, which is one normalised gradient step. A full pass is a
forward and backward through the whole model, as `errata bench` counts it; it and the write run in turn. `--large` times an
untrained MEND on a LLaVA of 300 million random weights.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch

from bench._given import numbers, options
from errata.core.benchmark import Case, Unchanged
from errata.core.editor import Editor
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit
from errata.editors import MendPlan, MendTraining, parse
from errata.measure.evaluate import Baseline, pass_ms
from errata.models import TransformersModel, load
from errata.models.small.build import LlavaSizes, build_llava
from errata.session.registry import benchmark

LARGE = LlavaSizes(width=1024, layers=24, ffn=2816)
"""300 million parameters in the decoder."""


def main() -> None:
    parser = options(__doc__, model=True)
    parser.add_argument("--editor", action="append", default=[])
    parser.add_argument("--cases", type=int, default=100, help="of each seed")
    parser.add_argument("--seeds", type=numbers, default="101,102,103")
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    model = _large() if given.large else load(given.model)
    editors: dict[str, Editor[Any]] = {"untrained": _untrained(model)}
    editors |= {text: parse(text) for text in given.editor}
    streams = [benchmark("scopeworld-stream", seed=seed, edits=given.cases) for seed in given.seeds]
    cases = [stream[i] for stream in streams for i in range(given.cases)]
    for name, editor in editors.items():
        print(f"{name}: {_cost(model, editor, [case.edit for case in cases[:20]])}")
        if not given.large:
            print(f"{name}: {_met(model, editor, cases, Baseline(model))}")


def _untrained(model: Model) -> Editor[Any]:
    """MEND with the statistics of some training cases and nothing learned."""
    training, stream = MendTraining(MendPlan(), model), benchmark("scopeworld-stream", seed=0, edits=50)
    training.trainee().train(True)
    with torch.no_grad():
        for index in range(len(stream)):
            training.objective([Case(stream[index].edit, ())])
    training.trainee().train(False)
    return training.editor()


def _cost(model: Model, editor: Editor[Any], edits: Sequence[Edit]) -> str:
    begun = editor.begin(model)
    writes, passes = [], []
    for edit in edits:
        passes.append(pass_ms(model, edit))
        started = time.perf_counter()
        editor.write(model, begun, edit)
        writes.append(1000 * (time.perf_counter() - started))
    ratios = sorted(write / whole for write, whole in zip(writes, passes, strict=True))
    return (
        f"{model.parameters:,} parameters, write {median(writes):.1f} ms, full pass {median(passes):.1f} ms, "
        f"write over pass {median(ratios):.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f}), n={len(edits)}"
    )


def _met(model: Model, editor: Editor[Any], cases: Sequence[Case], base: Baseline) -> str:
    """The share of probes of each kind that met their expectation after one edit alone."""
    found: dict[str, list[bool]] = defaultdict(list)
    for case in cases:
        state = editor.write(model, editor.begin(model), case.edit)
        queries = [probe.query for probe in case.probes]
        before = base.answers(queries)
        after = model.answers(queries, [editor.read(model, state, query) for query in queries], max_new_tokens=32)
        for probe, was, now in zip(case.probes, before, after, strict=True):
            found[probe.kind].append(same(now, was if isinstance(probe.expect, Unchanged) else probe.expect))
    return _said(found)


def _said(found: Mapping[str, Sequence[bool]]) -> str:
    return ", ".join(f"{kind} {100 * sum(met) / len(met):.1f} (n={len(met)})" for kind, met in found.items())


def _large() -> TransformersModel:
    from errata.school.school import texts

    with tempfile.TemporaryDirectory() as folder:
        build_llava(Path(folder), texts=texts(), sizes=LARGE, seed=0)
        return load(folder)


if __name__ == "__main__":
    main()
