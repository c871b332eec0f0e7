"""Where a log is: the same commands on a file and on a database, and one writer at a time."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from errata.core.records import Edit, Provenance, Query
from errata.editors import parse
from errata.log import EditLog, holding, open_store
from errata.session.beginnings import as_recorded
from errata.session.session import Session
from tests.editors.trained import filled_in
from tests.log.servers import database

ADD = ("edit", "add", "where does mibo live?", "--target", "in the harbor", "--editor", "none")


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path: Path) -> str:
    return str(tmp_path / "corrections.db") if request.param == "sqlite" else database()


def test_the_commands_do_the_same_on_a_file_and_on_a_database(inside, place: str):
    asked = inside("ask", "where does mibo live?", "--store", place)
    assert (asked.code, "errata edit add" in asked.err) == (2, True)
    added = inside(*ADD, "--store", place)
    assert added.code == 1, added.err  # no editor learns nothing, and the log says so
    shown = inside("log", "show", "--json", "--store", place)
    assert [json.loads(line)["kind"] for line in shown.out.splitlines()] == ["begun", "refused"]
    assert inside("log", "verify", "--store", place).code == 0
    assert inside("edit", "list", "--store", place).code == 0


def test_a_second_writer_is_told_who_has_the_branch_and_changes_nothing(inside, place: str):
    with closing(open_store(place)) as store, holding(store, "main", holder="ada"):
        refused = inside(*ADD, "--store", place)
        assert refused.code == 2
        assert "is being written to by ada" in refused.err
        assert store.branches() == {}
        assert inside(*ADD, "--store", place, "--branch", "trial").code == 1
    assert inside(*ADD, "--store", place).code == 1


def test_a_place_that_can_not_be_opened_is_a_sentence_without_the_password(inside):
    for command in (("log", "show"), ("ask", "what is there?"), ADD):
        failed = inside(*command, "--store", "postgresql://ada:s3cret@localhost:1/corrections")
        assert failed.code == 2
        assert "postgresql://localhost:1/corrections" in failed.err
        assert "s3cret" not in failed.err + failed.out


def test_a_url_with_a_slash_too_few_makes_no_file_and_shows_no_password(inside, tmp_path: Path):
    for command in (("log", "show"), ("ask", "what is there?"), ADD):
        failed = inside(*command, "--store", "postgresql:/ada:s3cret@localhost/corrections")
        assert (failed.code, "postgresql://USER@HOST:PORT/DATABASE" in failed.err) == (2, True)
        assert "s3cret" not in failed.err + failed.out
    assert list(tmp_path.iterdir()) == []


def test_a_store_goes_on_with_the_fields_that_it_began_with(inside, random_llava, random_llava_folder, tmp_path):
    then = parse("codebook:layer=2,reach=0.7,slots=96,steps=40")
    with closing(open_store(str(tmp_path / "errata.db"))) as store:
        session = Session.open(random_llava, then, EditLog(store), asked="codebook")
        assert session.edit(Edit(Query.ask("where does mibo live?"), "town")).status == "applied"
    again = inside("ask", "where does mibo live?", "--model", random_llava_folder)
    assert (again.code, again.out) == (0, "town\n"), again.err
    other = inside("ask", "where does mibo live?", "--model", random_llava_folder, "--editor", "codebook")
    assert (other.code, "layer=2" in other.err) == (2, True)


@pytest.mark.parametrize("text", ["mend:checkpoint={mend}", "serac:checkpoint={text}", "finetune:lr=0.05,steps=30,stop_nats=0.1"])
def test_a_store_is_opened_again_without_naming_its_editor(inside, random_llava, random_llava_folder, text):
    named = ("--model", random_llava_folder, "--editor", filled_in(text, random_llava))
    began = inside("edit", "add", "where does mibo live?", "--target", "town", *named)
    assert began.code in (0, 1), began.err  # whether it is learned is for other tests
    again = inside("ask", "where does mibo live?", "--model", random_llava_folder)
    assert again.code == 0, again.err


def test_a_store_of_an_editor_that_had_fewer_fields_says_what_to_do(inside, random_llava, random_llava_folder, tmp_path):
    now = parse("scopeedit").spec(random_llava)
    fewer = {name: value for name, value in now.fields.items() if name not in ("longest", "outward")}
    with closing(open_store(str(tmp_path / "errata.db"))) as store:
        began = {"model": {"name": "x", "digest": random_llava.digest}, "editor": {"name": now.name, "fields": fewer}}
        EditLog(store).append("begun", None, Provenance(), details={**began, "asked": "scopeedit"}, after="")
    refused = inside("ask", "where does mibo live?", "--model", random_llava_folder)
    assert (refused.code, "had no longest, outward" in refused.err, "errata rebase" in refused.err) == (2, True, True), refused.err


def test_an_editor_that_was_never_named_takes_nothing_from_the_log(random_llava, tmp_path):
    with closing(open_store(str(tmp_path / "errata.db"))) as store:
        log = EditLog(store)
        Session.open(random_llava, parse("finetune"), log)
        other = parse("codebook")
        assert as_recorded(log, other) is other
