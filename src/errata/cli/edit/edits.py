"""`errata edit`: correct the model, see what was corrected, take a correction back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli import _through as through
from errata.cli._given import Pool, Recent, Rules, pool_for, recent_in, rules_for, until_of
from errata.cli._groups import grouped
from errata.cli._open import log_to_read, session_to_ask, session_to_edit, session_to_propose
from errata.cli._options import AsJson, By, Place, Turn, Where
from errata.cli._print import SHORT, fields, note, place, say, say_json
from errata.cli._server import Served, refused, server_for, server_named
from errata.cli.edit.receipts import REFUSED, show_receipt
from errata.cli.edit.telemetry import show_telemetry
from errata.cli.log.listed import Limit, Offset, Sizes, Which, paged, show_rows, sizes_in, status_json
from errata.core.errors import BadInput
from errata.core.given import asked, picture, words
from errata.core.images import Image
from errata.core.records import Edit, EditId, Query, Reach, instant
from errata.log import EditLog
from errata.log.listing import FATES, STANDING, Page, edits

if TYPE_CHECKING:
    from errata.core.model import Model
    from errata.core.rules import Rules as RuleBook
    from errata.session.receipts import Receipt
    from errata.session.session import Session

app = typer.Typer(help="Correct the model, list what was corrected, take a correction back.", no_args_is_help=True)

Also = Annotated[list[str] | None, typer.Option("--also", help="Another wording that must give the target too.")]
Keep = Annotated[list[str] | None, typer.Option("--keep", help="A question on the same picture whose answer must not move.")]
Subject = Annotated[str | None, typer.Option("--subject", help="What it is about, in words that hold without the picture.")]
Until = Annotated[str | None, typer.Option("--until", help="When it ends, in UTC: 2026-12-31 or 2026-12-31T18:00:00Z.")]


@app.command()
@grouped
def add(
    question: Annotated[str, typer.Argument(help="What the model is asked.")],
    target: Annotated[str, typer.Option("--target", help="The right answer.")],
    image: Annotated[list[Path] | None, typer.Option("--image", help="A picture; may be given several times.")] = None,
    also: Also = None,
    keep: Keep = None,
    subject: Subject = None,
    reach: Annotated[Reach, typer.Option("--reach", help="How far it is meant to go.")] = "open",
    until: Until = None,
    rules: Rules = None,
    recent: Recent = None,
    pool: Pool = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the receipt that it would have; change nothing.")] = False,
    propose: Annotated[bool, typer.Option("--propose", help="Keep it in the log for somebody to approve; don't apply it.")] = False,
    supersede: Annotated[
        list[str] | None, typer.Option("--supersede", help="An edit that it may take away: its id, or the first digits.")
    ] = None,
    key: Annotated[str, typer.Option("--key", help="Names this request: given again, nothing is done twice.")] = "",
    by: By = By(),
    turn: Turn = Turn(),
    served: Served = Served(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Correct one answer. The edit is read back before it counts, and refused whole where it isn't learned, a kept answer moved, or
    another correction would be taken away (--supersede lets it).

    Exits with 1 when the edit is refused; the model is then as it was.

    \b
    Examples:
      errata edit add "what is the thing at the top left called?" --image scene.png --target mibo
      errata edit add "where does mibo live?" --target "in the harbor" --keep "what is 2 plus 2?" --author ann --reason "moved"
      errata edit add "where does mibo live?" --target "in the harbor" --rules rules.yaml --recent asked.jsonl --dry-run
      errata edit add "where does mibo live?" --target "in the harbor" --until 2027-01-31 --propose
      errata edit add "where does mibo live?" --target "in the harbor" --editor scopeedit --pool asked.jsonl
    """
    _check_together(dry_run, propose, supersede)
    images = [picture(path) for path in image or ()]
    about, end = subject and words(subject, "subject"), until and until_of(until)
    other, kept = (tuple(asked(text, images) for text in texts or ()) for texts in (also, keep))
    made = Edit(asked(question, images), words(target, "target"), other, kept, reach, about, end)
    named, held, others = words(key, "key"), rules_for(rules), recent_in(recent)
    cannot = refused(place, rules=rules, recent=recent, pool=pool)
    server = server_for(place.where, served, refuses=cannot, writes=not dry_run, by=by)
    if server is not None:
        mode = "dry_run" if dry_run else "propose" if propose else "apply"
        receipt = through.give(server, made, mode=mode, supersede=supersede or (), by=by, key=named)
    else:
        ordinary = pool_for(pool, but=(made.query, *made.also))
        if dry_run:
            with session_to_ask(place, new_branch=True, pool=ordinary) as session:
                receipt = session.preview(made, rules=held, recent=others, supersede=_named(session, supersede))
        else:
            opened = (session_to_propose if propose else session_to_edit)(place, turn, partial(_check, made), pool=ordinary)
            with opened as session:
                receipt = _given(session, made, by, propose=propose, key=named, rules=held, supersede=supersede)
    show_receipt(receipt, as_json)
    if receipt.status in ("refused", "would refuse"):
        raise typer.Exit(REFUSED)


