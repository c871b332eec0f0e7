"""`errata table fgvedit-1`: systems by base models on a fine-grained benchmark, over several seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from errata.cli import _print
from errata.cli._given import once
from errata.cli._open import model_at, tools_at
from errata.cli._options import DEFAULT_MODEL, Device, Dtype, DtypeName
from errata.cli._print import say, watched
from errata.cli.bench.fgv import SCOPEWORLD, Memory
from errata.cli.bench.stream import editors_named
from errata.cli.table.editors import DEFAULT_SEEDS, Out, Seeds, seeds_in
from errata.core.counted import counted
from errata.core.errors import BadInput

if TYPE_CHECKING:
    from errata.core.benchmark import Stream
    from errata.core.editor import Editor, Tools
    from errata.core.model import Model
    from errata.tables.fine import Table

_NAME = "fgvedit-1"

Models = Annotated[
    list[str] | None,
    typer.Option("--model", help=f"A base model, once for each: shipped name, folder or hub id. Not given: {DEFAULT_MODEL}."),
]
Data = Annotated[
    Path | None, typer.Option("--data", help="Folder of FGVEdit's files; its test file is taken. Not given: scopeworld-fgv.")
]
Template = Annotated[str, typer.Option("--template", help="With --data, what a question on a picture becomes: {} is the question.")]
Edits = Annotated[int, typer.Option("--edits", min=1, help="How many edits are drawn by each seed.")]


def first(
    editor: Annotated[
        list[str], typer.Option("--editor", help="A system, once for each; a model's others are held against its first.")
    ],
    model: Models = None,
    data: Data = None,
    template: Template = "{}",
    edits: Edits = 250,
    memory: Memory = 1,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Reliability, locality, generality and specificity of every system on every base model, over several seeds.

    Writes fgvedit-1.csv, fgvedit-1.md and fgvedit-1.svg beside the runs, generated and teacher-forced, with means, standard errors
    and what they were run on. A star marks a difference from the model's first row of more than two standard errors over at least
    three seeds.

    \b
    Examples:
      errata table fgvedit-1 --editor none --editor finetune --editor scopeedit --seeds 101,102,103
      errata table fgvedit-1 --editor finetune --editor scopeedit --model one --model two --edits 200 --memory 200
    """
    editors = editors_named(editor)
    asked = Asked.of(model, streams(data, template, edits), seeds, edits=edits, memory=memory, device=device, dtype=dtype)
    compare(_NAME, editors, asked, out or Path("out") / _NAME)


class Asked(NamedTuple):
    """What systems are put to."""

    models: list[str]
    stream_of: Callable[[int], Stream]
    seeds: tuple[int, ...]
    edits: int
    memory: int
    device: str
    dtype: DtypeName

    @staticmethod
    def of(
        models: list[str] | None,
        stream_of: Callable[[int], Stream],
        seeds: str,
        *,
        edits: int,
        memory: int,
        device: str,
        dtype: DtypeName,
    ) -> Asked:
        """What was asked for; what can't be used is told before a model is loaded.

        Raises:
            BadInput: a model named twice, a memory that is too large, or files that can't be used.
        """
        asked = Asked(models_named(models), stream_of, seeds_in(seeds), edits, memory, device, dtype)
        if memory > edits:
            raise BadInput(
                f"{counted(memory, 'edit')} in memory are more than the {edits} there are. Give at most {edits} to --memory."
            )
        stream_of(asked.seeds[0])
        return asked


def models_named(models: list[str] | None) -> list[str]:
    """The base models of a table, the default where none is named.

    Raises:
        BadInput: one is named twice.
    """
    return once(models or [DEFAULT_MODEL], "A model is")


def compare(
    name: str, editors: Mapping[str, Editor[Any]], asked: Asked, folder: Path, against: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Run every system on every model over the seeds, print the table and write it; `against` as in `fine_table.Table`."""
    from errata.tables.fine import fill, write_table

    load = partial(model_at, device=asked.device, dtype=asked.dtype)
    ready = _ready(editors, [partial(load, each) for each in asked.models[1:]], tools_at(device=asked.device, dtype=asked.dtype))
    with watched(name) as progress:
        table = fill(
            name,
            {each: partial(load, each) for each in asked.models},
            ready,
            asked.stream_of,
            seeds=asked.seeds,
            edits=asked.edits,
            memory=asked.memory,
            folder=folder,
            progress=progress,
            against=against,
        )
    _show(table)
    for path in write_table(folder, table):
        say(f"written: {path}")


def _ready(editors: Mapping[str, Editor[Any]], later: Sequence[Callable[[], Model]], tools: Tools) -> dict[str, Editor[Any]]:
    """The editors with what they name; a later model that can't be, or that one can't work on, is told before hours go by."""
    from errata.session.ready import equipped

    ready = {text: equipped(each, tools) for text, each in editors.items()}
    for load in later:
        model = load()
        for each in ready.values():
            each.spec(model)
    return ready


def _show(table: Table) -> None:
    from errata.tables.fine import FIGURES, headline, said

    say(f"{headline(table)}: generated, exact match (%), mean ± standard error")
    rows = [(row.model, row.system, *(said(table.cell(row, "generated", figure)) for figure in FIGURES)) for row in table.rows]
    _print.table(("model", "system", *FIGURES), rows, numbers=tuple(FIGURES))


def streams(data: Path | None, template: str, edits: int) -> Callable[[int], Stream]:
    """The benchmark of a seed: ScopeWorld's own, or what is in a folder.

    Raises:
        BadInput: a template for ScopeWorld's questions.
    """
    from errata.benchmarks.fgvedit import FGVEdit
    from errata.session import registry

    if data is not None:
        return lambda seed: FGVEdit(data, edits=edits, seed=seed, template=template)
    if template != "{}":
        raise BadInput("--template is for the questions of --data; scopeworld-fgv has its own. Leave it out, or give --data.")
    return lambda seed: registry.benchmark(SCOPEWORLD, seed=seed, edits=edits)
