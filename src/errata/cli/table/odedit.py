"""`errata table odedit`: editors with ODEdit and without, over several seeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from errata.cli import _print
from errata.cli._open import model_at, tools_at
from errata.cli._options import DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli._print import say, watched
from errata.cli.bench.stream import editors_named
from errata.cli.table.editors import DEFAULT_SEEDS, Edits, Out, Seeds, seeds_in
from errata.core.counted import counted
from errata.core.errors import BadInput

if TYPE_CHECKING:
    from errata.core.editor import Editor

_INNER = ("finetune", "scopeedit")


def odedit(
    editor: Annotated[
        list[str] | None,
        typer.Option("--editor", help=f"An editor that writes in steps, once for each. Not given: {' and '.join(_INNER)}."),
    ] = None,
    mend: Annotated[Path | None, typer.Option("--mend", help="Folder of a MEND trained as published; with --mend-odedit.")] = None,
    mend_odedit: Annotated[
        Path | None, typer.Option("--mend-odedit", help="Folder of one trained with objective=odedit, to hold against it.")
    ] = None,
    terms: Annotated[bool, typer.Option("--terms/--no-terms", help="Rows without each term, too.")] = True,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 100,
    single: Annotated[int, typer.Option("--single", min=1, help="How many edits of each seed are written one at a time.")] = 40,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Reliability, generality and locality of editors with ODEdit, without it, and without each of its terms: every edit alone, and
    5, 10 and all of them in sequence, over several seeds.

    Every row of an editor gets the same environments in as many passes. Writes odedit.csv and odedit.md beside the runs. A star
    marks a difference from the editor without ODEdit of more than two standard errors over at least three seeds.

    \b
    Examples:
      errata table odedit --seeds 101,102,103 --edits 100
      errata table odedit --editor finetune:steps=10 --mend out/mend --mend-odedit out/mend-odedit
    """
    from errata.session.ready import equipped
    from errata.tables.odedit import NAME, fill, said, with_and_without, write_table

    wanted, tools = seeds_in(seeds), tools_at(device=device, dtype=dtype)
    rows = [with_and_without(text, terms=terms) for text in editor or _INNER]
    if (mend is None) != (mend_odedit is None):
        raise BadInput("--mend and --mend-odedit are held against each other. Give both, or neither.")
    if mend is not None:
        rows.append({"mend": f"mend:checkpoint={mend}", "mend + odedit": f"mend:checkpoint={mend_odedit}"})
    groups: list[dict[str, Editor[Any]]] = []
    for group in rows:
        made = editors_named(list(group.values()))  # a wrong name is told before a model is loaded
        groups.append({name: equipped(made[text], tools) for name, text in group.items()})
    taken, folder = model_at(model, device=device, dtype=dtype), out or Path("out") / NAME
    with watched(NAME) as progress:
        found = fill(taken, groups, seeds=wanted, edits=edits, alone=single, folder=folder, progress=progress)
    run = f"{counted(single, 'edit')} alone, {edits} in sequence, seeds {', '.join(map(str, wanted))}, {taken.name}"
    title = f"odedit: {run}; exact match (%), mean ± standard error"
    say(title)
    counts = tuple(found[0].trials)
    for figure in ("mean", "reliability"):
        say(f"{'mean of reliability, generality and locality' if figure == 'mean' else figure}, by edits in force:")
        columns = tuple(map(str, counts))
        lines = [(row.name, *(said(row, found, count, figure) for count in counts)) for row in found]
        _print.table(("editor", *columns), lines, numbers=columns)
    for path in write_table(folder, found, title=title):
        say(f"written: {path}")