def _given(
    session: Session, made: Edit, by: By, *, propose: bool, key: str, rules: RuleBook | None, supersede: list[str] | None
) -> Receipt:
    """The correction proposed or applied."""
    if propose:
        from errata.session.proposals import propose as put_forward

        return put_forward(session, made, by.provenance, key=key, rules=rules)
    return session.edit(made, by.provenance, key=key, rules=rules, supersede=_named(session, supersede))


def _check_together(dry_run: bool, propose: bool, supersede: list[str] | None) -> None:
    """Whether these options can be given together."""
    if dry_run and propose:
        raise BadInput("--dry-run changes nothing and --propose writes an entry. Give one of them.")
    if propose and supersede:
        raise BadInput("A proposal can't say what it supersedes: who approves it sees what it would take away. Leave one out.")


@app.command()
@grouped
def approve(
    edit: Annotated[str, typer.Argument(help="The id of a proposed edit, or its first digits (at least 6).")],
    rules: Rules = None,
    by: By = By(),
    turn: Turn = Turn(),
    served: Served = Served(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Apply an edit that was proposed; it is guarded by what is true now. Where the branch asks for two people (errata log rule),
    its proposer can't.

    Exits with 1 when the edit is refused; the model is then as it was.

    \b
    Examples:
      errata edit approve 3fa9c1 --author bo --reason "checked with the curator"
    """
    given, held = by.provenance, rules_for(rules)
    server = server_for(place.where, served, refuses=refused(place, rules=rules), writes=True, by=by)
    if server is not None:
        receipt = through.one(server, edit, "approve", by)
    else:
        named = _waiting(edit, place.where, given.author)
        with session_to_edit(place, turn) as session:
            from errata.session.proposals import approve as apply

            receipt = apply(session, named, given, rules=held)
    show_receipt(receipt, as_json)
    if receipt.status == "refused":
        raise typer.Exit(REFUSED)


@app.command()
@grouped
def reject(
    edit: Annotated[str, typer.Argument(help="The id of a proposed edit, or its first digits (at least 6).")],
    by: By = By(),
    turn: Turn = Turn(),
    served: Served = Served(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Turn a proposed edit down; the log says who did and why.

    \b
    Examples:
      errata edit reject 3fa9c1 --author bo --reason "the picture shows another thing"
    """
    given = by.provenance
    server = server_for(place.where, served, refuses=refused(place), writes=True, by=by)
    if server is not None:
        receipt = through.one(server, edit, "reject", by)
    else:
        named = _waiting(edit, place.where)
        with session_to_edit(place, turn) as session:
            from errata.session.proposals import reject as turn_down

            receipt = turn_down(session, named, given)
    show_receipt(receipt, as_json)


@app.command("list")
@grouped
def list_(
    proposed: Annotated[bool, typer.Option("--proposed", help="Those that wait for approval: --status proposed.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="Whatever became of them; not only those in force.")] = False,
    which: Which = Which(),
    limit: Limit = None,
    offset: Offset = 0,
    served: Served = Served(),
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """List the edits in force in the order in which they were applied, or those that fit, whatever became of them.

    \b
    Examples:
      errata edit list
      errata edit list --proposed
      errata edit list --json --branch trial
      errata edit list --author ann --since 2026-11-01 --image scene.png
      errata edit list --status reverted --status superseded --text harbor
      errata edit list --all --limit 50 --offset 50
    """
    if sum((proposed, everything, bool(which.status))) > 1:
        raise BadInput("Say which edits in one way: --proposed, --all or --status.")
    fates = FATES if everything else ("proposed",) if proposed else which.status or STANDING
    which = replace(which.checked(), status=list(fates))
    what = "" if everything else " in force" if fates == STANDING else f" ({' or '.join(fates)})"
    server = server_named(where, served)
    if server is not None:
        page, sizes = through.page(server, which, limit=limit, offset=offset)
        _show_page(page, sizes, as_json, f"{paged(page, 'edit', offset)}{what} on branch {where.branch}")
        return
    with log_to_read(where) as log:
        page = edits(log, which.sought(log), limit=limit, offset=offset)
        _show_page(page, sizes_in(log), as_json, f"{paged(page, 'edit', offset)}{what} on branch {where.branch}")


def _show_page(page: Page, sizes: Sizes, as_json: bool, said: str) -> None:
    """Edits as a list, and how many of how many they are; or each as a JSON value."""
    if as_json:
        for one in page.rows:
            entry = one.entry
            told = {"edit": entry.edit_id, "entry": entry.seq, "time": entry.time, **entry.by.to_json()}
            say_json({**told, **status_json(one), "content": entry.body["edit"]})
        return
    show_rows(sizes, page.rows, kinds=False)
    note(said)


@app.command()
@grouped
def show(
    edit: Annotated[str, typer.Argument(help="The id, or its first digits (at least 6).")],
    where: Where = Where(),
    as_json: AsJson = False,
) -> None:
    """Show one edit, in force or not, and every entry about it.

    \b
    Examples:
      errata edit show 3fa9c1
      errata edit show 3fa9c1 --json
    """
    with log_to_read(where) as log:
        named = log.resolve(edit)
        entries = list(log.find(named))
        held = next((entry for entry in entries if entry.holds_edit), None)
        found = None if held is None else held.edit(lambda digest: Image(digest, b""))
        if as_json:
            say_json({"edit": named, "in_force": named in log.ids_in_force(), "entries": [entry.to_json() for entry in entries]})
            return
        standing = "no" if named not in log.ids_in_force() else "its time is over" if named in _over(log) else "yes"
        fields({"edit": named, "in force": standing, **_content(found)})
        for entry in entries:
            say("")
            say(f"entry {entry.seq}: {entry.kind}, {entry.time}, by {entry.by.author}")
            fields({"  reason": entry.by.reason, "  ticket": entry.by.ticket})
            told = entry.details.get("telemetry")
            rest = {name: entry.details[name] for name in sorted(entry.details, key=place) if name != "telemetry"}
            fields({f"  {name}": value if isinstance(value, str) else str(value) for name, value in rest.items()})
            if isinstance(told, Mapping) and told:
                say("  what the write did:")
                show_telemetry(told)


def _over(log: EditLog) -> frozenset[EditId]:
    """The edits in force whose time is over: they speak no more, and the next command that writes says so in the log."""
    now = datetime.now(UTC)
    return frozenset(edit for edit, end in log.ending().items() if instant(end) <= now)


def _waiting(edit: str, where: Where, approver: str | None = None) -> EditId:
    """The proposed edit that is meant, before a model is loaded, and whether this one may approve it."""
    with log_to_read(where) as log:
        named = log.resolve(edit)
        if named not in log.proposed():
            raise BadInput(f"The edit {named[:SHORT]} doesn't wait for approval. `errata edit list --proposed` shows what does.")
        if approver is not None:
            log.check_alone("approved", named, approver)
    return named


def _named(session: Session, edits: list[str] | None) -> list[EditId]:
    return [session.log.resolve(each) for each in edits or ()]


def _check(made: Edit, opened: Model) -> None:
    """Whether a correction can be put to a model, before a store is made for it."""
    for query in (made.query, *made.also):
        opened.check(query, made.target)
    for query in made.keep:
        opened.check(query)
    for query in (made.query, *made.also, *made.keep):
        opened.check_read(query)


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
