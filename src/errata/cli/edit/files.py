"""`errata edit import` and `errata edit export`: corrections in files, in the formats that people have them in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from errata.cli._given import Rules, rules_for
from errata.cli._open import Place, log_to_read, session_to_edit
from errata.cli._options import (
    DEFAULT_STORE,
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
from errata.cli._print import SHORT, complain, note, say, watched
from errata.core.errors import BadImage, BadInput
from errata.core.given import given_by
from errata.core.records import EditId, Provenance
from errata.log import EditLog, Kind
from errata.log.formats import Exported, Format, Line, Options, digest_of_file, guess, read, write

if TYPE_CHECKING:
    from errata.core.rules import Rules as RulesValue
    from errata.session.session import Session

SOME_BAD = 3
"""Exit code: an import met bad records, or an export edits that it couldn't write."""

_GIVING: tuple[Kind, ...] = ("proposed", "applied")
"""The kinds of entries with which an edit comes into a log."""

FormatName = Annotated[Format | None, typer.Option("--format", help="Not given: told from the file's name and its beginning.")]


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
    """Apply a file of corrections, one after another. Good records are kept; each bad one is named, and the exit code is then 3.

    The file is read as a stream. An import that was interrupted can be run again: what it applied or refused is passed over without
    asking the model, and so is an edit that is in force already.

    \b
    Examples:
      errata edit import corrections.jsonl
      errata edit import corrections.csv --author "night shift" --store corrections.db
      errata edit import vqa_eval.json --format easyedit --images data/images --limit 10
      errata edit import corrected.jsonl --format langfuse --dry-run
    """
    default = given_by(author, reason, ticket)
    known = format or guess(file)
    lines = read(file, known, Options(images, default, with_locality))
    first = next(lines, None)  # before anything is loaded or made: is there such a file, and a correction in it?
    if first is None:
        say(f"{file}: no corrections ({known})")
        return
    if dry_run:
        _count(file, known, chain((first,), lines), limit)
        return
    digest, held, place = digest_of_file(file), rules_for(rules), Place(model, editor, device, dtype)
    with session_to_edit(place, store, branch, lambda opened: None) as session, watched("import") as progress:
        size, run = max(1, file.stat().st_size), _Run(session, digest, limit=limit, retry=retry, rules=held)
        for line in chain((first,), lines):
            if not run.take(line):
                break
            progress(line.place, line.read_bytes, size)
        run.finish(file, known, default)
    say(f"{file}: {_said(run.done, _OUTCOMES)}")
    if run.full:
        note(f"Stopped after {limit} corrections, as --limit says. Run it again to go on.")
    if run.done["bad"]:
        raise typer.Exit(SOME_BAD)


