"""Editors side by side over several seeds: every run kept as it ends, differences counted against their own spread.

A difference counts when it is larger than two standard errors over at least three seeds. Both editors of a comparison see the same
streams, so it is the difference on each seed whose spread is taken.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from errata.core.benchmark import Stream
from errata.core.editor import Editor, Protects
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.engine.evaluate import Baseline, Progress, run_stream
from errata.engine.figures import write_json

ENOUGH = 3
"""Seeds below which no difference counts."""


@dataclass(frozen=True)
class Trial:
    """One editor's figures after the last edit, one for each seed."""

    name: str
    figures: Mapping[str, tuple[float, ...]]
    """Figure -> its values, in the order of the seeds: probe kinds and classes as shares, and "write_over_pass"."""

    def mean(self, figure: str) -> float:
        """The mean over the seeds."""
        values = self.figures[figure]
        return sum(values) / len(values)

    def error(self, figure: str) -> float:
        """The standard error of that mean; 0 with one seed, where there is none."""
        return standard_error(self.figures[figure])


@dataclass(frozen=True)
class Difference:
    """How far one editor is from another in one figure, seed by seed."""

    mean: float
    error: float
    seeds: int

    @property
    def counts(self) -> bool:
        """Whether it is larger than two standard errors over enough seeds."""
        return self.seeds >= ENOUGH and abs(self.mean) > 2 * self.error


def difference(one: Trial, other: Trial, figure: str) -> Difference:
    """`one` minus `other`."""
    apart = tuple(a - b for a, b in zip(one.figures[figure], other.figures[figure], strict=True))
    return Difference(sum(apart) / len(apart), standard_error(apart), len(apart))


def standard_error(values: Sequence[float]) -> float:
    """The standard error of the mean of some values."""
    n = len(values)
    if n < 2:
        return 0.0
    mean = sum(values) / n
    return math.sqrt(sum((value - mean) ** 2 for value in values) / (n - 1) / n)


def run_trials(
    model: Model,
    editors: Mapping[str, Editor[Any]],
    stream_of: Callable[[int], Stream],
    *,
    seeds: Sequence[int],
    edits: int,
    folder: Path,
    progress: Progress,
) -> list[Trial]:
    """Every editor over every seed. A run whose `result.json` is there, of the same model, editor and stream, isn't run again.

    Args:
        stream_of: the stream of a seed.
        folder: `folder/<editor>/<seed>/result.json` is written as each run ends.

    Raises:
        BadInput: no seeds, or the same twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise BadInput(f"Seeds must be given, each once; these are {list(seeds)}.")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in editors}
    for place, seed in enumerate(seeds):
        stream, baseline = stream_of(seed), Baseline(model)
        for index, (name, editor) in enumerate(editors.items()):
            progress(f"{name}, seed {seed}", place * len(editors) + index, len(editors) * len(seeds))
            path = folder / folder_of(name) / str(seed) / "result.json"
            pool = stream.pool()
            kept = _kept(path, model, editor.protecting(pool) if pool and isinstance(editor, Protects) else editor, stream)
            if kept is None:
                run = run_stream(
                    model, editor, stream, horizons=[edits], seed=seed, edits=edits, progress=_silent, baseline=baseline, asked=name
                )
                write_json(path, run)
                kept = run.to_json()
            found[name].append(_figures(kept))
    progress("done", len(editors) * len(seeds), len(editors) * len(seeds))
    return [_trial(name, runs) for name, runs in found.items()]


def _trial(name: str, runs: Sequence[Mapping[str, float]]) -> Trial:
    """NaN where a seed's stream had no probe of a kind."""
    figures = dict.fromkeys(figure for run in runs for figure in run)
    return Trial(name, {figure: tuple(run.get(figure, math.nan) for run in runs) for figure in figures})


def folder_of(name: str) -> str:
    """A folder's name for an editor's: `scopeedit:preset=paper` -> `scopeedit-preset-paper`, with + and - told apart."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", name.replace(" + ", " with ").replace(" - ", " without ")).strip("-.") or "editor"


def _kept(path: Path, model: Model, editor: Editor[Any], stream: Stream) -> Mapping[str, Any] | None:
    """The figures of an earlier run of exactly this, or None."""
    if not path.exists():
        return None
    try:
        held: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        same = (
            held["model"]["digest"] == model.digest
            and held["benchmark"]["digest"] == stream.digest
            and held["editor"]["fields"] == json.loads(json.dumps(dict(editor.spec(model).fields)))
        )
    except (ValueError, KeyError, TypeError):
        return None
    return held if same else None


def _figures(result: Mapping[str, Any]) -> dict[str, float]:
    last = result["horizons"][-1]
    rates = {**last["rates"], **last["classes"]}
    shares = {kind: float(rate["rate"]) for kind, rate in rates.items() if rate["rate"] is not None}
    return shares | {"write_over_pass": float(result["cost"]["write_over_pass"])}


def _silent(what: str, done: int, total: int) -> None:
    return None
