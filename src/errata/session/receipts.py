"""What a session gives back: answers, and receipts that say what became of an edit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, cast, get_args

from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.model import Decision
from errata.core.records import Edit, EditId, Query
from errata.log import EditLog, Entry, Kind

_APPLIED: tuple[Kind, ...] = ("applied",)

Status = Literal[
    "applied", "refused", "proposed", "reverted", "quarantined", "expired",
    "would apply", "would refuse", "would revert",
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What the corrected model says, and which edits spoke."""

    text: str
    edits: tuple[EditId, ...]
    decision: Decision | None = None
    """What a scope said of the query: the edit that decided, and its score."""

    told: bool = True
    """Whether `edits` are exactly those that spoke. False: they share weights, any of them may have (`takeback.left_out` tells)."""

    whole: bool = True
    """Whether the model ended the answer; False: it was cut at the limit."""

    prompt: int = 0
    """Tokens that were read, images included."""

    tokens: int = 0
    """Tokens that were chosen."""


@dataclass(frozen=True)
class Moved:
    """An answer that is another one afterwards."""

    query: str
    """The words of the query."""

    before: str
    after: str

    def to_json(self) -> dict[str, JSON]:
        return {"query": self.query, "before": self.before, "after": self.after}


@dataclass(frozen=True)
class Receipt:
    """What became of an edit, or would."""

    edit: EditId
    status: Status
    seq: int
    """The number of its entry in the log; 0 where nothing was appended."""

    why: str
    """Why it was refused, or how it was taken back; empty for an applied edit."""

    before: str
    after: str
    kept: tuple[bool, ...] = ()
    """For each query of the edit's `keep`, whether its answer stayed."""

    telemetry: Mapping[str, JSON] = field(default_factory=dict)
    write_ms: float = 0.0
    guard_ms: float = 0.0
    supersedes: tuple[EditId, ...] = ()
    """The edits of the same query that it takes the place of."""

    moved: tuple[Moved, ...] = ()
    """Of the other queries that were asked (recent ones, those of other edits; never its own), the answers that change."""

    asked: int = 0
    """How many other queries were asked, each counted once."""

    beside: int = 0
    """How many other corrections in force were asked again before it was committed."""

    lost: tuple[EditId, ...] = ()
    """Those of them that it took away; every other one that was asked is still given."""

    unsaid: tuple[Moved, ...] = ()
    """The same question in other words of superseded edits (another case, no question mark), where it isn't answered with the
    target: given as `also`, it would be."""

    unprotected: bool = False
    """The editor keeps off the answers of a pool of ordinary questions, and this branch began without one: nothing is protected."""

    beside_ms: float = 0.0
    """Of `guard_ms`, what asking the other corrections took."""

    @property
    def share_beside(self) -> float:
        """What asking the other corrections took, of the whole time from the write to the verdict."""
        return self.beside_ms / (self.write_ms + self.guard_ms) if self.write_ms else 0.0


@dataclass(frozen=True)
class Returned:
    """What going back to a point in time did, or would do."""

    seq: int
    """The entry whose state is in force again."""

    out: tuple[EditId, ...]
    """Edits taken back."""

    back: tuple[EditId, ...]
    """Edits applied again."""

    own: tuple[Moved, ...]
    """The question of each of these edits, in this order, with the answers before and after."""

    moved: tuple[Moved, ...]
    """Of the other queries that were asked, the answers that change."""

    asked: int
    """How many other queries were asked, each counted once."""


def beyond(queries: Iterable[Query], own: Iterable[Query]) -> list[Query]:
    """The queries that are other ones than an edit's own, each once: what it changes of these says how far it reaches."""
    asked = {query.digest for query in own}
    return list({query.digest: query for query in queries if query.digest not in asked}.values())


def receipt_in(entry: Entry) -> Receipt:
    """The receipt that an entry of the log remembers (its times aside)."""
    assert entry.edit_id is not None, "only entries on an edit have a receipt"
    assert entry.kind in get_args(Status), "only entries on what became of an edit have a receipt"
    details = entry.details
    kept, telemetry, old, unsaid = (details.get(name) for name in ("kept", "telemetry", "supersedes", "unsaid"))
    return Receipt(
        entry.edit_id,
        cast(Status, entry.kind),
        entry.seq,
        str(details.get("why", "")),
        str(details.get("before", "")),
        str(details.get("after", "")),
        tuple(bool(stayed) for stayed in kept) if isinstance(kept, list) else (),
        telemetry if isinstance(telemetry, Mapping) else {},
        supersedes=tuple(EditId(str(edit)) for edit in old) if isinstance(old, list) else (),
        lost=_lost(details.get("beside")),
        unsaid=tuple(
            Moved(str(one.get("query", "")), str(one.get("before", "")), str(one.get("after", "")))
            for one in (unsaid if isinstance(unsaid, list) else ())
            if isinstance(one, Mapping)
        ),
        unprotected=details.get("unprotected") is True,
    )


def _lost(beside: JSON) -> tuple[EditId, ...]:
    lost = beside.get("lost") if isinstance(beside, Mapping) else None
    return tuple(EditId(str(one["edit"])) for one in lost if isinstance(one, Mapping)) if isinstance(lost, list) else ()


def receipt_under(log: EditLog, key: str, edit: Edit) -> Receipt | None:
    """The receipt of the same request, if it was made before under this idempotency key.

    Raises:
        BadInput: the key was used for another request.
    """
    entry = log.keyed(key) if key else None
    if entry is None:
        return None
    if entry.edit_id != edit.id:
        raise BadInput(
            f"The key {quoted(key)} was used for another request (entry {entry.seq}: {entry.kind}). Nothing was changed. Give each "
            "request a key of its own."
        )
    return receipt_in(entry)


def stays_out(log: EditLog, edit: EditId) -> str:
    """That taking an edit back doesn't bring back those whose place it had taken; empty where it had taken none."""
    applied = list(log.find(edit, kinds=_APPLIED))
    old = applied[-1].details.get("supersedes") if applied else None
    if not isinstance(old, list) or not old:
        return ""
    named = ", ".join(str(one)[:12] for one in old)
    again = ", ".join(f"`errata edit restore {str(one)[:12]}`" for one in old)
    return f"; what it had superseded ({named}) stays out: {again} brings it back"
