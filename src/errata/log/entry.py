"""One line of the log: what it holds, how its hash is made, and the checks that it must pass to be believed.

The chain. Each entry carries the hash of the entry before it in its branch, and its own hash covers everything else in it:

    hash = SHA-256(canonical({body, branch, kind, previous, seq, time}))

so a changed byte shows in its own entry, and a rewritten entry shows in the one after it. A store keeps a `Row`: the same
fields with the body as bytes, so that what is hashed is what is stored, not what a parser made of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring
from typing import Final, Literal, cast, get_args

from errata.core.canonical import JSON, canonical, digest_of
from errata.core.errors import BadImage, LogError, Tampered, quoted
from errata.core.images import Image
from errata.core.records import Edit, EditId, Images, Provenance, instant

Kind = Literal[
    "aliased",
    "applied",
    "approved",
    "begun",
    "checkpointed",
    "erased",
    "expired",
    "imported",
    "proposed",
    "quarantined",
    "rebased",
    "refused",
    "reverted",
    "ruled",
    "superseded",
]
"""What an entry says happened. `WITHDRAWING` lists the kinds that take an edit out of force."""

KINDS: Final = frozenset(get_args(Kind))

WITHDRAWING: Final = frozenset({"erased", "expired", "quarantined", "reverted", "superseded"})
"""The kinds that take the edit they name out of force. `superseded` names the old edit; its details name the new one."""

_PARTS: Final = frozenset({"by", "details", "edit", "edit_id"})
_decode: Final = json.JSONDecoder().decode  # of a whole log, looking up json.loads' options anew for each entry is felt

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")

_TICK: Final = timedelta(milliseconds=1)
_INSTANT: Final = timedelta(seconds=1)

FIRST: Final = ""
"""The `previous` of the first entry of a branch."""


@dataclass(frozen=True)
class Row:
    """An entry as a store keeps it. Every field is one column, and the hash covers all the others."""

    seq: int
    """The entry's number in its branch: 1, 2, 3, ... without a gap."""

    branch: str
    kind: str
    time: str
    """ISO 8601, UTC, milliseconds."""

    body: bytes
    """Canonical JSON of an object: `by`, `details`, `edit`, `edit_id`."""

    previous: str
    """The hash of the entry before it in the branch; "" for the first."""

    hash: str


@dataclass(frozen=True)
class Entry:
    """An entry that was read back and checked: its hash is right and its body has the right shape."""

    seq: int
    branch: str
    kind: Kind
    time: str
    body: Mapping[str, JSON]
    """`by` {author, reason, ticket}, `details` {...}, `edit` (its JSON, or null), `edit_id` (or null)."""

    previous: str
    hash: str

    @property
    def mark(self) -> str:
        """`seq:hash`: what to keep elsewhere, so that a log cut short later is found (`EditLog.verify(head=...)`)."""
        return f"{self.seq}:{self.hash}"

    @property
    def edit_id(self) -> EditId | None:
        """The edit that the entry is about."""
        return cast("EditId | None", self.body["edit_id"])

    @property
    def holds_edit(self) -> bool:
        """Whether the edit's whole content is in this entry, not only its id."""
        return self.body["edit"] is not None

    @property
    def by(self) -> Provenance:
        by = cast("Mapping[str, str]", self.body["by"])
        return Provenance(author=by["author"], reason=by["reason"], ticket=by["ticket"])

    @property
    def details(self) -> Mapping[str, JSON]:
        return cast("Mapping[str, JSON]", self.body["details"])

    def edit(self, images: Images) -> Edit:
        """The edit whose content the entry holds, with its images.

        Raises:
            Tampered: the content isn't an edit, or its id isn't the entry's.
            BadImage: an image isn't there (`images` says so).
            LogError: the entry holds no edit.
        """
        value = self.body["edit"]
        if value is None:
            raise LogError(f"Entry {self.seq} ({self.kind}) holds no edit. Look at the entry that proposed or applied it.")
        try:
            edit = Edit.from_json(cast("Mapping[str, JSON]", value), images)
            named = edit.id
        except BadImage:
            raise  # an image that isn't there may have been erased on purpose
        except (TypeError, ValueError, AttributeError) as error:  # BadInput among them
            raise Tampered(self.seq, f"its edit can't be read ({error})") from error
        if named != self.edit_id:
            raise Tampered(self.seq, f"its edit has the id {named[:12]}, but the entry says {str(self.edit_id)[:12]}")
        return edit

    def image_digests(self) -> tuple[str, ...]:
        """The digests of the images that the entry's edit needs; none where it holds no edit.

        Raises:
            Tampered: as `edit`.
        """
        if not self.holds_edit:
            return ()
        try:
            return tuple(image.digest for image in self.edit(_named_only).images)
        except BadImage as error:
            raise Tampered(self.seq, str(error)) from None

    def to_json(self) -> dict[str, JSON]:
        """Every field; the SHA-256 of the canonical form of all of it but `hash` is `hash`."""
        return {
            "seq": self.seq,
            "branch": self.branch,
            "kind": self.kind,
            "time": self.time,
            "body": self.body,
            "previous": self.previous,
            "hash": self.hash,
        }

    @property
    def size_bytes(self) -> int:
        """The size of the entry's canonical form."""
        return len(canonical(self.to_json()))


