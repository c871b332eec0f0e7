"""`errata audit`: every edit in force is asked again, and what faded or leaks is told, to a person or to a scheduled job."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import log_to_read, session_to_ask, session_to_edit
from errata.cli._options import AsJson, By, Place, Turn
from errata.cli._print import SHORT, note, say, say_json, table, watched
from errata.core.records import EditId
from errata.core.rules import NO_RULES

if TYPE_CHECKING:
    from errata.session.audit import Audit
    from errata.session.session import Session

FOUND = 1
"""Exit code: something faded or leaks, or a rule of the branch doesn't hold."""


@grouped
def audit(
    rules: Annotated[Path | None, typer.Option("--rules", help="A rules file; docs/reference/rules-file.md has its form.")] = None,
    quarantine: Annotated[
        bool,
        typer.Option("--quarantine", help="Take out of force what leaks, silences another edit, or faded by itself."),
    ] = False,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Only the newest so many edits.")] = None,
    by: By = By(),
    turn: Turn = Turn(),
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Ask every edit in force again, with its wordings, its `keep` and its rules: holds, obsolete, faded, leaks.

    Exits with 1 when something faded or leaks. Nothing is written to the log, but for what `--quarantine` takes out of force.

    \b
    Examples:
      errata audit
      errata audit --rules rules.yaml --json
      errata audit --rules rules.yaml --quarantine --author nightly --reason "faded or leaks"
    """
    from errata.session.rules_file import read_rules

    given, file = by.provenance, None if rules is None else read_rules(rules)
    with log_to_read(place.where) as log:  # before a model is loaded: is there such a branch, and such edits?
        held, known = NO_RULES if file is None else file.resolved(log.resolve), len(log) > 0
    with _session(place, turn, to_edit=quarantine and known) as session, watched("audit") as progress:
        from errata.session.audit import audit as audit_session
        from errata.session.audit import quarantine as withdraw

        found = audit_session(session, rules=held, limit=limit, progress=progress)
        taken = withdraw(session, found, given) if quarantine else ()
    if as_json:
        _tell_json(found, taken)
    else:
        _tell(found, taken)
    if not found.clean:
        raise typer.Exit(FOUND)


def _session(place: Place, turn: Turn, *, to_edit: bool) -> AbstractContextManager[Session]:
    """The session of the store: for reading alone unless something may be taken out of force."""
    if to_edit:
        return session_to_edit(place, turn)
    return session_to_ask(place)


def _tell_json(found: Audit, taken: tuple[EditId, ...]) -> None:
    """A line for each edit, and a last one for the whole."""
    for one in found.edits:
        say_json({**one.to_json(), "quarantined": one.edit in taken})
    say_json(
        {
            "summary": {str(verdict): count for verdict, count in found.counts.items()},
            "clean": found.clean,
            "leak_checks": found.leak_checks,
            "branch": [breach.to_json() for breach in found.branch],
            "head": found.head,
            "rules": found.rules,
            "quarantined": list(taken),
        }
    )


def _tell(found: Audit, taken: tuple[EditId, ...]) -> None:
    """What doesn't hold, each with its findings, and the counts."""
    rows = [
        (one.edit[:SHORT], one.verdict, " ".join(one.question.split()), one.target, one.before, one.now)
        for one in found.edits
        if one.verdict != "holds"
    ]
    if rows:
        table(("edit", "verdict", "question", "target", "unedited", "now"), rows)
    for one in found.edits:
        for breach in one.breaches:
            whose = breach.expectation.of
            rule = "" if whose in (None, one.edit) else f" (a rule of edit {str(whose)[:SHORT]})"
            say(f"{one.edit[:SHORT]} {breach.sentence}{rule}")
    for breach in found.branch:
        by = "" if breach.culprit is None else f" (since edit {breach.culprit[:SHORT]})"
        say(f"branch {breach.sentence}{by}")
    for edit in taken:
        say(f"quarantined: edit {edit[:SHORT]}")
    unguarded = found.leak_checks == 0
    counts = {verdict: f"{count} {verdict}" for verdict, count in found.counts.items()}
    if unguarded:
        counts["leaks"] = "no leak checks defined"
    say(", ".join(counts.values()))
    if unguarded and found.edits:
        note("Nothing says what must stay: give corrections a `keep`, or rules (--rules), and the audit looks for leaks.")
    if taken:
        return
    for one in found.bad:
        if one.silenced_by:
            named = " ".join(edit[:SHORT] for edit in one.silenced_by)
            note(f"{one.edit[:SHORT]} was silenced by {named}. To have it back: errata edit revert {named}")
    if found.bad:
        note("--quarantine takes out of force what leaks, what silenced another edit, and what faded by itself.")
