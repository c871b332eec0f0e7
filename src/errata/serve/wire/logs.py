"""What a log shows of itself over HTTP: checkpoints, whether it verifies, what an audit found; and keys and callers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from errata.serve.keys.stored import Role
from errata.serve.wire.edits import ListedEdit, Sent, Told
from errata.session.audit import Outcome


class CheckpointFile(Told):
    """What to keep elsewhere: a log cut short or rewritten later is found out by it. `errata log verify --checkpoint` takes it."""

    format: str
    origin: str
    size: int
    root: str
    public_key: str | None = None
    signature: str | None = None


class Verified(Told):
    """Whether every hash, the chain, every edit and every picture is what was written."""

    verified: bool
    entries: int
    """How many verified."""

    head: str
    """`seq:hash` of the last one; keep it elsewhere."""

    entry: int | None = None
    """The first that doesn't verify."""

    why: str = ""


class AuditedEdit(Told):
    """One edit in force and what became of it."""

    edit: str
    verdict: Outcome
    question: str
    target: str
    before: str
    now: str
    silenced_by: list[str]
    findings: list[dict[str, Any]]


class AuditFound(Told):
    """What an audit found; nothing is changed by it."""

    object: Literal["audit"] = "audit"
    edits: list[AuditedEdit]
    branch: list[dict[str, Any]]
    """What isn't as the branch's rules say, and what moved without an edit to blame."""

    counts: dict[str, int]
    clean: bool
    leak_checks: int
    head: str


class AuditWanted(Sent):
    """Which edits are audited."""

    limit: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Only the newest so many."""


class NewKey(Sent):
    """A key to be made, of the caller's branch."""

    name: Annotated[str, Field(min_length=1, max_length=64)]
    role: Role


class ListedKey(Told):
    """A key without its secret."""

    object: Literal["key"] = "key"
    id: str
    name: str
    role: Role
    branch: str
    made: str


class MadeKey(ListedKey):
    """A new key; its secret is told this once."""

    secret: str


class KeyList(Told):
    object: Literal["list"] = "list"
    data: list[ListedKey]


class Revoked(Told):
    object: Literal["key"] = "key"
    id: str
    deleted: Literal[True] = True


class Me(Told):
    """As whom the server knows the caller."""

    object: Literal["caller"] = "caller"
    name: str
    role: Role
    branch: str
    two_people: bool
    """Whether the branch asks for two people."""

    seq: int
    """The last entry of the branch that is folded."""

    model: str
    version: str
    server: str
    """A random word of this server, by which it is told from another at the same address."""


class RecentAnswer(Told):
    """A question that was asked, and its answer."""

    object: Literal["answer"] = "answer"
    id: str
    """The completion's."""

    created: int
    model: str
    caller: str
    question: str
    images: list[str]
    answer: str
    edits: list[str]
    """Those that spoke."""

    told: bool
    """Whether these are exactly those."""

    seq: int
    flagged: bool
    note: str


class RecentAnswers(Told):
    object: Literal["list"] = "list"
    data: list[RecentAnswer]


class Flag(Sent):
    """An answer marked as suspect, or no longer."""

    flag: bool = True
    note: Annotated[str, Field(max_length=4096)] = ""


class Waiting(Told):
    """Something that a person should look at."""

    kind: Literal["flagged", "faded", "proposed"]
    score: float
    """How suspect: the highest come first. 1: an answer that somebody flagged; 0.9: what the last audit found; 0.5: a proposal."""

    id: str
    """Of the completion, or of the edit."""

    question: str
    answer: str
    """What was said, or what should be."""

    images: list[str]
    note: str
    by: str
    answered: RecentAnswer | None = None
    edit: ListedEdit | None = None


class Queue(Told):
    object: Literal["list"] = "list"
    data: list[Waiting]
