"""Corrections as they are sent and told: the shapes of `/v1/edits` and what belongs to it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from errata.core.canonical import JSON
from errata.core.images import Image
from errata.core.records import Edit, Query, Reach
from errata.log import EditLog
from errata.log.entry import Entry, Kind
from errata.log.fold import Fate
from errata.log.listing import Listed
from errata.serve.wire.chat import Message
from errata.session.receipts import Receipt, Status

MANY = 64
"""Wordings, superseded edits or questions in one request."""

_WORDS = 16_384
_NOTE = 4_096

Words = Annotated[str, Field(min_length=1, max_length=_WORDS)]
Note = Annotated[str, Field(max_length=_NOTE)]
Id = Annotated[str, Field(pattern=r"^[0-9a-f]{6,64}$")]
"""An edit: its 64 hexadecimal digits, or the first of them."""

Picture = Annotated[str, Field(min_length=1)]
"""A data URL, or an http(s) URL on a host that the operator allows."""


class Sent(BaseModel):
    """What a client sends: a field that isn't known is refused."""

    model_config = ConfigDict(extra="forbid")


class Told(BaseModel):
    """What the server answers."""

    model_config = ConfigDict(extra="forbid")


class Wording(Sent):
    """A question with pictures of its own."""

    question: Words
    images: Annotated[list[Picture], Field(max_length=16)] = []


class Why(Sent):
    """Why something is done, and whether it is only tried."""

    reason: Note = ""
    ticket: Note = ""
    dry_run: bool = False
    """Change nothing; the answer says what would be."""

    recent: bool = False
    """In a dry run, ask recent questions of the branch too, and tell whose answers would change."""


class Reason(Sent):
    """Why something is done."""

    reason: Note = ""
    ticket: Note = ""


class NewEdit(Sent):
    """A correction. One of `question`, `messages` and `completion` says what was asked."""

    question: Words | None = None
    messages: Annotated[list[Message], Field(min_length=1)] | None = None
    """A conversation as `/v1/chat/completions` takes it, whose last message is the user's."""

    completion: Annotated[str, Field(max_length=128)] | None = None
    """The id of a completion that the server remembers: what was asked then, pictures and all."""

    image: Picture | None = None
    images: Annotated[list[Picture], Field(max_length=16)] = []
    answer: Words
    """The right answer."""

    also: Annotated[list[Words | Wording], Field(max_length=MANY)] = []
    """Other wordings that must be answered so too; one given as text is asked of the same pictures."""

    keep: Annotated[list[Words | Wording], Field(max_length=MANY)] = []
    """Questions whose answers must not move."""

    reach: Reach = "open"
    subject: Words | None = None
    valid_until: Annotated[str, Field(max_length=64)] | None = None
    """ISO 8601, UTC."""

    reason: Note = ""
    ticket: Note = ""
    supersede: Annotated[list[Id], Field(max_length=MANY)] = []
    """Edits that it may take away."""

    mode: Literal["dry_run", "apply", "propose"] = "apply"
    recent: bool = False
    """In a dry run, ask recent questions of the branch too."""


class Questions(Sent):
    """Questions that one edit is scored on."""

    questions: Annotated[list[Words | Wording], Field(max_length=MANY)] = []
    """None: the recent questions of the branch."""


class Reverts(Sent):
    """Edits that are taken back together, said in one way."""

    edits: Annotated[list[Id], Field(max_length=1000)] = []
    entries: Annotated[str, Field(max_length=64)] = ""
    """Those that the entries FIRST-LAST applied."""

    to: Annotated[str, Field(max_length=128)] = ""
    """All that changed since this point: an entry's number, an alias or a time."""

    reason: Note = ""
    ticket: Note = ""
    dry_run: bool = False
    recent: bool = False


class MovedAnswer(Told):
    """An answer that is another one afterwards."""

    query: str
    before: str
    after: str


class EditReceipt(Told):
    """What became of an edit, or would."""

    object: Literal["edit"] = "edit"
    id: str
    status: Status
    seq: int
    """Its entry in the log; 0 where nothing was appended."""

    why: str
    before: str
    after: str
    kept: list[bool]
    supersedes: list[str]
    lost: list[str]
    """Other corrections in force that it takes away."""

    moved: list[MovedAnswer]
    asked: int
    """How many other questions were asked."""

    beside: int
    """How many other corrections in force were asked again."""

    unsaid: list[MovedAnswer]
    unprotected: bool
    telemetry: dict[str, Any]
    write_ms: float
    guard_ms: float
    beside_ms: float


class Receipts(Told):
    """Receipts of edits that were taken back together."""

    object: Literal["list"] = "list"
    data: list[EditReceipt]


class OwnAnswer(Told):
    """The question of an edit that going back takes out or brings back, with its answers."""

    edit: str
    query: str
    before: str
    after: str


class WentBack(Told):
    """What going back to a point did, or would do."""

    object: Literal["returned"] = "returned"
    to: int
    """The entry whose state is in force again."""

    done: bool
    reverted: list[str]
    applied: list[str]
    answers: list[OwnAnswer]
    moved: list[MovedAnswer]
    asked: int


