"""`errata rebase`: the corrections of a branch, put to a new base model."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import check_device, held_by, log_to_read, model_at, tools_at
from errata.cli._options import DEFAULT_EDITOR, AsJson, By, Device, Dtype, Turn, Where
from errata.cli._print import SHORT, note, say, say_json, table, watched
from errata.core.catalogue import check_named
from errata.log import EditLog, MemoryStore, open_store

if TYPE_CHECKING:
    from errata.session.rebase import Rebased

FAILED = 1
"""Exit code: an edit couldn't be carried over."""


@grouped
def rebase(
    model: Annotated[str, typer.Option("--model", help="The new model: shipped name, checkpoint folder, hub id or upstream:NAME.")],
    onto: Annotated[str, typer.Option("--onto", help="The new branch; nothing may be on it.")],
    editor: Annotated[
        str | None, typer.Option("--editor", help="NAME, NAME:FIELD=VALUE,... or FILE.py:CLASS. Not given: the old branch's own.")
    ] = None,
    rules: Annotated[Path | None, typer.Option("--rules", help="A rules file that the edits must pass on the new model.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of each edit; no store is changed.")] = False,
    by: By = By(),
    turn: Turn = Turn(),
    where: Where = Where(),
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Put the edits in force of a branch to a new base model, onto a new branch; the old one stays as it is.

    An edit that the new model gives by itself is dropped. Each of the others is read back as when it was made; one that is refused
    is named with the reason, and the exit code is then 1. A rebase that was interrupted goes on when it is run again.

    \b
    Examples:
      errata rebase --model models/new --onto new-model --dry-run
      errata rebase --model models/new --onto new-model --author ann --reason "new base model"
      errata rebase --model models/new --onto new-model --editor scopeedit:rank_local=32 --rules rules.yaml --json
    """
    given = by.provenance
    check_device(device)
    if editor is not None:
        check_named(editor)
    from errata.session.rules_file import read_rules

    file = None if rules is None else read_rules(rules)
    from errata.editors import parse
    from errata.models.upstream.weightless import check_weightless
    from errata.session.beginnings import as_recorded, recorded_editor
    from errata.session.ready import equipped
    from errata.session.rebase import check_rebase, session_onto
    from errata.session.rebase import rebase as put_again

    with log_to_read(where) as old:  # before a model is loaded: can it be done at all?
        held = None if file is None else file.resolved(old.resolve)
        check_rebase(old, old.on(onto))
        asked = editor or recorded_editor(old.on(onto)) or recorded_editor(old) or DEFAULT_EDITOR
        parsed = parse(asked) if editor else as_recorded(old.on(onto), parse(asked))  # a wrong one is told before a model is loaded
        loaded = model_at(model, device=device, dtype=dtype)
        parsed = equipped(parsed, tools_at(device=device, dtype=dtype, decoder=old.on(onto).decoder))
        check_weightless(loaded, parsed, asked)
        if dry_run:
            session = session_onto(loaded, parsed, old=old, new=EditLog(MemoryStore(), onto), asked=asked)
            with watched("rebase") as progress:
                done = put_again(session, old, given, rules=held, progress=progress)
    if not dry_run:
        with closing(open_store(where.at)) as opened, held_by(opened, onto, turn) as kept, watched("rebase") as progress:
            old = EditLog(opened, where.branch)
            session = session_onto(loaded, parsed, old=old, new=EditLog(kept, onto), asked=asked)
            done = put_again(session, old, given, rules=held, progress=progress)
    _tell(done, onto, as_json=as_json, dry_run=dry_run)
    if done.those("failed") or done.those("lost"):
        raise typer.Exit(FAILED)


def _tell(done: Rebased, onto: str, *, as_json: bool, dry_run: bool) -> None:
    """A line for each edit, and the counts."""
    counts = {fate: len(done.those(fate)) for fate in ("carried", "dropped", "failed", "lost")}
    if as_json:
        for one in done.edits:
            say_json(one.to_json())
        say_json({"summary": counts, "head": done.old, "onto": onto, "dry_run": dry_run})
        return
    rows = [(one.edit[:SHORT], one.fate, " ".join(one.question.split()), one.target, one.unedited, one.why) for one in done.edits]
    if rows:
        table(("edit", "fate", "question", "target", "new model alone", "why"), rows)
    say(", ".join(f"{count} {fate}" for fate, count in counts.items() if count or fate != "lost"))
    if dry_run:
        note("Nothing was changed: this is what a rebase would do.")
        return
    if counts["failed"]:
        note(f"What failed is on branch {onto} as refused. Word it anew for this model: errata edit add --branch {onto}")
    if counts["lost"]:
        note(f"What was lost is in force on branch {onto} and isn't given: errata audit --branch {onto} names what took it away.")
