"""What follows from a branch's entries: which edits are in force, which wait, what was named. Kept up to date entry by entry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, cast, final

from errata.core.canonical import JSON
from errata.core.errors import LogError
from errata.core.records import EditId, instant
from errata.log.entry import FIRST, WITHDRAWING, Entry, Kind, Row, checked


class Notes(NamedTuple):
    """What the details of an entry say that the fold must know; "" or () where they say nothing."""

    key: str = ""
    """`key`: the idempotency key under which it was appended."""

    asks: str = ""
    """`asks`: the digest of an applied edit's query, so that a later edit of the same query supersedes it."""

    until: str = ""
    """`until`: when an applied edit ends."""

    supersedes: tuple[EditId, ...] = ()
    """`supersedes`: the edits that an applied edit takes the place of, in the same instant."""

    pin: str = ""
    """`pinned`: the digest of the state that an erased image's effect was kept in."""

    images: tuple[str, ...] = ()
    """`images`: the digests of the images that an `erased` entry is about."""

    pixels: str = ""
    """`pixels`: the digest of what the image of an `erased` entry shows, whose other encodings aren't taken in again either."""

    stage: str = ""
    """`stage` of an `erased` entry: "begun" until one says "done", whose images' bytes are gone then; "" on other branches."""

    alias: tuple[str, int] | None = None
    """`alias` and `entry`: a name for the state after an entry."""

    two_people: bool | None = None
    """`two_people` of a `ruled` entry: whether a correction needs two people from now on."""


Fate = Literal["in-force", "over", "proposed", "refused", "superseded", "reverted", "quarantined", "expired", "erased"]
"""What an edit is now. `over`: in force, but its time is over, which the next command that writes says in the log."""


class Standing(NamedTuple):
    """What an edit is now, and where that is said."""

    fate: Fate
    seq: int
    """The entry with its content that counts: the one that applied it, where it is in force."""

    superseded_by: EditId | None = None


NOTHING: Final = Notes()
_NOTED: Final = frozenset({"key", "asks", "until", "supersedes", "pinned", "images", "pixels", "alias", "two_people"})


class Step(NamedTuple):
    """What the fold remembers of one entry."""

    seq: int
    kind: Kind
    edit: EditId | None
    holds_edit: bool
    hash: str
    notes: Notes = NOTHING
    time: str = ""
    author: str = ""


@dataclass(frozen=True)
class Pin:
    """A state that can't be folded anew, because an image that it needs was erased: every later fold starts from it."""

    seq: int
    """The entry that erased the image."""

    digest: str
    """The blob that holds the state."""

    edits: int
    """How many edits were in force then; they can't be taken back."""


