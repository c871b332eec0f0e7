"""What a third party keeps and checks without the store: checkpoints, and proofs that lead to them.

A leaf is the canonical JSON of a whole entry, its hash among its fields (`Entry.to_json`, as `errata log show --json` prints it):

    leaf(i) = canonical({body, branch, hash, kind, previous, seq, time}) of entry i + 1

A checkpoint over the first `size` entries of a branch is this text of three lines, each ended by one newline (0x0A), which is
also what is signed. Its form is that of https://c2sp.org/tlog-checkpoint, so that others can countersign it:

    errata/<branch>/<hash of the branch's first entry, 64 hexadecimal digits>
    <size, decimal>
    <root, 32 bytes in Base64 with padding>

The first line names one log: a branch begun anew has another first entry. Appended to the log as a `checkpointed` entry, a
checkpoint covers every entry before that one. Whatever is checked here says what is wrong in a sentence; "" where nothing is.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from errata.core.canonical import JSON, canonical
from errata.core.counted import counted
from errata.core.errors import BadInput, LogError, quoted
from errata.log.entry import KINDS, Entry, Kind, Row, hash_of
from errata.log.merkle import HASH_BYTES, Head, consistent, included, leaf_hash
from errata.log.signing import KEY_BYTES, SIGNATURE_BYTES, Signature, signed

CHECKPOINT: Final = "errata-checkpoint-1"
INCLUSION: Final = "errata-inclusion-1"
CONSISTENCY: Final = "errata-consistency-1"
"""The `format` of each kind of file."""

_ORIGIN: Final = re.compile(r"errata/(?P<branch>[A-Za-z0-9][A-Za-z0-9._-]{0,63})/(?P<first>[0-9a-f]{64})")
_ENTRY_FIELDS: Final = frozenset({"seq", "branch", "kind", "time", "body", "previous", "hash"})
_LONGEST_PATH: Final = 128
"""More hashes than any proof of a log with fewer than 2^63 entries has."""


@dataclass(frozen=True)
class Checkpoint:
    """Size and root of a log at one moment, signed or not."""

    origin: str
    """Which log: `errata/<branch>/<hash of its first entry>`."""

    size: int
    """How many entries it covers, from the first."""

    root: bytes
    signature: Signature | None = None

    @property
    def head(self) -> Head:
        return Head(self.size, self.root)

    @property
    def branch(self) -> str:
        return self.origin.split("/")[1]

    @property
    def first(self) -> str:
        """The hash of the branch's first entry."""
        return self.origin.split("/")[2]

    @property
    def note(self) -> bytes:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n".encode()

    def same_head(self, other: Checkpoint) -> bool:
        """Whether both say the same, whoever signed."""
        return self.note == other.note

    def signature_fault(self, public_key: bytes | None = None) -> str:
        """Why it isn't signed by this key (None: by the one that it names).

        Raises:
            LogError: the library that checks signatures isn't installed.
        """
        if self.signature is None:
            return "the checkpoint isn't signed"
        if public_key is not None and self.signature.public_key != public_key:
            return f"the checkpoint is signed by the key {self.signature.public_key.hex()}, not by {public_key.hex()}"
        return "" if signed(self.signature, self.note) else "the checkpoint's signature isn't that of its size and root"

    def to_json(self) -> dict[str, JSON]:
        said: dict[str, JSON] = {"format": CHECKPOINT, "origin": self.origin, "size": self.size, "root": self.root.hex()}
        if self.signature is not None:
            said |= {"public_key": self.signature.public_key.hex(), "signature": self.signature.value.hex()}
        return said

    @staticmethod
    def from_json(value: object) -> Checkpoint:
        """Read back what `to_json` wrote.

        Raises:
            BadInput: it isn't a checkpoint.
        """
        said = _object(value, CHECKPOINT, "a checkpoint")
        origin, size = said.get("origin"), said.get("size")
        if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
            raise BadInput("A checkpoint's `origin` must be errata/BRANCH/HASH, the hash of 64 hexadecimal digits. Get it anew.")
        if type(size) is not int or not 0 < size < 1 << 63:
            raise BadInput(f"A checkpoint's `size` must be a number of entries, 1 or more, not {quoted(size)}. Get it anew.")
        signature = None
        if "signature" in said or "public_key" in said:
            signature = Signature(
                _hex(said.get("public_key"), KEY_BYTES, "public_key"), _hex(said.get("signature"), SIGNATURE_BYTES, "signature")
            )
        return Checkpoint(origin, size, _hex(said.get("root"), HASH_BYTES, "root"), signature)


