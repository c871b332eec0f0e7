"""Which questions on a picture does a correction in words concern, by what the model says that the picture shows?

    python -m bench.naming --each 24

One correction in words at a time, of countries and things that have pictures, in relations and wordings of the split for reports.
Asked on a picture of its subject: the same fact in another wording, which it concerns; another fact; what the picture shows; and
the same fact on a picture of another subject: it concerns none of these. Printed: percent decided rightly, with and without a name.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bench._given import options
from errata.benchmarks.atlas.chance import one_of, some_of
from errata.benchmarks.atlas.corrections import asking
from errata.benchmarks.atlas.facts import Atlas, atlas
from errata.benchmarks.atlas.questions import OF_SPLIT, SHOWN, Split, split_of, wordings
from errata.benchmarks.atlas.sights import Album, sort_of_subject
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.editors.scoped.scoped import Remembers
from errata.models import load
from errata.session.ready import equipped

KINDS = ("the same fact", "another fact", "what it shows", "another subject")


def main() -> None:
    """Print a line for each kind of question."""
    parser = options(__doc__, seed=101)
    parser.add_argument("--model", default="atlas")
    parser.add_argument("--editor", default="rerank:reader=smollm2,sight=atlas")
    parser.add_argument("--each", type=int, default=24, help="corrections")
    given = parser.parse_args()
    model, held, rng = load(given.model), atlas(), np.random.default_rng([given.seed, 71])
    memories: dict[str, Remembers] = {}
    for naming in ("true", "false"):
        editor: object = equipped(parse(f"{given.editor},naming={naming}"))
        if not isinstance(editor, Remembers):
            raise SystemExit(f"{given.editor} has no scope. Name rerank.")
        memories[naming] = editor
    split = split_of(given.seed)
    album = Album(held, split)
    right: dict[tuple[str, str], list[bool]] = {(kind, naming): [] for kind in KINDS for naming in memories}
    for edit, asked in _corrections(held, album, split, given.each, rng):
        for naming, memory in memories.items():
            state = memory.write(model, memory.begin(model), edit)
            for kind, query in asked:
                decision = memory.read(model, state, query).decision
                right[kind, naming].append((decision is not None and decision.inside) is (kind == KINDS[0]))
    for kind in KINDS:
        with_it, without = (100 * float(np.mean(right[kind, naming] or [False])) for naming in ("true", "false"))
        print(f"{kind:16} {with_it:5.1f} % of {len(right[kind, 'true'])} rightly, without the name {without:5.1f} %")


def _corrections(
    held: Atlas, album: Album, split: Split, count: int, rng: np.random.Generator
) -> Iterator[tuple[Edit, list[tuple[str, Query]]]]:
    """A correction in words to another subject's value, and what is asked about it."""
    keys = [key for key in album.of if len(_relations(held, split, key)) > 1]
    for key in some_of(rng, keys, count):
        relation, other = some_of(rng, _relations(held, split, key), 2)
        others = [each for each in keys if each != key and relation in _relations(held, split, each)]
        another = one_of(rng, others)
        target = held.world.known((another, relation)) or "?"
        first, *more = some_of(rng, album.fitting(relation), 2)
        wording = (more or [first])[0]
        shown = wordings(SHOWN[sort_of_subject(held, key)])[split]
        sight = album.sight(key, rng)
        yield (
            Edit(asking(held, key, first), target),
            [
                (KINDS[0], asking(held, key, wording, sight)),
                (KINDS[1], asking(held, key, one_of(rng, album.fitting(other)), sight)),
                *((KINDS[2], Query.ask(each.template, sight.image)) for each in some_of(rng, list(shown), 2)),
                (KINDS[3], asking(held, another, wording, album.sight(another, rng))),
            ],
        )


def _relations(held: Atlas, split: Split, key: str) -> list[str]:
    """Those of the split that are asked of it."""
    return sorted(relation for of, relation in held.askable if of == key and relation in OF_SPLIT[split])


if __name__ == "__main__":
    main()
