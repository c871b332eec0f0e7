"""Milliseconds of an answer with corrections in memory, against the model with none: of a question that none is about, and of one.

    OMP_NUM_THREADS=1 python -m bench.asking --model smollm2 --editor rerank --edits 100,10000

The sides are asked in turns in one process; the ratio of medians is what counts. Corrections are of `asked`, the same fact in
several wordings where there are more than facts; their keys are worked out many at a time. Questions that none is about are Atlas's
ordinary ones; those that one is about are another wording of a corrected fact.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from bench._given import numbers, options
from errata.benchmarks.asked.pairs import facts
from errata.benchmarks.atlas.probes import ordinary
from errata.core.model import Model, Patch
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.editors.scoped.memory import Held, Memory
from errata.editors.scoped.scopes.rerank import RerankScope
from errata.models import load
from errata.nn.patches import NoPatch

_AT_ONCE = 64


def main() -> None:
    parser = options(__doc__, seed=0)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--editor", default="rerank")
    parser.add_argument("--edits", type=numbers, default=[100, 10_000])
    parser.add_argument("--queries", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=16, help="the most that is answered with")
    given = parser.parse_args()
    model, editor = load(given.model), parse(given.editor)
    drawn = facts(seed=given.seed, edits=given.queries)
    own = [fact.edit for fact in drawn]
    asked = {
        "no correction is about it": [Query.ask(text) for text in ordinary("report")[: given.queries]],
        "one is about it": [fact.same[0] for fact in drawn],
    }
    states = {count: filled(model, editor, [*own, *_others(own, count - len(own), given.seed)][:count]) for count in given.edits}
    for name, queries in asked.items():
        took: dict[int, list[float]] = {0: [], **{count: [] for count in states}}
        spoke = dict.fromkeys(states, 0)
        for turn in range(given.rounds):
            for query in queries:
                for place in range(len(took)):
                    count = list(took)[(place + turn) % len(took)]
                    patch: Patch | None = None

                    def answer(count: int = count, query: Query = query) -> Patch:
                        found = editor.read(model, states[count], query) if count else NoPatch()
                        model.answers([query], [found], max_new_tokens=given.tokens)
                        return found

                    milliseconds, patch = _timed(answer)
                    took[count].append(milliseconds)
                    if count:
                        spoke[count] += bool(patch.edits)
        for count in states:
            ratio, share = median(took[count]) / median(took[0]), spoke[count] / (given.rounds * len(queries))
            took_ms = f"{median(took[count]):.0f} ms, none {median(took[0]):.0f} ms, ratio {ratio:.2f}"
            spoken = f"a correction spoke in {100 * share:.0f} % of {len(queries)}"
            print(f"{name}, {states[count].count:,} in memory: {took_ms}; {spoken}", flush=True)


def filled(model: Model, editor: Any, edits: list[Edit]) -> Memory:
    """A memory of these corrections as writes would leave it, but for who contradicts whom."""
    memory, state = editor._memory(), editor.begin(model)
    scope = memory.scope
    assert isinstance(scope, RerankScope), "keys are worked out many at a time for a scope that reranks alone"
    for start in range(0, len(edits), _AT_ONCE):
        some = edits[start : start + _AT_ONCE]
        for edit, kept in zip(some, scope.kept_of(model, some), strict=True):
            inner = memory.editor.write(model, memory.editor.begin(model), edit)
            held = Held(edit.id, edit.query.digest, len(kept.keys_KD), edit.target, (), inner, kept.words)
            state = state.added(held, kept.keys_KD)
    return state


def _others(own: list[Edit], count: int, seed: int) -> list[Edit]:
    """So many corrections of other questions."""
    known, found = {edit.query.digest for edit in own}, list[Edit]()
    subjects = {edit.subject for edit in own}
    for fact in facts(seed=seed + 1, edits=max(1, count)):
        for query in (fact.edit.query, *fact.same):
            if len(found) < count and query.digest not in known and fact.subject not in subjects:
                known.add(query.digest)
                found.append(Edit(query, fact.edit.target, subject=fact.subject))
    return found


def _timed(run: Callable[[], Patch]) -> tuple[float, Patch]:
    started = time.perf_counter()
    found = run()
    return 1000 * (time.perf_counter() - started), found


if __name__ == "__main__":
    main()
