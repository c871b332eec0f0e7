"""A session moves only after the log has; whatever is taken back is as if it had never been made."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, replace
from typing import Any

import pytest

from errata.core.errors import BadInput, LogError, WrongStore
from errata.core.model import Model
from errata.core.records import Edit, Provenance, Query, Spec
from errata.editors import parse
from errata.log import EditLog, MemoryStore, Snapshots, SqliteStore
from errata.nn.patches import NoPatch, Rewrite
from errata.session.beginnings import recorded_editor
from errata.session.session import Session
from tests.conftest import picture
from tests.editors.samples import EDITS, POOL

LEARNS = "finetune:steps=25,lr=0.003"
BY = Provenance("ann", "seen in review", "T-1")
QUERIES = [
    *(edit.query for edit in EDITS),
    Query.ask("what is the blue ring called?", picture(50)),
    Query.ask("how many things are there?"),
]


@dataclass(frozen=True)
class Quoted:
    """A state: the edits, in order."""

    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True)
class Parrot:
    """Answers are the model's own; what it is told it puts before every question that shares the edit's words. For tests of
    sessions."""

    loud: bool = False
    """Put the last edit before every question."""

    def spec(self, model: Model) -> Spec:
        return Spec("parrot", {"loud": self.loud})

    def begin(self, model: Model) -> Quoted:
        return Quoted()

    def write(self, model: Model, state: Quoted, edit: Edit) -> Quoted:
        return Quoted((*state.edits, edit))

    def read(self, model: Model, state: Quoted, query: Query) -> NoPatch | Rewrite:
        for edit in reversed(state.edits):
            if self.loud or edit.query == query:
                return Rewrite(Query.ask(f"{edit.target} {query.text}", *query.images), (edit.id,))
        return NoPatch()


def answers(session):
    return [answer.text for answer in session.ask(QUERIES, max_new_tokens=8)]


def opened(model, log=None, editor=LEARNS, **named):
    return Session.open(model, parse(editor), EditLog(MemoryStore()) if log is None else log, **named)


def test_an_edit_that_is_learned_is_applied_and_the_receipt_says_so(random_llava):
    session = opened(random_llava)
    before = session.ask([EDITS[0].query])[0].text
    receipt = session.edit(EDITS[0], BY)
    assert (receipt.status, receipt.seq, receipt.before, receipt.after) == ("applied", 2, before, EDITS[0].target)
    assert session.ask([EDITS[0].query])[0].edits == (EDITS[0].id,)
    entry = session.head
    assert (entry.kind, entry.by, entry.details["after"]) == ("applied", BY, EDITS[0].target)


def test_an_edit_that_is_not_learned_is_refused_whole(random_llava):
    session = opened(random_llava, editor="none")
    before = answers(session)
    receipt = session.edit(EDITS[0], BY)
    assert receipt.status == "refused"
    assert "not learned" in receipt.why
    assert session.head.kind == "refused"
    assert list(session.log.in_force()) == []
    assert answers(session) == before


def test_an_edit_that_moves_a_kept_answer_is_refused_whole(random_llava):
    session = opened(random_llava)
    moved = Query.ask(EDITS[0].query.text + " ", *EDITS[0].query.images)  # asks the same, so it moves with the edit
    receipt = session.edit(replace(EDITS[0], keep=(moved,)), BY)
    assert (receipt.status, receipt.kept) == ("refused", (False,))
    assert "moved" in receipt.why
    assert not session.log.ids_in_force()


def test_a_wording_that_the_user_gave_must_give_the_target_too(random_llava):
    session = opened(random_llava, editor="codebook:environments=query,slots=64,chatter=4,reach=0.99")
    receipt = session.edit(replace(EDITS[0], also=(EDITS[1].query,)))
    assert receipt.status == "refused"
    assert "wording 1" in receipt.why


def test_without_the_guard_what_was_written_is_committed(random_llava):
    session = opened(random_llava, editor="none")
    assert session.edit(EDITS[0], guard=False).status == "applied"
    assert session.log.ids_in_force() == (EDITS[0].id,)


def test_revert_equals_never_having_edited_even_in_the_middle(random_llava):
    session, never = opened(random_llava), opened(random_llava)
    for edit in EDITS:
        session.edit(edit, guard=False)
    for edit in (EDITS[0], *EDITS[2:]):
        never.edit(edit, guard=False)
    receipt = session.revert(EDITS[1].id, BY)
    assert receipt.status == "reverted"
    assert "replayed" in receipt.why
    assert answers(session) == answers(never)


def test_reverting_everything_leaves_the_unedited_model(random_llava):
    session = opened(random_llava)
    before = answers(session)
    for edit in EDITS[:2]:
        session.edit(edit, guard=False)
    assert answers(session) != before
    for edit in EDITS[:2]:
        session.revert(edit.id)
    assert answers(session) == before


def test_snapshots_change_what_is_replayed_and_not_what_is_answered(random_llava):
    session, plain = opened(random_llava, snapshot_every=1), opened(random_llava)
    for edit in EDITS:
        session.edit(edit, guard=False)
        plain.edit(edit, guard=False)
    last = session.revert(EDITS[-1].id)
    assert "replayed 0 edits" in last.why
    plain.revert(EDITS[-1].id)
    assert answers(session) == answers(plain)
    reopened = opened(random_llava, session.log)
    assert answers(reopened) == answers(session)


def test_a_long_fold_leaves_a_snapshot_so_that_the_next_one_is_short(random_llava):
    session = opened(random_llava)
    for edit in EDITS:
        session.edit(edit, guard=False)
    assert Snapshots(session.log).sizes() == {}
    again = opened(random_llava, session.log, snapshot_every=9)
    assert list(Snapshots(session.log).sizes()) == [len(session.log)]
    assert answers(again) == answers(session) == answers(opened(random_llava, session.log))


def test_the_past_can_be_asked_and_not_edited(random_llava):
    session = opened(random_llava)
    unedited = answers(session)
    session.edit(EDITS[0], guard=False)
    one = answers(session)
    session.edit(EDITS[1], guard=False)
    assert answers(session.at(2)) == one
    assert answers(session.at(1)) == answers(session.at(0)) == unedited
    with pytest.raises(LogError, match="past"):
        session.at(2).edit(EDITS[2])


def test_a_killed_and_reopened_store_answers_the_same(random_llava, tmp_path):
    path = tmp_path / "errata.db"
    child = os.fork()
    if child == 0:  # the child dies without closing anything
        with SqliteStore(path) as store:
            session = opened(random_llava, EditLog(store), snapshot_every=2, asked=LEARNS)
            for edit in EDITS[:3]:
                session.edit(edit, guard=False)
            os.kill(os.getpid(), signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    expected = opened(random_llava)
    for edit in EDITS[:3]:
        expected.edit(edit, guard=False)
    with SqliteStore(path) as store:
        log = EditLog(store)
        log.verify()
        assert recorded_editor(log) == LEARNS
        assert answers(opened(random_llava, log)) == answers(expected)


def test_a_store_of_another_editor_or_model_is_refused_and_left_alone(random_llava, tmp_path):
    log = EditLog(MemoryStore())
    opened(random_llava, log)
    with pytest.raises(WrongStore, match=r"lr=0\.003"):
        opened(random_llava, log, editor="finetune:steps=25,lr=0.004")
    with pytest.raises(WrongStore, match="none"):
        opened(random_llava, log, editor="none")
    from errata.models import load

    weight = random_llava.net.get_output_embeddings().weight
    folder = tmp_path / "other"
    random_llava.save(folder)
    other = load(folder)
    other.net.get_output_embeddings().weight[0, 0] += 1
    assert weight[0, 0] != other.net.get_output_embeddings().weight[0, 0]
    with pytest.raises(WrongStore, match="of the model"):
        opened(other, log)
    assert len(log) == 1


def test_an_edit_of_another_session_is_folded_in_before_the_next_is_judged(random_llava):
    log = EditLog(MemoryStore())
    first, second = opened(random_llava, log, snapshot_every=1), opened(random_llava, log, snapshot_every=1)
    first.edit(EDITS[0], guard=False)
    second.edit(EDITS[1], guard=False)
    first.revert(EDITS[1].id)
    second.edit(EDITS[2], guard=False)
    alone = opened(random_llava)
    for edit in (EDITS[0], EDITS[2]):
        alone.edit(edit, guard=False)
    assert answers(second) == answers(alone) == answers(opened(random_llava, log))


def test_the_pool_is_kept_with_the_log(random_llava):
    log = EditLog(MemoryStore())
    first = opened(random_llava, log, editor="scopeedit:steps=2,pool_size=4", pool=POOL)
    first.edit(EDITS[0], guard=False)
    again = opened(random_llava, log, editor="scopeedit:steps=2,pool_size=4")
    assert again.editor.pool == tuple(POOL)
    assert answers(again) == answers(first)
    log.verify()


def test_the_same_edit_twice_is_refused_with_a_sentence(random_llava):
    session = opened(random_llava)
    session.edit(EDITS[0], guard=False)
    with pytest.raises(BadInput, match="in force already"):
        session.edit(EDITS[0])
    with pytest.raises(BadInput, match="isn't in force"):
        session.revert(EDITS[1].id)
    assert len(session.log) == 2


@pytest.mark.parametrize("bad", ["", "   "])
def test_an_empty_prompt_changes_nothing(random_llava, bad):
    session = opened(random_llava)
    with pytest.raises(BadInput, match="empty"):
        session.edit(Edit(Query((replace(EDITS[0].query.messages[0], parts=(bad,)),)), "mibo"))
    assert len(session.log) == 1


def test_an_editor_that_rewrites_questions_works_in_a_session(random_llava):
    session = Session.open(random_llava, Parrot(), EditLog(MemoryStore()))
    session.edit(EDITS[0], guard=False)
    assert session.ask([EDITS[0].query])[0].edits == (EDITS[0].id,)
    assert session.ask([EDITS[1].query])[0].edits == ()


@dataclass(frozen=True)
class Slow:
    """A codebook that counts how often it was begun."""

    begun: list[int]

    def spec(self, model: Model) -> Spec:
        return Spec("slow", {})

    def begin(self, model: Model) -> Any:
        self.begun.append(1)
        return INNER.begin(model)

    def write(self, model: Model, state: Any, edit: Edit) -> Any:
        return INNER.write(model, state, edit)

    def read(self, model: Model, state: Any, query: Query) -> Any:
        return INNER.read(model, state, query)


INNER = parse("codebook:slots=64,steps=20,chatter=20")


def test_nothing_is_begun_before_there_is_an_edit_and_never_twice_for_one_store(random_llava):
    log, begun = EditLog(MemoryStore()), list[int]()
    session = Session.open(random_llava, Slow(begun), log)
    bare = answers(session)
    assert begun == []
    session.edit(EDITS[0])
    assert len(begun) == 1
    session.revert(EDITS[0].id)
    assert answers(session) == bare
    again = Session.open(random_llava, Slow(begun), log)
    assert answers(again) == bare
    again.edit(EDITS[2])
    assert len(begun) == 1  # the state without edits was kept beside the log
    assert answers(again) == answers(Session.open(random_llava, Slow(begun), log))
    Snapshots(log).clear()
    assert answers(again) == answers(Session.open(random_llava, Slow(begun), log))
    assert len(begun) == 2
