"""What can't be undone asks first: at a terminal a person, elsewhere `--yes` must have been said."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from errata.core.errors import BadInput

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask: it is meant.")]


def check_sure(what: str, yes: bool) -> None:
    """Whether what can't be undone is meant.

    Args:
        what: what will be gone, in a sentence.
        yes: whether it was said with the command.

    Raises:
        BadInput: it isn't, or nobody is there to say; nothing was changed.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadInput(
            f"{what} This can't be undone, and nobody is there to be asked. Nothing was changed. Add --yes where it is meant."
        )
    if not typer.confirm(f"{what} This can't be undone. Go on?", err=True):
        raise BadInput("Nothing was changed.")
