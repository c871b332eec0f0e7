"""Whether a branch is what was written: every hash, the chain, the numbers, every edit's id and every image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from errata.core.counted import counted
from errata.core.errors import BadInput, LogError, Tampered, quoted
from errata.log.entry import FIRST, Entry, linked
from errata.log.fold import notes_in
from errata.log.store import Blobs, Store

_HEAD: Final = re.compile(r"(?:(?P<seq>[0-9]{1,18}):)?(?P<hash>[0-9a-f]{12,64})")


@dataclass(frozen=True)
class KeptHead:
    """A head that somebody kept, against which a log that was cut short is found out."""

    seq: int | None
    hash: str
    """The first 12 to 64 digits of the hash."""

    @staticmethod
    def parse(text: str) -> KeptHead:
        """Read `seq:hash` or `hash`.

        Raises:
            BadInput: it's neither.
        """
        found = _HEAD.fullmatch(text.strip())
        if found is None:
            raise BadInput(
                f"{quoted(text)} isn't a head of a log. Give 'number:hash' or a hash, at least 12 hexadecimal digits of it."
            )
        return KeptHead(None if found["seq"] is None else int(found["seq"]), found["hash"])

    def fits(self, entry: Entry) -> bool:
        return self.seq in (None, entry.seq) and entry.hash.startswith(self.hash)


def verify_branch(store: Store, *, branch: str, upto: int | None, head: str | None) -> int:
    """Read everything and recompute it.

    Args:
        store: where the branch is kept.
        branch: its name.
        upto: stop after this entry; None for the whole branch.
        head: a kept head (`Entry.mark`, or a hash alone) that must be among the entries.

    Returns:
        The number of entries that verified.

    Raises:
        Tampered: with the number of the first entry that doesn't verify.
        BadInput: `head` isn't a head.
    """
    kept = None if head is None else KeptHead.parse(head)
    seq, previous, found = 0, FIRST, kept is None
    named: dict[str, int] = {}  # an image's digest -> the first entry that needs it, since it was last erased
    pinned: dict[str, int] = {}  # a state's digest -> the entry that erased an image and kept its effect in it
    while True:
        before = seq
        for row in store.rows(branch, seq + 1, None if upto is None else upto + 1):
            entry = linked(row, branch=branch, seq=seq + 1, previous=previous)
            seq, previous = entry.seq, entry.hash
            found = found or (kept is not None and kept.fits(entry))
            for digest in entry.image_digests():
                named.setdefault(digest, seq)
            for digest in _erased_by(entry):
                named.pop(digest, None)
            pinned |= {note.pin: seq for note in (notes_in(entry.details),) if note.pin and entry.kind == "erased"}
        if upto is not None or _at_tip(store, branch, seq, previous, grew=seq > before):
            break
    if upto is not None and seq < upto:
        raise Tampered(seq + 1, "it is missing")
    if kept is not None and not found:
        raise _head_lost(kept, seq)
    if upto is not None:  # what was erased later is gone from the past as well
        for row in store.rows(branch, seq + 1):
            entry = linked(row, branch=branch, seq=seq + 1, previous=previous)
            seq, previous = entry.seq, entry.hash
            for digest in _erased_by(entry):
                named.pop(digest, None)
    _check_blobs(store.blobs, named, "image")
    _check_blobs(store.blobs, pinned, "kept state")
    return seq if upto is None else upto


def _at_tip(store: Store, branch: str, seq: int, last_hash: str, *, grew: bool) -> bool:
    """Whether the entries end where the store noted the branch's end; False when it grew meanwhile and there is more to read."""
    tip = store.branches().get(branch)
    if tip is None:
        if seq:
            raise Tampered(1, "the store doesn't list its branch")
        return True
    if tip.seq > seq:
        if not grew:
            raise Tampered(seq + 1, f"it is missing, though the store noted {counted(tip.seq, 'entry')}")
        return False
    if tip.seq < seq:
        raise Tampered(max(tip.seq + 1, 1), f"the store noted only {counted(tip.seq, 'entry')}")
    if tip.hash != last_hash:
        raise Tampered(max(seq, 1), "its hash isn't the one that the store noted for the branch's last entry")
    return True


def _head_lost(kept: KeptHead, seq: int) -> Tampered:
    if kept.seq is not None and 1 <= kept.seq <= seq:
        return Tampered(kept.seq, f"its hash isn't that of the kept head ({kept.hash[:12]}): the log was rewritten")
    what = f"entry {kept.seq}, the kept head," if kept.seq is not None else f"the kept head {kept.hash[:12]}"
    return Tampered(seq + 1, f"the log ends at entry {seq}, and {what} isn't in it: entries were cut off or rewritten")


def _erased_by(entry: Entry) -> frozenset[str]:
    """The images that an `erased` entry says were erased on purpose, in its details' `images`."""
    images = entry.details.get("images")
    if entry.kind != "erased" or not isinstance(images, list):
        return frozenset()
    return frozenset(digest for digest in images if isinstance(digest, str))


def _check_blobs(blobs: Blobs, needed: dict[str, int], what: str) -> None:
    for digest, seq in sorted(needed.items(), key=lambda item: item[1]):
        try:
            there = blobs.get(digest) is not None
        except LogError:
            raise Tampered(seq, f"its {what} {digest[:12]} isn't what was written") from None
        if not there:
            raise Tampered(seq, f"its {what} {digest[:12]} is missing, and no entry says that it was erased")
