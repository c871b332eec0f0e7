"""The first table of FGVEdit (Zeng et al., Table 1): systems by base models, over several seeds, as CSV, Markdown and a figure.

Every run is kept as it ends (`trials`), and the table is made of what is kept: it names benchmark, models and systems as they do.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from errata.core.benchmark import Stream
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.editor import Editor
from errata.core.errors import BadInput
from errata.core.model import Model
from errata.core.progress import Progress
from errata.measure.evaluate import Baseline
from errata.measure.figures import csv_text, folder_of, write_texts
from errata.measure.fine import protocol, run_fine
from errata.measure.results import Run
from errata.measure.trials import Result, Trial, difference, run_each, silent, trial_of
from errata.report.bars import Bar, bars

FIGURES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "reliability": "reliability",
        "locality": "locality",
        "generality": "text_generality",
        "specificity": "specificity",
        "specificity_in": "specificity_in",
        "specificity_out": "specificity_out",
    }
)
"""The columns of the table -> the kind of probe that each is in a result."""

PROTOCOLS: Final[Mapping[str, str]] = MappingProxyType({"generated": "rates", "teacher_forced": "teacher_forced"})
"""The two ways in which each figure is counted -> where a result holds it."""

COLUMNS: Final = (
    "benchmark", "memory", "edits", "seeds", "model", "model_digest", "system", "protocol", "figure", "mean", "standard_error", "n",
)  # fmt: skip
"""The columns of the CSV. `mean` and `standard_error` are shares, empty where there is none; `n` counts probes over all seeds."""


@dataclass(frozen=True)
class Row:
    """One system on one model."""

    model: str
    """How the model was named."""

    system: str
    """How the editor was named."""

    results: tuple[Result, ...]
    """One for each seed, in their order."""

    def trial(self, protocol: str) -> Trial:
        """Its figures, a share for each seed."""
        return trial_of(self.system, [_shares(result, protocol) for result in self.results])

    def n(self, protocol: str, figure: str) -> int:
        """Probes behind a figure, over all seeds."""
        return sum(_rates(result, protocol).get(FIGURES[figure], {"n": 0})["n"] for result in self.results)


class Cell(NamedTuple):
    """One figure of one row; shares in [0, 1]."""

    mean: float
    error: float | None
    """The standard error of the mean over the seeds; None with one seed."""

    n: int
    counts: bool
    """Whether it differs from the row that it is held against by more than two standard errors, over enough seeds."""


@dataclass(frozen=True)
class Table:
    """Its rows, a model's together."""

    name: str
    edits: int
    memory: int
    seeds: tuple[int, ...]
    rows: tuple[Row, ...]
    against: Mapping[str, str] = field(default_factory=dict)
    """A system -> the one that it is held against; none: each is held against its model's first."""

    def held_against(self, row: Row) -> Row:
        """The row of the same model that a row is held against; itself where there is none."""
        others = {other.system: other for other in self.rows if other.model == row.model}
        return others[self.against.get(row.system, row.system)] if self.against else next(iter(others.values()))

    def cell(self, row: Row, protocol: str, figure: str) -> Cell | None:
        """A figure of a row; None where some seed had no probe of it."""
        found, first = row.trial(protocol), self.held_against(row)
        values = found.figures.get(figure, ())
        if not values or any(map(math.isnan, values)):
            return None
        other = first.trial(protocol)
        counts = row is not first and figure in other.figures and difference(found, other, figure).counts
        error = found.error(figure) if len(values) > 1 else None
        return Cell(found.mean(figure), error, row.n(protocol, figure), counts)


