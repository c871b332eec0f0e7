"""`errata edit revert` and `errata edit restore`: take edits back, one or many, and bring one back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli import _through as through
from errata.cli._given import Rules, recent_in, rules_for
from errata.cli._groups import grouped
from errata.cli._open import log_to_read, session_to_ask, session_to_edit
from errata.cli._options import AsJson, By, Place, Turn
from errata.cli._print import SHORT, say, say_json, table
from errata.cli._server import Served, Server, refused, server_for
from errata.cli.edit.receipts import FEW, REFUSED, show_moved, show_receipt, show_receipts
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import BadImage, BadInput, quoted
from errata.core.given import words
from errata.core.records import EditId, Query

if TYPE_CHECKING:
    from errata.log import EditLog
    from errata.session.receipts import Returned
    from errata.session.session import Session

_ASKED = 200
"""Edits in force whose questions a dry run asks; the newest."""


@grouped
def revert(
    edits: Annotated[list[str] | None, typer.Argument(help="Ids, or their first digits (at least 6).")] = None,
    entries: Annotated[str, typer.Option("--entries", help="Those that the entries FIRST-LAST applied, such as 5-9.")] = "",
    to: Annotated[
        str, typer.Option("--to", help="Back to the state after this point: an entry's number, an alias, or a time in UTC.")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show which answers would change; change nothing.")] = False,
    recent: Annotated[
        Path | None, typer.Option("--recent", help="A file of recent questions to ask too (errata ask --remember FILE).")
    ] = None,
    by: By = By(),
    turn: Turn = Turn(),
    served: Served = Served(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Take edits back. The model then answers as if they had never been made; the log keeps every entry.

    The receipt says how: forgotten exactly where the editor can, else replayed from the last snapshot before.
    A dry run asks the questions of the newest 200 edits in force and says which answers change.

    \b
    Examples:
      errata edit revert 3fa9c1
      errata edit revert 3fa9c1 --dry-run
      errata edit revert --entries 5-9 --author ann --reason "a bad import"
      errata edit revert --to 2026-11-24T18:00:00Z --reason "before the night shift"
    """
    if sum((bool(edits), bool(entries), bool(to))) != 1:
        raise BadInput("Say what to take back in one way: ids, --entries FIRST-LAST, or --to POINT.")
    given, others = by.provenance, recent_in(recent)
    server = server_for(place.where, served, refuses=refused(place, recent=recent), writes=not dry_run, by=by)
    if server is not None:
        _revert_there(server, by, dry_run=dry_run, as_json=as_json, edits=list(edits or ()), entries=entries, to=to)
        return
    with log_to_read(place.where) as log:  # before a model is loaded: is there such a thing to take back?
        named = _named(log, edits or (), entries)
        point = log.point(words(to, "point")) if to else None
    opened = session_to_ask(place) if dry_run else session_to_edit(place, turn)
    with opened as session:
        asked = [*_questions(session), *others] if dry_run else others
        if point is None:
            show_receipts(session.withdraw("reverted", named, given, dry_run=dry_run, others=asked), as_json)
            return
        from errata.session.takeback import to_point

        _show_return(to_point(session, point, given, dry_run=dry_run, others=asked), as_json, dry_run)


@grouped
def restore(
    edit: Annotated[str, typer.Argument(help="The id, or its first digits (at least 6).")],
    rules: Rules = None,
    by: By = By(),
    turn: Turn = Turn(),
    served: Served = Served(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Apply an edit again that was in force once: reverted, superseded, quarantined. It is guarded by what is true now.

    Exits with 1 when the edit is refused; the model is then as it was.

    \b
    Examples:
      errata edit restore 3fa9c1
      errata edit restore 3fa9c1 --author bo --reason "the first one was right"
    """
    given, held = by.provenance, rules_for(rules)
    server = server_for(place.where, served, refuses=refused(place, rules=rules), writes=True, by=by)
    if server is not None:
        receipt = through.one(server, edit, "restore", by)
    else:
        with log_to_read(place.where) as log:  # before a model is loaded: is there such an edit?
            named = log.resolve(edit)
            if named in log.ids_in_force():
                raise BadInput(f"The edit {named[:SHORT]} is in force, so there is nothing to restore. Nothing was changed.")
        with session_to_edit(place, turn) as session:
            from errata.session.takeback import restore as put_back

            receipt = put_back(session, named, given, rules=held)
    show_receipt(receipt, as_json)
    if receipt.status == "refused":
        raise typer.Exit(REFUSED)


def _revert_there(server: Server, by: By, *, dry_run: bool, as_json: bool, **which: JSON) -> None:
    """The same by a server that has the model open."""
    found = through.reverted(server, by, dry_run=dry_run, **which)
    if found["object"] == "list":
        show_receipts([through.receipt_of(one) for one in found["data"]], as_json)
    else:
        _show_return(through.returned_of(found), as_json, dry_run)


def _named(log: EditLog, edits: Sequence[str], entries: str) -> tuple[EditId, ...]:
    """The edits that are meant, each in force."""
    standing = log.ids_in_force()
    if entries:
        found = re.fullmatch(r"(\d{1,18})(?:-(\d{1,18}))?", entries.strip())
        if found is None:
            raise BadInput(f"{quoted(entries)} names no entries. Write FIRST-LAST, such as 5-9.")
        first, last = int(found[1]), int(found[2] or found[1])
        return log.applied_between(first, last)
    named = tuple(log.resolve(edit) for edit in edits)
    for edit in named:
        if edit not in standing:
            raise BadInput(
                f"The edit {edit[:SHORT]} isn't in force, so there is nothing to take back. `errata edit list` shows what is."
            )
    return named


def _questions(session: Session) -> list[Query]:
    """The questions of the newest edits in force."""
    found = []
    for edit in session.standing()[-_ASKED:]:
        with suppress(BadImage):  # an edit whose image was erased with its effect kept can't be asked any more
            found.append(session.log.edit(edit).query)
    return found


def _show_return(done: Returned, as_json: bool, dry_run: bool) -> None:
    answers = list({edit: (edit, one) for edit, one in zip((*done.out, *done.back), done.own, strict=True)}.values())
    if as_json:
        say_json(
            {
                "to": done.seq,
                "done": not dry_run,
                "reverted": list(done.out),
                "applied": list(done.back),
                "answers": [{"edit": edit, **one.to_json()} for edit, one in answers],
                "moved": [one.to_json() for one in done.moved],
                "asked": done.asked,
            }
        )
        return
    verbs = ("would be taken back", "would be applied again") if dry_run else ("taken back", "applied again")
    say(f"to entry {done.seq}: {counted(len(done.out), 'edit')} {verbs[0]}, {len(done.back)} {verbs[1]}")
    rows = [(edit[:SHORT], _became(edit, done), one.query, one.before, one.after) for edit, one in answers]
    table(("edit", "becomes" if dry_run else "became", "question", "before", "after"), rows[:FEW])
    if len(rows) > FEW:
        say(f"and {len(rows) - FEW} more; --json shows each")
    show_moved(done.moved, done.asked)


def _became(edit: EditId, done: Returned) -> str:
    """What going back makes of an edit; one that is taken back and applied again only takes its old place."""
    if edit in done.out and edit in done.back:
        return "replayed"
    return "taken back" if edit in done.out else "applied again"
