"""What the written modules could hold at best: all edits of a stream and its pool solved for together, scored like a stream.

    OMP_NUM_THREADS=2 python -m bench.ceiling --seed 101 --edits 200

Same sites, same rank and bases as the editor named; its B factors are trained by Adam on every edit at once, as often as it takes,
beside the pool's queries with the unedited model's answers. No online editor sees all edits at once, so this is a ceiling of the
sites and the rank, not of a method; being a local optimum of that loss, not of the rates, it is an estimate.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from bench._given import options
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.benchmark import Outcome
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.editors.scopeedit.editor import ScopeEdit
from errata.measure.evaluate import Baseline
from errata.measure.scoring import classes, rates, scored
from errata.models import load
from errata.nn.patches import Delta, LowRank

Losses = dict[str, list[Callable[[], Tensor]]]


def main() -> None:
    parser = options(__doc__, model=True, edits=200, seed=101)
    parser.add_argument("--editor", default="scopeedit")
    parser.add_argument("--rounds", type=int, default=30, help="passes over all edits")
    parser.add_argument("--rate", type=float, default=0.03)
    parser.add_argument("--pool", type=float, default=1.0, help="what a pool query counts beside an edit")
    parser.add_argument("--queries", type=int, help="how many of the pool; not given: all")
    given = parser.parse_args()
    model, stream = load(given.model), ScopeWorldStream(seed=given.seed, edits=given.edits)
    editor = parse(given.editor)
    if not isinstance(editor, ScopeEdit):
        parser.error("only scopeedit has sites and a rank to solve for")
    pool = stream.pool()[: given.queries]
    state = editor.protecting(pool).begin(model)
    deltas = {
        path: Delta(module.delta.a_RI, torch.zeros_like(module.delta.b_OR, requires_grad=True))
        for path, module in state.modules.items()
    }
    in_force = {}
    for index in range(given.edits):  # a later edit of the same fact overrules the earlier one
        in_force[stream[index].edit.id] = stream[index].edit
    kept = [case.edit.id for case in stream.truth(given.edits) if case.probes]
    solve(model, deltas, [in_force[each] for each in kept], answered(model, pool), given)
    report(model, deltas, stream, given.edits)


def answered(model: Model, pool: Sequence[Query]) -> list[tuple[Query, str]]:
    """Pool queries with the unedited model's answers."""
    return [(query, answer) for query, answer in zip(pool, Baseline(model).answers(pool), strict=True) if answer.strip()]


def solve(
    model: Model, deltas: dict[str, Delta], edits: Sequence[Edit], pool: Sequence[tuple[Query, str]], given: argparse.Namespace
) -> None:
    """Adam over all edits and the pool, eight of each to a step, the rate falling to nothing."""
    paths = tuple(deltas)
    wanted = [model.speaking(query, edit.target, changing=paths) for edit in edits for query in (edit.query, *edit.also)]
    stays = [model.speaking(query, answer, changing=paths) for query, answer in pool]
    leaves = [delta.b_OR for delta in deltas.values()]
    optimizer = torch.optim.Adam(leaves, lr=given.rate)
    order, steps = random.Random(0), given.rounds * ((len(wanted) + 7) // 8)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for step in range(steps):
        optimizer.zero_grad()
        with LowRank(deltas).on(model):
            for weight, several in ((1.0, wanted), (given.pool, stays)):
                for speak in order.sample(several, min(8, len(several))):
                    (weight * speak().loss / 8).backward(inputs=leaves)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step} of {steps}", flush=True)


def report(model: Model, deltas: dict[str, Delta], stream: ScopeWorldStream, edits: int) -> None:
    """Every probe asked under the one solution."""
    cases = stream.truth(edits)
    probes = [probe for case in cases for probe in case.probes]
    queries = [probe.query for probe in probes]
    held = LowRank({path: Delta(delta.a_RI, delta.b_OR.detach()) for path, delta in deltas.items()})
    before = Baseline(model).answers(queries)
    after = model.answers(queries, [held] * len(queries), max_new_tokens=32)
    outcomes = iter([Outcome(probe, was, now) for probe, was, now in zip(probes, before, after, strict=True)])
    judged = [scored(case, [next(outcomes) for _ in case.probes], committed=True) for case in cases]
    kinds = list(dict.fromkeys(probe.kind for probe in probes))
    for name, rate in {**rates(judged, kinds), **classes(judged)}.items():
        print(f"{name:18} {'-' if rate.rate is None else f'{100 * rate.rate:5.1f}'}  n={rate.n}")


if __name__ == "__main__":
    main()
