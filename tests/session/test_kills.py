"""A writer is killed at any moment: nothing acknowledged is lost, nothing is half applied, and the state is what the log says.

An act has an entry for each edit that it settles, in an order. So an act on several edits that was cut short has settled the first
of them, each of these whole; an act on one edit happened or it didn't.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.core.canonical import digest_of
from errata.core.model import Model
from errata.core.records import EditId
from errata.log import EditLog, Entry, Store, open_store
from errata.models import TransformersModel, load
from errata.session.folding import frozen, thawed
from errata.session.session import Session
from errata.session.takeback import finish_erasing
from tests.log.servers import database
from tests.session.kill_worlds import BY_ID, QUESTIONS, Killed, Stirred, killed
from tools.proofs import Record

AFRESH = 25
"""Kills until a new store: states add up, and what was done to an old log is not for ever in every fold."""

SAMPLE = (QUESTIONS[0], QUESTIONS[-1])


@pytest.fixture(scope="module")
def terse(random_llava_folder: Path) -> Iterator[TransformersModel]:
    """The small random model: its answers end soon, it has seen every picture, and it runs in one thread, so that it can fork."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    model = load(random_llava_folder)
    with torch.no_grad():
        model.net.lm_head.weight[model.net.config.text_config.eos_token_id or 2] *= 4
    editor = Stirred()
    model.answers(QUESTIONS, [editor.read(model, editor.begin(model), query) for query in QUESTIONS])
    yield model
    torch.set_num_threads(threads)


def standing(entries: list[Entry]) -> list[EditId]:
    """The edits in force, from the entries alone."""
    now: list[EditId] = []
    for entry in entries:
        out = {entry.edit_id} if entry.kind in ("reverted", "quarantined", "superseded") else set()
        out |= set(entry.details.get("supersedes") or ()) if entry.kind == "applied" else set()  # type: ignore[arg-type]
        now = [edit for edit in now if edit not in out]
        if entry.kind == "applied" and entry.edit_id is not None:
            now.append(entry.edit_id)
    return now


def from_scratch(model: Model, edits: list[EditId]) -> Any:
    """The fold of these edits, from the beginning, without a snapshot and without the store."""
    editor = Stirred()
    state = editor.begin(model)
    for edit in edits:
        state = editor.write(model, state, BY_ID[edit])
    return state


def check_entries(log: EditLog, before: list[Entry], died: Killed) -> int:
    """Nothing that was acknowledged is gone, and of the last act there are its first entries. How many are there unacknowledged."""
    entries = list(log.entries())
    assert entries[: len(before)] == before, "what was there before has changed"
    assert log.verify(died.mark or None) == len(entries)
    seq = int(died.mark.split(":")[0]) if died.mark else len(before)
    further = entries[seq:]
    assert len(further) <= len(died.steps), "there is more than was begun"
    for entry, (kinds, edit) in zip(further, died.steps, strict=False):
        assert (entry.kind in kinds, entry.edit_id) == (True, edit), "what is there isn't what was begun"
    return len(further)


def check_state(model: Model, store: Store) -> None:
    """The session that opens is the fold of what is in force, bit for bit, and so are its answers and every snapshot."""
    log = EditLog(store)
    entries = list(log.entries())
    now = standing(entries)
    assert list(log.ids_in_force()) == now
    hashes = [entry.hash for entry in entries]
    for key in store.shelf.sizes():
        data = store.shelf.get(key)
        assert data is not None
        assert (digest_of(data), hashes[key.seq - 1]) == (key.digest, key.entry)
        state = thawed(data)
        assert state is not None
        assert state.edits == tuple(standing(entries[: key.seq]))
    if not entries:
        return
    session = Session.open(model, Stirred(), log)
    finish_erasing(session)
    assert not any(store.blobs.get(image) for image in session.log.erased())
    assert not session.log.erasing()
    scratch = from_scratch(model, now)
    assert frozen(session.state) == frozen(scratch)
    editor = Stirred()
    answers = model.answers(SAMPLE, [editor.read(model, scratch, query) for query in SAMPLE])
    assert [answer.text for answer in session.ask(SAMPLE)] == answers


def survive(model: Model, kills: int, place: Callable[[], str], record: Record) -> None:
    """Kill writers one after another, on a store that goes on being used."""
    started, found, draw = time.monotonic(), Counter[str](), random.Random(11)
    where, before = "", list[Entry]()
    for number in range(kills):
        if number % AFRESH == 0:
            where, before = place(), []
            open_store(where).close()
            found["stores"] += 1
        died = killed(model, where, draw)
        with closing(open_store(where, create=False)) as store:
            log = EditLog(store)
            found["entries found though unacknowledged"] += check_entries(log, before, died)
            check_state(model, store)
            before = list(log.entries())
        found["kills"] += 1
        found["acts acknowledged"] += died.acts
        found[f"killed about: {died.at}"] += 1
        found["entries"] += len(before) if number % AFRESH == AFRESH - 1 or number == kills - 1 else 0
    record.update({**found, "lost": 0, "half applied": 0, "seconds": round(time.monotonic() - started, 1)})


forking = pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")  # the others rest: see `terse`


@forking
@pytest.mark.proof(sample=12, full=500)
@pytest.mark.timeout(1200)
def test_a_writer_killed_at_any_moment_leaves_a_sqlite_store_as_its_log_says(
    terse: TransformersModel, tmp_path: Path, trials: int, record: Record
):
    numbers = iter(range(trials))
    survive(terse, trials, lambda: str(tmp_path / f"{next(numbers)}.db"), record)


@forking
@pytest.mark.proof(sample=6, full=500)
@pytest.mark.timeout(1800)
def test_a_writer_killed_at_any_moment_leaves_a_postgresql_store_as_its_log_says(
    terse: TransformersModel, trials: int, record: Record
):
    survive(terse, trials, database, record)
