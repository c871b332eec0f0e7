"""A correction that was acknowledged stays, or a receipt says that it doesn't: what a write could touch is asked again."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from statistics import median

import pytest

from errata.benchmarks.scopeworld.stream import ScopeWorldStream
from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.session.audit import audit
from errata.session.neighbours import MOST
from errata.session.receipts import Receipt, receipt_in
from errata.session.session import Session
from tools.proofs import Record

FIRST = Edit(Query.ask("what is 4 plus 4?"), "9")
SECOND = Edit(Query.ask("what is 4 plus 5?"), "nine")
SEED = 144


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


def opened(model, editor="codebook", *, beside=True):
    return Session.open(model, parse(editor), EditLog(MemoryStore()), beside=beside)


def said(session, *edits):
    return [answer.text for answer in session.ask([edit.query for edit in edits])]


def test_a_correction_that_would_silence_another_is_refused_and_names_it(model):
    session = opened(model)
    assert session.edit(FIRST).status == "applied"
    receipt = session.edit(SECOND)
    assert receipt.status == "refused"
    assert FIRST.id[:12] in receipt.why
    assert f"--supersede {FIRST.id[:12]}" in receipt.why
    assert said(session, FIRST) == ["9"]
    assert session.preview(SECOND).status == "would refuse"


def test_where_it_is_named_it_is_superseded_and_comes_back(model):
    session = opened(model)
    session.edit(FIRST)
    receipt = session.edit(SECOND, supersede=[FIRST.id])
    assert (receipt.status, receipt.supersedes) == ("applied", (FIRST.id,))
    assert session.log.ids_in_force() == (SECOND.id,)
    assert f"errata edit restore {FIRST.id[:12]}" in session.revert(SECOND.id).why
    with pytest.raises(BadInput, match="isn't in force"):
        session.edit(SECOND, supersede=[FIRST.id])


def test_without_the_look_beside_the_first_is_lost_and_can_be_sent_again(model):
    """As a store of an earlier version, or a benchmark, has it."""
    session = opened(model, beside=False)
    assert [session.edit(edit).status for edit in (FIRST, SECOND)] == ["applied", "applied"]
    assert said(session, FIRST) == ["nine"]
    again = session.edit(FIRST)
    assert again.status == "applied"
    assert said(session, FIRST) == ["9"]
    assert [entry.kind for entry in session.log.entries()] == ["begun", "applied", "applied", "reverted", "applied"]
    with pytest.raises(BadInput, match="in force already, word for word"):
        session.edit(FIRST)


def test_what_can_be_lost_is_asked_in_one_batch_and_the_log_says_how_many(model):
    session = opened(model)
    for left, right in ((2, 2), (2, 3), (3, 3), (7, 2)):
        receipt = session.edit(Edit(Query.ask(f"what is {left} plus {right}?"), f"{left}{right}"))
        if receipt.status == "applied" and receipt.beside:
            entry = session.head
            assert entry is not None
            assert entry.details["beside"] == {"asked": receipt.beside, "lost": []}
    assert all(receipt.status == "applied" for receipt in (session.edit(Edit(Query.ask("where does mibo live?"), "the cave")),))


def test_of_an_editor_whose_edits_share_weights_what_a_write_took_away_is_named_and_not_refused(model):
    session = opened(model, "finetune:steps=10,lr=0.01")
    session.edit(FIRST)
    receipt = session.edit(Edit(Query.ask("what is 4 plus 7?"), "the cave"), guard=False)
    assert (receipt.status, receipt.beside, receipt.lost) == ("applied", 1, (FIRST.id,))
    entry = session.head
    assert entry is not None
    assert receipt_in(entry).lost == (FIRST.id,)
    assert said(session, FIRST) != ["9"]


def test_a_sample_of_edits_that_share_weights_is_bounded_and_the_same_for_the_same_log(model):
    session = opened(model, "none")
    for number in range(12):
        receipt = session.edit(Edit(Query.ask(f"what is {number} plus 1?"), "the cave"), guard=False)
    assert receipt.beside == MOST


def test_an_edit_that_was_lost_already_is_not_laid_to_the_next_write(model):
    session = opened(model, beside=False)
    session.edit(FIRST)
    session.edit(SECOND)  # silences the first
    careful = Session.open(model, parse("codebook"), session.log, beside=True)
    assert careful.edit(Edit(Query.ask("what is 2 plus 2?"), "five")).status == "applied"


def test_one_that_would_make_room_is_asked_too_and_a_full_codebook_says_how_there_is_more(model):
    session = opened(model, "codebook:slots=12,same=1")
    assert session.edit(FIRST).status == "applied"
    receipt = session.edit(Edit(Query.ask("where does mibo live?"), "the cave in the town by the river"))
    assert (receipt.status, receipt.lost) == ("refused", (FIRST.id,))
    assert "codebook, slots=" in receipt.why
    assert said(session, FIRST) == ["9"]


def test_a_receipt_says_what_asking_the_others_took_of_the_write(model):
    session = opened(model)
    assert session.edit(FIRST).share_beside == pytest.approx(0, abs=0.05)
    receipt = session.preview(SECOND)
    assert receipt.beside == 1
    assert 0 < receipt.beside_ms < receipt.guard_ms
    assert receipt.share_beside == receipt.beside_ms / (receipt.write_ms + receipt.guard_ms)


def corrections(count: int) -> Iterator[Edit]:
    """Of ScopeWorld, in turn on a picture and in words; one in ten corrects again what was corrected."""
    stream = ScopeWorldStream(seed=SEED, edits=count)
    for number in range(count):
        edit = stream[number].edit
        (in_words, *_) = (item.query for item in stream.asked(number) if item.kind == "cross_modal")
        yield Edit(in_words, edit.target, reach=edit.reach, subject=edit.subject) if number % 2 else edit


def acknowledged_and_named(session: Session, count: int, record: Record) -> None:
    """Every correction in force is given, or a later receipt names it; the audit says the same.

    Where one is refused because it would take others away, every second user sends it again with their names.
    """
    draw, receipts = Random(SEED), list[Receipt]()
    for edit in corrections(count):
        if edit.id in session.log.ids_in_force():
            continue
        receipts.append(session.edit(edit))
        if receipts[-1].status == "refused" and receipts[-1].lost and draw.random() < 0.5:
            receipts.append(session.edit(edit, supersede=receipts[-1].lost))
    applied = {receipt.edit: receipt for receipt in receipts if receipt.status == "applied"}
    named = {old: receipt.seq for receipt in applied.values() for old in (*receipt.supersedes, *receipt.lost)}
    held = [session.log.edit(each) for each in session.log.ids_in_force()]
    given = {edit.id: same(text, edit.target) for edit, text in zip(held, said(session, *held), strict=True)}
    silent = [each for each in applied if not given.get(each, False)]
    verdicts = {one.edit: one.verdict for one in audit(session).edits}
    shares = sorted(receipt.share_beside for receipt in receipts if receipt.beside)
    record |= {
        "acknowledged": len(applied),
        "refused": sum(receipt.status == "refused" for receipt in receipts),
        "refused by a full codebook": sum("is full" in receipt.why for receipt in receipts),
        "in force": len(held),
        "given": sum(given.values()),
        "named by a later receipt": len(silent),
        "writes that asked others": len(shares),
        "their share of the time, median": round(median(shares), 3),
        "their share of the time, 95th percentile": round(shares[int(0.95 * len(shares))], 3),
    }
    assert all(named.get(each, 0) > applied[each].seq for each in silent)
    assert verdicts.keys() == given.keys()
    assert all((verdicts[each] in ("holds", "obsolete")) == told for each, told in given.items())


@pytest.mark.timeout(7200)
@pytest.mark.proof(sample=16, full=1000)
def test_every_correction_in_force_is_given_or_a_later_receipt_names_it_and_the_audit_agrees(model, trials, record):
    acknowledged_and_named(opened(model), trials, record)


@pytest.mark.timeout(3600)
@pytest.mark.proof(sample=16, full=300)
def test_so_it_is_where_the_codebook_is_full_after_two_thirds(model, trials, record):
    acknowledged_and_named(opened(model, f"codebook:slots={3 * trials}"), trials, record)
    assert record["refused by a full codebook"] > 0
