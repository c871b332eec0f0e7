"""The options that several commands share, each defined once, and those that belong together as groups (`_groups`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import typer

from errata.cli._groups import Options
from errata.core.given import given_by
from errata.core.records import Provenance
from errata.core.settings import DEFAULT_EDITOR, DEFAULT_MODEL, DEFAULT_STORE, settings

__all__ = ["DEFAULT_EDITOR", "DEFAULT_MODEL", "AsJson", "By", "Device", "Dtype", "DtypeName", "ModelName", "Place", "Turn", "Where"]

ModelName = Annotated[str, typer.Option("--model", help="The shipped name, a checkpoint folder or a hub id.")]
Device = Annotated[
    str,
    typer.Option(
        "--device", help="Where the model runs: cpu, cuda:1, ...; auto: spread (auto:0=20GB,cpu=60GB), the rest left on disk."
    ),
]
DtypeName = Literal["auto", "float32", "bfloat16", "float16", "int8"]
Dtype = Annotated[DtypeName, typer.Option("--dtype", help="Precision of the weights; auto: what suits the device.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON value to a line instead of text.")]

_Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PLACE",
        help=f"The log's file, or a postgresql:// URL; :memory: for none. Not given: as set, or {DEFAULT_STORE}.",
    ),
]
NOWHERE = ":memory:"
"""In the place of a store: none."""

_Branch = Annotated[str, typer.Option("--branch", help="The branch of the log.")]


@dataclass(frozen=True)
class Where(Options):
    """Which log."""

    store: _Store = None
    branch: _Branch = "main"

    @property
    def at(self) -> str:
        """The store's place: as given, else as set (`errata config`)."""
        return self.store if self.store is not None else settings()["store"].value

    @property
    def nowhere(self) -> bool:
        """Whether there is to be no store: the model without edits is asked."""
        return self.at == NOWHERE

    @property
    def named(self) -> bool:
        """Whether somebody named it: a store that is taken by default need not be there."""
        return self.store is not None or settings()["store"].chosen


@dataclass(frozen=True)
class Place(Options):
    """Which model runs where, under which editor, and which log; a model or editor of None: as the log began, or as set."""

    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            help=f"Shipped name, checkpoint folder, hub id or upstream:NAME. Not given: as set, the log's own, or {DEFAULT_MODEL}.",
        ),
    ] = None
    editor: Annotated[
        str | None,
        typer.Option(
            "--editor",
            help="NAME, NAME:FIELD=VALUE,... or FILE.py:CLASS. Not given: the log's own, as set, or what suits the model.",
        ),
    ] = None
    store: _Store = None
    branch: _Branch = "main"
    device: Device = "cpu"
    dtype: Dtype = "auto"

    @property
    def where(self) -> Where:
        """The log alone."""
        return Where(self.store, self.branch)


@dataclass(frozen=True)
class Turn(Options):
    """How long a command that writes waits for its turn."""

    wait: Annotated[
        float,
        typer.Option("--wait", metavar="SECONDS", min=0, help="Wait so long for the branch while another process writes to it."),
    ] = 0.0


@dataclass(frozen=True)
class By(Options):
    """Who makes an entry, and why."""

    author: Annotated[str | None, typer.Option("--author", help="Who makes this entry. Not given: as set, or the user's name.")] = (
        None
    )
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = ""
    ticket: Annotated[str, typer.Option("--ticket", help="Where it was asked for.")] = ""

    @property
    def provenance(self) -> Provenance:
        """As an entry holds it.

        Raises:
            BadInput: one of them can't be written down.
        """
        author = self.author if self.author is not None else settings()["author"].value
        return given_by(author, self.reason, self.ticket)
