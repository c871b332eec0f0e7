"""Runs made ready for reading: one label, one colour and one marker for each editor, the same in every figure and file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.measure.kinds import Kind, known
from errata.measure.labels import labels
from errata.measure.results import Horizon, Run

BASELINE = "none"
"""The editor that writes nothing: it stands in every figure, in grey, and in no comparison."""


@dataclass(frozen=True)
class Shown:
    """One run with the look it keeps all through the report."""

    run: Run
    label: str
    slot: int
    """Colour and marker, counted over the editors that write; -1 for the unedited baseline."""

    @property
    def baseline(self) -> bool:
        return self.slot < 0

    @property
    def last(self) -> Horizon:
        return self.run.horizons[-1]

    @property
    def course(self) -> tuple[Horizon, ...]:
        """The horizons that a curve goes through: that of a single edit, whose rates are a handful of answers, is left to the
        tables where there are others."""
        return tuple(horizon for horizon in self.run.horizons if horizon.edits > 1) or self.run.horizons

    @property
    def css(self) -> str:
        """The class that sets the colour."""
        return "sn" if self.baseline else f"s{self.slot % 8}"


@dataclass(frozen=True)
class View:
    """Everything that the sections are written from."""

    shown: tuple[Shown, ...]
    seed: int
    """The seed of the gallery's draw."""

    @property
    def editors(self) -> tuple[Shown, ...]:
        """Those that write; the baseline itself where nothing else was run."""
        return tuple(one for one in self.shown if not one.baseline) or self.shown

    @property
    def edits(self) -> int:
        """How many edits the last horizon has."""
        return self.shown[0].last.edits

    @property
    def after(self) -> str:
        """The last horizon in words."""
        return counted(self.edits, "edit")

    @property
    def kinds(self) -> tuple[Kind, ...]:
        return known(kind for one in self.shown for horizon in one.run.horizons for kind in horizon.rates)


def view(runs: Sequence[Run], seed: int) -> View:
    """Check that the runs belong side by side, and give each its look.

    Raises:
        BadInput: no run, a run without a horizon, or runs of different benchmarks, models or horizons.
    """
    if not runs:
        raise BadInput("There is nothing to report: no run was given. Run the benchmark with at least one editor first.")
    for run, label in zip(runs, labels(runs), strict=True):
        if not run.horizons:
            raise BadInput(f"The run of {label!r} has no horizon, so there is nothing to show. Run it with at least one.")
        _same("benchmark", label, run.benchmark, runs[0].benchmark)
        _same("model", label, run.model, runs[0].model)
        ours, first = [horizon.edits for horizon in run.horizons], [horizon.edits for horizon in runs[0].horizons]
        if ours != first:
            raise BadInput(
                f"The run of {label!r} has the horizons {ours}, the first run has {first}. Run them with the same horizons."
            )
    return View(tuple(_looks(runs)), seed)


def _looks(runs: Sequence[Run]) -> Iterator[Shown]:
    slot = 0
    for run, label in zip(runs, labels(runs), strict=True):
        if run.editor.name == BASELINE:
            yield Shown(run, label, -1)
        else:
            yield Shown(run, label, slot)
            slot += 1


def _same(what: str, label: str, ours: object, first: object) -> None:
    if ours != first:
        raise BadInput(
            f"The run of {label!r} is of another {what} than the first run, so they can't be compared. Report them apart."
        )
