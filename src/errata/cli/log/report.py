"""`errata log report`: a store as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import log_to_read
from errata.cli._options import Where
from errata.cli._print import say
from errata.cli.log.listed import Offset, Which
from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.given import words
from errata.log import shown
from errata.log.listing import edits


@grouped
def report(
    file: Annotated[Path, typer.Argument(help="The HTML file to write.")] = Path("corrections.html"),
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    which: Which = Which(),
    limit: Annotated[int, typer.Option("--limit", min=1, help="At most so many edits, the newest.")] = 1000,
    offset: Offset = 0,
    where: Where = Where(),
) -> None:
    """Write a view of the store as one HTML file that needs no network, to look through and to filter.

    Every edit has its picture, small, its question, the answers before and after, who made it and when, what became of it and what
    superseded it. Words, status and author choose in the page; corrections.html#status=reverted&text=harbor opens it so.

    \b
    Examples:
      errata log report
      errata log report night.html --since 2026-11-24T18:00:00Z --force
      errata log report ann.html --author ann --status in-force --store corrections.db
    """
    words(str(file), "path of the report")
    which = which.checked()
    if file.exists() and not force:
        raise BadInput(f"There is a file {file} already. Give another name, or --force to replace it.")
    if not file.parent.is_dir():
        raise BadInput(f"There is no folder {file.parent}. Make it first.")
    with log_to_read(where) as log:
        from errata.report.store import view_of

        frozen = log.at(len(log))  # the log may grow meanwhile
        page = edits(frozen, which.sought(frozen), limit=limit, offset=offset)
        text = view_of(frozen, page, place=shown(where.at))
    unfinished = file.with_name(f"{file.name}.unfinished")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(file)
    say(f"{file}: {counted(len(page.rows), 'edit')} of {page.total}")
