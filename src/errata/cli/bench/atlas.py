"""`errata bench atlas-stream` and `atlas-words`: corrections of what is true of countries and things, on pictures and in words."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from errata.cli._options import DEFAULT_MODEL, Device, Dtype, ModelName
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
from errata.core.settings import default_editors

if TYPE_CHECKING:
    from errata.core.benchmark import Stream
    from errata.core.editor import Editor
    from errata.core.model import Model
    from errata.measure.evaluate import Baseline
    from errata.measure.results import Run

STREAM, WORDS = "atlas-stream", "atlas-words"

Seed = Annotated[
    int,
    typer.Option(
        "--seed",
        min=0,
        help="Draws corrections, wordings, pictures and probes; below 100 for tuning, below 1000 to report, above to judge.",
    ),
]

Corrections = Annotated[
    str,
    typer.Option(
        "--corrections",
        help="both: first up to half of what the model gets wrong, corrected to the truth, then counterfactual ones; or truth, "
        "or counterfactual, alone.",
    ),
]

CorrectionsSeen = Annotated[
    str,
    typer.Option(
        "--corrections",
        help="both: first up to half of what the model gets wrong, corrected to the truth, then counterfactual ones; or truth, "
        "or counterfactual, alone; or identity, of what a picture shows instead of any fact.",
    ),
]


def atlas_words(
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 200,
    horizons: Horizons = None,
    seed: Seed = 7,
    corrections: Corrections = "both",
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
    asked = _Asked(tuple(editor or (_usual(model, device, dtype),)), edits, horizons, seed, corrections)
    _run(asked, WORDS, out, Where(model, device, dtype, jobs))


def atlas_stream(
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 200,
    horizons: Horizons = None,
    seed: Seed = 7,
    corrections: CorrectionsSeen = "both",
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    jobs: Jobs = 1,
) -> None:
    """Stream the corrections of atlas-words, about half of them asked on pictures: flags by two artists, things, beside each other.

    Of each: other pictures of the same subject, its name in words, and what must stay, on pictures and in words. The pictures are
    read from Debian's packages iso-flags-png-320x240 and fonts-noto-color-emoji, the facts as for atlas-words. The model must see.
    Writes result.json and result.csv for each editor, and one report.html.

    \b
    Examples:
      errata bench atlas-stream --model path/to/model --editor codebook --edits 50 --seed 101
      errata bench atlas-stream --model path/to/model --editor none --editor scopeedit --corrections counterfactual
      errata bench atlas-stream --model atlas --editor codebook --edits 10 --seed 101 --corrections identity
    """
    asked = _Asked(tuple(editor or (_usual(model, device, dtype),)), edits, horizons, seed, corrections)
    _run(asked, STREAM, out, Where(model, device, dtype, jobs))


def _usual(model: str, device: str, dtype: str) -> str:
    """The editor that is taken where none is named; what the model itself reads or sees with is for its own precision."""
    own = device == "cpu" and dtype in ("auto", "float32")
    found = default_editors(model)
    return next(each for each in found if own or each == found[-1] or ("reader=" in each and "sight=" not in each))


class _Asked(NamedTuple):
    """What both commands are asked for."""

    editors: tuple[str, ...]
    edits: int
    horizons: str | None
    seed: int
    corrections: str


def check_told(benchmark: str, corrections: str, *, seed: int) -> None:
    """Tell what is wrong, or isn't installed, before a model is loaded.

    Raises:
        BadInput: there are no such corrections, or a package is missing.
    """
    from errata.benchmarks.atlas.corrections import check_corrections
    from errata.session import registry

    check_corrections(corrections, eyes=benchmark == STREAM)
    registry.benchmark(benchmark, seed=seed, edits=1)


def check_sees(benchmark: str, model: Model) -> None:
    """Tell before anything is asked whether a model sees, where it is asked about pictures.

    Raises:
        BadInput: it doesn't.
    """
    from errata.benchmarks.atlas.stream import AtlasStream

    if benchmark == STREAM:
        model.check(AtlasStream(seed=0, edits=1).pool()[-1])


def drawn(benchmark: str, corrections: str, edits: int, seed: int, baseline: Baseline) -> Stream:
    """A stream that needs the model's own answers to be drawn."""
    from errata.benchmarks.atlas.stream import AtlasStream

    eyes = benchmark == STREAM
    return AtlasStream(seed=seed, edits=edits, corrections=corrections, answers=baseline.answers, eyes=eyes)


def _run(asked: _Asked, benchmark: str, out: Path | None, where: Where) -> None:
    editors = editors_named(asked.editors)
    check_told(benchmark, asked.corrections, seed=asked.seed)
    wanted = Wanted(horizons_of(asked.horizons, asked.edits), asked.edits, asked.seed, {"corrections": asked.corrections})
    run_all(editors, partial(_put, wanted, benchmark), out or Path("out") / benchmark, where=where, seed=asked.seed)


def _put(wanted: Wanted, benchmark: str, model: Model, editor: Editor[Any], text: str, baseline: Baseline, progress: Show) -> Run:
    check_sees(benchmark, model)
    progress("asking what the model knows", 0, wanted.edits)
    stream = drawn(benchmark, wanted.asked["corrections"], wanted.edits, wanted.seed, baseline)
    return streamed(stream, wanted, model, editor, text, baseline, progress)
