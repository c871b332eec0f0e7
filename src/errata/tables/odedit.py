"""The table `odedit`: editors with ODEdit and without, one edit at a time and several in sequence.

Every row of an editor gets the same environments in as many passes: other wordings and views that the user gives with each edit,
views made of its pictures, and queries of the pool. Its first row lowers the mean loss over them and nothing else; the second adds
ODEdit's terms; each of the others leaves one term out. A trained editor has two rows, as published and trained under ODEdit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.benchmark import Stream
from errata.core.editor import Editor
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.progress import Progress
from errata.measure.evaluate import PROTOCOL, Baseline, run_stream
from errata.measure.figures import csv_text, write_texts
from errata.measure.fine import protocol, run_fine
from errata.measure.results import Run
from errata.measure.trials import Drawing, Result, Trial, difference, run_each, silent, trial_of

NAME: Final = "odedit"

ALSO: Final = 2
"""Wordings and views that come with each edit."""

SEQUENCES: Final = (5, 10, 100)
"""Edits after which everything is asked again."""

KINDS: Final = (
    "reliability",
    "text_generality",
    "image_generality",
    "text_locality",
    "image_locality",
    "near_locality",
    "specificity_out",
)
"""The kinds of probe in the table."""

TERMS: Final[Mapping[str, str]] = MappingProxyType(
    {"locality": "locality=0", "generality": "generality=0", "invariance": "invariance=0"}
)
"""Name -> the fields that leave a term out."""


@dataclass(frozen=True)
class Row:
    """One editor, and the row that it is held against."""

    name: str
    against: str
    trials: Mapping[int, Trial]
    """Edits in force -> the figures of each seed: `KINDS`, and their mean under "mean"."""


def with_and_without(inner: str, *, terms: bool = True) -> dict[str, str]:
    """The rows of an editor that writes in steps, by name; the first is what the others are held against.

    Args:
        inner: as `--editor` takes it.
        terms: whether there is a row without each term.
    """
    inside = f"odedit:editor={inner.replace(',', ';')}"
    rows = {inner: f"{inside},{','.join(TERMS.values())}", f"{inner} + odedit": inside}
    return rows | {f"{inner} + odedit - {term}": f"{inside},{without}" for term, without in TERMS.items() if terms}


def fill(
    model: Model,
    groups: Sequence[Mapping[str, Editor[Any]]],
    *,
    seeds: Sequence[int],
    edits: int,
    alone: int,
    folder: Path,
    progress: Progress,
) -> list[Row]:
    """Every row over every seed; what is in the folder isn't run again.

    Args:
        groups: row -> editor; the rows of a group are held against its first.
        edits: of each seed, in the longest sequence.
        alone: how many edits of each seed are written one at a time.
        folder: `folder/single` and `folder/sequence` hold a `result.json` for each row and seed.

    Raises:
        BadInput: no seeds or one twice, the same row twice, or fewer than two edits.
    """
    editors = {name: editor for group in groups for name, editor in group.items()}
    if len(editors) < sum(map(len, groups)):
        raise BadInput("An editor is named twice. Name each once.")
    if edits < 2:
        raise BadInput("A sequence needs at least 2 edits. Give more.")
    horizons = [count for count in SEQUENCES if count < edits] + [edits]

    def single(name: str, editor: Editor[Any], stream: Stream, seed: int, baseline: Baseline) -> Run:
        return run_fine(model, editor, stream, edits=alone, memory=1, seed=seed, progress=silent, baseline=baseline, asked=name)

    def sequence(name: str, editor: Editor[Any], stream: Stream, seed: int, baseline: Baseline) -> Run:
        return run_stream(
            model, editor, stream, horizons=horizons, seed=seed, edits=edits, progress=silent, baseline=baseline, asked=name
        )

    def streams(count: int) -> Drawing:
        return lambda seed, _: ScopeWorldStream(seed=seed, edits=count, also=ALSO)

    singly = run_each(
        model, editors, streams(alone), single, seeds=seeds, protocol=protocol(1), folder=folder / "single", progress=progress
    )
    behind = run_each(
        model, editors, streams(edits), sequence, seeds=seeds, protocol=PROTOCOL, folder=folder / "sequence", progress=progress
    )
    return [
        Row(
            name,
            next(iter(group)),
            {1: _trial(name, singly[name], 0)} | {count: _trial(name, behind[name], i) for i, count in enumerate(horizons)},
        )
        for group in groups
        for name in group
    ]


def _trial(name: str, results: Sequence[Result], horizon: int) -> Trial:
    return trial_of(name, [_shares(result["horizons"][horizon]) for result in results])


def _shares(horizon: Mapping[str, Any]) -> dict[str, float]:
    """The kinds, and the mean of reliability, generality and locality, each of the latter the mean of text's and image's."""
    rates = horizon["rates"]
    found = {kind: float(rates[kind]["rate"]) for kind in KINDS if rates.get(kind, {"rate": None})["rate"] is not None}
    if all(kind in found for kind in KINDS[:5]):
        generality = (found["text_generality"] + found["image_generality"]) / 2
        locality = (found["text_locality"] + found["image_locality"]) / 2
        found["mean"] = (found["reliability"] + generality + locality) / 3
    return found


def said(row: Row, rows: Sequence[Row], count: int, figure: str) -> str:
    """A figure in percent with its standard error, and a star where it differs from the row that it is held against."""
    trial = row.trials[count]
    if figure not in trial.figures:
        return "-"
    other = next(each for each in rows if each.name == row.against)
    counts = other is not row and difference(trial, other.trials[count], figure).counts
    return f"{100 * trial.mean(figure):.1f} ± {100 * trial.error(figure):.1f}{'*' if counts else ' '}"


def write_table(folder: Path, rows: Sequence[Row], *, title: str) -> tuple[Path, ...]:
    """`odedit.csv` and `odedit.md` with every figure; where they are."""
    figures = (*KINDS, "mean")
    lines: list[Sequence[object]] = []
    page = [f"# {title}"]
    for count in rows[0].trials:
        page += [
            "",
            f"## {count} edit{'s' if count > 1 else ''} in force",
            "",
            f"| editor | {' | '.join(figures)} |",
            "|---" * (1 + len(figures)) + "|",
        ]
        for row in rows:
            cells = [said(row, rows, count, figure) for figure in figures]
            page.append(f"| {row.name} | {' | '.join(cells)} |")
            for figure, cell in zip(figures, cells, strict=True):
                if cell != "-":
                    trial = row.trials[count]
                    lines.append((row.name, row.against, count, figure, trial.mean(figure), trial.error(figure), "*" in cell))
    columns = ("editor", "against", "edits", "figure", "mean", "standard_error", "counts")
    return write_texts(folder, NAME, {"csv": csv_text(columns, lines), "md": "\n".join(page) + "\n"})