def fill(
    name: str,
    models: Mapping[str, Callable[[], Model]],
    editors: Mapping[str, Editor[Any]],
    stream_of: Callable[[int], Stream],
    *,
    seeds: Sequence[int],
    edits: int,
    memory: int,
    folder: Path,
    progress: Progress,
    against: Mapping[str, str] = MappingProxyType({}),
) -> Table:
    """Every editor on every model over every seed, by the fine-grained protocol; what is in the folder isn't run again.

    Args:
        models: name -> how it is loaded; one is held at a time.
        stream_of: the benchmark of a seed.
        memory: edits in memory at once.
        folder: `folder/<model>/memory-<memory>/<editor>/<seed>/result.json` is written as each run ends.
        against: see `Table`.

    Raises:
        BadInput: no model or editor, no seeds or one twice, seeds that draw the same edits, or an edit that a model can't be put.
    """
    if not models or not editors:
        raise BadInput("The table needs at least one model and one editor.")
    streams = {seed: stream_of(seed) for seed in seeds}
    if len({stream.digest for stream in streams.values()}) < len(streams):
        raise BadInput(
            f"The seeds {', '.join(map(str, streams))} draw the same {counted(edits, 'edit')}, so a spread over them says nothing. "
            "Give one seed, or fewer edits than there are."
        )
    rows: list[Row] = []
    each = len(editors) * len(seeds)
    for place, (label, load) in enumerate(models.items()):
        model = load()

        def show(what: str, done: int, total: int, *, label: str = label, before: int = place * each) -> None:
            progress(f"{label}: {what}", before + done, each * len(models))

        results = run_each(
            model,
            editors,
            lambda seed, _: streams[seed],
            _run_of(model, edits=edits, memory=memory),
            seeds=seeds,
            protocol=protocol(memory),
            folder=folder / f"{folder_of(Path(label).name)}-{model.digest[:8]}" / f"memory-{memory}",
            progress=show,
        )
        rows += [Row(label, system, tuple(made)) for system, made in results.items()]
    return Table(name, edits, memory, tuple(seeds), tuple(rows), against)


def write_table(folder: Path, table: Table) -> tuple[Path, ...]:
    """Write NAME.csv, NAME.md and NAME.svg, with the size of the memory in the name where it isn't 1. Equal runs, equal bytes.

    Raises:
        OSError: a file can't be written.
    """
    stem = table.name if table.memory == 1 else f"{table.name}-memory-{table.memory}"
    texts = {"csv": as_csv(table), "md": as_markdown(table), "svg": as_figure(table)}
    return write_texts(folder, stem, texts)


def as_csv(table: Table) -> str:
    """A line for each model, system, protocol and figure."""
    seeds = " ".join(map(str, table.seeds))
    lines: list[Sequence[object]] = []
    for row in table.rows:
        told = row.results[0]
        ran = (told["benchmark"]["name"], table.memory, table.edits, seeds, row.model, told["model"]["digest"], row.system)
        for way in PROTOCOLS:
            for figure in FIGURES:
                cell = table.cell(row, way, figure)
                shown = ("", "", 0) if cell is None else (repr(cell.mean), "" if cell.error is None else repr(cell.error), cell.n)
                lines.append((*ran, way, figure, *shown))
    return csv_text(COLUMNS, lines)


