"""`errata model convert-minigpt4`: MiniGPT-4 from its authors' files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from errata.cli._options import AsJson, DtypeName
from errata.cli._print import note, say, say_json, watched


def convert_minigpt4(
    language_model: Annotated[
        Path, typer.Option("--language-model", help="Folder of the LLaMA or Vicuna, in the layout of transformers.")
    ],
    eyes: Annotated[Path, typer.Option("--eyes", help="EVA-CLIP's tower: eva_vit_g.pth.")],
    qformer: Annotated[Path, typer.Option("--qformer", help="BLIP-2's Q-Former: blip2_pretrained_flant5xxl.pth.")],
    checkpoint: Annotated[Path, typer.Option("--checkpoint", help="MiniGPT-4's own: prerained_minigpt4_7b.pth or the like.")],
    out: Annotated[Path, typer.Option("--out", help="The folder to write; it must not be there, or be empty.")],
    dtype: Annotated[
        DtypeName, typer.Option("--dtype", help="Precision of all but the Q-Former, which is float32; auto: the language model's.")
    ] = "auto",
    vision_heads: Annotated[
        int | None, typer.Option("--vision-heads", min=1, help="Attention heads of another tower. [16, of one 1408 wide]")
    ] = None,
    vision_blocks: Annotated[
        int | None, typer.Option("--vision-blocks", min=1, help="Blocks of another tower that are used. [39, of one 1408 wide]")
    ] = None,
    qformer_heads: Annotated[
        int | None, typer.Option("--qformer-heads", min=1, help="Attention heads of another Q-Former. [12, of one 768 wide]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write MiniGPT-4 as one checkpoint folder, from the files that its authors run it from.

    Those that it fetches by fixed addresses, the tower and the Q-Former, are given as files here. Nothing is written before all
    four are found to fit, and the folder is there when it is whole. A language model of 7B takes some 16 GB of disk, and
    2 GB of memory at a time.

    \b
    Examples:
      errata model convert-minigpt4 --language-model vicuna-7b --eyes eva_vit_g.pth --qformer blip2.pth --checkpoint 7b.pth --out 7b
    """
    from errata.models.converting.layout import Given
    from errata.models.converting.minigpt4 import Files, convert

    with watched("convert MiniGPT-4") as progress:
        made = convert(
            Files(language_model, eyes, qformer, checkpoint),
            out,
            dtype=None if dtype == "auto" else dtype,
            given=Given(vision_heads, vision_blocks, qformer_heads),
            progress=progress,
        )
    if as_json:
        say_json({"folder": str(out), **asdict(made)})
        return
    used, held = made.blocks
    before, after = made.vocabulary
    row = "the vocabulary has a row for it" if before == after else f"the vocabulary has {after:,} rows, before {before:,}"
    say(f"saved: {out}, {made.size / 1e9:,.2f} GB of weights in {made.dtype}, the Q-Former in float32")
    say(f"of the tower's {held} blocks {used} are used")
    say(f"a picture's token: <image>, {made.image_token}; {row}")
    say(f"an answer ends with: {' '.join(made.ends) or 'nothing that the tokenizer names'}")
    if not made.apart:
        note("This tokenizer joins the words around a picture, where MiniGPT-4 reads them apart: prompts may differ in a token.")
    say(f"look at it: errata model inspect {out}")