@dataclass(frozen=True)
class Inclusion:
    """That an entry is among those that a checkpoint covers: the entry, and the way from its leaf to the root."""

    checkpoint: Checkpoint
    entry: Entry
    path: tuple[bytes, ...]

    def fault(self) -> str:
        """Why the proof doesn't hold; "" where it does. Nothing but the proof is needed."""
        entry, checkpoint = self.entry, self.checkpoint
        if entry.branch != checkpoint.branch:
            return f"the entry is of the branch {entry.branch!r}, the checkpoint of {checkpoint.branch!r}"
        if not 1 <= entry.seq <= checkpoint.size:
            return f"entry {entry.seq} isn't among the {counted(checkpoint.size, 'entry')} that the checkpoint covers"
        if (entry.hash == checkpoint.first) != (entry.seq == 1):
            return "the checkpoint's log begins with another entry"
        try:
            row = Row(entry.seq, entry.branch, entry.kind, entry.time, canonical(entry.body), entry.previous, entry.hash)
            if hash_of(row) != entry.hash:
                return f"the content of entry {entry.seq} doesn't have the hash that it carries"
            leaf = leaf_of(entry)
        except (ValueError, RecursionError) as error:
            return f"entry {entry.seq} isn't what a log can hold ({error})"
        if not included(leaf, entry.seq - 1, checkpoint.head, self.path):
            return f"the path from entry {entry.seq} doesn't lead to the checkpoint's root"
        return ""

    def to_json(self) -> dict[str, JSON]:
        return {
            "format": INCLUSION,
            "checkpoint": self.checkpoint.to_json(),
            "index": self.entry.seq - 1,
            "entry": self.entry.to_json(),
            "path": [node.hex() for node in self.path],
        }

    @staticmethod
    def from_json(value: object) -> Inclusion:
        """Read back what `to_json` wrote.

        Raises:
            BadInput: it isn't a proof of inclusion.
        """
        said = _object(value, INCLUSION, "a proof of inclusion")
        entry = _entry(said.get("entry"))
        if said.get("index") != entry.seq - 1:
            raise BadInput(
                f"A proof's `index` must be {entry.seq - 1} for entry {entry.seq}, not {quoted(said.get('index'))}. Get it anew."
            )
        return Inclusion(Checkpoint.from_json(said.get("checkpoint")), entry, _path(said.get("path")))


@dataclass(frozen=True)
class Consistency:
    """That the entries of one checkpoint are the beginning of another's: nothing was rewritten or taken out between them."""

    first: Checkpoint
    second: Checkpoint
    path: tuple[bytes, ...]

    def fault(self) -> str:
        """Why the proof doesn't hold; "" where it does. Nothing but the proof is needed."""
        if self.first.origin != self.second.origin:
            return f"the checkpoints are of two logs, {self.first.origin} and {self.second.origin}"
        if not consistent(self.first.head, self.second.head, self.path):
            return (
                f"nothing shows that the {counted(self.first.size, 'entry')} of the first checkpoint are the beginning of the "
                f"{self.second.size} of the second"
            )
        return ""

    def to_json(self) -> dict[str, JSON]:
        path = [node.hex() for node in self.path]
        return {"format": CONSISTENCY, "first": self.first.to_json(), "second": self.second.to_json(), "path": path}

    @staticmethod
    def from_json(value: object) -> Consistency:
        """Read back what `to_json` wrote.

        Raises:
            BadInput: it isn't a proof of consistency.
        """
        said = _object(value, CONSISTENCY, "a proof of consistency")
        first, second = Checkpoint.from_json(said.get("first")), Checkpoint.from_json(said.get("second"))
        return Consistency(first, second, _path(said.get("path")))


def from_json(value: object) -> Checkpoint | Inclusion | Consistency:
    """Read whichever of the three this is.

    Raises:
        BadInput: it's none of them, or not a whole one.
    """
    readers: Mapping[object, Callable[[object], Checkpoint | Inclusion | Consistency]] = {
        CHECKPOINT: Checkpoint.from_json,
        INCLUSION: Inclusion.from_json,
        CONSISTENCY: Consistency.from_json,
    }
    form = value.get("format") if isinstance(value, Mapping) else None
    if not isinstance(form, str) or form not in readers:
        raise BadInput(f"It's neither a checkpoint nor a proof: its `format` must be one of {', '.join(map(str, readers))}.")
    return readers[form](value)


def leaf_of(entry: Entry) -> bytes:
    """The hash of the entry's leaf.

    Raises:
        ValueError, RecursionError: the entry holds what no log can (and so was never appended to one).
    """
    return leaf_hash(canonical(entry.to_json()))


def _object(value: object, form: str, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or value.get("format") != form:
        raise BadInput(f"It isn't {what}: its `format` must be {quoted(form)}. Give the file as errata wrote it.")
    return value


def _hex(value: object, length: int, what: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(f"[0-9a-f]{{{2 * length}}}", value):
        raise BadInput(f"`{what}` must be {2 * length} hexadecimal digits. Give the file as errata wrote it.")
    return bytes.fromhex(value)


def _path(value: object) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > _LONGEST_PATH:
        raise BadInput(f"A proof's `path` must be a list of at most {_LONGEST_PATH} hashes. Give the file as errata wrote it.")
    return tuple(_hex(node, HASH_BYTES, "path") for node in value)


def _entry(value: object) -> Entry:
    """The entry in a proof: of the right shape, not yet known to be true."""
    if not isinstance(value, Mapping) or value.keys() != _ENTRY_FIELDS:
        raise BadInput(f"A proof's `entry` must have {', '.join(sorted(_ENTRY_FIELDS))}, and nothing else. Get it anew.")
    texts = [value[name] for name in ("branch", "kind", "time", "previous", "hash")]
    if type(value["seq"]) is not int or not isinstance(value["body"], Mapping) or not all(isinstance(text, str) for text in texts):
        raise BadInput("A field of a proof's `entry` is of the wrong type. Give the file as errata wrote it.")
    if value["kind"] not in KINDS:
        raise LogError(
            f"The entry is of a kind that this version doesn't know ({quoted(value['kind'])}). Upgrade errata to check the proof."
        )
    return Entry(
        value["seq"], value["branch"], cast(Kind, value["kind"]), value["time"], value["body"], value["previous"], value["hash"]
    )
