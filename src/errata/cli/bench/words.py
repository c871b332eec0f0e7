"""`errata bench atlas-words`: corrections of what is true of countries and things, in words alone."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from errata.cli._options import DEFAULT_EDITOR, DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli._print import Show
from errata.cli.bench.stream import (
    Editors,
    Edits,
    Horizons,
    Jobs,
    Out,
    Wanted,
    Where,
    editors_named,
    horizons_of,
    run_all,
    streamed,
)

if TYPE_CHECKING:
    from errata.core.editor import Editor
    from errata.core.model import Model
    from errata.measure.evaluate import Baseline
    from errata.measure.results import Run

NAME = "atlas-words"


def atlas_words(
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 200,
    horizons: Horizons = None,
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
    wanted = Wanted(horizons_of(horizons, edits), edits, seed, {"corrections": corrections})
    AtlasWords(seed=seed, edits=1)  # what is missing is told before a model is loaded
    run_all(editors, partial(_put, wanted), out or Path("out") / NAME, where=Where(model, device, dtype, jobs), seed=seed)


def _put(wanted: Wanted, model: Model, editor: Editor[Any], text: str, baseline: Baseline, progress: Show) -> Run:
    """A run whose stream needs the model's own answers to be drawn."""
    from errata.benchmarks.atlas.stream import AtlasWords

    progress("asking what the model knows", 0, wanted.edits)
    corrections = wanted.asked["corrections"]
    stream = AtlasWords(seed=wanted.seed, edits=wanted.edits, corrections=corrections, answers=baseline.answers)
    return streamed(stream, wanted, model, editor, text, baseline, progress)
