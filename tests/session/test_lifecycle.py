"""What becomes of an edit after it was made: superseded, ended, proposed, asked for twice; and what it would have done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from errata.core.errors import BadInput, LogError
from errata.core.records import Edit, Provenance, Query
from errata.core.rules import Rules, RuleSet
from errata.editors import parse
from errata.log import EditLog, MemoryStore, Snapshots
from errata.session.proposals import approve, propose, reject
from errata.session.session import Session
from errata.session.takeback import to_point
from tests.editors.samples import EDITS
from tests.session.eventful import Eventful

LEARNS = "finetune:steps=25,lr=0.003"
BY = Provenance("ann", "seen in review", "T-1")
FIRST, SECOND, THIRD = EDITS
QUERIES = [edit.query for edit in EDITS]


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def opened(model, log=None, **named):
    return Session.open(model, parse(LEARNS), EditLog(MemoryStore()) if log is None else log, **named)


def answers(session):
    return [answer.text for answer in session.ask(QUERIES, max_new_tokens=8)]


def written(model, *edits):
    session = opened(model)
    for edit in edits:
        session.edit(edit, guard=False)
    return session


def kinds(session):
    return [entry.kind for entry in session.log.entries()]


def test_a_later_edit_of_the_same_query_takes_the_place_of_the_earlier(random_llava):
    session = written(random_llava, FIRST, SECOND)
    corrected = replace(FIRST, target="the ring")
    receipt = session.edit(corrected, BY, guard=False)
    assert receipt.supersedes == (FIRST.id,)
    assert session.log.ids_in_force() == (SECOND.id, corrected.id)
    assert kinds(session)[-2:] == ["applied", "superseded"]
    assert session.head.details["by"] == corrected.id
    assert answers(session) == answers(written(random_llava, SECOND, corrected)) == answers(opened(random_llava, session.log))


def test_what_was_superseded_stays_so_if_the_note_about_it_was_never_written(random_llava):
    session = written(random_llava, FIRST)
    corrected = replace(FIRST, target="the ring")
    session.edit(corrected, guard=False)
    cut = session.log.at(len(session.log) - 1)
    assert cut.head.kind == "applied"
    assert cut.ids_in_force() == (corrected.id,)


def test_reverting_a_correction_of_a_correction_does_not_bring_the_first_one_back(random_llava):
    session = written(random_llava, FIRST, replace(FIRST, target="the ring"))
    session.revert(session.log.ids_in_force()[0])
    assert answers(session) == answers(opened(random_llava))


def test_an_edit_whose_time_is_over_speaks_no_more_and_the_next_write_says_so(random_llava):
    clock = Clock()
    session = opened(random_llava, clock=clock)
    session.edit(replace(FIRST, valid_until="2030-06-01"), guard=False)
    held = answers(session)
    assert held != answers(opened(random_llava))
    clock.now = datetime(2030, 5, 31, 23, tzinfo=UTC)
    assert answers(session) == held
    clock.now = datetime(2030, 6, 1, tzinfo=UTC)
    assert answers(session) == answers(opened(random_llava))
    assert kinds(session)[-1] == "applied"  # asking writes nothing
    session.edit(SECOND, guard=False)
    assert kinds(session)[-2:] == ["expired", "applied"]
    assert answers(session) == answers(written(random_llava, SECOND)) == answers(opened(random_llava, session.log, clock=clock))


def test_an_edit_that_is_over_already_is_refused_with_a_sentence(random_llava):
    session = opened(random_llava, clock=Clock())
    with pytest.raises(BadInput, match="time is over"):
        session.edit(replace(FIRST, valid_until="2029-12-31T23:59:59Z"))
    with pytest.raises(BadInput, match="is no time"):
        replace(FIRST, valid_until="next week")
    assert len(session.log) == 1


def test_a_preview_is_the_receipt_that_the_edit_then_has_and_changes_nothing(random_llava):
    session = written(random_llava, SECOND)
    before, entries = answers(session), len(session.log)
    seen = session.preview(FIRST, recent=QUERIES)
    assert (len(session.log), answers(session)) == (entries, before)
    receipt = session.edit(FIRST, guard=True)
    assert seen.status == ("would apply" if receipt.status == "applied" else "would refuse")
    assert (seen.before, seen.after, seen.why, seen.seq) == (receipt.before, receipt.after, receipt.why, 0)
    now = answers(session)
    own = {query.digest for query in (FIRST.query, *FIRST.also)}
    assert {moved.query for moved in seen.moved} >= {
        query.text for query, was, is_ in zip(QUERIES, before, now, strict=True) if was != is_ and query.digest not in own
    }
    assert seen.asked == len({query.digest for query in QUERIES} - own)


def test_an_edits_own_questions_are_no_others_and_none_is_counted_twice(random_llava):
    session = written(random_llava, FIRST, SECOND)
    recent = [FIRST.query, *FIRST.also, SECOND.query, SECOND.query, THIRD.query]
    (seen,) = session.withdraw("reverted", (FIRST.id,), dry_run=True, others=[FIRST.query, SECOND.query, SECOND.query])
    assert (seen.asked, len(seen.moved) <= 1) == (1, True)
    assert session.preview(THIRD, recent=[*recent, *THIRD.also]).asked == len({FIRST.query, *FIRST.also, SECOND.query})
    back = to_point(session, 2, dry_run=True, others=[SECOND.query, FIRST.query, FIRST.query])
    assert (back.out, back.asked, [one.query for one in back.own]) == ((SECOND.id,), 1, [SECOND.query.text])


def test_a_proposed_edit_waits_until_somebody_approves_it(random_llava):
    session = opened(random_llava)
    assert propose(session, FIRST, BY).status == "proposed"
    assert session.log.proposed() == (FIRST.id,)
    assert answers(session) == answers(opened(random_llava))
    receipt = approve(session, FIRST.id, Provenance("bo", "seen"))
    assert (receipt.status, kinds(session)) == ("applied", ["begun", "proposed", "approved", "applied"])
    assert session.log.proposed() == ()
    assert answers(session) == answers(written(random_llava, FIRST))
    with pytest.raises(BadInput, match="waits for approval"):
        approve(session, FIRST.id)


def test_the_same_request_twice_is_one_edit(random_llava):
    session = opened(random_llava)
    first = session.edit(FIRST, BY, key="request-1")
    again = session.edit(FIRST, BY, key="request-1")
    assert (again.status, again.seq, again.edit, again.after) == (first.status, first.seq, first.edit, first.after)
    refused = session.edit(replace(SECOND, keep=(SECOND.query,)), BY, key="request-2")
    assert refused.status == "refused"
    assert session.edit(replace(SECOND, keep=(SECOND.query,)), BY, key="request-2").why == refused.why
    assert kinds(session) == ["begun", "applied", "refused"]


def test_a_key_is_for_one_request(random_llava):
    session = opened(random_llava)
    session.edit(FIRST, BY, key="request-1")
    session.log.append("imported", None, BY, key="file-1")
    for key in ("request-1", "file-1"):
        with pytest.raises(BadInput, match="used for another request"):
            session.edit(SECOND, BY, key=key)
    assert propose(session, SECOND, BY, key="request-2").seq == propose(session, SECOND, BY, key="request-2").seq
    assert kinds(session) == ["begun", "applied", "imported", "proposed"]


def test_a_proposal_can_be_turned_down(random_llava):
    session = opened(random_llava)
    propose(session, FIRST, BY)
    assert reject(session, FIRST.id, BY).status == "refused"
    assert session.log.proposed() == ()
    with pytest.raises(BadInput, match="waits for approval"):
        approve(session, FIRST.id)


def test_what_was_proposed_under_rules_is_approved_under_rules(random_llava):
    rules = Rules(RuleSet(never=(FIRST.query.text[:-1],)))
    session = opened(random_llava)
    assert propose(session, FIRST, BY, rules=rules).why
    with pytest.raises(BadInput, match="proposed under rules"):
        approve(session, FIRST.id, BY)
    assert approve(session, FIRST.id, BY, rules=rules).status == "refused"


def test_taking_a_correction_back_says_that_the_one_before_it_stays_out(random_llava):
    corrected = replace(FIRST, target="the ring")
    session = written(random_llava, FIRST, corrected)
    assert f"({FIRST.id[:12]}) stays out: `errata edit restore {FIRST.id[:12]}`" in session.revert(corrected.id, BY).why


def test_an_edit_that_ended_can_not_be_taken_back_and_nothing_is_written_of_the_others(random_llava):
    clock = Clock()
    session = opened(random_llava, clock=clock)
    ending = replace(FIRST, valid_until="2030-06-01")
    for edit in (ending, SECOND):
        session.edit(edit, guard=False)
    clock.now = datetime(2030, 7, 1, tzinfo=UTC)
    entries = len(session.log)
    with pytest.raises(BadInput, match="time is over"):
        session.withdraw("reverted", (SECOND.id, ending.id), BY)
    assert len(session.log) == entries
    when = datetime(2030, 6, 15, tzinfo=UTC)
    at_entry, at_moment = session.at(entries), session.at(entries, when=when)
    assert answers(at_moment) == answers(written(random_llava, SECOND))
    assert at_entry.standing() == (ending.id, SECOND.id)


def test_a_reader_beside_a_writer_leaves_no_snapshot_of_another_moment(random_llava):
    session = written(random_llava, FIRST, SECOND)
    late = [THIRD]

    def another_writer_is_quicker():
        if late:
            session.edit(late.pop(), guard=False)

    reader = EditLog(Eventful(session.log.store, looking=another_writer_is_quicker))
    other = opened(random_llava, reader, snapshot_every=3)
    assert len(session.log) == 4
    assert list(Snapshots(session.log).sizes()) == [3]
    assert answers(other) == answers(written(random_llava, FIRST, SECOND))
    assert answers(opened(random_llava, session.log)) == answers(session) == answers(written(random_llava, *EDITS))


def test_the_note_on_what_was_superseded_is_made_up_for_by_the_next_writer(random_llava):
    def fails(row):
        if row.kind == "superseded":
            raise LogError("The disk is full.")

    store = Eventful(MemoryStore())
    session = opened(random_llava, EditLog(store))
    session.edit(FIRST, guard=False)
    store.appending = fails
    assert session.edit(replace(FIRST, target="the ring"), guard=False).status == "applied"
    store.appending = lambda row: None
    assert kinds(session)[-1] == "applied"
    session.edit(SECOND, guard=False)
    assert kinds(session)[-2:] == ["superseded", "applied"]


def test_several_edits_leave_together_and_each_has_its_entry(random_llava):
    session = written(random_llava, *EDITS)
    seen = session.withdraw("quarantined", (FIRST.id, THIRD.id), BY, dry_run=True, others=(SECOND.query,))
    assert [receipt.status for receipt in seen] == ["would revert"] * 2
    assert len(session.log) == 4
    done = session.withdraw("quarantined", (FIRST.id, THIRD.id), BY, details={"finding": "leaks"})
    assert [(receipt.status, receipt.before, receipt.after) for receipt in done] == [
        ("quarantined", receipt.before, receipt.after) for receipt in seen
    ]
    assert session.head.details["finding"] == "leaks"
    assert session.log.ids_in_force() == (SECOND.id,)
    assert answers(session) == answers(written(random_llava, SECOND)) == answers(opened(random_llava, session.log))
    with pytest.raises(BadInput, match="isn't in force"):
        session.withdraw("reverted", (SECOND.id, FIRST.id))
    assert session.log.ids_in_force() == (SECOND.id,)


def test_every_settled_edit_names_its_model_and_editor(random_llava):
    session = written(random_llava, FIRST)
    assert session.head.details["model"] == random_llava.digest
    assert len(session.head.details["editor"]) == 64


def test_an_edit_without_a_picture_is_superseded_by_its_words_alone(random_llava):
    asked = Query.ask("Where does it live?")
    session = written(random_llava, Edit(asked, "in the town"))
    session.edit(Edit(asked, "in the harbor"), guard=False)
    assert len(session.log.ids_in_force()) == 1
