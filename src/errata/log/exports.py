"""Which edits of a log an export holds, with who gave each and what the model said before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from errata.core.errors import BadImage
from errata.core.records import EditId, Provenance
from errata.log.edit_log import EditLog
from errata.log.entry import Kind
from errata.log.formats import Exported

_GIVING: Final[tuple[Kind, ...]] = ("proposed", "applied")
"""The kinds of entries with which an edit comes into a log."""

_SHORT: Final = 12
"""Digits of an id in a sentence."""


class Chosen(NamedTuple):
    """An edit to export: where its content is, and what the entries before say of where it came from."""

    seq: int
    by: Provenance
    """Who gave it, by the entry with which it came: a later one is by whoever approved or restored it."""

    before: str
    """What the model said without it, by the first entry that tells."""


def chosen_of(log: EditLog, everything: bool) -> tuple[list[Chosen], list[str]]:
    """The edits to export in the order in which they were applied, and a sentence for each of which a picture is gone."""
    standing = set(log.ids_in_force())
    applied: dict[EditId | None, Chosen] = {}
    given: dict[EditId | None, Chosen] = {}
    for entry in log.find(kinds=_GIVING):
        said = entry.details.get("before")
        before = said if isinstance(said, str) else ""
        first = given.get(entry.edit_id, Chosen(entry.seq, entry.by, before))
        known = first._replace(seq=entry.seq, before=first.before or before)
        given[entry.edit_id] = known
        if entry.kind == "applied" and (everything or entry.edit_id in standing):
            applied.pop(entry.edit_id, None)
            applied[entry.edit_id] = known
    chosen, missing = [], []
    for edit_id, one in applied.items():
        try:
            next(held_by(log, [one]))
        except BadImage as error:
            missing.append(f"edit {str(edit_id)[:_SHORT]} is left out: {error}")
        else:
            chosen.append(one)
    return chosen, missing


def held_by(log: EditLog, chosen: Sequence[Chosen]) -> Iterator[Exported]:
    """The edits with their content, in their order."""
    for one in chosen:
        (entry,) = log.entries(one.seq, one.seq + 1)
        yield Exported(entry.edit(log.image), one.by, one.before)
