"""What a log holds, picked by what tells one edit from another, a page at a time: its edits as they are now, and its entries.

No picture is decoded and no model needed. Pages are counted from the newest back and shown oldest first.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar, get_args

from errata.core.canonical import digest_of
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, EditId
from errata.log.edit_log import EditLog
from errata.log.entry import Entry
from errata.log.fold import Fate, Standing

FATES: Final[tuple[Fate, ...]] = get_args(Fate)
"""Everything that an edit can be."""

STANDING: Final[tuple[Fate, ...]] = ("in-force", "over")
"""Those that no entry took out of force."""

T = TypeVar("T")

_DIGEST: Final = re.compile(r"[0-9a-f]{6,64}")


class Listed(NamedTuple):
    """An entry, and the edit that it is about as it is now."""

    entry: Entry
    standing: Standing | None
    """None where the entry is about no edit, or the log doesn't hold its content."""

    edit: Edit | None
    """With pictures by name alone."""

    @property
    def pictures(self) -> tuple[str, ...]:
        """The digests of the pictures of the edit's own question."""
        return () if self.edit is None else tuple(dict.fromkeys(image.digest for image in self.edit.query.images))


@dataclass(frozen=True)
class Sought:
    """What is looked for; what is empty is not asked of."""

    author: str = ""
    """Who made the entry, whatever the case."""

    since: int = 0
    """Entries after this one."""

    text: str = ""
    """Words in the question, another wording, the target, the subject, the reason or the ticket, whatever the case."""

    fates: frozenset[Fate] = frozenset()
    image: str = ""
    """The digest of a picture of the edit, or its first digits."""

    def fits(self, one: Listed) -> bool:
        """Whether it is what is looked for."""
        by, edit = one.entry.by, one.edit
        if one.entry.seq <= self.since or (self.author and _plain(by.author) != _plain(self.author)):
            return False
        if self.fates and (one.standing is None or one.standing.fate not in self.fates):
            return False
        if self.image and not any(image.digest.startswith(self.image) for image in (() if edit is None else edit.images)):
            return False
        said = () if edit is None else (edit.target, edit.subject or "", *(query.text for query in (edit.query, *edit.also)))
        return not self.text or any(_plain(self.text) in _plain(words) for words in (*said, by.reason, by.ticket))


@dataclass(frozen=True)
class Page:
    """Some of what was found, oldest first."""

    rows: tuple[Listed, ...]
    found: int
    """How many fit altogether."""

    total: int
    """How many there are, of what may fit."""


def image_named(text: str) -> str:
    """The digest of a picture, from its file or from its first digits; no picture is decoded.

    Raises:
        BadInput: there is no such file, and these can't be the digits of one.
    """
    path = Path(text)
    try:
        if path.is_file():
            return digest_of(path.read_bytes())
    except (OSError, ValueError) as error:
        raise BadInput(f"The picture {text!r} can't be read: {error}. Check the path.") from None
    wanted = text.strip().lower()
    if not _DIGEST.fullmatch(wanted):
        raise BadInput(f"{text!r} is neither the file of a picture nor its digest. Give a path, or at least 6 hexadecimal digits.")
    return wanted


def edits(log: EditLog, sought: Sought = Sought(), *, limit: int | None = None, offset: int = 0, before: int | None = None) -> Page:
    """The edits that fit, each by the entry that holds it, in the order of these entries.

    Args:
        limit: at most so many, the newest; None: all.
        offset: leave out so many of the newest first.
        before: only those held by entries before this one; None: all.
    """
    fates = log.fates()
    held = {one.seq: one for one in fates.values() if not sought.fates or one.fate in sought.fates}
    seqs = sorted(seq for seq in held if seq > sought.since and (before is None or seq < before))
    if not (sought.author or sought.text or sought.image):
        return Page(tuple(_read(log, _last(seqs, limit, offset), held)), len(seqs), len(held))
    fitting = [one for one in _read(log, seqs, held) if sought.fits(one)]
    return Page(tuple(_last(fitting, limit, offset)), len(fitting), len(held))


def entries(log: EditLog, sought: Sought = Sought(), *, limit: int, offset: int = 0, start: int | None = None) -> Page:
    """The entries that fit; what is looked for in an edit is looked for in the one that the entry is about.

    Args:
        limit: at most so many, the newest.
        offset: leave out so many of the newest first.
        start: begin with this entry instead, and go on from there.
    """
    total = len(log)
    if sought == Sought():
        first, last = (start, start + limit - 1) if start is not None else (total - offset - limit + 1, total - offset)
        return Page(tuple(_listed(log, log.entries(max(1, first), last + 1))), total, total)
    fitting: deque[Listed] = deque(maxlen=None if start is not None else offset + limit)
    found = 0
    for one in _listed(log, log.entries()):
        if sought.fits(one) and one.entry.seq >= (start or 1):
            found += 1
            fitting.append(one)
    kept = list(islice(fitting, limit)) if start is not None else _last(list(fitting), limit, offset)
    return Page(tuple(kept), found, total)


def _listed(log: EditLog, read: Iterator[Entry]) -> Iterator[Listed]:
    """Entries with the edits that they are about; the content of each is read once."""
    fates, known = log.fates(), dict[EditId, Edit]()
    for entry in read:
        named = entry.edit_id
        standing = None if named is None else fates.get(named)
        if named is not None and standing is not None and named not in known:
            holder = entry if entry.holds_edit else next(log.entries(standing.seq, standing.seq + 1))
            known[named] = _content(holder)
        yield Listed(entry, standing, known.get(named) if named is not None else None)


def _read(log: EditLog, seqs: Sequence[int], held: Mapping[int, Standing]) -> Iterator[Listed]:
    """The entries of these numbers, which ascend."""
    for first, last in _runs(seqs):
        for entry in log.entries(first, last + 1):
            yield Listed(entry, held[entry.seq], _content(entry))


def _runs(seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Numbers that follow one another, together: one question to the store for each run."""
    first = last = None
    for seq in seqs:
        if last is None or seq != last + 1:
            if first is not None and last is not None:
                yield first, last
            first = seq
        last = seq
    if first is not None and last is not None:
        yield first, last


def _last(rows: Sequence[T], limit: int | None, offset: int) -> Sequence[T]:
    """So many of the newest, after those that are left out."""
    stop = max(0, len(rows) - offset)
    return rows[0 if limit is None else max(0, stop - limit) : stop]


def _content(entry: Entry) -> Edit:
    return entry.edit(lambda digest: Image(digest, b""))


def _plain(text: str) -> str:
    """Words as they are compared: without case, in one Unicode form, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())
