"""The same question in another typing takes the earlier one's place; what a model can't read is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.core.errors import BadInput, LogError
from errata.core.records import Edit, Provenance, Query
from errata.editors import parse
from errata.log import EditLog, MemoryStore, open_store
from errata.log.formats import Options, guess, read
from errata.models import load
from errata.session.imports import Import
from errata.session.session import Session

SUM = "what is 4 plus 4?"
UNREADABLE = "what is 日本語?"


@pytest.fixture(scope="module")
def model():
    return load("llava-tiny")


def opened(model, log=None) -> Session:
    return Session.open(model, parse("codebook"), EditLog(MemoryStore()) if log is None else log)


@pytest.mark.parametrize("typed", ["What is 4 plus 4?", f"{SUM} ", SUM[:-1], "WHAT  is 4 plus 4 ?"])
def test_a_question_typed_otherwise_supersedes_the_earlier_edit_and_the_log_says_so(model, typed: str):
    session = opened(model)
    first = session.edit(Edit(Query.ask(SUM), "9"))
    second = session.edit(Edit(Query.ask(typed), "seven"))
    assert (second.status, second.supersedes) == ("applied", (first.edit,))
    assert session.log.ids_in_force() == (second.edit,)
    assert [entry.kind for entry in session.log.entries()] == ["begun", "applied", "applied", "superseded"]
    assert session.ask([Query.ask(typed)])[0].text == "seven"
    assert opened(model, session.log).log.asking(Query.ask(SUM)) == second.edit


def test_the_receipt_and_the_log_say_which_typing_of_it_the_edit_does_not_speak_to(model):
    session = opened(model)
    session.edit(Edit(Query.ask(SUM), "9"))
    typed = Query.ask(SUM[:-1])
    receipt = session.edit(Edit(typed, "nine"))
    now = session.ask([Query.ask(SUM)])[0].text
    told = [(one.query, one.before, one.after) for one in receipt.unsaid]
    assert told == ([] if now == "nine" else [(SUM, "9", now)])
    assert session.log.head is not None
    applied = next(entry for entry in session.log.entries(3))
    assert applied.details.get("unsaid", []) == [one.to_json() for one in receipt.unsaid]
    both = session.edit(Edit(Query.ask("What is 4 plus 4"), "nine", also=(Query.ask(SUM), typed)))
    assert (both.status, both.unsaid) == ("applied", ())
    assert [answer.text for answer in session.ask([Query.ask(SUM), typed])] == ["nine", "nine"]


def test_a_branch_that_began_without_the_rule_goes_by_every_byte(model):
    new = opened(model)
    first = next(new.log.entries(1, 2))
    old = EditLog(MemoryStore())
    old.append("begun", None, first.by, details={name: told for name, told in first.details.items() if name != "questions"})
    session = opened(model, old)
    one = session.edit(Edit(Query.ask(SUM), "9"))
    other = session.edit(Edit(Query.ask(f"{SUM} "), "seven"), guard=False)
    assert (other.supersedes, session.log.ids_in_force()) == ((), (one.edit, other.edit))
    third = session.edit(Edit(Query.ask(SUM), "six"), guard=False)
    assert third.supersedes == (one.edit,)


def test_a_rule_of_a_later_version_is_not_guessed(model):
    first = next(opened(model).log.entries(1, 2))
    log = EditLog(MemoryStore())
    log.append("begun", None, first.by, details={**first.details, "questions": 99})
    with pytest.raises(LogError, match="not known here"):
        opened(model, log).edit(Edit(Query.ask(SUM), "9"))
    assert len(log) == 1


@pytest.mark.parametrize("where", ["query", "also", "keep"])
def test_a_question_that_the_tokenizer_cannot_tell_from_others_is_refused_with_the_characters(model, where: str):
    session, unread = opened(model), Query.ask(UNREADABLE)
    edit = Edit(
        unread if where == "query" else Query.ask(SUM),
        "9",
        also=(unread,) if where == "also" else (),
        keep=(unread,) if where == "keep" else (),
    )
    with pytest.raises(BadInput, match="don't know '日', '本', '語'"):
        session.edit(edit)
    with pytest.raises(BadInput, match="can't be told from others"):
        session.ask([Query.ask("what is 中国?")])
    assert len(session.log) == 1


def test_a_log_that_holds_such_a_question_already_is_folded_and_verified_as_before(model):
    session = opened(model)
    edit = Edit(Query.ask(UNREADABLE), "ginger")
    session.log.append("applied", edit, Provenance(), details={"asks": edit.query.digest})  # as earlier versions did
    again = opened(model, session.log)
    assert again.model.answers([edit.query], [again.editor.read(again.model, again.state, edit.query)]) == ["ginger"]
    assert again.edit(Edit(Query.ask("what is 2 plus 2?"), "seven")).status == "applied"
    assert session.log.verify() == 3


def imported(model, file: Path, store: Path) -> Import:
    with open_store(store) as opened_store:  # type: ignore[attr-defined]  # a SQLite store closes itself
        session = opened(model, EditLog(opened_store))
        run = Import(session, "digest of the file")
        known = guess(file)
        for line in read(file, known, Options(None, Provenance("night shift"))):
            run.take(line)
        run.finish(file, known, Provenance("night shift"))
    return run


def test_authors_who_contradict_each_other_in_one_file_are_listed(model, tmp_path: Path):
    file = tmp_path / "given.csv"
    file.write_text(
        "question,target,author\n"
        "what is 4 plus 4?,nine,ann\n"
        "What is 4 plus 4,seven,bo\n"
        "what is 2 plus 2?,five,ann\n"
        "what is 2 plus 2? ,six,ann\n"  # one person who thought again
        "what is 3 plus 3?,eight,ann\n"
        "what is 3  plus 3?,eight,bo\n",  # two who agree
        encoding="utf-8",
    )
    run = imported(model, file, tmp_path / "errata.db")
    (one,) = run.conflicts
    assert (one.earlier.author, one.earlier.target, one.earlier.place) == ("ann", "nine", "line 2")
    assert (one.later.author, one.later.target, one.later.place) == ("bo", "seven", "line 3")
    assert one.sentence == "'What is 4 plus 4': 'seven' by bo (line 3), but 'nine' by ann (line 2)"
    with open_store(tmp_path / "errata.db", create=False) as store:  # type: ignore[attr-defined]
        head = EditLog(store).head
    assert head is not None
    assert head.details["conflicts"] == [[one.earlier.edit, one.later.edit]]
