"""`errata bench scopeworld-fgv` and `errata bench fgvedit`: corrections of single things of single pictures."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from errata.cli._options import DEFAULT_EDITOR, DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli._print import Show
from errata.cli.bench.stream import Editors, Jobs, Out, Where, editors_named, run_all
from errata.core.counted import counted
from errata.core.errors import BadInput

if TYPE_CHECKING:
    from errata.core.benchmark import Stream
    from errata.core.editor import Editor
    from errata.core.model import Model
    from errata.measure.evaluate import Baseline
    from errata.measure.results import Run

SCOPEWORLD = "scopeworld-fgv"

Memory = Annotated[
    int,
    typer.Option(
        "--memory", min=1, help="Edits in memory at once; all are taken back before the next ones. 1: the paper's setting."
    ),
]


def scopeworld(
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    edits: Annotated[int, typer.Option("--edits", min=1, help="How many edits are drawn.")] = 250,
    memory: Memory = 1,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws edits, scenes and wordings; below 100 for tuning.")] = 7,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    jobs: Jobs = 1,
) -> None:
    """Correct one thing of one picture at a time, and ask about it, about its neighbours, about other pictures, and in words alone.

    Which questions a correction entails is worked out from ScopeWorld. Writes result.json and result.csv for each editor, and one
    report.html. The same command gives the same rates.

    \b
    Examples:
      errata bench scopeworld-fgv --editor none --editor finetune --edits 250 --seed 101 --out out/fgv
      errata bench scopeworld-fgv --editor scopeedit --edits 200 --memory 200
    """
    from errata.session import registry

    editors = editors_named(editor or (DEFAULT_EDITOR,))
    stream = registry.benchmark(SCOPEWORLD, seed=seed, edits=edits)
    _run(editors, stream, out, memory=memory, seed=seed, where=Where(model, device, dtype, jobs))


def published(
    data: Annotated[
        Path, typer.Option("--data", help="Folder of train_data.json, test_data.json and images/, as FGVEdit has them.")
    ],
    editor: Editors = None,
    model: ModelName = DEFAULT_MODEL,
    split: Annotated[Literal["train", "test"], typer.Option("--split", help="Which of the two files.")] = "test",
    edits: Annotated[
        int | None, typer.Option("--edits", min=1, help="How many records, drawn by the seed. Not given: all, in order.")
    ] = None,
    memory: Memory = 1,
    template: Annotated[
        str,
        typer.Option("--template", help="What a question on a picture becomes: {} is the question. 'Question: {} Short answer:'"),
    ] = "{}",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws the records, where not all are taken.")] = 7,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    jobs: Jobs = 1,
) -> None:
    """Run the FGVEdit benchmark from its authors' files, or from files that `errata bench build-fgv` made.

    A field or a picture that is missing is named with its file and record, and nothing is run.

    \b
    Examples:
      errata bench fgvedit --data FGVEdit --editor none --editor finetune --model path/to/blip2
      errata bench fgvedit --data FGVEdit --edits 200 --memory 200 --template "Question: {} Short answer:"
    """
    from errata.benchmarks.fgvedit import FGVEdit

    editors = editors_named(editor or (DEFAULT_EDITOR,))
    stream = FGVEdit(data, split=split, edits=edits, seed=seed, template=template)
    _run(editors, stream, out, memory=memory, seed=seed, where=Where(model, device, dtype, jobs))


def _run(editors: Mapping[str, Editor[Any]], stream: Stream, out: Path | None, *, memory: int, seed: int, where: Where) -> None:
    edits = len(stream)
    if memory > edits:
        raise BadInput(
            f"{counted(memory, 'edit')} in memory are more than the {edits} there are. Give at most {edits} to --memory."
        )
    run_all(editors, partial(_put, stream, memory, seed), out or Path("out") / stream.name, where=where, seed=seed)


def _put(
    stream: Stream, memory: int, seed: int, model: Model, editor: Editor[Any], text: str, baseline: Baseline, progress: Show
) -> Run:
    from errata.measure.fine import run_fine

    return run_fine(
        model,
        editor,
        stream,
        edits=len(stream),
        memory=memory,
        seed=seed,
        progress=progress,
        baseline=baseline,
        asked=text,
    )
