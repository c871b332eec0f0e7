"""Answers that go token by token: each is its version's, in whatever company, and words come whole, drawn and stopped as asked."""

from __future__ import annotations

import math
import threading
from functools import partial
from random import Random

import pytest

from errata.core.errors import BadInput
from errata.core.records import Edit, Query
from errata.door import Session
from errata.models import load
from errata.serve.engine.seam import Sampling
from errata.serve.engine.words import Words
from errata.session.receipts import Answer, Receipt
from errata.session.registry import benchmark
from tests.serve.asking import LONG_S, Listening, opened, put

HOME = "where does mibo live?"
WAS = "the north beach"


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


def _written(edit: Edit, session: Session) -> Receipt:
    return session.inner.edit(edit, guard=False)


def _asked_alone(query: Query, limit: int | None, seq: int, session: Session) -> Answer:
    return session.inner.at(seq).ask([query], max_new_tokens=limit)[0]


@pytest.mark.parametrize("editor", ["codebook", "ike", "finetune:steps=10,lr=0.003"])
def test_whatever_enters_leaves_and_changes_meanwhile_an_answer_is_its_version_s(model, editor):
    """Oracle: a view of the log at the entry that the answer names, asked alone."""
    stream = benchmark("scopeworld-stream", seed=5, edits=3)
    cases = [stream[place] for place in range(3)]
    queries = [query for case in cases for query in (case.edit.query, *(probe.query for probe in case.probes[:2]))]
    dice, asked, changes = Random(3), [], []
    with opened(model, editor=editor, max_rows=3) as engine:
        for case in cases:
            for _ in range(5):
                query = dice.choice(queries)
                limit = dice.choice([None, None, 2])
                asked.append((query, limit, put(engine, query, sampling=Sampling(max_new_tokens=limit))))
            edit: Edit = case.edit
            changes.append(engine.do("main", partial(_written, edit)))
            _, _, gone = asked.pop(dice.randrange(len(asked)))
            gone.asked.cancel()
        said = [(query, limit, one.said()) for query, limit, one in asked]
        seqs = [change.result(LONG_S).seq for change in changes]
        assert {one.seq for _, _, one in said} <= {1, *seqs}
        for query, limit, one in said:
            told = engine.do("main", partial(_asked_alone, query, limit, one.seq)).result(LONG_S)
            assert (one.text, one.edits, one.told, one.decision) == (told.text, told.edits, told.told, told.decision)
            assert (one.finish == "stop", one.prompt_tokens, one.completion_tokens) == (told.whole, told.prompt, told.tokens)


def _wait_for(one: Listening, ended: list[Listening]) -> None:
    one.said()
    ended.append(one)


def test_pieces_are_the_answer_and_a_short_one_does_not_wait_for_a_long_one(model):
    ended: list[Listening] = []
    with opened(model) as engine:
        engine.do("main", lambda session: session.edit(HOME, " ".join(["the cave in the town"] * 5))).result(LONG_S)
        long, short = put(engine, HOME), put(engine, "who made the pepok?")
        threads = [threading.Thread(target=_wait_for, args=(one, ended)) for one in (long, short)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LONG_S)
        assert ended == [short, long]
        again = put(engine, HOME)
        text = again.said().text
        assert len(again.pieces) > 5
        assert "".join(piece.text for piece in again.pieces) == text == " ".join(["the cave in the town"] * 5)


def test_a_correction_that_speaks_has_room_for_its_target_and_a_limit_that_was_asked_for_holds(model):
    target = " ".join(["the cave in the town"] * 13)
    with opened(model) as engine:
        assert engine.do("main", lambda session: session.edit(HOME, target)).result(LONG_S).status == "applied"
        whole = put(engine, HOME).said()
        assert (whole.text, whole.finish) == (target, "stop")
        assert whole.completion_tokens > 64
        cut = put(engine, HOME, sampling=Sampling(max_new_tokens=20)).said()
        assert (cut.finish, cut.completion_tokens) == ("length", 20)


