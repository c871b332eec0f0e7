"""In which layers the wordings of one question meet: cosines of what goes into each module where the answer begins.

    OMP_NUM_THREADS=2 python -m bench.wordings --model minigpt4-tiny --seed 95 --edits 60

For every corrected question of `scopeworld-fgv`'s test split, by what it asks for: how alike it is in the wordings that lessons
use (`taught`), how alike each held-out wording is to those (`held out 1`, `held out 2`), and how alike the nearest other question
on the same picture is, one that the correction must not change (`other`). Inputs are taken less their mean over everything asked. A
write at a module where a wording is no more like the taught ones than an unrelated question is can't tell the two apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from bench._given import options
from errata.benchmarks.scopeworld.fgv import ScopeWorldFGV
from errata.benchmarks.scopeworld.questions import LESSON_WORDINGS, TRAINED_WORDINGS, WORDINGS
from errata.core.records import Query
from errata.models import load

HELD_OUT = range(TRAINED_WORDINGS, WORDINGS)
ORDER = (*LESSON_WORDINGS, *HELD_OUT)
"""In which the wordings of a question are asked here."""


class Asked(NamedTuple):
    """What is asked of one edit: its question in every wording, then the others."""

    family: str
    queries: tuple[Query, ...]


def main() -> None:
    given = options(__doc__, model=True, edits=60, seed=95).parse_args()
    model, asked = load(given.model), drawn(ScopeWorldFGV(seed=given.seed, edits=given.edits))
    paths = model.writable["text"]
    found = model.beginnings([query for each in asked for query in each.queries], paths)
    lengths = [len(each.queries) for each in asked]
    alike = {path: torch.stack([cosines(x_QI) for x_QI in torch.split(x - x.mean(0), lengths)]) for path, x in found.items()}
    for family in sorted({each.family for each in asked}):
        of_it = torch.tensor([each.family == family for each in asked])
        print(f"{f'{family}, {int(of_it.sum())} edits':44} {'taught':>10} {'held out 1':>10} {'held out 2':>10} {'other':>10}")
        for path in paths:
            print(f"{path:44} " + " ".join(f"{value:10.2f}" for value in alike[path][of_it].mean(0).tolist()))


def drawn(benchmark: ScopeWorldFGV) -> Sequence[Asked]:
    """Every edit's question in every wording on its own picture, and the questions there that must not change."""
    asked = []
    for index in range(len(benchmark)):
        first, *others = benchmark.drawn(index)
        picture = first.query.images[0]
        worded = [Query.ask(first.question.ask(wording), picture) for wording in ORDER]
        apart = [each.query for each in others if each.kind == "specificity_out"]
        asked.append(Asked(first.question.family, (*worded, *apart)))
    return asked


def cosines(x_QI: Tensor) -> Tensor:
    """Taught with taught, each held-out wording with the taught ones, and the nearest other question with them."""
    unit_QI = normalize(x_QI)
    taught = len(LESSON_WORDINGS)
    alike_TQ = unit_QI[:taught] @ unit_QI.T
    among = (alike_TQ[:, :taught].sum() - taught) / (taught * (taught - 1))
    held_out = alike_TQ[:, taught : len(ORDER)].mean(0)
    return torch.stack([among, *held_out, alike_TQ[:, len(ORDER) :].max()])


if __name__ == "__main__":
    main()
