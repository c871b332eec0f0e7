"""`errata log`: what happened, and whether it is still what was written. Nothing here needs a model or torch."""

from __future__ import annotations

from typing import Annotated

import typer

from errata.cli._open import log_to_read
from errata.cli._options import DEFAULT_STORE, AsJson, Branch, Store
from errata.cli._print import SHORT, note, say, say_json, table
from errata.core.images import Image
from errata.log import Entry

app = typer.Typer(help="Read and verify the log of everything that was done.", no_args_is_help=True)


@app.command()
def show(
    last: Annotated[int, typer.Option("--last", min=1, help="How many entries, counted from the end.")] = 20,
    start: Annotated[
        int | None, typer.Option("--from", min=1, help="Begin with this entry instead, and show `--last` of them.")
    ] = None,
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
    as_json: AsJson = False,
) -> None:
    """Show entries of the log, oldest first.

    \b
    Examples:
      errata log show
      errata log show --last 5 --json
      errata log show --from 1 --last 100 --store corrections.db
    """
    with log_to_read(store, branch) as log:
        first = max(1, len(log) - last + 1) if start is None else start
        entries = list(log.entries(first, first + last))
        if as_json:
            for entry in entries:
                say_json(entry.to_json())
            return
        rows = [(str(e.seq), e.time, e.kind, (e.edit_id or "")[:SHORT], e.by.author, summary(e)) for e in entries]
        table(("entry", "time", "what", "edit", "author", "content"), rows, numbers=("entry",))
        note(f"{len(rows)} of {len(log)} entries on branch {branch}")


@app.command()
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", help="A head that was kept elsewhere (ENTRY:HASH, or the hash): finds a log that was cut short."),
    ] = None,
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
) -> None:
    """Recompute every hash, the chain and every image; the first entry that isn't what was written is named.

    \b
    Examples:
      errata log verify
      errata log verify --head 17:0f3c... --store corrections.db
    """
    with log_to_read(store, branch) as log:
        count = log.verify(head)
        say(f"Verified {count} entries on branch {branch}: every hash, the chain, every image.")
        newest = log.head
        if newest is not None:
            say(f"head {newest.mark}")
            note("Keep the head elsewhere: `errata log verify --head` with it finds a log that was cut short.")


def summary(entry: Entry) -> str:
    """What an entry is about, in a line."""
    if entry.holds_edit:
        edit = entry.edit(lambda digest: Image(digest, b""))
        return f"{_line(edit.query.text)} -> {_line(edit.target)}"
    return _line(entry.by.reason)


def _line(text: str) -> str:
    return " ".join(text.split())
