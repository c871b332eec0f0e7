"""Any sequence of acts leaves what a naive model of the log says: plain lists, worked out from the first entry each time."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from errata.core.canonical import JSON, canonical
from errata.core.errors import BadImage, Conflict, LogError
from errata.core.records import Edit, EditId, Query
from errata.log import EditLog, Kind, MemoryStore, Snapshots, Store, open_store
from tests.log.worlds import BY, picture
from tools.proofs import Record

ASKED: Final = tuple(Query.ask(f"What is it ({number})?", picture(number)) for number in range(3)) + (Query.ask("Who wrote it?"),)
ENDS: Final[Mapping[int, str]] = {2: "2031-01-01", 7: "2032-06-01T12:00:00Z"}
EDITS: Final = tuple(
    Edit(
        ASKED[number // 2],  # two edits of each question
        f"answer {number}",
        keep=(Query.ask("And this?", picture(2)),) if number == 1 else (),
        valid_until=ENDS.get(number),
    )
    for number in range(8)
)
NUMBERS: Final[Mapping[EditId, int]] = {edit.id: number for number, edit in enumerate(EDITS)}
PICTURES: Final = tuple(picture(number).digest for number in range(3))
KEYS: Final = st.integers(0, 11).map(lambda drawn: {9: "one", 10: "two", 11: "three"}.get(drawn, ""))
LEAVING: Final[tuple[Kind, ...]] = ("reverted", "expired", "quarantined", "superseded")
SETTLING: Final[tuple[Kind, ...]] = ("proposed", "proposed", "refused", "approved")
NEUTRAL: Final[tuple[Kind, ...]] = ("aliased", "imported", "aliased", "checkpointed", "aliased", "rebased")
ACTS: Final = (
    *("apply",) * 8,
    *("take the place of any",) * 2,
    *("settle",) * 4,
    *("take out",) * 6,
    *("note",) * 2,
    *("snapshot",) * 4,
    *("inspect",) * 2,
    "erase",
    "reopen",
)


@dataclass(frozen=True)
class Line:
    """One act that the log took: all that the naive model remembers."""

    kind: Kind
    number: int | None = None
    """The edit."""

    out: tuple[int, ...] = ()
    """The edits that an applied one takes the place of."""

    key: str = ""
    image: str = ""
    """What an `erased` line erased."""

    kept: bool = False
    alias: str = ""
    at: int = 0


Lines = Sequence[Line]


def standing(lines: Lines) -> list[int]:
    """The edits in force, in order."""
    now: list[int] = []
    for line in lines:
        if line.kind == "applied":
            now = [number for number in now if number not in line.out]
            now += [] if line.number is None else [line.number]
        if line.kind in LEAVING:
            now = [number for number in now if number != line.number]
    return now


def waiting(lines: Lines) -> list[int]:
    """The edits that wait for approval, in the order of their first proposal since they were last settled."""
    now: list[int] = []
    for line in lines:
        if line.kind == "proposed" and line.number is not None and line.number not in now:
            now = [*now, line.number]
        if line.kind in ("applied", "refused"):
            now = [number for number in now if number != line.number]
    return now


def owed(lines: Lines) -> list[int]:
    """The edits that an applied one took the place of, without an entry that says so yet."""
    now: set[int] = set()
    for line in lines:
        if line.kind == "applied":
            now |= set(line.out)
        if line.kind == "applied" or line.kind in LEAVING:
            now -= {line.number}
    return sorted(now)


def pinned(lines: Lines) -> int:
    """The number of the last entry that erased an image and kept its effect; 0 for none."""
    return max((seq for seq, line in enumerate(lines, start=1) if line.kept), default=0)


def fixed(lines: Lines) -> list[int]:
    """The edits that can't be taken back any more."""
    return standing(lines[: pinned(lines)])


def gone(lines: Lines) -> set[str]:
    """The images that were erased and that no later entry brought back."""
    now: set[str] = set()
    for line in lines:
        if line.kind in ("applied", "proposed", "refused") and line.number is not None:
            now -= {image.digest for image in EDITS[line.number].images}
        if line.kind == "erased":
            now |= {line.image}
    return now


def must_refuse(lines: Lines, line: Line) -> bool:
    """Whether the line makes no sense after these."""
    free = set(standing(lines)) - set(fixed(lines))
    if line.kind in ("applied", "proposed"):
        return line.number in standing(lines) or not set(line.out) <= free
    if line.kind == "approved":
        return line.number not in waiting(lines)
    if line.kind == "superseded" and line.number in owed(lines):
        return False
    return line.kind in LEAVING and line.number not in free


def ids(numbers: Sequence[int]) -> tuple[EditId, ...]:
    return tuple(EDITS[number].id for number in numbers)


