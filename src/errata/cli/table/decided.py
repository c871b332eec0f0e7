"""`errata table fgvedit-figure-4`: how often scopes are right, by kind of question."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from errata.cli import _print
from errata.cli._open import model_at, tools_at
from errata.cli._options import DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli._print import say, watched
from errata.cli.bench.stream import editors_named
from errata.cli.table.editors import DEFAULT_SEEDS, Out, Seeds, seeds_in
from errata.cli.table.fgv import Data, Edits, Template, streams


def fourth(
    editor: Annotated[list[str], typer.Option("--editor", help="An editor with a scope, once for each; held against the first.")],
    model: ModelName = DEFAULT_MODEL,
    data: Data = None,
    template: Template = "{}",
    edits: Edits = 200,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """How often scopes are right about whether a question is in an edit's scope, by kind of question, over several seeds.

    Nothing is answered, so the model matters only to scopes that see with it (told, ike). Writes fgvedit-figure-4.csv, .md and
    .svg. A star marks a difference from the first scope of more than two standard errors over at least three seeds.

    \b
    Examples:
      errata table fgvedit-figure-4 --editor serac:checkpoint=out/serac --editor mscke:checkpoint=out/mscke --seeds 101,102,103
    """
    from errata.core.benchmark import FineGrained
    from errata.session.ready import equipped
    from errata.tables.decided import NAME, fill, headline, said, write_table

    made, wanted = editors_named(editor), seeds_in(seeds)
    stream_of = streams(data, template, edits)
    tools = tools_at(device=device, dtype=dtype)
    ready = {text: equipped(each, tools) for text, each in made.items()}
    taken = model_at(model, device=device, dtype=dtype)
    with watched(NAME) as progress:
        found = fill(taken, ready, lambda seed: cast("FineGrained", stream_of(seed)), seeds=wanted, edits=edits, progress=progress)
    say(f"{headline(found)} (%), mean ± standard error")
    columns = tuple(trial.name for trial in found.trials)
    rows = [(kind, str(n), *(said(found, trial, kind) for trial in found.trials)) for kind, n in found.n.items()]
    _print.table(("kind", "n", *columns), rows, numbers=("n", *columns))
    for path in write_table(out or Path("out") / NAME, found):
        say(f"written: {path}")
