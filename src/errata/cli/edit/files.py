"""`errata edit import` and `errata edit export`: corrections in files, in the formats that people have them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._given import Pool, Rules, pool_for, rules_for
from errata.cli._groups import grouped
from errata.cli._open import log_to_read, session_to_edit
from errata.cli._options import By, Place, Where
from errata.cli._print import complain, note, say, watched
from errata.cli.edit.receipts import UNPROTECTED
from errata.log.exports import chosen_of, held_by
from errata.log.formats import Format, Line, Options, digest_of_file, guess, read, write

if TYPE_CHECKING:
    from errata.session.session import Session

SOME_BAD = 3
"""Exit code: an import met bad records, or an export edits that it couldn't write."""

FormatName = Annotated[Format | None, typer.Option("--format", help="Not given: told from the file's name and its beginning.")]


@grouped
def import_(
    file: Annotated[Path, typer.Argument(help="JSONL, CSV, Langfuse or EasyEdit; docs/reference/import-file.md has the fields.")],
    format: FormatName = None,
    images: Annotated[
        Path | None, typer.Option("--images", help="The folder where paths of pictures begin. Not given: the file's own.")
    ] = None,
    with_locality: Annotated[
        bool, typer.Option("--with-locality", help="Make the locality probes of an EasyEdit data set queries that must not move.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="Put at most so many corrections to the model; the next run goes on.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read and count: no model, no store.")] = False,
    retry: Annotated[bool, typer.Option("--retry", help="Put what an earlier run refused to the model again.")] = False,
    rules: Rules = None,
    pool: Pool = None,
    by: By = By(),
    place: Place = Place(),
) -> None:
    """Apply a file of corrections, one after another. Good records are kept; each bad one is named, and the exit code is then 3.

    The file is read as a stream. An import that was interrupted can be run again: what it applied or refused is passed over without
    asking the model, and so is an edit that is in force already.

    \b
    Examples:
      errata edit import corrections.jsonl
      errata edit import corrections.csv --author "night shift" --store corrections.db
      errata edit import vqa_eval.json --format easyedit --images data/images --limit 10
      errata edit import corrected.jsonl --format langfuse --dry-run
      errata edit import corrections.csv --editor scopeedit --pool ordinary.txt
    """
    default = by.provenance
    known = format or guess(file)
    lines = read(file, known, Options(images, default, with_locality))
    first = next(lines, None)  # before anything is loaded or made: is there such a file, and a correction in it?
    if first is None:
        say(f"{file}: no corrections ({known})")
        return
    if dry_run:
        _count(file, known, chain((first,), lines), limit)
        return
    digest, held, ordinary = digest_of_file(file), rules_for(rules), pool_for(pool)
    with session_to_edit(place, pool=ordinary) as session, watched("import") as progress:
        from errata.session.imports import OUTCOMES, Import

        size = max(1, file.stat().st_size)
        run = Import(session, digest, limit=limit, retry=retry, rules=held, bad=complain, refused=note)
        for line in chain((first,), lines):
            if not run.take(line):
                break
            progress(line.place, line.read_bytes, size)
        run.finish(file, known, default)
        _tell_bare(session)
    say(f"{file}: {_said(run.done, OUTCOMES)}")
    if run.full:
        note(f"Stopped after {limit} corrections, as --limit says. Run it again to go on.")
    if run.done["bad"]:
        raise typer.Exit(SOME_BAD)


@grouped
def export(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[Format, typer.Option("--format", help="Only jsonl holds everything.")] = "jsonl",
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
      errata edit export corrections.csv --format csv --all
      errata edit export scores.jsonl --format langfuse --images pictures --force
    """
    with log_to_read(where) as log:
        frozen = log.at(len(log))  # a table is gone through twice, and the log may grow meanwhile
        chosen, missing = chosen_of(frozen, everything)
        for why in missing:
            complain(why)
        written = write(file, format, lambda: held_by(frozen, chosen), images=images, force=force)
    say(f"{file}: {written.edits} edits, {written.images} pictures")
    for what, count in written.losses.items():
        note(f"{format} has no place for: {what} ({count} of {len(chosen)} edits)")
    if missing:
        raise typer.Exit(SOME_BAD)


def _tell_bare(session: Session) -> None:
    from errata.session.pools import unprotected

    if unprotected(session.log, session.editor):
        note(f"protected: {UNPROTECTED}")


def _count(file: Path, format: Format, lines: Iterator[Line], limit: int | None) -> None:
    done: Counter[str] = Counter()
    for line in lines:
        if isinstance(line.found, str):
            complain(f"{line.place}: {line.found}")
        done["bad" if isinstance(line.found, str) else "good"] += 1
        if limit is not None and done["good"] >= limit:
            break
    say(f"{file}: {_said(done, ('good', 'bad'))} ({format}); nothing was changed")
    if done["bad"]:
        raise typer.Exit(SOME_BAD)


def _said(done: Counter[str], names: tuple[str, ...]) -> str:
    return ", ".join(f"{done[name]} {name}" for name in names)
