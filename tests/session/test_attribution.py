"""Who spoke is named: exactly those whose values went into an answer, and of them those without which it would be another."""

from __future__ import annotations

from functools import partial
from random import Random

import pytest

from errata.core.errors import BadInput
from errata.core.matching import same
from errata.core.records import Edit, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore
from errata.models import load
from errata.session.asking import heard
from errata.session.registry import benchmark
from errata.session.session import Session
from errata.session.takeback import left_out

CAVE = Edit(Query.ask("where does mibo live?"), "the cave")
TOWN = Edit(Query.ask("who made the pepok?"), "in the town")
FAR = Query.ask("what is the food of the red thing?")
LONG = Edit(Query.ask("where does mibo live?"), " ".join(["the cave in the town"] * 14))
SEED = 143


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


def opened(model, *edits, editor="codebook"):
    session = Session.open(model, parse(editor), EditLog(MemoryStore()), beside=True)
    for edit in edits:
        assert session.edit(edit, guard=False).status == "applied"
    return session


def test_exactly_those_that_spoke_are_named_for_every_row_of_a_batch(model):
    session = opened(model, CAVE, TOWN)
    answers = session.ask([TOWN.query, FAR, CAVE.query])
    assert [answer.edits for answer in answers] == [(TOWN.id,), (), (CAVE.id,)]
    assert all(answer.told for answer in answers)
    assert [session.ask([query])[0] for query in (TOWN.query, FAR, CAVE.query)] == answers


def test_what_a_batch_goes_on_to_after_a_row_has_ended_is_not_heard_in_it(model):
    """The short answer's row is fed padding while the long one is spoken."""
    session = opened(model, LONG, TOWN)
    (long, short) = session.ask([LONG.query, TOWN.query])
    assert (long.text, long.edits) == (LONG.target, (LONG.id,))
    assert (short.text, short.edits) == (TOWN.target, (TOWN.id,))


def test_nobody_spoke_where_nothing_is_in_force(model):
    assert opened(model).ask([FAR])[0].edits == ()


def test_edits_in_the_same_weights_are_told_apart_by_leaving_each_out(model):
    session = opened(model, CAVE, TOWN, editor="finetune:steps=25,lr=0.003")
    (answer,) = session.ask([TOWN.query])
    assert (answer.edits, answer.told) == ((CAVE.id, TOWN.id), False)
    (needed,) = left_out(session, [TOWN.query], [answer])
    assert TOWN.id in needed


def test_an_edit_without_which_the_answer_is_the_same_is_not_needed(model):
    (bare,) = opened(model).ask([FAR])
    needless = Edit(FAR, bare.text)
    session = opened(model, needless, CAVE)
    answers = session.ask([FAR, CAVE.query])
    assert left_out(session, [FAR, CAVE.query], answers) == [(), (CAVE.id,)]


def test_a_target_longer_than_an_answer_is_usually_is_learned_read_back_and_given_whole(model):
    session = opened(model)
    receipt = session.edit(LONG)
    assert (receipt.status, receipt.after) == ("applied", LONG.target)
    (answer,) = session.ask([LONG.query])
    assert (answer.text, answer.whole) == (LONG.target, True)
    (cut,) = session.ask([LONG.query], max_new_tokens=8)
    assert (cut.whole, same(cut.text, LONG.target)) == (False, False)
    assert session.revert(LONG.id).before == LONG.target
    with pytest.raises(BadInput, match="at least 1"):
        session.ask([FAR], max_new_tokens=0)


@pytest.mark.timeout(7200)
@pytest.mark.proof(sample=5, full=200)
def test_the_edits_named_are_those_without_which_the_answer_would_be_another(model, trials, record):
    """Twice as many questions as edits, every edit left out of every question, by a state that is as if it had never been."""
    stream = benchmark("scopeworld-stream", seed=SEED, edits=trials)
    session = Session.open(model, parse("codebook"), EditLog(MemoryStore()), beside=True)
    for number in range(trials):
        session.edit(stream[number].edit)
    asked = list({probe.query.digest: probe.query for case in stream.truth(trials) for probe in case.probes}.values())
    queries = Random(SEED).sample(asked, 2 * trials)
    answers = session.ask(queries, max_new_tokens=8)
    named = left_out(session, queries, answers)
    causes: list[list[str]] = [[] for _ in queries]
    for edit in session.standing():
        read = partial(session.editor.read, model, session.without((edit,)).state)
        for row, (was, answer) in enumerate(zip(answers, heard(model, read, queries, limit=8), strict=True)):
            if not same(was.text, answer.text):
                causes[row].append(edit)
    spoke = sum(bool(answer.edits) for answer in answers)
    idle = sum(set(answer.edits) != set(cause) for answer, cause in zip(answers, causes, strict=True))
    record |= {"edits": len(session.standing()), "questions": len(queries), "spoke": spoke, "spoke_in_vain": idle}
    assert [list(edits) for edits in named] == causes
    assert all(set(cause) <= set(answer.edits) for answer, cause in zip(answers, causes, strict=True))
    assert spoke
