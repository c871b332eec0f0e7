"""`errata edit`: correct the model, see what was corrected, take a correction back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._input import asked, picture, words
from errata.cli._open import Place, log_to_read, session_to_edit
from errata.cli._options import (
    DEFAULT_STORE,
    AsJson,
    Author,
    Branch,
    Device,
    Dtype,
    EditorName,
    Reason,
    Store,
    StoreModelName,
    Ticket,
)
from errata.cli._print import SHORT, complain, fields, note, say, say_json, table, watched
from errata.cli._records import Line, read_lines
from errata.cli.log import summary
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query, Reach
from errata.log import Kind

if TYPE_CHECKING:
    from errata.core.model import Model
    from errata.engine.session import Receipt, Session

app = typer.Typer(help="Correct the model, list what was corrected, take a correction back.", no_args_is_help=True)

REFUSED, SOME_BAD = 1, 3
"""Exit codes: the model refused the edit; an import met bad records."""

_APPLIED: tuple[Kind, ...] = ("applied",)


@app.command()
def add(
    question: Annotated[str, typer.Argument(help="What the model is asked.")],
    target: Annotated[str, typer.Option("--target", help="The right answer.")],
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture; may be given several times.")] = None,
    also: Annotated[list[str] | None, typer.Option("--also", help="Another wording that must give the target too.")] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", help="A question on the same picture whose answer must not move.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option("--subject", help="What it is about, in words that hold without the picture.")
    ] = None,
    reach: Annotated[Reach, typer.Option("--reach", help="How far it is meant to go.")] = "open",
    author: Author = "unknown",
    reason: Reason = "",
    ticket: Ticket = "",
    model: StoreModelName = None,
    editor: EditorName = None,
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Correct one answer. The edit is read back before it counts: not learned, or a kept answer moved, and it is refused whole.

    Exits with 1 when the edit is refused; the model is then as it was.

    \b
    Examples:
      errata edit add "what is the thing at the top left called?" --image scene.png --target mibo
      errata edit add "where does mibo live?" --target "in the harbor" --keep "what is 2 plus 2?" --author ann --reason "moved"
    """
    images = [picture(path) for path in image or ()]
    made = Edit(
        query=asked(question, images),
        target=words(target, "target"),
        also=tuple(asked(text, images) for text in also or ()),
        keep=tuple(asked(text, images) for text in keep or ()),
        reach=reach,
        subject=subject and words(subject, "subject"),
    )
    by = Provenance(words(author, "author"), words(reason, "reason"), words(ticket, "ticket"))

    def check(opened: Model) -> None:
        for query in (made.query, *made.also):
            opened.check(query, made.target)
        for query in made.keep:
            opened.check(query)

    with session_to_edit(Place(model, editor, device, dtype), store, branch, check) as session:
        receipt = session.edit(made, by)
    _show_receipt(receipt, as_json)
    if receipt.status == "refused":
        raise typer.Exit(REFUSED)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="One JSON record to a line; docs/reference/import-file.md has the fields.")],
    author: Author = "unknown",
    reason: Reason = "",
    ticket: Ticket = "",
    model: StoreModelName = None,
    editor: EditorName = None,
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Apply a file of corrections, one after another. Good records are kept; each bad line is named, and the exit code is then 3.

    The file is read as a stream. An edit that is in force already is passed over: an import that was interrupted can be run again.

    \b
    Examples:
      errata edit import corrections.jsonl
      errata edit import corrections.jsonl --author "night shift" --store corrections.db
    """
    default = Provenance(words(author, "author"), words(reason, "reason"), words(ticket, "ticket"))
    lines = read_lines(file, default)
    first = next(lines, None)  # before anything is loaded or made: is there such a file?
    size = max(1, file.stat().st_size)
    done: Counter[str] = Counter()
    if first is not None:
        place = Place(model, editor, device, dtype)
        with session_to_edit(place, store, branch, lambda opened: None) as session, watched("import") as progress:
            standing: set[str] = set(session.log.ids_in_force())
            for line in chain((first,), lines):
                done[_take(line, session, standing)] += 1
                progress(f"line {line.number}", line.read_bytes, size)
    counted = ", ".join(f"{done[what]} {what}" for what in ("applied", "refused", "passed over", "bad"))
    say(f"{file}: {counted}")
    if done["bad"]:
        raise typer.Exit(SOME_BAD)


@app.command("list")
def list_(
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
    as_json: AsJson = False,
) -> None:
    """List the edits in force, in the order in which they were applied.

    \b
    Examples:
      errata edit list
      errata edit list --json --branch trial
    """
    with log_to_read(store, branch) as log:
        applied = {entry.edit_id: entry for entry in log.find(kinds=_APPLIED)}
        entries = [applied[standing] for standing in log.ids_in_force()]
        if as_json:
            for entry in entries:
                say_json(
                    {
                        "edit": entry.edit_id,
                        "entry": entry.seq,
                        "time": entry.time,
                        **entry.by.to_json(),
                        "content": entry.body["edit"],
                    }
                )
            return
        rows = [((e.edit_id or "")[:SHORT], str(e.seq), e.time, e.by.author, summary(e)) for e in entries]
        table(("edit", "entry", "time", "author", "content"), rows, numbers=("entry",))
        note(f"{len(rows)} edits in force on branch {branch}")


@app.command()
def show(
    edit: Annotated[str, typer.Argument(help="The id, or its first digits (at least 6).")],
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
    as_json: AsJson = False,
) -> None:
    """Show one edit, in force or not, and every entry about it.

    \b
    Examples:
      errata edit show 3fa9c1
      errata edit show 3fa9c1 --json
    """
    with log_to_read(store, branch) as log:
        named = log.resolve(edit)
        entries = list(log.find(named))
        held = next((entry for entry in entries if entry.holds_edit), None)
        found = None if held is None else held.edit(lambda digest: Image(digest, b""))
        if as_json:
            say_json({"edit": named, "in_force": named in log.ids_in_force(), "entries": [entry.to_json() for entry in entries]})
            return
        fields({"edit": named, "in force": "yes" if named in log.ids_in_force() else "no", **_content(found)})
        for entry in entries:
            say("")
            say(f"entry {entry.seq}: {entry.kind}, {entry.time}, by {entry.by.author}")
            fields({"  reason": entry.by.reason, "  ticket": entry.by.ticket})
            fields({f"  {name}": value if isinstance(value, str) else str(value) for name, value in entry.details.items()})


@app.command()
def revert(
    edit: Annotated[str, typer.Argument(help="The id, or its first digits (at least 6).")],
    author: Author = "unknown",
    reason: Reason = "",
    ticket: Ticket = "",
    model: StoreModelName = None,
    editor: EditorName = None,
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Take one edit back. The model then answers as if it had never been made; the log keeps both entries.

    \b
    Examples:
      errata edit revert 3fa9c1
      errata edit revert 3fa9c1 --author ann --reason "was about another scene"
    """
    by = Provenance(words(author, "author"), words(reason, "reason"), words(ticket, "ticket"))
    with log_to_read(store, branch) as log:
        named = log.resolve(edit)
        if named not in log.ids_in_force():
            raise BadInput(
                f"The edit {named[:SHORT]} isn't in force, so there is nothing to take back. `errata edit list` shows what is."
            )
    with session_to_edit(Place(model, editor, device, dtype), store, branch, lambda opened: None) as session:
        receipt = session.revert(named, by)
    _show_receipt(receipt, as_json)


