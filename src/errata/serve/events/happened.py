"""What happened to the corrections of a branch, told from its log: each event is an entry, and has the entry's number.

The log is what is told from, so events made by other processes are among them, and whoever was away goes on where it stopped.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal, final, get_args

from errata.core.canonical import JSON
from errata.core.errors import LogError
from errata.core.images import Image
from errata.core.records import Edit, EditId
from errata.log import EditLog, Entry

Event = Literal[
    "applied", "refused", "proposed", "approved", "rejected", "reverted", "restored", "superseded", "expired", "quarantined"
]  # fmt: skip
"""What happened to a correction. `restored`: applied again; `rejected`: a proposal was turned down."""

EVENTS: Final[tuple[Event, ...]] = get_args(Event)

_TOLD: Final = frozenset(EVENTS)


@dataclass(frozen=True)
class Happened:
    """An event."""

    seq: int
    """The number of its entry in the branch."""

    branch: str
    event: Event
    edit: EditId
    time: str
    """ISO 8601, UTC, milliseconds."""

    author: str
    reason: str
    ticket: str
    question: str
    """The words of the correction's question; empty where the log holds no content of it."""

    answer: str
    """The right answer."""

    why: str
    before: str
    after: str

    def to_json(self) -> dict[str, JSON]:
        return {
            "seq": self.seq,
            "branch": self.branch,
            "event": self.event,
            "edit": self.edit,
            "time": self.time,
            "author": self.author,
            "reason": self.reason,
            "ticket": self.ticket,
            "question": self.question,
            "answer": self.answer,
            "why": self.why,
            "before": self.before,
            "after": self.after,
        }


@final
class Firsts:
    """Where each edit of a branch was first applied; threads may share it. Entries are read once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first: dict[EditId, int] = {}
        self._read = 0

    def before(self, log: EditLog, edit: EditId | None, seq: int) -> bool:
        """Whether an edit was applied before this entry, which is in the log."""
        with self._lock:
            for entry in log.entries(self._read + 1, seq) if self._read < seq - 1 else ():
                if entry.kind == "applied" and entry.edit_id is not None:
                    self._first.setdefault(entry.edit_id, entry.seq)
                self._read = entry.seq
            return edit is not None and self._first.get(edit, seq) < seq


def happened(log: EditLog, after: int, firsts: Firsts, *, limit: int | None = None) -> Iterator[tuple[int, Happened | None]]:
    """The entries after a number, each with its number and the event that it is; None where it is none.

    Args:
        firsts: of this branch.
        limit: read at most so many entries.

    Raises:
        Tampered: an entry doesn't verify.
    """
    for entry in log.entries(after + 1, None if limit is None else after + 1 + limit):
        yield entry.seq, _event_of(log, entry, firsts)


def _event_of(log: EditLog, entry: Entry, firsts: Firsts) -> Happened | None:
    """The event that an entry is; None where it is about no single edit."""
    named, event = entry.edit_id, _named(log, entry, firsts)
    if named is None or event is None:
        return None
    edit, by, details = _content(log, entry, named), entry.by, entry.details
    said = {name: _text(details, name) for name in ("why", "before", "after")}
    question, answer = ("", "") if edit is None else (edit.query.text, edit.target)
    return Happened(
        entry.seq, entry.branch, event, named, entry.time, by.author, by.reason, by.ticket, question, answer, **said
    )  # fmt: skip


def _named(log: EditLog, entry: Entry, firsts: Firsts) -> Event | None:
    kind = entry.kind
    if kind == "applied" and firsts.before(log, entry.edit_id, entry.seq):
        return "restored"
    if kind == "refused" and not entry.holds_edit:
        return "rejected"
    return next((event for event in EVENTS if event == kind), None) if kind in _TOLD else None


def _content(log: EditLog, entry: Entry, named: EditId) -> Edit | None:
    """The correction by name, its pictures by digest."""
    if entry.holds_edit:
        return entry.edit(lambda digest: Image(digest, b""))
    try:
        return log.words(named)
    except LogError:  # another branch holds it
        return None


def _text(details: Mapping[str, JSON], name: str) -> str:
    value = details.get(name)
    return value if isinstance(value, str) else ""
