"""`errata bench atlas-words`: corrections of what is true of countries and things, in words alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from errata.cli._options import DEFAULT_EDITOR, DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli._print import Show
from errata.cli.bench.stream import Editors, Jobs, Out, Where, editors_named, horizons_of, run_all

if TYPE_CHECKING:
    from errata.core.editor import Editor
    from errata.core.model import Model
    from errata.measure.evaluate import Baseline
    from errata.measure.results import Run

NAME = "atlas-words"


@dataclass(frozen=True)
class _Wanted:
    """What is to be run."""

    horizons: tuple[int, ...]
    edits: int
    seed: int
    corrections: str


def atlas_words(
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    edits: Annotated[int, typer.Option("--edits", min=1, help="How many edits are streamed.")] = 200,
    horizons: Annotated[
        str | None,
        typer.Option(
            "--horizons", help="After how many edits all so far are asked again: 1,10,50. Not given: 1,10,50,100,... and the last."
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            "--seed",
            min=0,
            help="Draws corrections, wordings and probes; below 100 for tuning, below 1000 to report, above to judge.",
        ),
    ] = 7,
    corrections: Annotated[
        str,
        typer.Option(
            "--corrections",
            help="both: first up to half of what the model gets wrong, corrected to the truth, then counterfactual ones; or truth, "
            "or counterfactual, alone.",
        ),
    ] = "both",
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    jobs: Jobs = 1,
) -> None:
    """Stream corrections of facts about countries and things, asked in 27 wordings each, and see what spread and what leaked.

    An answer counts when the fact is in it and nothing contradicts it; exact match stands beside. The facts are read from packages:
    pip install 'errata[atlas]'. Writes result.json and result.csv for each editor, and one report.html.

    \b
    Examples:
      errata bench atlas-words --model path/to/model --editor codebook --edits 50 --seed 101
      errata bench atlas-words --model path/to/model --editor none --editor scopeedit --corrections counterfactual
    """
    from errata.benchmarks.atlas.corrections import CORRECTIONS
    from errata.benchmarks.atlas.stream import AtlasWords
    from errata.core.errors import BadInput, quoted

    editors = editors_named(tuple(editor or (DEFAULT_EDITOR,)))
    if corrections not in CORRECTIONS:
        raise BadInput(f"There are no corrections {quoted(corrections)}. Ask for one of: {', '.join(CORRECTIONS)}.")
    wanted = _Wanted(horizons_of(horizons, edits), edits, seed, corrections)
    AtlasWords(seed=seed, edits=1)  # what is missing is told before a model is loaded
    run_all(editors, partial(_put, wanted), out or Path("out") / NAME, where=Where(model, device, dtype, jobs), seed=seed)


def _put(wanted: _Wanted, model: Model, editor: Editor[Any], text: str, baseline: Baseline, progress: Show) -> Run:
    from errata.benchmarks.atlas.stream import AtlasWords
    from errata.measure.evaluate import run_stream

    progress("asking what the model knows", 0, wanted.edits)
    stream = AtlasWords(seed=wanted.seed, edits=wanted.edits, corrections=wanted.corrections, answers=baseline.answers)
    made = run_stream(
        model,
        editor,
        stream,
        horizons=wanted.horizons,
        seed=wanted.seed,
        edits=wanted.edits,
        progress=progress,
        baseline=baseline,
        asked=text,
    )
    return replace(made, benchmark={**made.benchmark, "corrections": wanted.corrections})
