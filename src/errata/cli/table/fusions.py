"""`errata table fgvedit-2`: what encoders and fusions a multimodal scope is best made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from errata.cli._given import once
from errata.cli._open import tools_at
from errata.cli._options import DEFAULT_MODEL, Device, Dtype
from errata.cli._print import say, watched
from errata.cli.bench.fgv import Memory
from errata.cli.table.editors import DEFAULT_SEEDS, Out, Seeds
from errata.cli.table.fgv import Asked, Edits, Models, compare, streams
from errata.core.errors import BadInput

_NAME = "fgvedit-2"
_FUSIONS = ("concat", "cross", "dot")


def second(
    encoders: Annotated[list[str], typer.Option("--encoders", help="Folder or hub id of a CLIP, once for each.")],
    fusion: Annotated[
        list[str] | None,
        typer.Option("--fusion", help=f"How words and patches meet, once for each; joint too. Not given: {', '.join(_FUSIONS)}."),
    ] = None,
    editor: Annotated[
        str, typer.Option("--editor", help="What speaks for an edit in scope, its fields separated by semicolons.")
    ] = "counterfactual",
    model: Models = None,
    paired: Annotated[int, typer.Option("--paired", min=2, help="Edits whose labelled pairs each scope is trained on.")] = 2000,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Steps at most of each scope's training. [3000]")] = None,
    edits: Edits = 250,
    memory: Memory = 1,
    seeds: Seeds = DEFAULT_SEEDS,
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Train a multimodal scope for each of some encoders and fusions, from the same pairs, and put each to scopeworld-fgv.

    The scopes lie under OUT/scopes and aren't trained again. Writes fgvedit-2.csv, .md and .svg as fgvedit-1 does; a star marks a
    difference from the first row.

    \b
    Examples:
      errata table fgvedit-2 --encoders clip-tiny --encoders clip-mini --model blip2-tiny
    """
    from errata.editors import parse
    from errata.measure.figures import folder_of
    from errata.school.learners import Wanted, training

    folder = out or Path("out") / _NAME
    once(encoders, "Encoders are")
    asked = Asked.of(model, streams(None, "{}", edits), seeds, edits=edits, memory=memory, device=device, dtype=dtype)
    scopes = {
        (each, kind): folder / "scopes" / folder_of(f"{Path(each).name}-{kind}") for each in encoders for kind in fusion or _FUSIONS
    }
    if len(set(scopes.values())) < len(scopes):
        raise BadInput("Two of the encoders' folders have the same name. Give them names of their own.")
    ready = {
        place: training(f"mscke:fusion={kind}", Wanted(place, DEFAULT_MODEL, each, edits=paired, steps=steps))
        for (each, kind), place in scopes.items()
    }
    tools = tools_at(device=device, dtype=dtype)
    for place, train in ready.items():
        if not (place / "learned.safetensors").exists():
            with watched(f"train {place.name}") as progress:
                done = train(tools, progress)
            say(f"{place.name}: {done.course}; {done.told}")
    rows = {f"{Path(each).name}, {kind}": f"mscke:checkpoint={place},editor={editor}" for (each, kind), place in scopes.items()}
    compare(_NAME, {name: parse(text) for name, text in rows.items()}, asked, folder)
