"""The engine: who asks is answered of the version of that moment, who changes something in turn, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

import errata
from errata.core.errors import BadInput, Held, LogError, Unknown
from errata.core.records import Query
from errata.door import Session
from errata.models import load
from errata.serve.engine.seam import Full, Sampling
from tests.serve.asking import LONG_S, opened, put

HOME = "where does mibo live?"
WAS, NOW = "the north beach", "the cave"


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


@pytest.fixture
def store(tmp_path):
    return tmp_path / "errata.db"


def corrected(session):
    return session.edit(HOME, NOW, author="ada")


def test_whoever_had_an_edit_acknowledged_sees_it_in_the_next_answer(model, store):
    with opened(model, store=store) as engine:
        before = put(engine, HOME).said()
        receipt = engine.do("main", corrected).result(LONG_S)
        after = put(engine, HOME).said()
        assert (before.text, before.edits, before.seq) == (WAS, (), 1)
        assert receipt.status == "applied"
        assert (after.text, after.edits, after.told, after.seq) == (NOW, (receipt.edit,), True, receipt.seq)
        assert engine.seq("main") == receipt.seq
    with errata.open(model, store=store) as session:
        assert session.history()[-1].hash == after.head
        assert session.history()[-1].by.author == "ada"


def test_the_past_can_be_asked_and_what_never_was_cannot(model):
    with opened(model) as engine:
        receipt = engine.do("main", corrected).result(LONG_S)
        assert [put(engine, HOME, at=at).said().text for at in (0, 1, receipt.seq)] == [WAS, WAS, NOW]
        unedited = put(engine, HOME, at=0).said()
        assert (unedited.seq, unedited.head) == (0, "")
        with pytest.raises(BadInput, match="There is no entry 9 on branch 'main': it has 2 entries"):
            put(engine, HOME, at=9).said()


def test_branches_know_nothing_of_each_other(model):
    with opened(model) as engine:
        engine.do("main", corrected).result(LONG_S)
        assert put(engine, HOME, branch="other").said().text == WAS
        assert (engine.seq("main"), engine.seq("other")) == (2, 1)


def test_an_answer_tells_how_long_it_was_and_why_it_ended(model):
    with opened(model) as engine:
        whole = put(engine, HOME).said()
        cut = put(engine, HOME, sampling=Sampling(max_new_tokens=1)).said()
        assert (whole.finish, whole.prompt_tokens, whole.completion_tokens) == ("stop", 11, 4)
        assert (cut.finish, cut.prompt_tokens, cut.completion_tokens) == ("length", 11, 1)
        assert WAS.startswith(cut.text)


def test_what_is_wrong_with_a_question_is_delivered_to_who_asked_it_alone(model):
    with opened(model) as engine:
        bad, good = put(engine, "where is mibo? " * 400), put(engine, HOME)
        with pytest.raises(BadInput, match="The prompt takes"):
            bad.said()
        assert good.said().text == WAS


def test_a_change_that_fails_tells_who_made_it_and_leaves_the_rest_as_it_was(model):
    with opened(model) as engine:
        with pytest.raises(Unknown):
            engine.do("main", lambda session: session.revert("0" * 12)).result(LONG_S)
        with pytest.raises(ZeroDivisionError):
            engine.do("main", lambda session: 1 / 0).result(LONG_S)
        assert put(engine, HOME).said().text == WAS


class Blocked:
    """An engine that does nothing for as long as the block lasts."""

    def __init__(self, engine) -> None:
        self._engine, self._go, self._begun = engine, threading.Event(), threading.Event()

    def __enter__(self):
        def wait(session):
            self._begun.set()
            assert self._go.wait(LONG_S)

        self._engine.do("main", wait)
        assert self._begun.wait(LONG_S)

    def __exit__(self, *error):
        self._go.set()


def test_a_full_queue_says_when_to_come_again_and_empties(model):
    with opened(model, max_waiting=2) as engine:
        with Blocked(engine):
            taken = [put(engine, HOME), put(engine, HOME)]
            with pytest.raises(Full) as full:
                put(engine, HOME)
            assert full.value.after_s > 0
            assert engine.load().waiting == 2
            taken[0].asked.cancel()
            taken.append(put(engine, HOME))  # whoever left makes room
        assert [one.said().text for one in taken[1:]] == [WAS, WAS]
        assert taken[0].silent()


def test_who_asks_together_is_read_together(model, monkeypatch):
    short = Sampling(max_new_tokens=3)
    with opened(model, max_rows=4) as engine:
        put(engine, HOME, sampling=short).said()
        alone = engine.load().steps
        monkeypatch.setattr("errata.serve.engine.thread.GATHER_S", LONG_S)
        first = put(engine, HOME, sampling=short)
        time.sleep(0.2)  # nobody begins before the fourth came
        for one in (first, *(put(engine, HOME, sampling=short) for _ in range(3))):
            one.said()
        assert engine.load().steps == 2 * alone


def _seen(seen: list[int], number: int, session: Session) -> None:
    seen.append(number)


def test_changes_are_made_in_the_order_in_which_they_came(model):
    seen: list[int] = []
    with opened(model) as engine:
        with Blocked(engine):
            changes = [engine.do("main", partial(_seen, seen, i)) for i in range(20)]
            assert engine.load().changes == 20
        for change in changes:
            change.result(LONG_S)
    assert seen == [*range(20)]


def test_a_branch_that_another_holds_is_asked_and_followed_and_not_written(model, store):
    with errata.open(model, store=store) as other, opened(model, store=store) as engine:
        assert put(engine, HOME).said().text == WAS
        receipt = other.edit(HOME, NOW)
        assert put(engine, HOME, min_seq=receipt.seq).said().text == NOW
        assert engine.do("main", lambda session: session.preview(HOME, "the pier")).result(LONG_S).status == "would apply"
        assert (
            engine.do("main", lambda session: session.propose(HOME, "the pier", author="ada")).result(LONG_S).status == "proposed"
        )
        with pytest.raises(Held):
            engine.do("main", lambda session: session.edit(HOME, "the pier")).result(LONG_S)
        with pytest.raises(Held):  # not by a way around the door either
            engine.do("main", lambda session: session.inner.revert(receipt.edit)).result(LONG_S)
        assert other.edit("what does mibo eat?", "salt").status == "applied"


def test_a_holder_that_has_gone_is_succeeded(model, store):
    with errata.open(model, store=store) as other:
        first = other.edit(HOME, NOW)
        engine = opened(model, store=store)
        with engine as succeeding:
            with pytest.raises(Held):
                succeeding.do("main", lambda session: session.revert(first.edit)).result(LONG_S)
            other.close()
            assert succeeding.do("main", lambda session: session.revert(first.edit)).result(LONG_S).status == "reverted"
            assert put(succeeding, HOME).said().text == WAS


def test_an_entry_that_does_not_come_in_time_is_said_to_be_missing(model):
    with opened(model, patience_s=0.2) as engine:
        late, asked = put(engine, HOME, min_seq=7), put(engine, HOME)
        assert asked.said().text == WAS
        with pytest.raises(LogError, match="Entry 7 of branch 'main' isn't here yet: it has 1 entry after 0.2 seconds"):
            late.said()


def test_what_others_append_is_folded_though_nobody_asks(model, store):
    with errata.open(model, store=store) as other, opened(model, store=store) as engine:
        receipt = other.edit(HOME, NOW)
        for _ in range(int(LONG_S / 0.05)):
            if engine.seq("main") == receipt.seq:
                break
            threading.Event().wait(0.05)
        assert engine.seq("main") == receipt.seq


def test_a_closed_engine_refuses_what_comes_and_gives_the_branch_back(model, store):
    with opened(model, store=store) as engine:
        with Blocked(engine):
            waiting, change = put(engine, HOME), engine.do("main", corrected)
            closing = threading.Thread(target=engine.close)
            closing.start()
            closing.join(0.2)
        closing.join(LONG_S)
        with pytest.raises(LogError, match="shutting down"):
            waiting.said()
        with pytest.raises(LogError, match="shutting down"):
            change.result(LONG_S)
        with pytest.raises(LogError, match="shutting down"):
            put(engine, HOME).said()
    with errata.open(model, store=store) as session:
        assert session.edit(HOME, NOW).status == "applied"


def test_a_query_with_words_of_control_is_refused(model):
    with opened(model) as engine, pytest.raises(BadInput):
        put(engine, Query.ask("<image> where does mibo live?")).said()
