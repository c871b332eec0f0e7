"""`errata scope`: a rules file is checked, by itself, against the edits of a log, and against what the model answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from errata.cli._groups import grouped
from errata.cli._open import log_to_read, session_to_ask
from errata.cli._options import AsJson, Place
from errata.cli._print import SHORT, note, say, say_json, table, watched
from errata.core.counted import counted
from errata.core.rules import Breach, Expectation, Rules, said

Told = tuple[Expectation, Breach | None]

app = typer.Typer(help="Check the rules that say how far corrections may reach.", no_args_is_help=True)

BROKEN = 1
"""Exit code: a rule doesn't hold."""


@app.command()
@grouped
def check(
    rules: Annotated[Path, typer.Argument(help="The rules file; docs/reference/rules-file.md has its form.")],
    offline: Annotated[bool, typer.Option("--offline", help="Check the file and the ids of edits; ask no model.")] = False,
    place: Place = Place(),
    as_json: AsJson = False,
) -> None:
    """Check a rules file: its form; with a store, the edits it names, and whether its rules hold for the model as it answers now.

    Exits with 1 when a rule doesn't hold, and with 2 when the file can't be used: every mistake is told with its line.

    \b
    Examples:
      errata scope check rules.yaml
      errata scope check rules.yaml --store errata.db
      errata scope check rules.yaml --store errata.db --offline
    """
    from errata.session.rules_file import read_rules

    file = read_rules(rules)
    if not place.where.named:
        _tell_rules(file.rules, as_json)
        return
    with log_to_read(place.where) as log:
        held = file.resolved(log.resolve)
        idle = [one.edit for one in held.edits if one.edit not in log.ids_in_force()]
    for edit in idle:
        note(f"The edit {edit[:SHORT]} isn't in force: its rules bind nothing now.")
    if offline:
        _tell_rules(held, as_json)
        return
    from errata.session.audit import check_rules

    with session_to_ask(place) as session, watched("scope") as progress:
        told: list[Told] = []
        for one in check_rules(session, held):
            told.append(one)
            progress("expectations", len(told), len(told))
    _tell(told, as_json)
    if any(breach is not None for _, breach in told):
        raise typer.Exit(BROKEN)


def _tell_rules(held: Rules, as_json: bool) -> None:
    """What a file says, where nothing was asked."""
    sets = [held.branch, *(one.rules for one in held.edits)]
    must, must_not = sum(len(one.must) for one in sets), sum(len(one.must_not) for one in sets)
    never = sum(len(one.never) for one in sets)
    if as_json:
        say_json({"rules": held.digest, "edits": len(held.edits), "must": must, "must_not": must_not, "never": never})
        return
    say(
        f"The rules can be used: {must} must, {must_not} must not, {never} never; "
        f"rules for {counted(len(held.edits), 'single edit')}."
    )
    say(f"digest {held.digest}")


def _tell(told: Sequence[Told], as_json: bool) -> None:
    """Each expectation of the rules and whether it holds."""
    broken = sum(breach is not None for _, breach in told)
    if as_json:
        for one, breach in told:
            found = None if breach is None else breach.to_json()
            say_json({"holds": breach is None, "rule": one.rule, "of": one.of, "query": one.query.to_json(), "finding": found})
        say_json({"summary": {"holds": len(told) - broken, "broken": broken}})
        return
    rows = [(_whose(one), one.rule, said(one.query), "yes" if breach is None else "NO") for one, breach in told]
    table(("whose", "rule", "question", "holds"), rows)
    for one, breach in told:
        if breach is not None:
            say(f"{_whose(one)} {breach.sentence}")
    say(f"{len(told) - broken} of {len(told)} hold")


def _whose(one: Expectation) -> str:
    return "branch" if one.of is None else one.of[:SHORT]
