"""The edit log: append-only, hash-chained, the truth of which a model's state is the fold."""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from types import MappingProxyType
from typing import Final, final

from errata.core.canonical import JSON, digest_of
from errata.core.counted import counted
from errata.core.errors import BadImage, BadInput, Conflict, LogError, Tampered
from errata.core.images import DECODERS, NEWEST, Image
from errata.core.matching import QUESTIONS, asks
from errata.core.records import Edit, EditId, Provenance, Query, instant
from errata.log.entry import FIRST, KINDS, Entry, Kind, Row, body_of, linked, sealed
from errata.log.fold import Fold, Pin, Standing, notes_in, step_in, step_of
from errata.log.moments import last_by, resolved
from errata.log.store import Blobs, Store, Tip, check_branch
from errata.log.verify import verify_branch

_NOTHING: Final[Mapping[str, JSON]] = MappingProxyType({})
_SHOWN: Final = 12


@final
class EditLog:
    """One branch of a store, or a view of its past.

    Whatever is read is checked: an entry whose hash is wrong is never handed out, and what is in force follows only from entries
    whose whole chain was checked. Threads may share a log; other processes may append to the same store.

    Args:
        store: where the entries are kept.
        branch: the edit set; a new one begins with its first entry.
        upto: for a view of the past, the last entry that is seen (0: before the first).

    Raises:
        BadInput: the branch can't have this name.
        LogError: `upto` is negative or beyond the last entry.
    """

    def __init__(self, store: Store, branch: str = "main", upto: int | None = None) -> None:
        self._store = store
        self._branch = check_branch(branch)
        self._upto = upto
        self._fold = Fold()
        self._began: dict[str, int] = {}
        self._lock = threading.RLock()
        if upto is not None:
            _check_seq(upto, branch, self._tip().seq)

    @property
    def store(self) -> Store:
        return self._store

    @property
    def branch(self) -> str:
        return self._branch

    @property
    def upto(self) -> int | None:
        """The last entry that a view of the past sees; None for the log itself."""
        return self._upto

    def __len__(self) -> int:
        """The number of entries; found without reading them."""
        return self._tip().seq if self._upto is None else self._upto

    @property
    def head(self) -> Entry | None:
        """The last entry; None for an empty log. Only this entry is read.

        Raises:
            Tampered: it doesn't verify.
        """
        last = len(self)
        return next(self.entries(last), None) if last else None

    @property
    def decoder(self) -> int:
        """The version of how pictures are decoded with which the branch began; the newest where it hasn't.

        Raises:
            LogError: a later errata began it, with a version that isn't known here.
        """
        return self._began_with("decoder", missing=1, known=DECODERS, newest=NEWEST)

    def append(
        self,
        kind: Kind,
        edit: Edit | None,
        by: Provenance,
        *,
        edit_id: EditId | None = None,
        details: Mapping[str, JSON] = _NOTHING,
        after: str | None = None,
        key: str = "",
    ) -> Entry:
        """Write one entry: the edit's images first, then the entry, which is the commit point. Once this returns, it's on the disk.

        Args:
            kind: what happened.
            edit: the edit, where its content belongs in the log (`applied`, `proposed`, `refused`).
            by: who, why, which ticket.
            edit_id: the edit that the entry is about, where its content is in the log already.
            details: anything else to remember, as JSON: answers, receipts, telemetry, the editor's spec.
            after: the hash of the head that the caller decided on ("" for an empty log); nothing is appended if another came since.
            key: names the request; where an entry was appended under it before, that one is returned and nothing is appended.

        Raises:
            Conflict: `after` isn't the head any more.
            LogError: a view of the past, an unknown kind, an edit applied twice or withdrawn while not in force, details that
                aren't JSON, or a store that can't be written. Nothing was appended.
            Tampered: what is in the store doesn't verify.
        """
        if self._upto is not None:
            raise LogError(
                f"This is a view of the log after entry {self._upto}; the past can't be written. Append to the log itself."
            )
        if kind not in KINDS:
            raise LogError(f"There is no kind of entry named {kind!r}. Use one of: {', '.join(sorted(KINDS))}.")
        named = _named(edit, edit_id)
        details = {**details, "key": key} if key else details
        body, supersedes = body_of(edit, named, by, details), notes_in(details).supersedes
        with self._lock:
            if edit is not None and edit.images:
                known = self.keyed(key) if key else None
                if known is None:
                    self._check(kind, named, edit, after, supersedes, by)  # before any image is kept in vain
                    _keep_images(edit, self._store.blobs)
            with self._store.turn(self._branch):  # what is read in it holds until the row is appended
                known = self.keyed(key) if key else None
                if known is not None:
                    return known
                self._check(kind, named, edit, after, supersedes, by)
                row = self._next(kind, body)
                try:
                    self._store.append(row)
                except Conflict:
                    why = "the store noted another end of the branch than its last entry"
                    raise Tampered(self._fold.seq + 1, why) from None
                entry = linked(row, branch=self._branch, seq=row.seq, previous=row.previous)
                self._fold.add(step_of(entry))
                return entry

    def entries(self, start: int = 1, stop: int | None = None) -> Iterator[Entry]:
        """The entries with start <= seq < stop, each checked; only this range is read, so the last page of a long log is quick.

        Raises:
            Tampered: with the number of the first entry that doesn't verify.
        """
        seq, previous = max(start, 1), None
        last = len(self)
        end = last + 1 if stop is None else min(stop, last + 1)
        for row in self._store.rows(self._branch, seq, end):
            entry = linked(row, branch=self._branch, seq=seq, previous=previous)
            yield entry
            seq, previous = seq + 1, entry.hash
        if seq < end:
            raise Tampered(seq, f"it is missing, though the store noted {counted(last, 'entry')}")

    def find(self, edit: str | None = None, kinds: Collection[Kind] = KINDS) -> Iterator[Entry]:
        """The entries about one edit (an id or a unique prefix; None: any), of these kinds, in order.

        Raises:
            Unknown, BadInput: as `resolve`.
        """
        named = None if edit is None else self.resolve(edit)
        with self._lock:
            fold = self._synced()
            wanted = [seq for seq in fold.about(named) if fold.steps[seq - 1].kind in kinds]
        for seq in wanted:
            yield from self.entries(seq, seq + 1)

    def ids_in_force(self) -> tuple[EditId, ...]:
        """The ids of `in_force`, without reading the edits' content or images."""
        with self._lock:
            return tuple(self._synced().standing)

    def keyed(self, key: str) -> Entry | None:
        """The entry that was appended under this idempotency key; None where there is none."""
        with self._lock:
            seq = self._synced().keys.get(key)
        return None if seq is None else next(self.entries(seq, seq + 1))

    def applied_between(self, first: int, last: int) -> tuple[EditId, ...]:
        """The edits in force that the entries from `first` to `last` applied, in their order.

        Raises:
            BadInput: there are none.
        """
        with self._lock:
            found = tuple(edit for edit, seq in self._synced().standing.items() if first <= seq <= last)
        if not found:
            raise BadInput(
                f"No edit in force was applied by the entries {first} to {last}. `errata edit list` shows what is in force."
            )
        return found

    def proposed(self) -> tuple[EditId, ...]:
        """The edits that wait for approval, in the order in which they were proposed."""
        with self._lock:
            return tuple(self._synced().proposed)

    def fates(self) -> Mapping[EditId, Standing]:
        """What each edit whose content is in the log is now (`Fold.fates`)."""
        with self._lock:
            return self._synced().fates(datetime.now(UTC))

    @property
    def two_people(self) -> bool:
        """Whether a correction needs two people on this branch: one who proposes it, and another who approves it."""
        with self._lock:
            return self._synced().two_people

    def check_alone(self, kind: Kind, edit: EditId, author: str) -> None:
        """Whether this person may do this to the edit, before the work is done that an entry on it needs.

        Raises:
            BadInput: it needs another person.
        """
        with self._lock:
            why = self._synced().alone(kind, edit, author)
        if why:
            raise BadInput(why)

    def asking(self, query: Query) -> EditId | None:
        """The edit in force that corrects this question, named as by `asks`; None where there is none."""
        named = self.asks(query)
        with self._lock:
            asking = self._synced().asking
            return asking.get(named, asking.get(query.digest))  # earlier versions named it by the pictures' bytes

    def asks(self, query: Query) -> str:
        """The name of what a query asks, by the rule that the branch began with (`errata.core.matching`).

        Raises:
            BadImage, LogError: a picture can't be decoded; the branch was begun by a later errata, with another rule.
        """
        rule = self._began_with("questions", missing=0, known=range(QUESTIONS + 1), newest=QUESTIONS)
        return asks(query, rule=rule, decoder=self.decoder)

    def ending(self) -> Mapping[EditId, str]:
        """The edits in force that end at some time, and when (ISO 8601, UTC)."""
        with self._lock:
            return dict(self._synced().ending)

    def superseded(self) -> Mapping[EditId, EditId]:
        """Edits whose place another took while no entry of theirs says so yet -> that other."""
        with self._lock:
            return dict(self._synced().superseded)

    def erased(self) -> Mapping[str, int]:
        """Digests of images that were erased on purpose -> the latest entry that says so."""
        with self._lock:
            return dict(self._synced().erased)

    def was_erased(self, image: Image) -> bool:
        """Whether a picture was erased on purpose, in these bytes or in others that show the same pixels."""
        with self._lock:
            fold = self._synced()
            known, pixels = image.digest in fold.erased, bool(fold.erased_pixels)
        return known or (pixels and image.shown(self.decoder) in fold.erased_pixels)

    def erasing(self) -> Mapping[str, int]:
        """Of these, the ones of which no entry says yet that their bytes are gone."""
        with self._lock:
            return dict(self._synced().erasing)

    def aliases(self) -> Mapping[str, int]:
        """Names of states -> the entry after which each was."""
        with self._lock:
            return dict(self._synced().aliases)

    @property
    def pin(self) -> Pin | None:
        """The state from which every fold starts since an image was erased with its effect kept; None where none was."""
        with self._lock:
            return self._synced().pin

    def fixed(self) -> frozenset[EditId]:
        """The edits in force whose effect is part of the pinned state, so that they can't be taken back."""
        with self._lock:
            fold = self._synced()
            return frozenset(islice(fold.standing, 0 if fold.pin is None else fold.pin.edits))

    def point(self, text: str) -> int:
        """The entry that a person means: a number, an alias, or a time (ISO 8601 in UTC: the last entry up to then; 0: none).

        A time not after the latest entry's names the same entry for ever (`errata.log.moments`).

        Raises:
            BadInput: it's none of these.
            LogError: there is no such entry.
        """
        wanted, named = text.strip(), self.aliases()
        if wanted in named:
            return named[wanted]
        if re.fullmatch("[0-9]{1,18}", wanted):  # no other digits, and none too many for Python to read
            _check_seq(int(wanted), self._branch, len(self))
            return int(wanted)
        with self._lock:
            return last_by((step.time for step in self._synced().steps), instant(wanted))

    def ids_at(self, seq: int) -> tuple[EditId, ...]:
        """The ids of the edits that were in force after entry `seq`, one of those that this log sees."""
        with self._lock:
            return self._synced().standing_at(seq)

    def in_force(self, skip: int = 0, *, without: Collection[EditId] = ()) -> Iterator[Edit]:
        """The edits that hold, in the order in which they were applied: applied, and not afterwards reverted, superseded, expired,
        quarantined or erased. An edit applied again takes its place at the end.

        Args:
            skip: leave out the first so many (those that a snapshot holds already).
            without: leave these out too, as if they had been taken back; not counted by `skip`.

        Raises:
            Tampered: an entry doesn't verify.
            BadImage: an image was erased or lost.
        """
        with self._lock:
            standing = self._synced().standing.items()
            wanted = dict.fromkeys(islice((seq for edit, seq in standing if edit not in without), skip, None))
        if not wanted:
            return
        for entry in self.entries(min(wanted), max(wanted) + 1):
            if entry.seq in wanted:
                yield entry.edit(self.image)

    def at(self, seq: int) -> EditLog:
        """The log as it was after entry `seq`, for reading only; 0 is before the first.

        Raises:
            LogError: there is no such entry.
        """
        _check_seq(seq, self._branch, len(self))
        view = EditLog(self._store, self._branch, upto=seq)
        with self._lock:
            if self._fold.seq >= seq:  # what was checked once needs no second reading
                view._fold = self._fold.until(seq)
        return view

    def verify(self, head: str | None = None) -> int:
        """Recompute every hash, the chain, the numbers, every edit's id and every image; the number of entries that verified.

        Args:
            head: a head that was kept elsewhere (`Entry.mark`, or a hash), which must be in the log; it finds out a log cut short.

        Raises:
            Tampered: with the number of the first entry that doesn't verify.
            BadInput: `head` isn't a head.
        """
        return verify_branch(self._store, branch=self._branch, upto=self._upto, head=head)

    def resolve(self, prefix: str) -> EditId:
        """The id of an edit that the log names, in force or not, by its first digits; see `moments.resolved`."""
        with self._lock:
            known = dict.fromkeys(step.edit for step in self._synced().steps if step.edit is not None)
        return resolved(prefix, list(known))

    def edit(self, prefix: str) -> Edit:
        """The content of an edit by its id or a unique prefix of it, in force or not.

        Raises:
            BadInput, Unknown: as `resolve`.
            LogError: the log names the edit but holds no content of it.
            BadImage: an image was erased or lost.
        """
        return self._holder(prefix).edit(self.image)

    def words(self, prefix: str) -> Edit:
        """`edit` without its pictures' bytes: they are named by their digests, whether they are there or not."""
        return self._holder(prefix).edit(lambda digest: Image(digest, b""))

    def _holder(self, prefix: str) -> Entry:
        """The entry that holds an edit's content."""
        named = self.resolve(prefix)
        with self._lock:
            seq = self._fold.holders.get(named)
        if seq is None:
            raise LogError(
                f"Branch {self._branch!r} names the edit {named[:_SHOWN]} but doesn't hold its content. Look on other branches."
            )
        (entry,) = self.entries(seq, seq + 1)
        return entry

    def image(self, digest: str) -> Image:
        """An image of an edit, by its digest.

        Raises:
            BadImage: it isn't in the store.
            LogError: what is there isn't what was written.
        """
        data = self._store.blobs.get(digest)
        if data is None:
            raise BadImage(
                f"The image {digest[:_SHOWN]} isn't in the store: it was erased or lost. `errata log verify` tells which."
            )
        return Image(digest, data)

    def on(self, branch: str) -> EditLog:
        """Another branch of the same store."""
        return EditLog(self._store, branch)

    def branches(self) -> tuple[str, ...]:
        """The branches of the store that have entries, sorted."""
        return tuple(sorted(self._store.branches()))

    def _began_with(self, what: str, *, missing: int, known: Collection[int], newest: int) -> int:
        """A version that the branch's first entry names; `missing` where it names none, the newest where there is no entry."""
        if what not in self._began:
            for row in self._store.rows(self._branch, 1, 2):
                told = linked(row, branch=self._branch, seq=1, previous=FIRST).details.get(what, missing)
                if not isinstance(told, int) or told not in known:
                    raise LogError(f"Branch {self._branch!r} has a {what} of version {told!r}, not known here. Upgrade errata.")
                self._began[what] = told
        return self._began.get(what, newest)

    def _tip(self) -> Tip:
        return self._store.branches().get(self._branch, Tip(0, FIRST))

    def _synced(self) -> Fold:
        """The fold, once it holds every entry there is. Call it with the lock held."""
        fold, last, stop = self._fold, len(self), None if self._upto is None else self._upto + 1
        seq, previous = fold.seq, fold.hash
        with _uncollected():
            for row in self._store.rows(self._branch, seq + 1, stop):
                seq += 1
                fold.add(step_in(row, branch=self._branch, seq=seq, previous=previous))
                previous = row.hash
        if fold.seq < last:
            raise Tampered(fold.seq + 1, f"it is missing, though the store noted {counted(last, 'entry')}")
        return fold

    def _next(self, kind: Kind, body: bytes) -> Row:
        fold = self._fold
        return sealed(seq=fold.seq + 1, branch=self._branch, kind=kind, body=body, previous=fold.hash, latest=fold.latest)

    def _check(
        self,
        kind: Kind,
        named: EditId | None,
        edit: Edit | None,
        after: str | None,
        supersedes: tuple[EditId, ...],
        by: Provenance,
    ) -> None:
        fold = self._synced()
        if after is not None and after != fold.hash:
            raise Conflict(
                f"Branch {self._branch!r} has grown to entry {fold.seq} since this was decided. Nothing was appended; "
                "read it again and decide anew."
            )
        fold.check(kind, named, edit is not None, supersedes, by.author)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without Python's search for cycles: a fold makes no cycle and lets go of nothing, and each search would walk all of it again,
    and the model beside it: of 100,000 entries that is a quarter of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _check_seq(seq: int, branch: str, last: int) -> None:
    if not 0 <= seq <= last:
        raise LogError(f"There is no entry {seq} on branch {branch!r}: it has {last}. Give a number from 0 to {last}.")


def _named(edit: Edit | None, edit_id: EditId | None) -> EditId | None:
    """The id of the edit that an entry is about, given either way."""
    if edit is None:
        return edit_id
    try:
        named = edit.id
    except ValueError as error:  # text that isn't Unicode
        raise LogError(f"The edit can't be written: {error}. Give plain Unicode text.") from None
    if edit_id not in (None, named):
        raise LogError(f"The edit's id is {named[:_SHOWN]}, not {str(edit_id)[:_SHOWN]}. Give the edit alone.")
    return named


def _keep_images(edit: Edit, blobs: Blobs) -> None:
    for image in edit.images:
        if digest_of(image.data) != image.digest:
            raise BadImage(f"The image {image.digest[:_SHOWN]} doesn't have that digest. Make it with Image.of or Image.open.")
        blobs.put(image.data)
