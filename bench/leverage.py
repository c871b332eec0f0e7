"""A scope at the read that costs constant memory: how far leverage tells what an edit concerns from what it doesn't, as edits come.

    OMP_NUM_THREADS=1 python -m bench.leverage --seed 3 --edits 10,25,50,100,200

The leverage of a code z is 1 - z^T P z / z^T z with P = (I + sum of k k^T / lambda)^-1 over the edits' keys k: the share of z that
lies where edits have written. It needs one matrix, whatever the number of edits; a codebook compares with every key instead. For
each number of edits: of the probes in scope, how many score above the score that 95 of 100 probes that must stay are below.
Both are taken of the same unit codes, in the codebook's metric, where an answer begins in the module that the codebook watches.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from bench._given import numbers, options
from errata.benchmarks.scopeworld.stream import OUT_OF_SCOPE, ScopeWorldStream
from errata.core.model import Model
from errata.core.records import Query
from errata.editors.codebook import Codebook
from errata.models import load
from errata.nn.codes import coded
from errata.nn.recursion import after, plasticity, untouched

INSIDE = ("reliability", "text_generality", "image_generality", "cross_modal")
LAMBDAS = (0.001, 0.01, 0.1, 1.0)


def main() -> None:
    parser = options(__doc__, model=True, seed=3)
    parser.add_argument("--edits", type=numbers, default="10,25,50,100,200")
    parser.add_argument("--kept", type=float, default=0.95)
    given = parser.parse_args()
    model, stream = load(given.model), ScopeWorldStream(seed=given.seed, edits=max(given.edits))
    editor = Codebook()
    path = str(editor.spec(model).fields["module"])
    metric_RI = editor.begin(model).book.lens_RI
    columns = " ".join(f"{f'leverage {lam:g}':>13}" for lam in LAMBDAS)
    print(f"{path}, codes of {len(metric_RI)}\n{'edits':>5} {'nearest key':>12} {columns} {'room left (lambda 1)':>21}")
    for edits in given.edits:
        cases = [case for case in stream.truth(edits) if case.probes]
        keys_ER = codes(model, path, metric_RI, [case.edit.query for case in cases])
        probes = [probe for case in cases for probe in case.probes if probe.kind in (*INSIDE, *OUT_OF_SCOPE)]
        asked_NR = codes(model, path, metric_RI, [probe.query for probe in probes])
        inside = np.array([probe.kind in INSIDE for probe in probes])
        cells, left = [f"{share((asked_NR @ keys_ER.T).amax(1), inside, given.kept):12.0f}"], 1.0
        for lam in LAMBDAS:
            p_RR = after(untouched(len(metric_RI), device=keys_ER.device), keys_ER, lam=lam)
            cells.append(f"{share(1 - ((asked_NR @ p_RR) * asked_NR).sum(1), inside, given.kept):13.0f}")
            left = plasticity(p_RR)
        print(f"{edits:5} {' '.join(cells)} {left:21.2f}", flush=True)


def codes(model: Model, path: str, metric_RI: Tensor, queries: list[Query]) -> Tensor:
    """Unit codes where the answers begin. [N, R]"""
    return coded(model.beginnings(queries, (path,))[path], metric_RI)


def share(scores_N: Tensor, inside: np.ndarray, kept: float) -> float:
    """Of the probes in scope, the percentage above the score that `kept` of the others are below."""
    scores = scores_N.numpy()
    return 100 * float((scores[inside] > np.quantile(scores[~inside], kept)).mean())


if __name__ == "__main__":
    main()
