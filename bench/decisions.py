"""How often a scope is right, by kind of pair, on scopeworld-fgv: text alone beside text and picture, trained alike.

    OMP_NUM_THREADS=1 python -m bench.decisions --encoders out/clip-tiny [--scope text --scope dot:learned] [--edits 3000]
        [--steps 3000] [--seeds 101,102,103] [--each 300] [--out out/decisions]

All scopes learn from the same pairs (split "train", --train-seed), with the same steps, batch and learning rate. What is printed
is of split "test": other scenes, handwriting and wordings. "blind" is the multimodal scope with every picture held back. A hard
pair is one whose words leave it open: the same picture asked about by another phrase (twins), the edit's own words on the same
picture as other bytes, on the same scene drawn anew, or on another picture.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from errata.benchmarks.scopeworld.fgv import NAME, ScopeWorldFGV, training_pairs
from errata.core.benchmark import Pair
from errata.core.encoder import Encoder
from errata.core.records import Query
from errata.editors import FusionSizes, MultimodalScope, ScopeTraining, TextScope
from errata.engine.scopes import Lessons, train_scope
from errata.models.clip import load_encoder

Right = dict[str, list[bool]]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--encoders", required=True)
    options.add_argument("--scope", action="append", help="text, or FUSION:SIMILARITY, or blind:FUSION:SIMILARITY")
    options.add_argument("--edits", type=int, default=3000)
    options.add_argument("--train-seed", type=int, default=1)
    options.add_argument("--steps", type=int, default=Lessons.steps)
    options.add_argument("--rate", type=float, default=Lessons.learning_rate)
    options.add_argument("--seeds", default="101,102,103")
    options.add_argument("--each", type=int, default=300)
    options.add_argument("--out", type=Path, default=Path("out/decisions"))
    given = options.parse_args()
    encoder = load_encoder(given.encoders)
    pairs = list(training_pairs(seed=given.train_seed, edits=given.edits))
    seeds = [int(seed) for seed in given.seeds.split(",")]
    lessons = Lessons(steps=given.steps, learning_rate=given.rate)
    source = f"{given.edits} edits of {NAME}, seed {given.train_seed}"
    print(f"learned from {source}, {lessons}")
    for name in given.scope or ("text", "dot:learned"):
        scope, blind = scope_of(name, encoder), name.startswith("blind:")
        started = time.perf_counter()
        train_scope(
            scope,
            [held_back(pair) for pair in pairs] if blind else pairs,
            given.out / name.replace(":", "-"),
            lessons=lessons,
            run=f"{source}, {name}",
            progress=lambda what, done, total: None,
        )
        took, parameters = time.perf_counter() - started, sum(each.numel() for each in scope.trainee().parameters())
        print(f"\n{name}: {parameters:,} parameters learned in {took:.0f} s; right, %, n")
        for kind, found in decided(scope, seeds, given.each, blind=blind).items():
            print(f"  {kind:28} {100 * sum(found) / len(found):6.1f} {len(found):7,}", flush=True)


def scope_of(name: str, encoder: Encoder) -> ScopeTraining:
    """A scope with random weights."""
    if name == "text":
        return TextScope()
    fusion, similarity = name.removeprefix("blind:").split(":")
    sizes = {**FusionSizes().__dict__, "fusion": fusion, "similarity": similarity}
    return MultimodalScope(encoder, FusionSizes(**sizes))


def held_back(pair: Pair) -> Pair:
    """The pair without its pictures."""
    return replace(pair, edit=replace(pair.edit, query=unseen(pair.edit.query)), query=unseen(pair.query))


def unseen(query: Query) -> Query:
    """The words of a query."""
    return Query.ask(query.text)


def decided(scope: ScopeTraining, seeds: Sequence[int], each: int, *, blind: bool) -> Right:
    """Whether each decision is right, by kind; first all hard pairs."""
    right: Right = defaultdict(list)
    for seed in seeds:
        fgv = ScopeWorldFGV(seed=seed, edits=each)
        for index in range(each):
            drawn, correction = fgv.drawn(index), fgv.correction(index)
            found = [held_back(pair) for pair in fgv.pairs(index)] if blind else fgv.pairs(index)
            for probe, pair, rho in zip(drawn, found, scope.scored(found).tolist(), strict=True):
                was_right = (rho >= 0.5) == pair.in_scope
                redrawn = not probe.same_picture and probe.view is not None and probe.view.scene == correction.scene
                kind = f"{probe.kind}{', hard' if probe.hard else ''}{', drawn anew' if redrawn else ''}"
                right[kind].append(was_right)
                if probe.hard:
                    right["HARD"].append(was_right)
                    right[f"HARD, {'in' if pair.in_scope else 'out of'} scope"].append(was_right)
    return dict(sorted(right.items(), key=lambda item: ("HARD" not in item[0], item[0])))


if __name__ == "__main__":
    main()
