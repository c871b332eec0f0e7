"""What follows from a correction, when the model is told that one alone: what an editor that tells it could reach at best.

    python -m bench.told_alone --model smollm2 --editor rerank --seeds 101,102,103 --edits 10

Of a stream of Atlas in words: each probe of what follows is answered by the model as it is, told its own correction alone and
surely, and by the editor with all corrections in memory, which has to find out itself that one of them is meant. Hops are told
apart by what the question names: the correction's subject, its new value, or neither, where only knowledge of the world leads to
it. With --each every answer is printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from bench._given import numbers, options
from errata.benchmarks.atlas.pairs import sort_of
from errata.benchmarks.atlas.stream import AtlasWords
from errata.core.benchmark import Outcome, Probe
from errata.core.model import Model, Patch
from errata.core.records import Edit
from errata.editors import parse
from errata.editors.scoped.routed import Routed
from errata.measure.evaluate import ANSWER_TOKENS
from errata.models import load
from errata.nn.patches import NoPatch
from errata.session.ready import equipped

_WAYS = ("as it is", "told alone", "in memory")


def main() -> None:
    parser = options(__doc__, edits=10)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--editor", default="rerank")
    parser.add_argument("--seeds", type=numbers, default=[101, 102, 103])
    parser.add_argument("--each", action="store_true", help="print every answer")
    given = parser.parse_args()
    model, editor = load(given.model), equipped(parse(given.editor))
    asked, met = Counter[str](), Counter[tuple[str, str]]()
    for seed in given.seeds:
        stream = AtlasWords(seed=seed, edits=given.edits)
        cases = stream.truth(given.edits)
        followed = [(case.edit, probe) for case in cases for probe in case.probes if sort_of(probe) in ("follows", "yes", "no")]
        said = _answers(model, editor, [case.edit for case in cases], followed)
        for place, (edit, probe) in enumerate(followed):
            kind = probe.kind + (_named(edit, probe) if probe.kind.endswith(("hop", "hops")) else "")
            asked[kind] += 1
            for way, answers in said.items():
                gives = stream.gives(Outcome(probe, said[_WAYS[0]][place], answers[place]))
                met[kind, way] += gives
                if given.each:
                    print(
                        f"  {kind}, {way}: {probe.query.text!r} -> {answers[place]!r}, {'as' if gives else 'not'} {probe.expect!r}"
                    )
    for kind, count in asked.items():
        shares = ", ".join(f"{way} {100 * met[kind, way] / count:.1f}" for way in _WAYS)
        print(f"{kind}: {shares} of 100 ({count})", flush=True)


def _named(edit: Edit, probe: Probe) -> str:
    """Which of a correction's names stands in a question."""
    asked = probe.query.text.lower()
    named = {"its subject": edit.subject or "", "its value": edit.target}
    return f" ({' and '.join(name for name, said in named.items() if said and said.lower() in asked) or 'neither'} named)"


def _answers(model: Model, editor: Any, edits: Sequence[Edit], followed: Sequence[tuple[Edit, Probe]]) -> dict[str, list[str]]:
    """Way -> what is answered to each probe."""
    state, routed = editor.begin(model), Routed()
    for edit in edits:
        state = editor.write(model, state, edit)
    alone = {edit.id: routed.write(model, routed.begin(model), edit) for edit in edits}
    queries = [probe.query for _, probe in followed]
    patches: dict[str, list[Patch]] = {
        "as it is": [NoPatch()] * len(queries),
        "told alone": [routed.routed(model, alone[edit.id], probe.query, "follows") for edit, probe in followed],
        "in memory": [editor.read(model, state, query) for query in queries],
    }
    return {way: model.answers(queries, each, max_new_tokens=ANSWER_TOKENS) for way, each in patches.items()}


if __name__ == "__main__":
    main()
