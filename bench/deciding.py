"""Of a stream of Atlas, all its corrections in memory: which correction a scope takes each probe for, and as what.

    python -m bench.deciding --model smollm2 --editor rerank --seeds 101,102,103 --edits 50
    python -m bench.deciding --model atlas --editor rerank:reader=smollm2,sight=atlas --pictures --edits 50

Right is a probe of a correction where that one decides and the sort is right (the same question, yes, no, what follows), and one
that must stay where nothing is in scope. No answer is generated. The share in brackets leaves the sort aside.
With --wrong every probe that is decided wrongly is printed, with its correction and what was decided.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from bench._given import numbers, options
from errata.benchmarks.atlas.pairs import sort_of
from errata.benchmarks.atlas.stream import AtlasStream
from errata.core.benchmark import Case
from errata.core.model import Model
from errata.editors import parse
from errata.editors.scoped.scoped import Remembers
from errata.models import load
from errata.session.ready import equipped


def main() -> None:
    parser = options(__doc__, edits=50)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--editor", default="rerank", help="one that decides which correction a question is about")
    parser.add_argument("--seeds", type=numbers, default=[101, 102, 103])
    parser.add_argument("--pictures", action="store_true", help="about half of the corrections on pictures; the model must see")
    parser.add_argument("--wrong", action="store_true", help="print what is decided wrongly")
    given = parser.parse_args()
    editor: Any = equipped(parse(given.editor))
    if not isinstance(editor, Remembers):
        raise SystemExit(
            f"{given.editor} has no memory of corrections to decide among. Name rerank, told, or another with a scope."
        )
    model, right, about, asked = load(given.model), Counter[str](), Counter[str](), Counter[str]()
    for seed in given.seeds:
        cases = AtlasStream(seed=seed, edits=given.edits, eyes=given.pictures).truth(given.edits)
        for each in _decided(model, editor, cases):
            asked[each.kind] += 1
            about[each.kind] += each.decided
            right[each.kind] += each.right
            if given.wrong and not each.right:
                print(f"  {each.kind}: {each.told}", flush=True)
    for kind, count in asked.items():
        print(f"{kind:16} {100 * right[kind] / count:5.1f} % of {count} ({100 * about[kind] / count:.1f} %)", flush=True)


class _Decided(NamedTuple):
    """What is made of a probe."""

    kind: str
    decided: bool
    """Whether the right correction decides, or none where none should."""

    right: bool
    """And whether the sort is right."""

    told: str


def _decided(model: Model, editor: Any, cases: Sequence[Case]) -> Iterator[_Decided]:
    memory, state = editor._memory(), editor.begin(model)
    for case in cases:
        state = memory.write(model, state, case.edit)
    known = {case.edit.id: f"{case.edit.query.text!r} -> {case.edit.target!r}" for case in cases}
    for case in cases:
        for probe in case.probes:
            sort = sort_of(probe)
            if sort is None:
                continue
            first = memory.decide(model, state, probe.query)[0]
            inside = first.rho >= 0.5
            told: str = "apart"
            if inside:
                told = memory._sort(state, probe.query, memory.scope.key(model, probe.query), first)
            decided = not inside if sort == "apart" else inside and first.edit == case.edit.id
            said = f"{probe.query.text!r} of {known[case.edit.id]}: {told} {first.rho:.2f}"
            whose = "" if first.edit == case.edit.id else f", of {known[first.edit]}"
            yield _Decided(probe.kind, decided, decided and told == sort, said + whose)


if __name__ == "__main__":
    main()
