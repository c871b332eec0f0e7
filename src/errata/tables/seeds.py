"""The table of a comparison over seeds as `errata table editors` keeps it: mean, interval and the worst seed, as CSV and Markdown.

Without intervals, where a run was kept by an earlier errata that listed no edits, it has the mean and the worst seed alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from errata.measure.figures import csv_text, write_texts
from errata.measure.kinds import known
from errata.measure.results import CLASSES
from errata.measure.trials import COST, Trial

COLUMNS: Final = ("editor", "figure", "seeds", "mean", "standard_error", "low", "high", "worst", "worst_seed")
"""The columns of the CSV, figures as shares; `low` and `high` hold the middle 95 % of a bootstrap over seeds and edits."""

STEM: Final = "seeds"


def write_seeds(folder: Path, trials: Sequence[Trial]) -> tuple[Path, ...]:
    """Write `seeds.csv` and `seeds.md`.

    Raises:
        OSError: a file can't be written.
    """
    return write_texts(folder, STEM, {"csv": as_csv(trials), "md": as_markdown(trials)})


def as_csv(trials: Sequence[Trial]) -> str:
    """A row for each editor and figure."""
    return csv_text(COLUMNS, [_row(one, figure) for one in trials for figure in _figures(trials) if one.has(figure)])


def as_markdown(trials: Sequence[Trial]) -> str:
    """A row for each figure, in percent: the mean, the interval in brackets, and behind a comma the worst seed."""
    lines = [f"| | {' | '.join(one.name for one in trials)} |", f"|---|{'---:|' * len(trials)}"]
    for figure in _figures(trials):
        name = f"*{figure}*" if figure in CLASSES else figure
        lines.append(f"| {name} | {' | '.join(_cell(one, figure) for one in trials)} |")
    return "\n".join(lines) + "\n"


def _figures(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Kinds in the order of the report, then classes: what some trial has."""
    there = dict.fromkeys(figure for one in trials for figure in one.figures if figure != COST)
    kinds = [kind.name for kind in known(figure for figure in there if figure not in CLASSES)]
    return (*kinds, *(name for name in CLASSES if name in there))


def _row(one: Trial, figure: str) -> tuple[object, ...]:
    found = one.intervals.get(figure)
    mean, error, worst = repr(one.mean(figure)), repr(one.error(figure)), repr(one.worst(figure))
    bounds = ("", "") if found is None else (repr(found.low), repr(found.high))
    return (one.name, figure, len(one.figures[figure]), mean, error, *bounds, worst, "" if found is None else found.seed)


def _cell(one: Trial, figure: str) -> str:
    if not one.has(figure):
        return "-"
    found = one.intervals.get(figure)
    between = "" if found is None else f" ({100 * found.low:.0f} to {100 * found.high:.0f})"
    return f"{100 * one.mean(figure):.0f}{between}, {100 * one.worst(figure):.0f}"
