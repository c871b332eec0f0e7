"""Read your own edit: whoever had one acknowledged sees it in the next answer, and no answer comes of a version that never was."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.records import Edit, EditId, Query
from errata.door import Session
from errata.models import load
from errata.serve.engine.seam import Said
from errata.serve.engine.thread import Threaded
from errata.session.receipts import Receipt
from tests.serve.asking import LONG_S, opened, put

CLIENTS = 8
QUESTIONS = 5
"""To an edit."""

SEED = 31
LOOKED_AT = 20
"""Versions of which every answer is compared with what a view of the log says, asked alone; of a sample, two."""


@dataclass(frozen=True)
class Seen:
    """What a client was told, and what it knew."""

    query: Query
    said: Said
    acknowledged: int
    """The last entry that this client was told of before it asked."""

    edit: Edit | None = None
    """The edit whose question this is, acknowledged right before; None: another question, or it was taken back."""

    gone: EditId | None = None
    """The edit that was taken back right before."""


@dataclass
class Client:
    """Corrects, asks, takes back, one thing after the other."""

    engine: Threaded
    dice: Random

    def __post_init__(self) -> None:
        self.last = 0
        self.applied = 0
        self.seen: list[Seen] = []

    def work(self, edits: list[Edit], others: list[Query]) -> None:
        for edit in edits:
            receipt = self._done(lambda session, edit=edit: session.inner.edit(edit))
            applied = receipt is not None and receipt.status == "applied"
            self.applied += applied
            self._ask(edit.query, edit=edit if applied else None)
            queries = [self.dice.choice(others) for _ in range(QUESTIONS - 1)]
            if applied and self.dice.random() < 0.1:
                self._done(lambda session, edit=edit: session.inner.revert(edit.id))
                self._ask(edit.query, gone=edit.id)
                queries.pop()
            for query in queries:
                self._ask(query)

    def _done(self, what: Any) -> Receipt | None:
        try:
            receipt: Receipt = self.engine.do("main", what).result(10 * LONG_S)
        except BadInput:  # in force already, by another client's hand, or taken away by it
            return None
        self.last = receipt.seq
        return receipt

    def _ask(self, query: Query, *, edit: Edit | None = None, gone: EditId | None = None) -> None:
        self.seen.append(Seen(query, put(self.engine, query).said(), self.last, edit, gone))


@pytest.mark.timeout(7200)
@pytest.mark.proof(sample=16, full=1000)
def test_no_acknowledged_edit_goes_unseen_and_no_answer_comes_of_a_version_that_never_was(trials: int, record: dict[str, Any]):
    model = load("llava-tiny")
    stream = ScopeWorldStream(seed=SEED, edits=trials)
    cases = [stream[place] for place in range(trials)]
    others = [query for case in cases for query in (case.edit.query, case.probes[0].query)]
    with opened(model, editor=f"codebook:slots={16 * trials + 64}") as engine:
        clients = [Client(engine, Random(SEED + place)) for place in range(CLIENTS)]
        with ThreadPoolExecutor(CLIENTS) as pool:
            shares = [[case.edit for case in cases[place::CLIENTS]] for place in range(CLIENTS)]
            works = [pool.submit(client.work, share, others) for client, share in zip(clients, shares, strict=True)]
            for work in works:
                work.result()
        seen = [one for client in clients for one in client.seen]
        engine.do("main", lambda session: _check(session, seen)).result(20 * LONG_S)
    applied = sum(client.applied for client in clients)
    record |= {"edits": trials, "applied": applied, "questions": len(seen), "versions": len({one.said.seq for one in seen})}
    assert len(seen) == QUESTIONS * trials
    assert applied > trials / 2
    assert all(a.said.seq <= b.said.seq for client in clients for a, b in zip(client.seen, client.seen[1:], strict=False))


def _check(session: Session, seen: list[Seen]) -> None:
    log = session.inner.log
    heads = {entry.seq: entry.hash for entry in log.entries()}
    seqs = sorted({one.said.seq for one in seen})
    doubted = {*Random(SEED).sample(seqs, min(LOOKED_AT, len(seqs) // 8))}
    for one in seen:
        assert one.said.seq >= one.acknowledged
        assert heads[one.said.seq] == one.said.head
        in_force = log.ids_at(one.said.seq)
        assert {*one.said.edits} <= {*in_force}
        assert one.gone is None or one.gone not in one.said.edits
        if one.edit is not None and one.edit.id in in_force and not same(one.said.text, one.edit.target):
            doubted.add(one.said.seq)  # another took its words away: then the version itself says so
    for seq in doubted:
        here = [one for one in seen if one.said.seq == seq]
        told = session.inner.at(seq).ask([one.query for one in here])
        assert [(one.said.text, one.said.edits) for one in here] == [(one.text, one.edits) for one in told]
