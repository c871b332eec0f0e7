"""The options that several commands share, each defined once."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

DEFAULT_MODEL = "llava-tiny"
DEFAULT_EDITOR = "codebook"
DEFAULT_STORE = "errata.db"

ModelName = Annotated[str, typer.Option("--model", help="The shipped name, a checkpoint folder or a hub id.")]
StoreModelName = Annotated[
    str | None,
    typer.Option("--model", help=f"Shipped name, checkpoint folder or hub id. Not given: the log's own, or {DEFAULT_MODEL}."),
]
EditorName = Annotated[
    str | None,
    typer.Option("--editor", help=f"NAME, NAME:FIELD=VALUE,... or FILE.py:CLASS. Not given: the log's own, or {DEFAULT_EDITOR}."),
]
Store = Annotated[str, typer.Option("--store", metavar="PLACE", help="The file of the log, or a postgresql:// URL.")]
Branch = Annotated[str, typer.Option("--branch", help="The branch of the log.")]
Device = Annotated[str, typer.Option("--device", help="Where the model runs: cpu, cuda, cuda:1, ...")]
DtypeName = Literal["auto", "float32", "bfloat16", "float16"]
Dtype = Annotated[DtypeName, typer.Option("--dtype", help="Precision of the weights; auto: what suits the device.")]
Author = Annotated[str, typer.Option("--author", help="Who makes this entry.")]
Reason = Annotated[str, typer.Option("--reason", help="Why.")]
Ticket = Annotated[str, typer.Option("--ticket", help="Where it was asked for.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value to a line instead of text.")]
