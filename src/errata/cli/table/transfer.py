"""`errata table fgvedit-3`: does one trained scope serve other inner editors and base models as well as one trained anew?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from errata.cli._given import once
from errata.cli._options import Device, Dtype
from errata.cli.bench.fgv import Memory
from errata.cli.table.editors import DEFAULT_SEEDS, Out, Seeds
from errata.cli.table.fgv import Asked, Edits, Models, compare, streams
from errata.core.errors import BadInput, quoted

_NAME = "fgvedit-3"


def third(
    transferred: Annotated[str, typer.Option("--transferred", help="Folder of the scope that is used everywhere.")],
    retrained: Annotated[str, typer.Option("--retrained", help="Folder of a scope of the same kind that was trained anew.")],
    editor: Annotated[
        list[str] | None,
        typer.Option("--editor", help="What speaks behind them, once for each, its fields apart by semicolons. [counterfactual]"),
    ] = None,
    scope: Annotated[str, typer.Option("--scope", help="Of which kind both are: serac or mscke.")] = "mscke",
    model: Models = None,
    edits: Edits = 250,
    memory: Memory = 1,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Put one trained scope before every inner editor on every base model, beside one that was trained anew, on scopeworld-fgv.

    A scope learns from pairs of edits and questions and never sees a base model, so what it is trained anew with is another seed.
    Writes fgvedit-3.csv, .md and .svg as fgvedit-1 does; a star marks a difference of the same editor's two rows.

    \b
    Examples:
      errata table fgvedit-3 --transferred out/mscke --retrained out/mscke-1 --model blip2-tiny
      errata table fgvedit-3 --transferred out/mscke --retrained out/mscke-1 --editor counterfactual --editor finetune --edits 100
    """
    from errata.editors import parse

    if scope not in ("serac", "mscke"):
        raise BadInput(f"There is no scope {quoted(scope)} that is trained. Use serac or mscke.")
    if Path(transferred).resolve() == Path(retrained).resolve():
        raise BadInput(f"Both scopes lie in {transferred}. Name two folders.")
    inner = once(editor or ["counterfactual"], "An inner editor is")
    asked = Asked.of(model, streams(None, "{}", edits), seeds, edits=edits, memory=memory, device=device, dtype=dtype)
    systems = {
        f"{each}, {kind}": parse(f"{scope}:checkpoint={place},editor={each}")
        for each in inner
        for kind, place in (("retrained", retrained), ("transferred", transferred))
    }
    compare(_NAME, systems, asked, out or Path("out") / _NAME, {f"{each}, transferred": f"{each}, retrained" for each in inner})