def export(
    file: Annotated[Path, typer.Argument(help="The file to write.")],
    format: Annotated[Format, typer.Option("--format", help="Only jsonl holds everything.")] = "jsonl",
    everything: Annotated[bool, typer.Option("--all", help="Every edit that was ever applied, not only those in force.")] = False,
    images: Annotated[
        Path | None, typer.Option("--images", help="The folder for the pictures. Not given: one beside the file, named after it.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    store: Store = DEFAULT_STORE,
    branch: Branch = "main",
) -> None:
    """Write the edits in force to a file, and their pictures as files named by digest. JSONL imported again gives the same edits.

    What a format can't hold is counted on standard error. Exits with 3 when a picture of an edit is gone; the others are written.

    \b
    Examples:
      errata edit export corrections.jsonl
      errata edit export corrections.csv --format csv --all
      errata edit export scores.jsonl --format langfuse --images pictures --force
    """
    with log_to_read(store, branch) as log:
        frozen = log.at(len(log))  # a table is gone through twice, and the log may grow meanwhile
        chosen, missing = _chosen(frozen, everything)
        for why in missing:
            complain(why)
        written = write(file, format, lambda: _held(frozen, chosen), images=images, force=force)
    say(f"{file}: {written.edits} edits, {written.images} pictures")
    for what, count in written.losses.items():
        note(f"{format} has no place for: {what} ({count} of {len(chosen)} edits)")
    if missing:
        raise typer.Exit(SOME_BAD)


_OUTCOMES = ("applied", "refused", "passed over", "bad")


class _Run:
    """One run of an import: what became of each line, and what is passed over because an earlier run did it."""

    def __init__(self, session: Session, digest: str, *, limit: int | None, retry: bool, rules: RulesValue | None) -> None:
        self._session = session
        self._digest = digest
        self._limit = limit
        self._retry = retry
        self._rules = rules
        self._standing = set(session.log.ids_in_force())
        self._seen = 0
        self.done: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """As many corrections were put to the model as there may be."""
        return self._limit is not None and self.done["applied"] + self.done["refused"] >= self._limit

    def take(self, line: Line) -> bool:
        """Apply a line; False, and nothing is done, where there may be no more."""
        if self.full:
            return False
        self._seen += 1
        self.done[self._outcome(line)] += 1
        return True

    def finish(self, file: Path, format: Format, by: Provenance) -> None:
        """Note in the log what was imported, once for as far as the file was read; nothing where nothing in it could be used."""
        if set(self.done) <= {"bad"}:
            return
        counts = {name.replace(" ", "_"): self.done[name] for name in _OUTCOMES}
        self._session.log.append(
            "imported",
            None,
            by,
            details={"file": file.name, "digest": self._digest, "format": format, **counts},
            key=f"import:{self._digest}:after {self._seen}",
        )

    def _outcome(self, line: Line) -> str:
        if isinstance(line.found, str):
            complain(f"{line.place}: {line.found}")
            return "bad"
        edit, by = line.found
        # The edit is part of the key: the same file read with other options, or beside other pictures, says other things.
        key = f"import:{self._digest}:{line.number}.{line.part}:{edit.id}"
        before = self._session.log.keyed(key)
        again = before is not None and before.kind == "refused" and self._retry
        if edit.id in self._standing or (before is not None and not again):
            return "passed over"
        try:
            receipt = self._session.edit(edit, by, key="" if again else key, rules=self._rules)  # the key is spent
        except BadInput as error:
            complain(f"{line.place}: {error}")
            return "bad"
        if receipt.status == "refused":
            note(f"{line.place}: refused: {receipt.why}")
        else:
            self._standing = set(self._session.log.ids_in_force())  # it may have taken the place of another
        return receipt.status


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


class _Chosen(NamedTuple):
    """An edit to export: where its content is, and what the entries before say of where it came from."""

    seq: int
    by: Provenance
    """Who gave it, by the entry with which it came: a later one is by whoever approved or restored it."""

    before: str
    """What the model said without it, by the first entry that tells."""


def _chosen(log: EditLog, everything: bool) -> tuple[list[_Chosen], list[str]]:
    """The edits to export in the order in which they were applied, and a sentence for each of which a picture is gone."""
    standing = set(log.ids_in_force())
    applied: dict[EditId | None, _Chosen] = {}
    given: dict[EditId | None, _Chosen] = {}
    for entry in log.find(kinds=_GIVING):
        said = entry.details.get("before")
        before = said if isinstance(said, str) else ""
        first = given.get(entry.edit_id, _Chosen(entry.seq, entry.by, before))
        known = first._replace(seq=entry.seq, before=first.before or before)
        given[entry.edit_id] = known
        if entry.kind == "applied" and (everything or entry.edit_id in standing):
            applied.pop(entry.edit_id, None)
            applied[entry.edit_id] = known
    chosen, missing = [], []
    for edit_id, one in applied.items():
        try:
            next(_held(log, [one]))
        except BadImage as error:
            missing.append(f"edit {str(edit_id)[:SHORT]} is left out: {error}")
        else:
            chosen.append(one)
    return chosen, missing


def _held(log: EditLog, chosen: Sequence[_Chosen]) -> Iterator[Exported]:
    for one in chosen:
        (entry,) = log.entries(one.seq, one.seq + 1)
        yield Exported(entry.edit(log.image), one.by, one.before)
