"""A writer that is killed: a forked process that edits, takes back and erases without end, and says what it has done.

The editor's state is exact and cheap, and depends on the order of the edits, so that what is lost, doubled, half applied or out of
order shows in every bit of it. The writer says what it is about to do, each time before it touches the disk, and what it has done.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from errata.core.errors import Held
from errata.core.model import Model, Patch
from errata.core.records import Edit, EditId, Provenance, Query, Spec
from errata.log import Blobs, EditLog, Kind, Leases, Row, Shelf, SnapshotKey, Store, Tip, holding, open_store
from errata.nn.patches import Replaced
from errata.session.proposals import approve, propose
from errata.session.session import Session
from errata.session.takeback import erase_image, finish_erasing
from tests.conftest import picture

LEASE_S = 0.1
"""Short: a killed writer's branch must be free for the next one at once."""

SNAPSHOT_EVERY = 2
PATIENCE = 100
"""Lines after which a writer is killed though what was waited for didn't come."""

PICTURES = 12
"""Pictures that can be erased; what was erased doesn't come back."""

BY = Provenance("writer", "to be killed")

QUESTIONS = tuple(Query.ask(f"what is {number}?", picture(number, width=32, height=32)) for number in range(PICTURES)) + tuple(
    Query.ask(f"where is {number}?") for number in range(6)
)
EDITS = tuple(Edit(QUESTIONS[number % len(QUESTIONS)], f"it is {number}") for number in range(3 * len(QUESTIONS)))
BY_ID = {edit.id: edit for edit in EDITS}


@dataclass(frozen=True)
class Written:
    """A weight, and the edits that made it, in order."""

    weight: Tensor
    edits: tuple[EditId, ...] = ()


@dataclass(frozen=True)
class Stirred:
    """Every edit stirs the whole weight: what comes of two edits is another weight for each order."""

    def spec(self, model: Model) -> Spec:
        return Spec("stirred")

    def begin(self, model: Model) -> Written:
        return Written(model.module(self._path(model)).weight.detach().clone())  # type: ignore[operator]

    def write(self, model: Model, state: Written, edit: Edit) -> Written:
        noise = torch.randn(state.weight.shape, generator=torch.Generator().manual_seed(int(edit.id[:12], 16)))
        return Written(0.9 * state.weight.roll(1, 0) + 0.1 * noise, (*state.edits, edit.id))

    def read(self, model: Model, state: Written, query: Query) -> Patch:
        return Replaced({self._path(model): state.weight}, state.edits)

    def _path(self, model: Model) -> str:
        return model.writable["text"][-1]


Step = tuple[tuple[Kind, ...], EditId | None]
"""An entry that an act may append: one of these kinds, about this edit."""


@dataclass
class Telling:
    """What the writer says, a line at a time: a line is in the pipe whole or not at all, and outlives the writer."""

    pipe: int

    def say(self, what: str, **more: Any) -> None:
        os.write(self.pipe, json.dumps({"is": what, **more}).encode() + b"\n")


@dataclass
class ToldStore:
    """A store that says so before it touches the disk: the moments at which a death should be hardest to bear."""

    inner: Store
    telling: Telling

    @property
    def blobs(self) -> Blobs:
        return ToldBlobs(self.inner.blobs, self.telling)

    @property
    def shelf(self) -> Shelf:
        return ToldShelf(self.inner.shelf, self.telling)

    @property
    def leases(self) -> Leases:
        return self.inner.leases

    @contextmanager
    def turn(self, branch: str) -> Iterator[None]:
        with self.inner.turn(branch):
            yield

    def append(self, row: Row) -> None:
        self.telling.say("append")
        self.inner.append(row)

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        return self.inner.rows(branch, start, stop)

    def branches(self) -> Mapping[str, Tip]:
        return self.inner.branches()

    def close(self) -> None:
        self.inner.close()


