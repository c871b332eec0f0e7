"""The same number of tuning trials for every editor: fields drawn at random, streamed on seeds below 100, the best one named.

    OMP_NUM_THREADS=1 python -m bench.tuning --editor finetune --editor scopeedit --trials 12 --seeds 3 --edits 100
    python -m bench.tuning --benchmark atlas-words --model smollm2 --editor finetune --trials 12 --seeds 3 --edits 5

The first trial of each editor is the editor as it stands; of the others every field in `SPACES` is drawn anew. What counts is the
share of proper edits; beside it stands the balance, the harmonic mean of what spreads (reliability and other wordings; where there
are pictures other pictures, and across to words) and of what stays (the kinds out of scope). Runs are kept under `--out` and aren't
run again, so trials can be added later. The ranges are those of the trials that were reported; defaults that were found later lie
outside some of them.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from bench._given import numbers, options
from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.cli.bench.atlas import drawn as atlas
from errata.core.editor import Editor
from errata.core.model import Model
from errata.editors import parse
from errata.measure.evaluate import Baseline
from errata.measure.trials import Trial, run_trials
from errata.models import load

Draw = Callable[[random.Random], str]
"""One field's value, as a spec writes it."""


def among(*values: object) -> Draw:
    """One of these."""
    return lambda dice: str(dice.choice(values))


def between(low: float, high: float) -> Draw:
    """Evenly between these."""
    return lambda dice: f"{dice.uniform(low, high):.3g}"


def sized(low: float, high: float) -> Draw:
    """Between these, every size alike."""
    return lambda dice: f"{low * (high / low) ** dice.random():.3g}"


def below_one(low: float, high: float) -> Draw:
    """1 less something between these, every size alike: a cosine where most are near 1."""
    return lambda dice: f"{1 - low * (high / low) ** dice.random():.4g}"


SPREADS = ("reliability", "text_generality", "image_generality", "cross_modal")
STAYS = ("specificity_out", "near_locality", "image_locality", "text_locality")
KINDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "scopeworld": (SPREADS, STAYS),
    "atlas-words": (
        ("reliability", "near_wording", "far_wording"),
        ("same_wording", "same_old_value", "other_relation", "unrelated"),
    ),
    "atlas-stream": (
        ("reliability", "near_wording", "far_wording", "other_artist", "other_view", "in_words"),
        ("same_wording", "same_old_value", "other_relation", "shown", "other_on_picture", "unrelated"),
    ),
}
"""Benchmark -> the kinds of probe that ask whether a correction spreads, and whether all else stays."""


_STEPS: Mapping[str, Draw] = {"eta_local": sized(0.02, 3), "eta_vision": sized(1e-4, 0.1), "steps": among(3, 5, 8, 12)}

SPACES: Mapping[str, Mapping[str, Draw]] = {
    "finetune": {"lr": sized(1e-4, 5e-3), "steps": among(3, 5, 8, 15), "stop_nats": among("none", 0.1, 0.5)},
    "finetune:where=vision": {"lr": sized(1e-4, 1e-2), "steps": among(3, 5, 8, 15), "stop_nats": among("none", 0.1, 0.5)},
    "scopeedit:preset=more": _STEPS | {"lambda_local": sized(20, 2e5), "protect": among(1, 2, 4)},
    "scopeedit:preset=paper": _STEPS
    | {
        "eta_shared": sized(0.05, 10),
        "lambda_local": sized(0.1, 100),
        "lambda_shared": sized(0.1, 100),
        "protect": among(1, 2, 4),
    },
    "scopeedit": {
        "layers": among(1, 2, 3),
        "top_k": among(2, 4, 8),
        "eta_shared": sized(0.02, 2),
        "lambda_local": sized(0.1, 100),
        "traffic": sized(3e3, 3e6),
        "relaxation": between(0.8, 1.4),
        "stop_nats": among(0.05, 0.1, 0.3),
        "protect": among(0, 1, 2),
    },
    "codebook": {
        "layer": among(1, 2, 3),
        "reach": between(0.74, 0.92),
        "follow": between(0.3, 0.6),
        "same": among(0.95, 0.98, 0.99),
        "weight": sized(300, 3e4),
        "stop_nats": among(0.01, 0.02, 0.1),
    },
    "told": {"threshold": below_one(2e-3, 0.15), "statement": among("suppose {fact}.", "{fact}.", "Note that {fact}.")},
    "ike": {"threshold": below_one(2e-3, 0.3), "k": among(1, 4, 16), "demonstrations": among(0, 4, 16)},
    "cache": {"threshold": below_one(1e-3, 0.2)},
    "golden": {"k": among(1, 2, 4, 8)},
    "lora": {"lr": sized(2e-4, 5e-3), "epochs": among(10, 20, 40), "rank": among(4, 8, 16)},
}
"""What is drawn of each editor."""


