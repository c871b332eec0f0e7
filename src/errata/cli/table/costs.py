"""`errata table fgvedit-4`: bytes and time of base, scope and counterfactual."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from errata.cli import _print
from errata.cli._open import model_at, tools_at
from errata.cli._options import Device, Dtype
from errata.cli._print import say, watched
from errata.cli.bench.stream import editors_named
from errata.cli.table.editors import Out
from errata.cli.table.fgv import Data, Models, Template, models_named, streams


def costs(
    editor: Annotated[list[str], typer.Option("--editor", help="An editor with a scope, once for each.")],
    model: Models = None,
    data: Data = None,
    template: Template = "{}",
    edits: Annotated[int, typer.Option("--edits", min=1, help="Edits in memory; one question is asked about each.")] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws edits and questions; below 100 it is for tuning.")] = 101,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """What a scope and a counterfactual model take beside the base: parameters, bytes, and milliseconds a question.

    Each question is in the scope of one of the edits, all of them in memory, and no part has seen its picture before. Writes
    fgvedit-4.csv, .md and .svg. Times are this machine's, as busy as it is now.

    \b
    Examples:
      errata table fgvedit-4 --editor serac:checkpoint=out/serac --editor mscke:checkpoint=out/mscke --model blip2-tiny
      errata table fgvedit-4 --editor mscke:checkpoint=out/mscke,speaker=llava-tiny --model minigpt4-tiny
    """
    from errata.session.ready import equipped
    from errata.tables.costs import HEADER, NAME, headline, measure_all, questions, rows, write_table

    made, names = editors_named(editor), models_named(model)
    stream = streams(data, template, edits)(seed)

    def ready() -> dict[str, Any]:
        return {text: equipped(each, tools_at(device=device, dtype=dtype)) for text, each in made.items()}

    load = partial(model_at, device=device, dtype=dtype)
    with watched(NAME) as progress:
        asked = questions([stream[index] for index in range(min(edits, len(stream)))])
        found = measure_all({each: partial(load, each) for each in names}, ready, asked, progress)
    say(headline(found))
    _print.table(HEADER, rows(found), numbers=HEADER[3:])
    for path in write_table(out or Path("out") / NAME, found):
        say(f"written: {path}")
