"""Across from words to pictures: edits made in words alone, and what share of them is given when the thing is on a picture.

    OMP_NUM_THREADS=1 python -m bench.crossing --editor scopeedit --editor codebook --seeds 101,102,103 --edits 100

The stream's own edits are made on pictures, and its `cross_modal` asks for them in words. Here the edit of each fact is the first
of those questions in words, and the pictures are asked: the stream's own one, and the other pictures and wordings of its probes.
The fact's other question in words stands beside them, and so do the answers that must stay. Of a fact that is corrected twice the
later correction alone is made.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from bench._given import numbers, options
from errata.benchmarks.scopeworld.stream import OUT_OF_SCOPE, ScopeWorldStream
from errata.core.benchmark import Case
from errata.core.editor import protected
from errata.core.matching import same
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.measure.evaluate import ANSWER_TOKENS, Baseline
from errata.measure.trials import standard_error
from errata.models import load
from errata.session.ready import Loader, equipped

ON_PICTURES = ("reliability", "text_generality", "image_generality")


class InWords(NamedTuple):
    """One fact corrected in words."""

    edit: Edit
    asked: list[tuple[str, Query]]
    """What it is asked as, and how: "words" (its own question), "other words", "pictures", or a kind that must stay."""


def main() -> None:
    parser = options(__doc__, model=True, edits=100)
    parser.add_argument("--editor", action="append", required=True)
    parser.add_argument("--seeds", type=numbers, default="101,102,103")
    given = parser.parse_args()
    model = load(given.model)
    for text in given.editor:
        found: dict[str, list[float]] = defaultdict(list)
        for seed in given.seeds:
            for name, value in shares(model, text, ScopeWorldStream(seed=seed, edits=given.edits), given.edits).items():
                found[name].append(value)
        cells = [
            f"{name} {100 * sum(values) / len(values):.1f} ± {100 * standard_error(values):.1f}" for name, values in found.items()
        ]
        print(f"{text}: {', '.join(cells)}", flush=True)


def shares(model: Model, text: str, stream: ScopeWorldStream, edits: int) -> dict[str, float]:
    """What is asked -> the share that is given, or that stayed."""
    editor = protected(equipped(parse(text), Loader("cpu", None)), stream.pool())
    cases = [in_words(case) for case in stream.truth(edits) if any(probe.kind == "cross_modal" for probe in case.probes)]
    state = editor.begin(model)
    for each in cases:
        state = editor.write(model, state, each.edit)
    queries = [query for each in cases for _, query in each.asked]
    before = Baseline(model).answers(queries)
    after = model.answers(queries, [editor.read(model, state, query) for query in queries], max_new_tokens=ANSWER_TOKENS)
    return rated(cases, before, after)


def in_words(case: Case) -> InWords:
    """The case's fact, corrected by its first question in words."""
    words = [probe.query for probe in case.probes if probe.kind == "cross_modal"]
    own, others = words[0], words[1:]
    asked = [("words", own), *(("other words", query) for query in others)]
    asked += [
        ("pictures" if probe.kind in ON_PICTURES else probe.kind, probe.query) for probe in case.probes if _counts(probe.kind)
    ]
    return InWords(Edit(own, case.edit.target), asked)


def _counts(kind: str) -> bool:
    return kind in ON_PICTURES or kind in OUT_OF_SCOPE


def rated(cases: Sequence[InWords], before: Sequence[str], after: Sequence[str]) -> dict[str, float]:
    """The shares, "stays" of everything that must stay together."""
    right: dict[str, list[bool]] = defaultdict(list)
    answers = zip(before, after, strict=True)
    for each in cases:
        for kind, _ in each.asked:
            was, now = next(answers)
            stays = kind in OUT_OF_SCOPE
            right["stays" if stays else kind].append(same(now, was if stays else each.edit.target))
    return {kind: sum(values) / len(values) for kind, values in right.items()}


if __name__ == "__main__":
    main()