@dataclass
class ToldBlobs:
    inner: Blobs
    telling: Telling

    def put(self, data: bytes) -> str:
        self.telling.say("blob")
        return self.inner.put(data)

    def get(self, digest: str) -> bytes | None:
        return self.inner.get(digest)

    def size(self, digest: str) -> int | None:
        return self.inner.size(digest)

    def erase(self, digest: str) -> bool:
        self.telling.say("erase")
        return self.inner.erase(digest)


@dataclass
class ToldShelf:
    inner: Shelf
    telling: Telling

    def put(self, key: SnapshotKey, data: bytes) -> None:
        self.telling.say("snapshot")
        self.inner.put(key, data)

    def get(self, key: SnapshotKey) -> bytes | None:
        return self.inner.get(key)

    def sizes(self, branch: str | None = None) -> Mapping[SnapshotKey, int]:
        return self.inner.sizes(branch)

    def delete(self, key: SnapshotKey) -> None:
        self.telling.say("snapshot")
        self.inner.delete(key)


@dataclass
class Writer:
    """The acts of a killed process, drawn by a seed."""

    model: Model
    place: str
    draw: random.Random
    telling: Telling

    def run(self) -> None:
        """Write without end, on a store of its own: no connection goes across a fork."""
        with closing(open_store(self.place)) as store:
            while True:
                try:
                    with holding(ToldStore(store, self.telling), "main", seconds=LEASE_S) as held:
                        self._write(held)
                except Held:  # the lease of the one that was killed before
                    time.sleep(0.01)

    def _write(self, held: Store) -> None:
        log = EditLog(held)
        self.telling.say("will", steps=[(("erased",), None)] * len(log.erasing()) if len(log) else [(("begun",), None)])
        session = Session.open(self.model, Stirred(), log, snapshot_every=SNAPSHOT_EVERY)
        finish_erasing(session)
        self.telling.say("done", mark=session.head.mark if session.head is not None else "")
        while True:
            steps, act = self._next(session)
            self.telling.say("will", steps=steps)
            act()
            assert session.head is not None
            self.telling.say("done", mark=session.head.mark)

    def _next(self, session: Session) -> tuple[list[Step], Callable[[], object]]:
        """An act, and the entries that it appends, in order."""
        draw, log = self.draw, session.log
        standing, pin = log.ids_in_force(), log.pin
        free = standing[0 if pin is None else pin.edits :]
        turn = draw.random()
        owed: list[Step] = [(("superseded",), old) for old in log.superseded()]  # what the one that was killed had yet to write
        if free and (turn < 0.15 or len(free) > 8):
            out = draw.choice(free)
            return [*owed, (("reverted",), out)], lambda: session.revert(out, BY)
        if len(free) > 1 and turn < 0.25:
            several = tuple(draw.sample(free, k=draw.randint(2, min(3, len(free)))))
            return [*owed, *((("quarantined",), each) for each in several)], lambda: session.withdraw("quarantined", several, BY)
        if turn < 0.32:
            erasing = self._erase(session, standing, frozenset(free), owed)
            if erasing is not None:
                return erasing
        fixed = {BY_ID[each].query.digest for each in standing if each not in free}
        open_ = [edit for edit in EDITS if edit.id not in standing and edit.query.digest not in fixed]
        open_ = [edit for edit in open_ if not any(image in log.erased() for image in _digests(edit))]
        waiting = [edit for edit in open_ if edit.id in log.proposed() and all(map(log.store.blobs.get, _digests(edit)))]
        if waiting and turn < 0.42:
            chosen = draw.choice(waiting)
            return [*owed, (("approved",), chosen.id), *self._edit(session, chosen)], lambda: approve(session, chosen.id, BY)
        new = draw.choice(open_)
        if turn < 0.5:
            return [(("proposed",), new.id)], lambda: propose(session, new, BY)
        key = f"import:{draw.randint(1, 400)}" if turn < 0.7 else ""
        known = log.keyed(key) if key else None
        if known is not None and known.edit_id is not None:
            again = BY_ID[known.edit_id]
            return [], lambda: session.edit(again, BY, key=key, guard=False)
        return [*owed, *self._edit(session, new)], lambda: session.edit(new, BY, key=key, guard=turn < 0.55)

    def _edit(self, session: Session, edit: Edit) -> list[Step]:
        old = session.log.asking(edit.query)
        return [(("applied", "refused"), edit.id), *([] if old is None else [(("superseded",), old)])]  # type: ignore[list-item]

    def _erase(
        self, session: Session, standing: Sequence[EditId], free: frozenset[EditId], owed: Sequence[Step]
    ) -> tuple[list[Step], Callable[[], object]] | None:
        image = self.draw.choice(QUESTIONS[:PICTURES]).images[0].digest
        concerned = [edit for edit in standing if image in _digests(BY_ID[edit])]
        named = any(image in entry.image_digests() for entry in session.log.entries())
        keep = self.draw.random() < 0.3 and len(standing) < 6  # what is kept can't be taken back: the world would fill up
        if not named or session.log.store.blobs.get(image) is None or not (keep or set(concerned) <= free):
            return None
        steps: list[Step] = [] if keep or not concerned else [*owed, *((("reverted",), edit) for edit in concerned)]
        return [*steps, (("erased",), None), (("erased",), None)], lambda: erase_image(session, image, BY, keep_effect=keep)