def hash_of(row: Row) -> str:
    """The hash that the row must carry.

    The canonical form is put together around the stored bytes of the body: "body" sorts first among the keys, so this equals
    the canonical form of the whole object, and the body is hashed as it is stored, without a parse. The rest is written here as
    `canonical` would write it, because this is a fifth of the time that opening a long log takes.
    """
    branch, kind, previous, time = map(encode_basestring, (row.branch, row.kind, row.previous, row.time))
    rest = f',"branch":{branch},"kind":{kind},"previous":{previous},"seq":{row.seq},"time":{time}}}'
    return digest_of(b'{"body":' + row.body + rest.encode())


def sealed(*, seq: int, branch: str, kind: Kind, body: bytes, previous: str, latest: str = "") -> Row:
    """A new row with its time and its hash; `latest` is the latest time of the entries before it."""
    time = stamped(datetime.now(UTC), latest)
    row = Row(seq=seq, branch=branch, kind=kind, time=time, body=body, previous=previous, hash="")
    return replace(row, hash=hash_of(row))


def stamped(now: datetime, latest: str) -> str:
    """The time of a new entry: the clock's, or the next millisecond where the latest entry was written just now.

    So no entry takes the very time of the latest one. A clock that was put back by more than an instant is believed;
    `errata.log.moments` says what a time then names.
    """
    after = instant(latest) + _TICK if latest else now
    time = after if now < after < now + _INSTANT else now
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def body_of(edit: Edit | None, edit_id: EditId | None, by: Provenance, details: Mapping[str, JSON]) -> bytes:
    """The canonical bytes of a body.

    Raises:
        LogError: a value can't be written as canonical JSON and read back the same.
    """
    try:
        body = canonical(
            {
                "by": by.to_json(),
                "details": dict(details),
                "edit": None if edit is None else edit.to_json(),
                "edit_id": edit_id,
            }
        )
        same = canonical(json.loads(body)) == body  # keys that aren't strings are written as strings, and sort differently
    except (TypeError, ValueError, RecursionError) as error:
        raise LogError(f"The entry can't be written: {error}. Give JSON values: no NaN, no lone surrogates, no objects.") from None
    if not same:
        raise LogError("The entry can't be written: an object in its details has keys that aren't strings. Make them strings.")
    return body


def linked(row: Row, *, branch: str, seq: int, previous: str | None) -> Entry:
    """The row as an entry, once it is sure that it stands where it should.

    Raises:
        Tampered: as `checked`.
    """
    body = checked(row, branch=branch, seq=seq, previous=previous)
    return Entry(row.seq, row.branch, cast(Kind, row.kind), row.time, body, row.previous, row.hash)


def checked(row: Row, *, branch: str, seq: int, previous: str | None) -> Mapping[str, JSON]:
    """The row's body, once it is sure that the row stands where it should.

    Args:
        row: what the store gave.
        branch: the branch that was read.
        seq: the number that must come next.
        previous: the hash of the entry before; None where it isn't known (the first entry of a page).

    Raises:
        Tampered: with `seq`, at the first thing that's wrong.
    """
    if row.seq != seq:
        raise Tampered(seq, f"the next entry in the store is numbered {row.seq}")
    if row.branch != branch:
        raise Tampered(seq, f"it's of the branch {row.branch!r}, not {branch!r}")
    if row.hash != hash_of(row):
        raise Tampered(seq, "its content doesn't have the hash that it carries")
    if previous is not None and row.previous != previous:
        raise Tampered(seq, f"it follows another entry {seq - 1} than the one in the store")
    if (row.previous == FIRST) != (seq == 1):
        raise Tampered(seq, "it starts a chain where there is one, or goes on where there is none")
    if row.kind not in KINDS:
        raise LogError(f"Entry {seq} is of a kind that this version doesn't know ({row.kind!r}). Upgrade errata to read this log.")
    return _body(row)


def _body(row: Row) -> Mapping[str, JSON]:
    try:
        body = _decode(row.body.decode())
    except (ValueError, RecursionError):
        raise Tampered(row.seq, "its body isn't JSON") from None
    if not (isinstance(body, dict) and body.keys() >= _PARTS):
        raise Tampered(row.seq, "its body lacks by, details, edit or edit_id")
    by, details, edit, edit_id = body["by"], body["details"], body["edit"], body["edit_id"]
    if not (isinstance(by, dict) and _is_text(by, "author") and _is_text(by, "reason") and _is_text(by, "ticket")):
        raise Tampered(row.seq, "its body doesn't say who made it")
    if not (
        isinstance(details, dict) and (edit is None or isinstance(edit, dict)) and (edit_id is None or isinstance(edit_id, str))
    ):
        raise Tampered(row.seq, "its details, edit or edit id are of the wrong type")
    if edit is not None and edit_id is None:
        raise Tampered(row.seq, "it holds an edit without an id")
    return cast("Mapping[str, JSON]", body)


def _is_text(value: Mapping[str, object], key: str) -> bool:
    return isinstance(value.get(key), str)


def _named_only(digest: str) -> Image:
    """An image of which only the name is needed, so that a whole log can be checked without decoding a picture."""
    if not is_digest(digest):
        raise BadImage(f"{quoted(digest)} can't be the digest of an image.")
    return Image(digest, b"")


def is_digest(text: object) -> bool:
    """Whether this can be a digest at all (and so may become part of a file's name)."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None
