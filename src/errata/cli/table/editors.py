"""`errata table`: comparisons over several seeds, with their spread; a table that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from errata.cli import _print
from errata.cli._open import model_at, tools_at
from errata.cli._options import DEFAULT_MODEL, Device, Dtype, DtypeName, ModelName
from errata.cli._print import say, watched
from errata.cli.bench.stream import editors_named
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted

if TYPE_CHECKING:
    from errata.core.editor import Editor
    from errata.core.model import Model
    from errata.measure.trials import Drawing, Trial


class Benchmark(NamedTuple):
    """What a table's editors are streamed through."""

    name: str

    figures: tuple[str, ...]
    """Its columns."""

    draws: Callable[[Model, int], Drawing]
    """A seed's stream of so many edits, for a model; raises `BadInput` where it can't be put to the model."""


def _scopeworld(model: Model, edits: int) -> Drawing:
    from errata.session import registry

    return lambda seed, _: registry.benchmark(_SCOPEWORLD.name, seed=seed, edits=edits)


_SCOPEWORLD: Final = Benchmark(
    "scopeworld-stream",
    (
        "proper", "reliability", "text_generality", "image_generality", "cross_modal",
        "specificity_out", "near_locality", "image_locality", "text_locality", "write_over_pass",
    ),
    _scopeworld,
)  # fmt: skip

DEFAULT_SEEDS = "101,102,103"

app = typer.Typer(help="Compare editors over several seeds; a table that was stopped goes on where it was.", no_args_is_help=True)

Rows = Annotated[list[str], typer.Option("--editor", help="A row, once for each; the others are held against the first.")]
Edits = Annotated[int, typer.Option("--edits", min=1, help="How many edits are streamed through each editor.")]
Seeds = Annotated[str, typer.Option("--seeds", help="Seeds with commas; below 100 they are for tuning.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder of the runs; those that are there aren't run again. Not given: out/TABLE.")
]


@app.command("editors")
def editors(
    editor: Rows,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 100,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Stream the same edits through many editors over several seeds and print one table, each figure with its standard error.

    A star marks a difference from the first row of more than two standard errors over at least three seeds. Beside the runs,
    seeds.csv and seeds.md hold each mean with its interval, from a bootstrap over seeds and edits, and the worst seed.

    \b
    Examples:
      errata table editors --editor scopeedit:preset=paper --editor scopeedit --seeds 101,102,103 --edits 100
    """
    asked = Asked(model, edits, seeds_in(seeds), out or Path("out/editors"), device, dtype)
    compare("editors", _SCOPEWORLD, editors_named(editor), asked)


@app.command("scopeedit-ablation")
def ablation(
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 100,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Add each correction of the published ScopeEdit alone, and take each alone from the default, over several seeds.

    A star marks a difference of more than two standard errors over at least three seeds: of a row "default - ..." from the
    default, of any other row from paper.

    \b
    Examples:
      errata table scopeedit-ablation --out out/ablation
    """
    from errata.editors import ablation as rows

    asked = Asked(model, edits, seeds_in(seeds), out or Path("out/scopeedit-ablation"), device, dtype)
    compare("scopeedit-ablation", _SCOPEWORLD, dict(rows()), asked)


class Asked(NamedTuple):
    """What every such table is asked for."""

    model: str
    edits: int
    seeds: tuple[int, ...]
    out: Path
    device: str
    dtype: DtypeName


def compare(name: str, benchmark: Benchmark, rows: Mapping[str, Editor[Any]], asked: Asked) -> None:
    """Run what isn't there yet, print the table, write its files.

    Raises:
        BadInput: the model can't be opened, or the benchmark or an editor can't be put to it.
    """
    from errata.measure.trials import COST, against, run_trials
    from errata.measure.upkeep import TITLES
    from errata.measure.upkeep import said as told
    from errata.report.trials import write_trials_report
    from errata.session.ready import equipped
    from errata.tables.seeds import write_seeds

    taken = model_at(asked.model, device=asked.device, dtype=asked.dtype)
    tools = tools_at(device=asked.device, dtype=asked.dtype)
    with watched(name) as progress:
        trials = run_trials(
            taken,
            {text: equipped(each, tools) for text, each in rows.items()},
            benchmark.draws(taken, asked.edits),
            seeds=asked.seeds,
            edits=asked.edits,
            folder=asked.out,
            progress=progress,
        )
    seeds = ", ".join(map(str, asked.seeds))
    unit = f"%; {COST} in passes" if COST in benchmark.figures else "%"
    say(f"after {counted(asked.edits, 'edit')}, seeds {seeds}: mean and standard error ({unit})")
    _print.table(
        ("editor", *benchmark.figures),
        [(one.name, *(_cell(one, against(one, trials), each) for each in benchmark.figures)) for one in trials],
        numbers=benchmark.figures,
    )
    say("what it takes to keep: what lies next to an edit, and moved; a write with its guard; the state, if all edits take as much")
    _print.table(("editor", *TITLES), [(one.name, *told(one.upkeep)) for one in trials if one.upkeep is not None], numbers=TITLES)
    csv, markdown = write_seeds(asked.out, trials)
    say(f"intervals (bootstrap over seeds and edits, 95 %) and the worst seed: {markdown} and {csv}")
    facts = {
        "Benchmark": benchmark.name,
        "Edits": str(asked.edits),
        "Seeds": seeds,
        "Model": taken.name,
        "Model digest": taken.digest,
    }
    say(f"report: {write_trials_report(asked.out / 'report.html', trials, name=name, facts=facts)}")


def _cell(trial: Trial, other: Trial, figure: str) -> str:
    from errata.measure.trials import said

    text, counts = said(trial, other, figure, digits=1)
    return text + ("*" if counts else "" if text == "-" else " ")


def seeds_in(text: str) -> tuple[int, ...]:
    """Seeds as they are given.

    Raises:
        BadInput: they aren't whole numbers with commas.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise BadInput(f"The seeds {quoted(text)} aren't numbers. Write whole numbers with commas: 101,102,103.")
    return tuple(int(part) for part in parts)
