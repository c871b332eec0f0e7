"""`errata table`: comparisons over several seeds, with their spread; a table that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from errata.measure.trials import Trial

_STREAM = "scopeworld-stream"
_FIGURES = (
    "proper", "reliability", "text_generality", "image_generality", "cross_modal",
    "specificity_out", "near_locality", "image_locality", "text_locality", "write_over_pass",
)  # fmt: skip

DEFAULT_SEEDS = "101,102,103"

app = typer.Typer(help="Compare editors over several seeds; a table that was stopped goes on where it was.", no_args_is_help=True)

Edits = Annotated[int, typer.Option("--edits", min=1, help="How many edits are streamed through each editor.")]
Seeds = Annotated[str, typer.Option("--seeds", help="Seeds with commas; below 100 they are for tuning.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Folder of the runs; those that are there aren't run again. Not given: out/TABLE.")
]


@app.command("editors")
def editors(
    editor: Annotated[list[str], typer.Option("--editor", help="A row, once for each; the others are held against the first.")],
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
    _stream("editors", editors_named(editor), model, edits=edits, seeds=seeds, out=out, device=device, dtype=dtype)


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

    _stream("scopeedit-ablation", dict(rows()), model, edits=edits, seeds=seeds, out=out, device=device, dtype=dtype)


def _stream(
    name: str,
    rows: Mapping[str, Editor[Any]],
    model: str,
    *,
    edits: int,
    seeds: str,
    out: Path | None,
    device: str,
    dtype: DtypeName,
) -> None:
    from errata.measure.trials import against, run_trials
    from errata.report.trials import write_trials_report
    from errata.session import registry
    from errata.session.ready import equipped
    from errata.tables.seeds import write_seeds

    wanted, folder = seeds_in(seeds), out or Path("out") / name
    taken = model_at(model, device=device, dtype=dtype)
    tools = tools_at(device=device, dtype=dtype)
    with watched(name) as progress:
        trials = run_trials(
            taken,
            {text: equipped(each, tools) for text, each in rows.items()},
            lambda seed: registry.benchmark(_STREAM, seed=seed, edits=edits),
            seeds=wanted,
            edits=edits,
            folder=folder,
            progress=progress,
        )
    say(
        f"after {counted(edits, 'edit')}, seeds {', '.join(map(str, wanted))}: mean and standard error "
        "(%; write_over_pass in passes)"
    )
    _print.table(
        ("editor", *_FIGURES),
        [(one.name, *(_cell(one, against(one, trials), each) for each in _FIGURES)) for one in trials],
        numbers=_FIGURES,
    )
    csv, markdown = write_seeds(folder, trials)
    say(f"intervals (bootstrap over seeds and edits, 95 %) and the worst seed: {markdown} and {csv}")
    facts = {
        "Benchmark": _STREAM,
        "Edits": str(edits),
        "Seeds": ", ".join(map(str, wanted)),
        "Model": taken.name,
        "Model digest": taken.digest,
    }
    say(f"report: {write_trials_report(folder / 'report.html', trials, name=name, facts=facts)}")


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