def main() -> None:
    parser = options(__doc__, model=True, edits=100)
    parser.add_argument("--editor", action="append", choices=sorted(SPACES), help="once for each; not given: all")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seeds", type=numbers, default="3", help="below 100, with commas")
    parser.add_argument("--benchmark", choices=sorted(KINDS), default="scopeworld")
    parser.add_argument("--out", type=Path, help="out/tuning, or out/tuning-BENCHMARK where one is named")
    given = parser.parse_args()
    given.out = given.out or Path("out") / ("tuning" if given.benchmark == "scopeworld" else f"tuning-{given.benchmark}")
    if max(given.seeds) >= 100:
        parser.error("seeds from 100 on are for reporting")
    model = load(given.model)
    for name in given.editor or SPACES:
        report(name, run(drawn(name, given.trials), model, given), KINDS[given.benchmark])


def run(specs: Sequence[str], model: Model, given: argparse.Namespace) -> list[Trial]:
    """Stream through each."""
    editors: dict[str, Editor[Any]] = {spec: parse(spec) for spec in specs}

    def scopeworld(seed: int, _: Baseline) -> ScopeWorldStream:
        return ScopeWorldStream(seed=seed, edits=given.edits)

    stream_of = scopeworld if given.benchmark == "scopeworld" else partial(atlas, given.benchmark, "both", given.edits)
    return run_trials(model, editors, stream_of, seeds=given.seeds, edits=given.edits, folder=given.out, progress=told)


def drawn(name: str, trials: int) -> list[str]:
    """The editor as it stands, and as many others as make up the number."""
    made = [name]
    for trial in range(1, trials):
        dice = random.Random(f"{name} {trial}")
        made.append(spec(name, {field: draw(dice) for field, draw in SPACES[name].items()}))
    return made


def spec(name: str, fields: Mapping[str, str]) -> str:
    """As it is written on the command line."""
    return f"{name}{',' if ':' in name else ':'}{','.join(f'{field}={value}' for field, value in fields.items())}"


def report(name: str, tried: list[Trial], kinds: tuple[tuple[str, ...], tuple[str, ...]] = (SPREADS, STAYS)) -> None:
    """Every trial, the best first, by the kinds that its streams have."""
    there = [[kind for kind in some if all(trial.has(kind) for trial in tried)] for some in kinds]
    print(f"\n{name}: {len(tried)} trials; proper, balance | {' | '.join(', '.join(some) for some in there)}")
    for trial in sorted(tried, key=lambda trial: (trial.mean("proper"), balance(trial, there)), reverse=True):
        spreads, stays = (" ".join(f"{100 * trial.mean(kind):3.0f}" for kind in some) for some in there)
        print(f"{100 * trial.mean('proper'):5.1f} {100 * balance(trial, there):5.1f} | {spreads} | {stays}  {trial.name}")


def balance(trial: Trial, kinds: Sequence[Sequence[str]] = (SPREADS, STAYS)) -> float:
    """The harmonic mean of what spreads and what stays."""
    spread, stay = (sum(trial.mean(kind) for kind in some) / len(some) for some in kinds)
    return 2 * spread * stay / (spread + stay) if spread + stay else 0.0


def told(what: str, done: int, total: int) -> None:
    """Progress, a line for each run."""
    print(f"{done} of {total}: {what}", flush=True)


if __name__ == "__main__":
    main()
