"""Editors side by side over several seeds: every run kept as it ends, differences counted against their own spread.

A difference counts when it is larger than two standard errors over at least three seeds. Both editors of a comparison see the same
streams, so it is the difference on each seed whose spread is taken.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from errata.core.benchmark import Stream
from errata.core.canonical import JSON
from errata.core.editor import Editor, protected
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.progress import Progress
from errata.core.records import Spec
from errata.measure.evaluate import PROTOCOL, Baseline, matching, run_stream
from errata.measure.figures import folder_of, write_json
from errata.measure.intervals import Interval, intervals
from errata.measure.results import Run
from errata.measure.upkeep import Upkeep, mean, upkeep

ENOUGH = 3
"""Seeds below which no difference counts."""

COST = "write_over_pass"
"""The one figure of a trial that is no share."""

Result = Mapping[str, Any]
"""What a `result.json` holds."""

Trying = Callable[[str, Editor[Any], Stream, int, Baseline], Run]
"""One run: how the editor is named, the editor, the benchmark of a seed, the seed, the unedited model's answers."""


Drawing = Callable[[int, Baseline], Stream]
"""The benchmark of a seed, given the unedited model's answers."""


@dataclass(frozen=True)
class Trial:
    """One editor's figures after the last edit, one for each seed."""

    name: str
    figures: Mapping[str, tuple[float, ...]]
    """Figure -> its values, in the order of the seeds: probe kinds and classes as shares, and "write_over_pass"."""

    intervals: Mapping[str, Interval] = field(default_factory=dict)
    """Figure -> the bootstrap's interval; none where a run doesn't list its edits."""

    upkeep: Upkeep | None = None
    """What an operator asks first, the mean over the seeds."""

    def has(self, figure: str) -> bool:
        """Whether every seed has this figure."""
        return figure in self.figures and not any(map(math.isnan, self.figures[figure]))

    def mean(self, figure: str) -> float:
        """The mean over the seeds."""
        values = self.figures[figure]
        return sum(values) / len(values)

    def worst(self, figure: str) -> float:
        """The lowest seed's."""
        return min(self.figures[figure])

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


def against(trial: Trial, trials: Sequence[Trial]) -> Trial:
    """The row that a row is held against: default for "default - ...", else paper where that is a row, else the first."""
    named = {each.name: each for each in trials}
    own = "default" if trial.name.startswith("default - ") else "paper"
    return named.get(own, trials[0])


def said(trial: Trial, other: Trial, figure: str, *, digits: int) -> tuple[str, bool]:
    """A row's mean and standard error, in percent where it is a share, and whether it differs from the other row's by what counts.

    "-" where a seed has no such figure.
    """
    if not trial.has(figure):
        return "-", False
    scale = 1 if figure == COST else 100
    counts = trial is not other and figure in other.figures and difference(trial, other, figure).counts
    return f"{scale * trial.mean(figure):.{digits}f} ± {scale * trial.error(figure):.{digits}f}", counts


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
    stream_of: Drawing,
    *,
    seeds: Sequence[int],
    edits: int,
    folder: Path,
    progress: Progress,
) -> list[Trial]:
    """Every editor over every seed. A run whose `result.json` is there, of the same model, editor and stream, isn't run again.

    Args:
        stream_of: the stream of a seed; it may be drawn from the unedited model's answers.
        folder: `folder/<editor>/<seed>/result.json` is written as each run ends.

    Raises:
        BadInput: no seeds, or the same twice.
    """

    def run(name: str, editor: Editor[Any], stream: Stream, seed: int, baseline: Baseline) -> Run:
        return run_stream(
            model, editor, stream,
            horizons=[edits], seed=seed, edits=edits, progress=silent, baseline=baseline, asked=name, forced=False,
        )  # fmt: skip

    found = run_each(model, editors, stream_of, run, seeds=seeds, protocol=PROTOCOL, folder=folder, progress=progress)
    trials = [trial_of(name, [_figures(result) for result in results]) for name, results in found.items()]
    return [
        replace(
            one,
            intervals=intervals(found[one.name], [each for each in one.figures if each != COST]),
            upkeep=mean([upkeep(result) for result in found[one.name]]),
        )
        for one in trials
    ]


def run_each(
    model: Model,
    editors: Mapping[str, Editor[Any]],
    stream_of: Drawing,
    run: Trying,
    *,
    seeds: Sequence[int],
    protocol: Mapping[str, JSON],
    folder: Path,
    progress: Progress,
) -> dict[str, list[Result]]:
    """Editor -> the result of each seed, in their order. A result that is there, of exactly this, isn't made again.

    Args:
        stream_of: the benchmark of a seed; it may be drawn from the unedited model's answers.
        run: makes one that isn't there.
        protocol: what a result made by `run` says of how it was made.
        folder: `folder/<editor>/<seed>/result.json` is written as each run ends.

    Raises:
        BadInput: no seeds, or the same twice.
    """
    if not seeds or len(set(seeds)) < len(seeds):
        raise BadInput(f"Seeds must be given, each once; these are {list(seeds)}.")
    found: dict[str, list[Result]] = {name: [] for name in editors}
    for place, seed in enumerate(seeds):
        baseline = Baseline(model)
        stream = stream_of(seed, baseline)
        for index, (name, editor) in enumerate(editors.items()):
            progress(f"{name}, seed {seed}", place * len(editors) + index, len(editors) * len(seeds))
            path = folder / folder_of(name) / str(seed) / "result.json"
            kept = _kept(path, model, protected(editor, stream.pool()).spec(model), stream, {**protocol, **matching(stream)})
            if kept is None:
                made = run(name, editor, stream, seed, baseline)
                write_json(path, made)
                kept = made.to_json()
            found[name].append(kept)
    progress("done", len(editors) * len(seeds), len(editors) * len(seeds))
    return found


def trial_of(name: str, runs: Sequence[Mapping[str, float]]) -> Trial:
    """The figures of each seed put together; NaN where a seed's benchmark had no probe of a kind."""
    figures = dict.fromkeys(figure for run in runs for figure in run)
    return Trial(name, {figure: tuple(run.get(figure, math.nan) for run in runs) for figure in figures})


def _kept(path: Path, model: Model, spec: Spec, stream: Stream, protocol: Mapping[str, JSON]) -> Result | None:
    """The figures of an earlier run of exactly this, or None."""
    if not path.exists():
        return None
    try:
        held: Result = json.loads(path.read_text(encoding="utf-8"))
        same = (
            held["model"]["digest"] == model.digest
            and held["benchmark"]["digest"] == stream.digest
            and held["editor"]["spec"] == spec.name
            and held["editor"]["fields"] == json.loads(json.dumps(dict(spec.fields)))
            and held["protocol"] == dict(protocol)
        )
    except (ValueError, KeyError, TypeError):
        return None
    return held if same else None


def _figures(result: Result) -> dict[str, float]:
    last = result["horizons"][-1]
    rates = {**last["rates"], **last["classes"]}
    shares = {kind: float(rate["rate"]) for kind, rate in rates.items() if rate["rate"] is not None}
    return shares | {COST: float(result["cost"]["write_over_pass"])}


def silent(what: str, done: int, total: int) -> None:
    """Progress that nobody is shown."""
