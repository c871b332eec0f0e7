"""Where a branch asks for two people, nobody alone puts a correction in force; a proposal moves no state and needs no turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from errata.core.errors import BadInput, Conflict, LogError
from errata.core.records import Edit, Provenance, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore, holding, open_store
from errata.models import load
from errata.session.imports import Import
from errata.session.proposals import approve, propose, reject
from errata.session.rebase import rebase, session_onto
from errata.session.session import Session
from errata.session.takeback import restore, to_point

ANN, BO, CY = Provenance("ann"), Provenance("bo"), Provenance("cy")
FIRST = Edit(Query.ask("what is 4 plus 4?"), "nine")
SECOND = Edit(Query.ask("what is 2 plus 2?"), "seven")


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


def opened(model, log=None) -> Session:
    return Session.open(model, parse("codebook"), EditLog(MemoryStore()) if log is None else log)


def ruled(model) -> Session:
    session = opened(model)
    session.record("ruled", None, CY, details={"two_people": True})
    return session


def test_who_proposed_cannot_approve_and_another_can(model):
    session = ruled(model)
    propose(session, FIRST, ANN)
    for by in (ANN, Provenance(" Ann ")):
        with pytest.raises(BadInput, match="asks for two people"):
            approve(session, FIRST.id, by)
    assert [entry.kind for entry in session.log.entries()] == ["begun", "ruled", "proposed"]
    assert approve(session, FIRST.id, BO).status == "applied"
    assert session.ask([FIRST.query])[0].text == "nine"
    assert opened(model, EditLog(session.log.store)).log.ids_in_force() == (FIRST.id,)


def test_everybody_who_proposed_it_needs_another(model):
    session = ruled(model)
    propose(session, FIRST, ANN)
    propose(session, FIRST, BO)
    for by in (ANN, BO):
        with pytest.raises(BadInput, match="Somebody else must approve"):
            approve(session, FIRST.id, by)
    assert approve(session, FIRST.id, CY).status == "applied"


def test_a_proposal_may_be_turned_down_by_whoever_made_it_and_begins_anew(model):
    session = ruled(model)
    propose(session, FIRST, ANN)
    assert reject(session, FIRST.id, ANN).status == "refused"
    propose(session, FIRST, BO)
    assert approve(session, FIRST.id, ANN).status == "applied"


def alone(session: Session) -> dict[str, Callable[[], object]]:
    """Ways in which one person could put a correction in force."""
    return {
        "edit": lambda: session.edit(SECOND, ANN),
        "edit without a guard": lambda: session.edit(SECOND, ANN, guard=False),
        "restore": lambda: restore(session, FIRST.id, ANN),
        "go back": lambda: to_point(session, 5, ANN),
        "import": lambda: Import(session, "digest"),
        "append": lambda: session.log.append("applied", SECOND, ANN),
        "approve what is only said to be proposed": lambda: session.log.append("approved", None, ANN, edit_id=SECOND.id),
    }


@pytest.mark.parametrize("way", list(alone(None)))  # type: ignore[arg-type]  # their names alone
def test_nobody_alone_puts_a_correction_in_force(model, way: str):
    session = ruled(model)
    propose(session, FIRST, ANN)
    approve(session, FIRST.id, BO)
    session.revert(FIRST.id, ANN)  # taking back needs one person
    before = len(session.log)
    assert before == 6
    with pytest.raises((BadInput, LogError)):
        alone(session)[way]()
    assert (len(session.log), session.log.ids_in_force()) == (before, ())


def test_where_no_rule_says_so_one_person_is_enough(model):
    session = opened(model)
    propose(session, FIRST, ANN)
    assert approve(session, FIRST.id, ANN).status == "applied"
    session.record("ruled", None, CY, details={"two_people": True})
    with pytest.raises(BadInput):
        session.edit(SECOND, ANN)
    session.record("ruled", None, CY, details={"two_people": False})
    assert session.edit(SECOND, ANN).status == "applied"
    assert not session.log.at(3).two_people
    assert session.log.at(5).two_people


def test_an_approval_before_the_rule_by_the_proposer_is_none_after_it(model):
    session = opened(model)
    propose(session, FIRST, ANN)
    session.log.append("approved", None, ANN, edit_id=FIRST.id)  # and then the process died
    session = opened(model, session.log)
    session.record("ruled", None, CY, details={"two_people": True})
    with pytest.raises(BadInput, match="nobody has approved"):
        session.edit(FIRST, ANN)


def test_a_rebase_takes_the_rule_along(model):
    session = ruled(model)
    propose(session, FIRST, ANN)
    approve(session, FIRST.id, BO)
    store = MemoryStore()
    onto = session_onto(model, parse("codebook"), old=session.log, new=EditLog(store, "new"))
    assert rebase(onto, session.log, ANN).those("carried") == (FIRST.id,)
    assert EditLog(store, "new").two_people


def test_a_proposal_is_made_beside_whoever_holds_the_branch(model, tmp_path: Path):
    path = tmp_path / "errata.db"
    with closing(open_store(path)) as store, closing(open_store(path)) as other, holding(store, "main", holder="ada") as held:
        writer = opened(model, EditLog(held))
        writer.edit(SECOND, BO)
        beside = opened(model, EditLog(other))
        assert propose(beside, FIRST, ANN).status == "proposed"
        state = writer.state
        third = Edit(Query.ask("what is 3 plus 3?"), "eight")
        tried = writer.attempted(third)
        propose(beside, Edit(Query.ask("what is 1 plus 1?"), "six"), ANN)
        entry = writer.record("applied", third, BO, details=tried.details(committed=True))  # nothing that it decided on has changed
        assert writer.state is state
        writer.move(tried.state)
        assert entry.seq == 5
        assert approve(writer, FIRST.id, BO).status == "applied"
        assert [answer.text for answer in writer.ask([SECOND.query, third.query, FIRST.query])] == ["seven", "eight", "nine"]
        assert [answer.text for answer in opened(model, EditLog(other)).ask([SECOND.query, FIRST.query])] == ["seven", "nine"]
        assert EditLog(other).verify() == len(EditLog(other))


def test_what_moves_the_state_is_still_a_conflict(model):
    store = MemoryStore()
    first, second = opened(model, EditLog(store)), opened(model, EditLog(store))
    tried = first.attempted(FIRST)
    second.edit(SECOND, BO)
    with pytest.raises(Conflict):
        first.record("applied", FIRST, ANN, details=tried.details(committed=True))


def test_a_proposal_after_another_writers_edit_is_put_to_the_state_of_then(model):
    store = MemoryStore()
    first, second = opened(model, EditLog(store)), opened(model, EditLog(store))
    second.edit(FIRST, BO)
    assert propose(first, Edit(FIRST.query, "six"), ANN).before == "nine"