def _take(line: Line, session: Session, standing: set[str]) -> str:
    """Apply a line of an import, and add what is applied to the ids that stand; what became of it."""
    if isinstance(line.found, str):
        complain(f"line {line.number}: {line.found}")
        return "bad"
    made, by = line.found
    try:
        if made.id in standing:
            return "passed over"
        receipt = session.edit(made, by)
    except BadInput as error:
        complain(f"line {line.number}: {error}")
        return "bad"
    if receipt.status == "refused":
        note(f"line {line.number}: refused: {receipt.why}")
    else:
        standing.add(made.id)
    return receipt.status


def _show_receipt(receipt: Receipt, as_json: bool) -> None:
    if as_json:
        say_json(
            {
                "edit": receipt.edit,
                "status": receipt.status,
                "entry": receipt.seq,
                "why": receipt.why,
                "before": receipt.before,
                "after": receipt.after,
                "kept": list(receipt.kept),
                "telemetry": dict(receipt.telemetry),
                "write_ms": receipt.write_ms,
                "guard_ms": receipt.guard_ms,
            }
        )
        return
    kept = f"{sum(receipt.kept)} of {len(receipt.kept)} answers" if receipt.kept else ""
    fields(
        {
            receipt.status: f"edit {receipt.edit[:SHORT]}, entry {receipt.seq}",
            "why": receipt.why,
            "before": receipt.before,
            "after": receipt.after,
            "kept": kept,
            "time": f"write {receipt.write_ms:.0f} ms, read back {receipt.guard_ms:.0f} ms",
        }
    )


def _content(edit: Edit | None) -> Mapping[str, str]:
    if edit is None:
        return {}
    return {
        "question": _asked(edit.query),
        "target": edit.target,
        "also": "; ".join(map(_asked, edit.also)),
        "keep": "; ".join(map(_asked, edit.keep)),
        "reach": edit.reach,
        "subject": edit.subject or "",
        "valid until": edit.valid_until or "",
    }


def _asked(query: Query) -> str:
    images = ", ".join(image.digest[:SHORT] for image in query.images)
    return f"{query.text} [image {images}]" if images else query.text
