"""`errata train`: train an editor that learns to edit, or a scope that learns which edit speaks, on training seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from errata.cli._open import tools_at
from errata.cli._options import DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli._print import say, watched

Trained = Annotated[
    str,
    typer.Argument(
        help="What to train: mend, serac, mscke, states, rerank or sight, with FIELD=VALUE,... after a colon, as mend:where=vision."
    ),
]
Into = Annotated[Path, typer.Option("--out", help="Folder for the checkpoint; a training that is there is gone on with.")]
Encoders = Annotated[
    str, typer.Option("--encoders", help="Of mscke: folder or hub id of the CLIP whose encoders its scope sees with.")
]
From = Annotated[
    str | None,
    typer.Option(
        "--benchmark",
        help="Where examples are from, of a scope also several with + between them. [mend: scopeworld-stream, serac and mscke: "
        "scopeworld-fgv, states: asked, rerank: asked+asked-shown+atlas-words; sight: atlas-pictures, or a folder of pictures]",
    ),
]
Pairs = Annotated[
    int | None,
    typer.Option(
        "--edits",
        min=2,
        help="Of a scope: of how many edits of each benchmark the labelled pairs are; of a sight: things. [2000; states 800, "
        "rerank 1400, sight 700]",
    ),
]
Drawn = Annotated[
    int, typer.Option("--seed", min=0, max=89, help="Draws what each step takes, and of a scope its pairs and first weights.")
]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", help="Of mend: a kind of probe that it doesn't learn from, as near_locality; one or more."),
]


def train(
    editor: Trained,
    out: Into,
    model: ModelName = DEFAULT_MODEL,
    encoders: Encoders = "",
    benchmark: From = None,
    edits: Pairs = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Steps at most. [mend 3600, states 700, rerank 800 (and 900 before), a scope 3000]"),
    ] = None,
    batch: Annotated[
        int | None,
        typer.Option("--batch", min=1, help="In a step: edits (mend) or pairs (a scope). [2, 64, states 256, rerank 32]"),
    ] = None,
    rate: Annotated[
        float | None, typer.Option("--rate", min=1e-9, max=1.0, help="Peak of the learning rate. [0.001, states 0.002]")
    ] = None,
    validation: Annotated[
        int | None, typer.Option("--validation", min=1, help="Edits that a look at the validation takes. [100, a tenth of all]")
    ] = None,
    every: Annotated[int | None, typer.Option("--every", min=1, help="Steps between looks and checkpoints. [400, 100]")] = None,
    patience: Annotated[int | None, typer.Option("--patience", min=1, help="Looks without a best that end it. [5, 8]")] = None,
    seed: Drawn = 0,
    without: Without = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Train an editor that learns; what did best on the validation is saved as FOLDER/learned.safetensors.

    mend learns to write corrections into one model; serac (words) and mscke (words and pictures) learn which correction a question
    is about, for any model; rerank has one model read both together, and states compares what it makes of each; sight tells whether
    two pictures show the same. Run again after it was stopped, a training goes on from its last checkpoint.

    \b
    Examples:
      errata train mend --out out/mend
      errata train mend:where=vision --model llava-tiny --benchmark scopeworld-stream --out out/mend-vision --steps 500
      errata train mend --model blip2-tiny --benchmark scopeworld-fgv --without near_locality --out out/mend-blip2
      errata train serac --out out/serac
      errata train rerank --model smollm2 --out out/rerank
      errata train states --model smollm2 --out out/states
      errata train sight --model atlas --out out/sight
      errata train sight --model llava-hf/llava-1.5-7b-hf --benchmark my-pictures/ --out out/sight
      errata train mscke:fusion=cross --encoders openai/clip-vit-base-patch32 --out out/mscke
    """
    from errata.school.learners import Wanted, training

    left_out = tuple(without or ())
    wanted = Wanted(out, model, encoders, benchmark, edits, steps, batch, rate, validation, every, patience, seed, left_out)
    ready = training(editor, wanted)  # a wrong name is told before anything is loaded
    with watched(f"train {editor}") as progress:
        done = ready(tools_at(device=device, dtype=dtype), progress)
    if done.fitted is not None:
        say(f"steps: {done.fitted.steps}, best after {done.fitted.best_step}: validation loss {done.fitted.best_loss:.4f}")
    if done.told:
        say(done.told)
    say(f"saved: {out}")
    say(f"use it with: --editor {done.use or editor.partition(':')[0] + ':checkpoint'}={out}")