def _digests(edit: Edit) -> list[str]:
    return [image.digest for image in edit.images]


@dataclass
class Killed:
    """What a killed writer had said."""

    mark: str = ""
    """The head after the last act that it acknowledged; "" for none."""

    acts: int = 0
    """The acts acknowledged."""

    steps: list[Step] = field(default_factory=list)
    """The entries of the act that it was at."""

    at: str = ""
    """What it was about to do."""


def killed(model: Model, place: str, draw: random.Random) -> Killed:
    """Fork a writer and kill it at a random moment: at one of its next lines, of any kind or of one, or shortly after."""
    reading, writing = os.pipe()
    seed, wait = draw.random(), draw.choice([0.0, draw.expovariate(2000), draw.expovariate(100)])
    kind, lines = draw.choice([("", 40), ("append", 12), ("snapshot", 6), ("blob", 4), ("erase", 2)])
    awaited, lines = f'"is": "{kind}'.encode(), draw.randint(1, lines)
    pid = os.fork()
    if pid == 0:
        _be_killed(model, place, random.Random(seed), writing)
    os.close(writing)
    with open(reading, "rb", buffering=0) as pipe:
        told = b""
        while told.count(awaited) < lines and told.count(b"\n") < PATIENCE:
            more = pipe.read(4096)
            if not more:
                break  # it died by itself, which the status tells
            told += more
        time.sleep(wait)
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        while more := pipe.read(65536):
            told += more
    assert os.WIFSIGNALED(status), told.decode(errors="replace")[-3000:]
    return _heard(told)


def _be_killed(model: Model, place: str, draw: random.Random, pipe: int) -> None:
    """The forked process: whatever happens, it never goes back into the tests."""
    try:
        Writer(model, place, draw, Telling(pipe)).run()
    except BaseException:  # noqa: BLE001  told to the parent, which fails with it
        os.write(pipe, b"\n" + traceback.format_exc().encode()[-3000:])
    finally:
        sys.stderr.flush()
        os._exit(1)


def _heard(told: bytes) -> Killed:
    heard = Killed()
    for line in told.split(b"\n")[:-1]:
        said = json.loads(line)
        if said["is"] == "will":
            heard.steps = [(tuple(kinds), edit) for kinds, edit in said["steps"]]
        elif said["is"] == "done":
            heard.mark, heard.acts, heard.steps = said["mark"], heard.acts + 1, []
        heard.at = said["is"]
    return heard
