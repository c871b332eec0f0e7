"""Of a stream of Atlas in words, all its corrections in memory: which correction a scope takes each probe for, and as what.

    python -m bench.deciding --model smollm2 --editor rerank --seeds 101,102,103 --edits 50

Right is a probe of a correction where that one decides and the sort is right (the same question, yes, no, what follows), and one
that must stay where nothing is in scope. No answer is generated. The share in brackets leaves the sort aside.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from bench._given import numbers, options
from errata.benchmarks.atlas.pairs import sort_of
from errata.benchmarks.atlas.stream import AtlasWords
from errata.core.model import Model
from errata.editors import parse
from errata.editors.scoped.scoped import Remembers
from errata.models import load


def main() -> None:
    parser = options(__doc__, edits=50)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--editor", default="rerank", help="one that decides which correction a question is about")
    parser.add_argument("--seeds", type=numbers, default=[101, 102, 103])
    given = parser.parse_args()
    editor: Any = parse(given.editor)
    if not isinstance(editor, Remembers):
        raise SystemExit(
            f"{given.editor} has no memory of corrections to decide among. Name rerank, told, or another with a scope."
        )
    model, right, about, asked = load(given.model), Counter[str](), Counter[str](), Counter[str]()
    for seed in given.seeds:
        for kind, decided, sorted_too in _decided(model, editor, seed=seed, edits=given.edits):
            asked[kind] += 1
            about[kind] += decided
            right[kind] += decided and sorted_too
    for kind, count in asked.items():
        print(f"{kind:16} {100 * right[kind] / count:5.1f} % of {count} ({100 * about[kind] / count:.1f} %)", flush=True)


def _decided(model: Model, editor: Any, *, seed: int, edits: int) -> list[tuple[str, bool, bool]]:
    """Of each probe its kind, whether the right correction decides, or none where none should, and whether the sort is right."""
    cases = AtlasWords(seed=seed, edits=edits).truth(edits)
    memory, state = editor._memory(), editor.begin(model)
    for case in cases:
        state = memory.write(model, state, case.edit)
    found = []
    for case in cases:
        for probe in case.probes:
            sort = sort_of(probe)
            if sort is None:
                continue
            first = memory.decide(model, state, probe.query)[0]
            inside = first.rho >= 0.5
            if sort == "apart":
                found.append((probe.kind, not inside, True))
            else:
                told = memory._sort(state, probe.query, memory.scope.key(model, probe.query), first)
                found.append((probe.kind, inside and first.edit == case.edit.id, told == sort))
    return found


if __name__ == "__main__":
    main()