def as_markdown(table: Table) -> str:
    """A table in percent for each protocol, and what it was run on."""
    lines = [f"# {table.name}", "", headline(table)]
    for way in PROTOCOLS:
        lines += ["", f"## {way}", "", f"| model | system | {' | '.join(FIGURES)} |", "|---|---|" + "---:|" * len(FIGURES)]
        for row in table.rows:
            cells = (said(table.cell(row, way, figure)) for figure in FIGURES)
            lines.append(f"| {_barred(row.model)} | {_barred(row.system)} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *_notes(table), "", "## Run on", "", *_ran_on(table)]) + "\n"


def as_figure(table: Table) -> str:
    """A panel for each model, a group for each figure, a bar for each system; teacher-forced as a ring."""
    panels: dict[str, dict[str, list[Bar]]] = {}
    for row in table.rows:
        for figure in FIGURES:
            generated, forced = (table.cell(row, way, figure) for way in PROTOCOLS)
            if generated is not None:
                ring = None if forced is None else forced.mean
                bar = Bar(row.system, generated.mean, generated.error, ring)
                panels.setdefault(row.model, {}).setdefault(figure, []).append(bar)
    return bars(f"{table.name}: {headline(table)}", panels, list(dict.fromkeys(row.system for row in table.rows)))


def headline(table: Table) -> str:
    """What the figures are of, in a line."""
    edits, held = (counted(count, "edit") for count in (table.edits, table.memory))
    name = table.rows[0].results[0]["benchmark"]["name"]
    return f"{name}, {edits} of each seed, {held} in memory at a time, seeds {', '.join(map(str, table.seeds))}"


def said(cell: Cell | None) -> str:
    """A figure in percent with its standard error, and a star where it differs from the model's first row; a dash for none."""
    if cell is None:
        return "-"
    error = "" if cell.error is None else f" ± {100 * cell.error:.1f}"
    return f"{100 * cell.mean:.1f}{error}{'*' if cell.counts else ''}"


def _run_of(model: Model, *, edits: int, memory: int) -> Callable[[str, Editor[Any], Stream, int, Baseline], Run]:
    def run(name: str, editor: Editor[Any], stream: Stream, seed: int, baseline: Baseline) -> Run:
        return run_fine(
            model,
            editor,
            stream,
            edits=edits,
            memory=memory,
            seed=seed,
            progress=silent,
            baseline=baseline,
            asked=name,
        )

    return run


def _rates(result: Result, protocol: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = result["horizons"][-1][PROTOCOLS[protocol]]
    return found


def _shares(result: Result, protocol: str) -> dict[str, float]:
    """Figure -> share, of those that have a probe."""
    found = _rates(result, protocol)
    asked = {figure: found[kind]["rate"] for figure, kind in FIGURES.items() if kind in found}
    return {figure: float(rate) for figure, rate in asked.items() if rate is not None}


def _notes(table: Table) -> list[str]:
    counts = {figure: " to ".join(str(n) for n in sorted({row.n("generated", figure) for row in table.rows})) for figure in FIGURES}
    return [
        "Percent: mean ± standard error over the seeds. Generated: answers as text, exact match. Teacher-forced: share of target "
        "tokens predicted. Generality is over other wordings; specificity is the mean of its two halves; locality is over words, "
        "pictures and texts out of scope.",
        "",
        f"A star: more than two standard errors from {_first(table)}, over at least three seeds, seed by seed.",
        "",
        f"Probes behind a generated figure, over all seeds: {', '.join(f'{figure} {n}' for figure, n in counts.items())}.",
    ]


def _first(table: Table) -> str:
    if not table.against:
        return "the model's first row"
    return "; ".join(f"{other} ({row})" for row, other in table.against.items()) + " on the same model"


def _ran_on(table: Table) -> list[str]:
    """Benchmark, models and systems, with the digests and fields that name them for good."""
    results = table.rows[0].results
    lines = [
        f"- benchmark {results[0]['benchmark']['name']}, seed {seed}: `{result['benchmark']['digest']}`"
        for seed, result in zip(table.seeds, results, strict=True)
    ]
    for label, rows in groupby(table.rows, key=lambda row: row.model):
        held = list(rows)
        told = held[0].results[0]["model"]
        lines.append(f"- model {label}, {told['parameters']:,} parameters: `{told['digest']}`")
        lines += [f"  - {row.system}: `{_spec(table.seeds, row.results)}`" for row in held]
    return lines


def _spec(seeds: Sequence[int], results: Sequence[Result]) -> str:
    """The editor as the runs name it; a field that isn't the same for every seed is told for each."""
    fields: dict[str, JSON] = {}
    for name, value in results[0]["editor"]["fields"].items():
        values = [result["editor"]["fields"].get(name) for result in results]
        same = all(other == value for other in values)
        fields[name] = value if same else {str(seed): each for seed, each in zip(seeds, values, strict=True)}
    return json.dumps({"spec": results[0]["editor"]["spec"], "fields": fields}, ensure_ascii=False)


def _barred(text: str) -> str:
    return text.replace("|", "\\|")