@final
@dataclass
class Fold:
    """Everything that follows from the entries so far. Grows by `add`; `until` gives an independent shorter one.

    An edit is in force from the entry that applied it until an entry that withdraws it; applied again later, it takes its place at
    the end, because an editor would write it last.
    """

    steps: list[Step] = field(default_factory=list)
    standing: dict[EditId, int] = field(default_factory=dict)
    """Edits in force -> number of the entry that applied them; in the order of these numbers."""

    holders: dict[EditId, int] = field(default_factory=dict)
    """Every edit whose content is in the log -> number of the latest entry that holds it."""

    proposed: dict[EditId, int] = field(default_factory=dict)
    """Edits that wait for approval -> number of the entry that proposed them."""

    proposers: dict[EditId, frozenset[str]] = field(default_factory=dict)
    """Who proposed each of them."""

    seconded: dict[EditId, int] = field(default_factory=dict)
    """Of these, the ones that somebody else approved -> the entry that says so."""

    two_people: bool = False
    """Whether a correction needs two people: one who proposes it, and another who approves it."""

    asking: dict[str, EditId] = field(default_factory=dict)
    """Digest of a query -> the edit in force that answers it."""

    questions: dict[EditId, str] = field(default_factory=dict)
    """The other way round."""

    ending: dict[EditId, str] = field(default_factory=dict)
    """Edits in force that end at some time -> when."""

    superseded: dict[EditId, EditId] = field(default_factory=dict)
    """Edits that a later one took the place of -> that one, until an entry says so or they are applied again."""

    keys: dict[str, int] = field(default_factory=dict)
    """Idempotency key -> the entry that was appended under it."""

    aliases: dict[str, int] = field(default_factory=dict)
    """Name -> the entry that it stands for; the latest wins."""

    erased: dict[str, int] = field(default_factory=dict)
    """Digests of images that were erased -> the latest entry that says so."""

    erased_pixels: dict[str, int] = field(default_factory=dict)
    """Digests of what erased images show -> the latest entry that says so."""

    erasing: dict[str, int] = field(default_factory=dict)
    """Of these, the ones of which no entry says that their bytes are gone."""

    pin: Pin | None = None
    latest: str = ""
    """The latest time of an entry."""

    @property
    def seq(self) -> int:
        return len(self.steps)

    @property
    def hash(self) -> str:
        return self.steps[-1].hash if self.steps else FIRST

    def add(self, step: Step) -> None:
        assert step.seq == self.seq + 1, "a fold takes entries in order"
        self.steps.append(step)
        self.latest = max(self.latest, step.time)  # all are written alike, so that the later one sorts last
        if step.notes is not NOTHING:
            self._note(step)
        if step.edit is None:
            return
        if step.holds_edit:
            self.holders[step.edit] = step.seq
        if step.kind == "proposed":
            self.proposed[step.edit] = step.seq
            self.proposers[step.edit] = self.proposers.get(step.edit, frozenset()) | {_person(step.author)}
        elif step.kind == "approved" and _person(step.author) not in self.proposers.get(step.edit, frozenset()):
            self.seconded[step.edit] = step.seq
        elif step.kind in ("applied", "refused"):
            self.proposed.pop(step.edit, None)
            self.proposers.pop(step.edit, None)
            self.seconded.pop(step.edit, None)
        if step.kind == "applied":
            self._apply(step.edit, step)
        elif step.kind in WITHDRAWING:
            self._withdraw(step.edit)
            self.superseded.pop(step.edit, None)

    def until(self, seq: int) -> Fold:
        """The fold of the entries up to `seq`."""
        if seq == self.seq:
            return Fold(**{part.name: copy(getattr(self, part.name)) for part in fields(self)})
        shorter = Fold()
        for step in self.steps[:seq]:
            shorter.add(step)
        return shorter

    def standing_at(self, seq: int) -> tuple[EditId, ...]:
        """The edits that were in force after entry `seq`; quick where none was withdrawn since."""
        if any(step.kind in WITHDRAWING or step.notes.supersedes for step in self.steps[seq:]):
            return tuple(self.until(seq).standing)
        return tuple(edit for edit, applied in self.standing.items() if applied <= seq)

    def fates(self, now: datetime) -> dict[EditId, Standing]:
        """What each edit whose content is in the log is now, in the order in which they first came. One in force whose time ended
        before now is `over`."""
        last: dict[EditId, Fate] = {}
        takers: dict[EditId, EditId] = {}
        for step in self.steps:
            if step.edit is not None and (step.kind in WITHDRAWING or step.kind == "refused"):
                last[step.edit] = cast(Fate, step.kind)
            if step.edit is not None and step.kind == "applied":
                takers.update(dict.fromkeys(step.notes.supersedes, step.edit))
        found: dict[EditId, Standing] = {}
        for edit in dict.fromkeys(step.edit for step in self.steps if step.holds_edit):
            assert edit is not None, "an entry that holds an edit names it"
            if edit in self.standing:
                end = self.ending.get(edit)
                found[edit] = Standing("in-force" if end is None or instant(end) > now else "over", self.standing[edit])
            elif edit in self.proposed:
                found[edit] = Standing("proposed", self.proposed[edit])
            else:
                fate = "superseded" if edit in self.superseded else last.get(edit, "refused")
                found[edit] = Standing(fate, self.holders[edit], takers.get(edit) if fate == "superseded" else None)
        return found

    def about(self, edit: EditId | None) -> Iterator[int]:
        """The numbers of the entries about this edit; of all entries for None."""
        return (step.seq for step in self.steps if edit is None or step.edit == edit)

    def fixed(self, edit: EditId) -> bool:
        """Whether the edit is part of a pinned state, so that it can't be taken back."""
        return self.pin is not None and edit in self.standing and self.standing[edit] < self.pin.seq

    def alone(self, kind: Kind, edit: EditId | None, author: str) -> str:
        """Why one person alone can't do this on a branch that asks for two; empty where they can."""
        if not self.two_people or edit is None:
            return ""
        if kind == "approved" and _person(author) in self.proposers.get(edit, frozenset()):
            return (
                f"This branch asks for two people, and {author} proposed the edit {edit[:12]}. Somebody else must approve it "
                "(errata edit approve --author NAME)."
            )
        if kind == "applied" and edit not in self.seconded:
            return (
                f"This branch asks for two people, and nobody has approved the edit {edit[:12]} that another proposed. Nothing was "
                "changed. Propose it (errata edit add --propose), and let somebody else approve it."
            )
        return ""

    def check(
        self, kind: Kind, edit: EditId | None, holds_edit: bool, supersedes: tuple[EditId, ...] = (), author: str = ""
    ) -> None:
        """Whether an entry of this kind makes sense now.

        Raises:
            LogError: it would apply an edit that's in force, or withdraw one that isn't or can't be, or doesn't say which; or it
                needs two people.
        """
        if kind in ("applied", "proposed"):
            if edit is None or not holds_edit:
                raise LogError(f"An {kind!r} entry needs the whole edit, so that the log can be replayed. Give the edit.")
            if edit in self.standing:
                raise LogError(
                    f"The edit {edit[:12]} is in force already (entry {self.standing[edit]}). Revert it before applying it again."
                )
        if kind == "approved" and edit not in self.proposed:
            raise LogError(f"No proposed edit {str(edit)[:12]} waits for approval. `errata edit list --proposed` shows what does.")
        if why := self.alone(kind, edit, author):
            raise LogError(why)
        for old in supersedes:
            self._check_out(kind, old)
        if kind == "erased" and edit is not None and edit in self.standing:
            self._check_out(kind, edit)
        if kind in WITHDRAWING and kind != "erased":  # an image may be erased whether or not its edit is in force
            if edit is None:
                raise LogError(f"A {kind!r} entry needs the id of the edit that it takes out of force.")
            if kind == "superseded" and edit in self.superseded:
                return
            self._check_out(kind, edit)

    def _check_out(self, kind: Kind, edit: EditId) -> None:
        if edit not in self.standing:
            raise LogError(f"The edit {edit[:12]} isn't in force, so it can't be {kind}. List the edits in force first.")
        if self.fixed(edit):
            assert self.pin is not None, "only a pin fixes an edit"
            raise LogError(
                f"The edit {edit[:12]} can't be taken out of force: its effect was kept when an image was erased (entry "
                f"{self.pin.seq}), and nothing before that can be replayed. Correct it with another edit."
            )

    def _apply(self, edit: EditId, step: Step) -> None:
        for old in step.notes.supersedes:
            if old in self.standing:
                self._withdraw(old)
                self.superseded[old] = edit
        self.standing.setdefault(edit, step.seq)
        self.superseded.pop(edit, None)
        if step.notes.asks:
            self.asking[step.notes.asks], self.questions[edit] = edit, step.notes.asks
        if step.notes.until:
            self.ending[edit] = step.notes.until

    def _withdraw(self, edit: EditId) -> None:
        if self.standing.pop(edit, None) is not None:
            self.ending.pop(edit, None)
            asked = self.questions.pop(edit, "")
            if self.asking.get(asked) == edit:
                del self.asking[asked]

    def _note(self, step: Step) -> None:
        notes = step.notes
        if notes.key:
            self.keys.setdefault(notes.key, step.seq)
        if notes.two_people is not None and step.kind == "ruled":
            self.two_people = notes.two_people
        if notes.alias is not None and step.kind == "aliased":
            name, seq = notes.alias
            self.aliases[name] = seq
        if step.kind == "erased":
            if notes.pixels:
                self.erased_pixels[notes.pixels] = step.seq
            for image in notes.images:
                self.erased[image] = step.seq
                if notes.stage == "begun":
                    self.erasing[image] = step.seq
                elif notes.stage == "done":
                    self.erasing.pop(image, None)
        if notes.pin and step.kind == "erased":
            self.pin = Pin(step.seq, notes.pin, len(self.standing))