def test_what_is_drawn_is_the_same_for_the_same_seed_in_any_company(model):
    drawn = Sampling(temperature=2.0, seed=11, max_new_tokens=12)
    with opened(model) as engine:
        alone = put(engine, HOME, sampling=drawn).said().text
        company = [put(engine, "who made the pepok?", sampling=Sampling(temperature=2.0, max_new_tokens=9)) for _ in range(4)]
        crowded = put(engine, HOME, sampling=drawn)
        assert crowded.said().text == alone
        for one in company:
            one.said()
        others = {
            put(engine, HOME, sampling=Sampling(temperature=2.0, seed=seed, max_new_tokens=12)).said().text for seed in range(6)
        }
        assert len(others) > 3
        narrow = {
            put(engine, HOME, sampling=Sampling(temperature=2.0, top_p=1e-6, seed=seed, max_new_tokens=12)).said().text
            for seed in range(3)
        }
        assert narrow == {WAS}


@pytest.mark.parametrize(("stop", "text"), [("beach", "the north"), ("rth be", "the no"), ("th", ""), ("no such", WAS)])
def test_a_stop_text_ends_an_answer_and_no_part_of_it_is_handed_out(model, stop, text):
    with opened(model) as engine:
        one = put(engine, HOME, sampling=Sampling(stop=(stop, "zzz")))
        said = one.said()
    assert (said.text, said.finish) == (text, "stop")
    assert "".join(piece.text for piece in one.pieces) == text


def test_log_probabilities_are_those_of_the_tokens_that_were_chosen(model):
    with opened(model) as engine:
        one = put(engine, HOME, sampling=Sampling(top_logprobs=3))
        text = one.said().text
        tokens = [token for piece in one.pieces for token in piece.tokens]
        loss = engine.do("main", lambda session: session.inner.model.predict(Query.ask(HOME), text).losses_nats).result(LONG_S)
    assert "".join(token.text for token in tokens).strip() == text
    assert [token.logprob for token in tokens] == pytest.approx([-nats for nats in loss], abs=1e-4)
    for token in tokens:
        assert token.top[0] == (token.text, token.logprob)
        assert len(token.top) == 3
        assert sum(math.exp(log) for _, log in token.top) <= 1.0001


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=2.5), Sampling(temperature=-1), Sampling(temperature=math.nan), Sampling(top_p=0), Sampling(top_p=1.5),
        Sampling(max_new_tokens=0), Sampling(stop=("",)), Sampling(top_logprobs=21), Sampling(max_new_tokens=10**9),
    ],
)  # fmt: skip
def test_what_cannot_be_chosen_so_is_refused(model, sampling):
    with opened(model) as engine, pytest.raises(BadInput):
        put(engine, HOME, sampling=sampling).said()


def test_what_is_answered_whole_is_not_drawn(model):
    with opened(model, editor="finetune:steps=10,lr=0.003") as engine:
        engine.do("main", lambda session: session.inner.edit(Edit(Query.ask(HOME), "the cave"), guard=False)).result(LONG_S)
        with pytest.raises(BadInput, match="most likely words alone"):
            put(engine, HOME, sampling=Sampling(temperature=1.0)).said()
        assert put(engine, HOME, at=0, sampling=Sampling(temperature=1.0, seed=1, max_new_tokens=4)).said().text


def decode(ids):
    """Bytes as tokens."""
    return bytes(ids).decode(errors="replace")


def test_no_half_of_a_character_is_handed_out_and_all_of_it_is_there_in_the_end():
    dice, letters = Random(2), "ab \n\t.\u00e9\u4e2d\U0001f600 stop"
    for _ in range(300):
        text = "".join(dice.choices(letters, k=dice.randint(0, 12)))
        stop = tuple("".join(dice.choices("ab .\u00e9", k=dice.randint(1, 3))) for _ in range(dice.randint(0, 2)))
        words, handed = Words(decode, stop), ""
        for byte in text.encode():
            words.add(byte)
            if words.stopped:
                break
            handed += words.fresh()
            assert "\ufffd" not in handed
        cut = min((text.find(each) for each in stop if each in text), default=len(text))
        assert words.whole == text[:cut].strip()
        assert handed + words.rest() == words.whole


def test_bytes_that_never_become_a_character_are_shown_as_that():
    words = Words(decode)
    for byte in (*b"a", 0xE4, 0xB8):
        words.add(byte)
    assert words.fresh() == "a"
    assert words.whole == "a\ufffd"
    assert words.rest() == "\ufffd"
