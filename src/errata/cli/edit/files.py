"""`errata edit import` and `errata edit export`: corrections in files, in the formats that people have them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from errata.cli._given import Pool, Rules, pool_for, rules_for
from errata.cli._groups import grouped
from errata.cli._open import log_to_read, session_to_edit
from errata.cli._options import By, Place, Turn, Where
from errata.cli._print import complain, note, say, watched
from errata.cli.edit.receipts import UNPROTECTED
from errata.core.counted import counted
from errata.core.records import Provenance
from errata.log.conflicts import Conflicts, Disagreement
from errata.log.exports import chosen_of, held_by
from errata.log.formats import Exportable, Format, Line, Options, digest_of_file, read, settled, write, written_as

if TYPE_CHECKING:
    from errata.core.rules import Rules as RuleBook
    from errata.session.imports import Import
    from errata.session.session import Session

SOME_BAD = 3
"""Exit code: an import met bad records, or an export edits that it couldn't write."""

FormatName = Annotated[Format | None, typer.Option("--format", help="Not given: told from what is in the file.")]


@grouped
def import_(
    file: Annotated[
        Path, typer.Argument(help="Corrections in one of the formats; docs/reference/import-file.md has their fields.")
    ],
    format: FormatName = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="The folder where paths of pictures begin. Not given: the file's own.")
    ] = None,
    with_locality: Annotated[
        bool,
        typer.Option(
            "--with-locality", help="Make the locality probes of an EasyEdit or ROME data set queries that must not move."
        ),
    ] = False,
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="FIELD", help="Pass over a field that isn't known; say it again for others."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Put at most so many corrections to the model; the next run goes on.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read and count: no model, no store.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Put what an earlier run refused to the model again.")] = False,
    rules: Rules = None,
    pool: Pool = None,
    by: By = By(),
    turn: Turn = Turn(),
    place: Place = Place(),
) -> None:
    """Apply a file of corrections, one after another. Good records are kept; each bad one is named, and the exit code is then 3.

    The file is read as a stream. An import that was interrupted can be run again: what it applied or refused is passed over without
    asking the model, and so is an edit that is in force already. A record with a field that isn't known and could be a part of what
    was asked is bad; --ignore passes the field over. Two authors who answer the same question differently are named.

    \b
    Examples:
      errata edit import corrections.jsonl
      errata edit import corrections.csv --author "night shift" --store corrections.db
      errata edit import vqa_eval.json --format easyedit --images data/images --limit 10
      errata edit import corrected.jsonl --format langfuse --dry-run
      errata edit import tasks.json --images uploads --ignore filename
      errata edit import corrections.csv --editor scopeedit --pool ordinary.txt
    """
    default = by.provenance
    known = settled(file, format)
    lines = read(file, known, Options(images, default, with_locality, ignore or ()))
    first = next(lines, None)  # before anything is loaded or made: is there such a file, and a correction in it?
    if first is None:
        say(f"{file}: no corrections ({known})")
        return
    if dry_run:
        _count(file, known, chain((first,), lines), limit)
        return
    how = _How(limit, retry, rules_for(rules), default)
    with session_to_edit(place, turn, pool=pool_for(pool)) as session:
        run = _applied(session, file, known, chain((first,), lines), how)
    if run.done["bad"]:
        raise typer.Exit(SOME_BAD)


class _How(NamedTuple):
    """How an import is done."""

    limit: int | None
    retry: bool
    rules: RuleBook | None
    by: Provenance


def _applied(session: Session, file: Path, format: Format, lines: Iterator[Line], how: _How) -> Import:
    """The import of a file, done."""
    from errata.session.imports import OUTCOMES, Import
    from errata.session.pools import unprotected

    size = max(1, file.stat().st_size)
    digest = digest_of_file(file)
    with watched("import") as progress:
        run = Import(session, digest, limit=how.limit, retry=how.retry, rules=how.rules, bad=complain, refused=note)
        for line in lines:
            if not run.take(line):
                break
            progress(line.place, line.read_bytes, size)
        run.finish(file, format, how.by)
    say(f"{file}: {_said(run.done, OUTCOMES)}")
    _say_conflicts(run.conflicts)
    if unprotected(session.log, session.editor):
        note(f"protected: {UNPROTECTED}")
    if run.full:
        note(f"Stopped after {counted(how.limit or 0, 'correction')}, as --limit says. Run it again to go on.")
    return run


@grouped
def export(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[
        Exportable | None, typer.Option("--format", help="Only jsonl holds everything. Not given: told from the file's ending.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every edit that was ever applied, not only those in force.")] = False,
    images: Annotated[
        Path | None, typer.Option("--images", help="The folder for the pictures. Not given: one beside the file, named after it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    where: Where = Where(),
) -> None:
    """Write the edits in force to a file, and their pictures as files named by digest. JSONL imported again gives the same edits.

    What a format can't hold is counted on standard error. Exits with 3 when a picture of an edit is gone; the others are written.

    \b
    Examples:
      errata edit export corrections.jsonl
      errata edit export corrections.csv --all
      errata edit export scores.jsonl --format langfuse --images pictures --force
    """
    known = written_as(file, format)
    with log_to_read(where) as log:
        frozen = log.at(len(log))  # a table is gone through twice, and the log may grow meanwhile
        chosen, missing = chosen_of(frozen, everything)
        for why in missing:
            complain(why)
        written = write(file, known, lambda: held_by(frozen, chosen), images=images, force=force)
    say(f"{file}: {counted(written.edits, 'edit')}, {counted(written.images, 'picture')}")
    for what, count in written.losses.items():
        note(f"{known} has no place for: {what} ({count} of {counted(len(chosen), 'edit')})")
    if missing:
        raise typer.Exit(SOME_BAD)


def _count(file: Path, format: Format, lines: Iterator[Line], limit: int | None) -> None:
    done: Counter[str] = Counter()
    now, heard = datetime.now(UTC), Conflicts()
    for line in lines:
        heard.hear(line)
        why = line.found if isinstance(line.found, str) else line.found[0].over(now)
        if why:
            complain(f"{line.place}: {why}")
        done["bad" if why else "good"] += 1
        if limit is not None and done["good"] >= limit:
            break
    say(f"{file}: {_said(done, ('good', 'bad'))} ({format}); nothing was changed")
    _say_conflicts(heard.found)
    if done["bad"]:
        raise typer.Exit(SOME_BAD)


def _say_conflicts(found: Sequence[Disagreement]) -> None:
    """Where authors of one file contradict each other."""
    if found:
        count = f"{len(found)} conflict{'' if len(found) == 1 else 's'}"
        say(f"{count} between authors; a later answer takes the place of an earlier one:")
    for one in found:
        say(f"  {one.sentence}")


def _said(done: Counter[str], names: tuple[str, ...]) -> str:
    return ", ".join(f"{done[name]} {name}" for name in names)