def step_of(entry: Entry) -> Step:
    """What the fold needs of an entry."""
    return Step(
        entry.seq, entry.kind, entry.edit_id, entry.holds_edit, entry.hash, notes_in(entry.details), entry.time, entry.by.author
    )


def step_in(row: Row, *, branch: str, seq: int, previous: str) -> Step:
    """The same, straight from a row: a long log is opened by it, and an entry for each row would take a tenth of the time.

    Raises:
        Tampered: as `errata.log.entry.checked`.
    """
    body = cast("Mapping[str, Any]", checked(row, branch=branch, seq=seq, previous=previous))
    notes, author = notes_in(body["details"]), body["by"]["author"]
    return Step(seq, cast(Kind, row.kind), body["edit_id"], body["edit"] is not None, row.hash, notes, row.time, author)


def notes_in(details: Mapping[str, JSON]) -> Notes:
    """What the fold needs of an entry's details; what is of another shape says nothing."""
    if _NOTED.isdisjoint(details):
        return NOTHING
    alias, at = details.get("alias"), details.get("entry")
    old, images, two = details.get("supersedes"), details.get("images"), details.get("two_people")
    return Notes(
        _text(details.get("key")),
        _text(details.get("asks")),
        _text(details.get("until")),
        tuple(EditId(edit) for edit in old if isinstance(edit, str)) if isinstance(old, list) else (),
        _text(details.get("pinned")),
        tuple(image for image in images if isinstance(image, str)) if isinstance(images, list) else (),
        _text(details.get("pixels")),
        _text(details.get("stage")),
        (alias, at) if isinstance(alias, str) and isinstance(at, int) else None,
        two if isinstance(two, bool) else None,
    )


def _person(author: str) -> str:
    """Who it is, however the name is typed."""
    return " ".join(author.split()).casefold()


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""