class Acts(RuleBasedStateMachine):
    """The acts that a log must take or refuse."""

    found: ClassVar[Counter[str]] = Counter()
    """What was tried, in all histories of a run."""

    @initialize(kind=st.sampled_from(["memory", "memory", "sqlite"]))
    def opened(self, kind: str) -> None:
        self.lines: list[Line] = []
        self.snapped: dict[int, list[int]] = {}
        self.folder = Path(tempfile.mkdtemp()) if kind == "sqlite" else None
        self.store: Store = MemoryStore() if self.folder is None else open_store(self.folder / "errata.db")
        self.log, self.other = EditLog(self.store), EditLog(self.store)
        self.found[f"{kind} histories"] += 1

    def teardown(self) -> None:
        self.store.close()
        if self.folder is not None:
            shutil.rmtree(self.folder)

    @rule(act=st.sampled_from(ACTS), number=st.integers(0, 7), pick=st.integers(0, 31), key=KEYS)
    def act(self, act: str, number: int, pick: int, key: str) -> None:
        # One rule for all: hypothesis leaves some rules out of each history, and one without edits shows nothing.
        now = standing(self.lines)
        match act:
            case "apply":
                same = [old for old in now if old != number and old // 2 == number // 2]
                self.put(Line("applied", number, (*same, *(old for old in now if old == pick and old not in same)), key))
            case "take the place of any":
                if not any(old // 2 == number // 2 and old != pick % 8 for old in now):
                    self.put(Line("applied", number, (pick % 8,), key))
            case "settle":
                kind = SETTLING[pick % len(SETTLING)]
                self.put(Line(kind, self.likely(waiting(self.lines) if kind == "approved" else [], number, pick), key=key))
            case "take out":
                kind = LEAVING[pick % len(LEAVING)]
                left = self.likely((owed(self.lines) if kind == "superseded" else []) or now, number, pick)
                self.put(Line(kind, left, key=key))
                if pick > 24:
                    self.put(Line(kind, left))  # once more: refused
            case "note":
                kind = NEUTRAL[pick % len(NEUTRAL)]
                alias = ("release", "before")[number % 2] if kind == "aliased" else ""
                self.put(Line(kind, key=key, alias=alias, at=min(pick, len(self.lines)) if alias else 0))
            case "snapshot" if self.log.head is not None:
                Snapshots(self.log).put(self.log.head, canonical(ids(now)))
                self.snapped[len(self.lines)] = now
            case "erase":
                self.erase(PICTURES[pick % 3], keep=number % 4 > 0, dies=number > 3)
            case "reopen":
                if self.folder is not None:
                    self.store.close()
                    self.store = open_store(self.folder / "errata.db", create=False)
                self.log, self.other = EditLog(self.store), EditLog(self.store)
            case "inspect":
                self.look_back((5 * pick + number) % (len(self.lines) + 1), fresh=pick % 2 == 0)
                self.read()
                head = self.log.head
                assert self.log.verify(head.mark if head is not None else None) == len(self.lines)
        if pick % 4 == 3:
            self.log, self.other = self.other, self.log  # another writer goes on
        self.fold(pick)

    @invariant()
    def agree(self) -> None:
        self.compare(self.log, self.lines)

    def likely(self, numbers: Sequence[int], number: int, pick: int) -> int:
        """One of these, more often than not."""
        return numbers[number % len(numbers)] if numbers and pick < 24 else number

    def erase(self, image: str, *, keep: bool, dies: bool) -> None:
        """As a session does it."""
        now = standing(self.lines)
        concerned = [number for number in now if image in {one.digest for one in EDITS[number].images}]
        if set(concerned) & set(fixed(self.lines)) and not keep:
            return  # a session refuses it whole, before its first entry
        if not keep:
            for number in concerned:
                self.put(Line("reverted", number))
        pin = {"pinned": self.store.blobs.put(canonical(ids(now)))} if keep and concerned else {}
        self.put(Line("erased", image=image, kept=bool(pin)), {"images": [image], **pin})
        self.store.blobs.erase(image)
        if not dies:  # else the process died before it had thrown away what may hold traces of the image
            Snapshots(self.log).clear()
            self.snapped.clear()
        self.found["images erased, effect kept" if pin else "images erased"] += 1

    def look_back(self, seq: int, *, fresh: bool) -> None:
        past = (EditLog(self.store) if fresh else self.log).at(seq)
        self.compare(past, self.lines[:seq])
        assert past.verify() == seq
        with pytest.raises(LogError, match="past"):
            past.append("imported", None, BY)
        if seq < len(self.lines):
            after = "" if past.head is None else past.head.hash
            with pytest.raises(Conflict):
                self.log.append("refused", EDITS[0], BY, after=after)

    def read(self) -> None:
        """The edits that a fold must write have their content and images, whatever was erased."""
        start, now = len(fixed(self.lines)), standing(self.lines)
        assert list(self.log.in_force(skip=start)) == [EDITS[number] for number in now[start:]]
        for number in {line.number for line in self.lines if line.number is not None}:
            about = [seq for seq, line in enumerate(self.lines, start=1) if line.number == number]
            assert [entry.seq for entry in self.log.find(EDITS[number].id)] == about
        for number in {line.number for line in self.lines if line.kind == "proposed" and line.number is not None}:
            if {image.digest for image in EDITS[number].images} & gone(self.lines):
                with pytest.raises(BadImage, match="erased"):
                    self.log.edit(EDITS[number].id)
            else:
                assert self.log.edit(EDITS[number].id) == EDITS[number]

    def fold(self, pick: int) -> None:
        """What a fold starts from is the newest state that what is in force goes on from."""
        free = [number for number in standing(self.lines) if number not in fixed(self.lines)]
        left_out = [free[pick % len(free)]] if free and pick > 20 else []
        now = [number for number in standing(self.lines) if number not in left_out]
        fits = [seq for seq, held in self.snapped.items() if seq >= pinned(self.lines) and now[: len(held)] == held]
        wanted = max(fits, default=pinned(self.lines))
        start = Snapshots(self.log).start(without=ids(left_out))
        assert start.skipped == ()
        if start.snapshot is None:
            assert wanted == 0
        else:
            assert start.snapshot.seq == wanted
            assert json.loads(start.snapshot.data) == list(ids(now[: start.snapshot.edits]))
            assert start.snapshot.edits == len(standing(self.lines[:wanted]))
            self.found["folds from a state"] += 1

    def put(self, line: Line, details: Mapping[str, JSON] = {}) -> None:  # noqa: B006  never changed
        """Give the line to the log: it must take it, refuse it, or know its key."""
        whole = line.number is not None and line.kind in ("applied", "proposed", "refused")
        edit = EDITS[line.number] if line.number is not None else None
        told: dict[str, JSON] = {**details}
        if line.kind == "applied" and edit is not None:
            told |= {"asks": edit.query.digest, "until": edit.valid_until, "supersedes": list(ids(line.out))}
        if line.alias:
            told |= {"alias": line.alias, "entry": line.at}
        known = next((seq for seq, old in enumerate(self.lines, start=1) if line.key and old.key == line.key), None)

        def append() -> int:
            named = None if whole or edit is None else edit.id
            return self.log.append(line.kind, edit if whole else None, BY, edit_id=named, details=told, key=line.key).seq

        if known is not None:
            assert append() == known
            self.found["known keys"] += 1
        elif must_refuse(self.lines, line):
            with pytest.raises(LogError):
                append()
            self.found["refusals"] += 1
        else:
            assert append() == len(self.lines) + 1
            self.lines.append(line)
            self.found[f"{line.kind} entries"] += 1

    def compare(self, log: EditLog, lines: Lines) -> None:
        now = standing(lines)
        assert [NUMBERS[edit] for edit in log.ids_in_force()] == now
        assert [NUMBERS[edit] for edit in log.proposed()] == waiting(lines)
        assert log.aliases() == {line.alias: line.at for line in lines if line.alias}
        assert log.ending() == {EDITS[number].id: ENDS[number] for number in now if number in ENDS}
        for number, query in enumerate(ASKED):
            asked = [EDITS[each].id for each in now if each // 2 == number]
            assert log.asking(query) == (asked[-1] if asked else None)
        for key in ("one", "two", "three"):
            first = next((seq for seq, line in enumerate(lines, start=1) if line.key == key), None)
            entry = log.keyed(key)
            assert (None if entry is None else entry.seq) == first
        pin = log.pin
        assert (0 if pin is None else pin.seq) == pinned(lines)
        assert (0 if pin is None else pin.edits) == len(fixed(lines))
        assert len(log) == len(lines)


@pytest.mark.proof(sample=30, full=2000)
@pytest.mark.timeout(1800)
def test_any_sequence_of_acts_leaves_what_a_naive_model_of_the_log_says(trials: int, record: Record):
    Acts.found.clear()
    run_state_machine_as_test(
        Acts,
        settings=settings(
            max_examples=trials,
            stateful_step_count=60,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert min(Acts.found[kind] for kind in ("refusals", "applied entries", "folds from a state")) > trials
    record.update({name: Acts.found[name] for name in sorted(Acts.found)})


def test_a_request_made_again_does_not_bring_back_an_image_that_was_erased_since():
    log = EditLog(MemoryStore())
    first = log.append("refused", EDITS[0], BY, key="one")
    log.append("erased", None, BY, details={"images": [PICTURES[0]]})
    log.store.blobs.erase(PICTURES[0])
    assert log.append("refused", EDITS[0], BY, key="one") == first
    assert log.store.blobs.get(PICTURES[0]) is None