class ListedEdit(Told):
    """An edit as it is now, by the entry that holds it."""

    object: Literal["edit"] = "edit"
    id: str
    status: Fate
    superseded_by: str | None
    entry: int
    time: str
    author: str
    reason: str
    ticket: str
    question: str
    answer: str
    images: list[str]
    """Paths of the pictures of its question."""

    sizes: dict[str, int]
    """Bytes of each of these pictures that is there, by digest."""

    erased: list[str]
    """Digests of those that were erased on purpose."""

    before: str
    """What was answered before it, as its entry says; empty where that doesn't."""

    content: dict[str, Any]
    """The whole correction as its id covers it, pictures by digest."""


class Edits(Told):
    """A page of edits, newest first."""

    object: Literal["list"] = "list"
    data: list[ListedEdit]
    has_more: bool
    last_id: str | None
    found: int
    """How many fit altogether."""

    total: int
    """How many there are, of what may fit."""


class LogEntry(Told):
    """An entry of the log; the SHA-256 of the canonical form of all of it but `hash` is `hash`."""

    seq: int
    branch: str
    kind: Kind
    time: str
    body: dict[str, Any]
    previous: str
    hash: str


class Entries(Told):
    """A page of the log, oldest first."""

    object: Literal["list"] = "list"
    data: list[LogEntry]
    has_more: bool
    last: int
    """The last entry on this page; 0 where there is none."""


class WholeEdit(Told):
    """One edit with all that the log says of it."""

    object: Literal["edit"] = "edit"
    id: str
    status: Fate
    superseded_by: str | None
    in_force: bool
    question: str
    answer: str
    images: list[str]
    also: list[str]
    keep: list[str]
    reach: Reach
    subject: str | None
    valid_until: str | None
    author: str
    time: str
    reason: str
    ticket: str
    content: dict[str, Any]
    receipt: EditReceipt | None
    """Of the latest entry that has one."""

    telemetry: dict[str, Any]
    history: list[LogEntry]


class Score(Told):
    """What one edit's scope says of a question."""

    question: str
    images: list[str]
    edit: str | None
    """The edit that decides there; None where nothing is scored."""

    score: float | None
    inside: bool | None
    """Whether that edit speaks."""


class Scores(Told):
    object: Literal["list"] = "list"
    data: list[Score]
    threshold: float
    """From this score on an edit speaks."""


def receipt_json(receipt: Receipt) -> EditReceipt:
    """A receipt as it is told: what it says, and nothing else."""
    return EditReceipt(
        id=receipt.edit,
        status=receipt.status,
        seq=receipt.seq,
        why=receipt.why,
        before=receipt.before,
        after=receipt.after,
        kept=list(receipt.kept),
        supersedes=list(receipt.supersedes),
        lost=list(receipt.lost),
        moved=[moved_json(one.query, one.before, one.after) for one in receipt.moved],
        asked=receipt.asked,
        beside=receipt.beside,
        unsaid=[moved_json(one.query, one.before, one.after) for one in receipt.unsaid],
        unprotected=receipt.unprotected,
        telemetry=dict(receipt.telemetry),
        write_ms=receipt.write_ms,
        guard_ms=receipt.guard_ms,
        beside_ms=receipt.beside_ms,
    )


def moved_json(query: str, before: str, after: str) -> MovedAnswer:
    return MovedAnswer(query=query, before=before, after=after)


def entry_json(entry: Entry) -> LogEntry:
    return LogEntry(
        seq=entry.seq,
        branch=entry.branch,
        kind=entry.kind,
        time=entry.time,
        body=dict(entry.body),
        previous=entry.previous,
        hash=entry.hash,
    )


def listed_json(log: EditLog, one: Listed) -> ListedEdit:
    """An edit of a list; its entry holds it."""
    entry, standing, edit = one.entry, one.standing, one.edit
    assert standing is not None, "what is listed as an edit is one"
    assert edit is not None, "the entry holds its content"
    return ListedEdit(
        id=edit.id,
        status=standing.fate,
        superseded_by=standing.superseded_by,
        entry=entry.seq,
        time=entry.time,
        author=entry.by.author,
        reason=entry.by.reason,
        ticket=entry.by.ticket,
        question=edit.query.text,
        answer=edit.target,
        images=image_paths(one.pictures),
        sizes={digest: size for digest in one.pictures if (size := log.store.blobs.size(digest)) is not None},
        erased=[digest for digest in one.pictures if digest in log.erased()],
        before=str(entry.details.get("before", "")),
        content=as_object(entry.body["edit"]),
    )


def image_paths(digests: tuple[str, ...]) -> list[str]:
    """Where pictures are had."""
    return [f"/v1/images/{digest}" for digest in digests]


def digests_of(edit: Edit) -> tuple[str, ...]:
    """The pictures of an edit's own question."""
    return tuple(dict.fromkeys(image.digest for image in edit.query.images))


def as_object(value: JSON) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def in_words(asked: NewEdit, query: Query) -> bytes:
    """The same correction for a server that doesn't remember the completion: as JSON, with what was asked then as its messages."""
    parts = [[_part_json(part) for part in message.parts] for message in query.messages]
    messages = [{"role": message.role, "content": said} for message, said in zip(query.messages, parts, strict=True)]
    plain = asked.model_dump(mode="json", exclude_unset=True, exclude={"completion"})
    return json.dumps({**plain, "messages": messages}).encode()


def _part_json(part: str | Image) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": "text", "text": part}
    return {"type": "image_url", "image_url": {"url": f"data:image/*;base64,{base64.b64encode(part.data).decode()}"}}
