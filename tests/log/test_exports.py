"""What is exported is whole or not there, and imported again it is the same edits; what a format can't hold is counted."""

from __future__ import annotations

import csv
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Provenance, Query
from errata.log.formats import EXPORTABLE, Exportable, Exported, Options, Written, read, write
from tests.log.files import edits
from tests.log.worlds import BY, edit, picture, words

BEFORE = "a disc"
TALK = Query((Message("system", ("Be brief.",)), Message("user", ("what is ", picture(9), "?"))))


def exported(path, format: Exportable, *made: Edit, by: Provenance = BY, force: bool = False) -> Written:
    return write(path, format, lambda: iter([Exported(each, by, BEFORE) for each in made]), force=force)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
QUESTIONS = st.one_of(st.sampled_from(["{", '{"question": "x"}', '"', "a,b;c\td", "\r", "x\r\ny", " =1+1"]), TEXTS).filter(
    str.strip
)
PICTURES = st.integers(0, 3).map(picture)
PLAIN = st.builds(lambda text, images: Query.ask(text, *images), QUESTIONS, st.lists(PICTURES, max_size=2))
TURNS = st.tuples(st.sampled_from(["system", "user", "assistant"]), st.lists(st.one_of(TEXTS, PICTURES), max_size=3).map(tuple))
LAST = st.tuples(st.lists(PICTURES, max_size=1), QUESTIONS, st.lists(st.one_of(TEXTS, PICTURES), max_size=1))
TALKS = st.builds(
    lambda turns, last: Query((*(Message(*turn) for turn in turns), Message("user", (*last[0], last[1], *last[2])))),
    st.lists(TURNS, max_size=2),
    LAST,
)


def made(queries: st.SearchStrategy[Query], subjects: st.SearchStrategy[str]) -> st.SearchStrategy[Edit]:
    return st.builds(
        Edit,
        query=queries,
        target=QUESTIONS,
        also=st.lists(st.one_of(PLAIN, TALKS), max_size=2).map(tuple),
        keep=st.lists(st.one_of(PLAIN, TALKS), max_size=2).map(tuple),
        reach=st.sampled_from(["image", "kind", "text", "open"]),
        subject=st.none() | subjects,
        valid_until=st.sampled_from([None, "2030-01-01", "2031-12-31T18:00:00Z"]),
    )


@settings(deadline=None)
@given(given_edits=st.lists(made(st.one_of(PLAIN, TALKS), TEXTS), max_size=3))
def test_a_jsonl_export_imported_again_gives_the_same_edits(tmp_path_factory, given_edits):
    path = tmp_path_factory.getbasetemp() / "export.jsonl"
    assert exported(path, "jsonl", *given_edits, force=True).losses == {}
    assert [each.id for each in edits(path, "jsonl")] == [each.id for each in given_edits]


@settings(deadline=None)
@given(given_edits=st.lists(made(PLAIN, TEXTS.filter(bool)), max_size=3))
def test_a_table_imported_again_gives_the_same_edits(tmp_path_factory, given_edits):
    path = tmp_path_factory.getbasetemp() / "export.csv"
    assert exported(path, "csv", *given_edits, force=True).losses == {}
    assert [each.id for each in edits(path, "csv")] == [each.id for each in given_edits]


@given(queries=st.lists(st.one_of(PLAIN, TALKS), max_size=3))
def test_langfuse_corrections_imported_again_ask_and_answer_the_same(tmp_path_factory, queries):
    path = tmp_path_factory.getbasetemp() / "scores.jsonl"
    plain = [Edit(query, "a ring") for query in queries]
    assert exported(path, "langfuse", *plain, force=True).losses == {}
    assert [each.id for each in edits(path, "langfuse")] == [each.id for each in plain]


def test_an_edit_says_who_made_it_in_jsonl_and_csv(tmp_path):
    for format in ("jsonl", "csv"):
        exported(tmp_path / "x", format, edit(1), words(2), force=True)
        lines = list(read(tmp_path / "x", format))
        assert [line.found[1] for line in lines if not isinstance(line.found, str)] == [BY, BY]


def test_a_data_set_holds_one_wording_one_view_and_one_probe_of_each_kind(tmp_path):
    full = Edit(
        query=Query.ask("what?", picture(1)),
        target="a ring",
        also=(Query.ask("what is it?", picture(1)), Query.ask("what?", picture(2))),
        keep=(Query.ask("1 plus 1?"), Query.ask("what colour?", picture(3))),
        subject="the ring",
    )
    assert exported(tmp_path / "x.json", "easyedit", full, by=Provenance()) == Written(1, 3, {})
    (record,) = json.loads((tmp_path / "x.json").read_text())
    assert (record["pred"], record["loc_ans"], record["m_loc_a"]) == (BEFORE, "", "")
    assert edits(tmp_path / "x.json", "easyedit", Options(with_locality=True)) == [full]


@pytest.mark.parametrize(
    ("format", "losses"),
    [
        ("jsonl", {}),
        ("csv", {"edits that it can't hold at all, left out": 1}),
        ("langfuse", {"also": 2, "keep": 2, "subject": 2, "reach": 1, "valid_until": 1}),
        (
            "easyedit",
            {
                "edits that it can't hold at all, left out": 1,
                "also": 1,
                "keep": 1,
                "reach": 1,
                "valid_until": 1,
                "author, reason, ticket": 3,
            },
        ),
    ],
)
def test_what_a_format_cannot_hold_is_counted(tmp_path, format, losses):
    more = Edit(
        query=Query.ask("what?"),
        target="a ring",
        also=(Query.ask("what is it?"), Query.ask("and this?")),
        keep=(Query.ask("1 plus 1?"), Query.ask("2 plus 2?")),
        reach="kind",
        subject="the ring",
        valid_until="2030-01-01",
    )
    written = exported(tmp_path / "x", format, edit(1), words(2), more, Edit(TALK, "a ring"))
    assert written.losses == losses
    left_out = losses.get("edits that it can't hold at all, left out", 0)
    assert written.edits == 4 - left_out == len(edits(tmp_path / "x", format))


def test_a_correction_goes_back_to_the_trace_that_it_came_from(tmp_path):
    exported(tmp_path / "x", "langfuse", words(1), by=Provenance("ann", "seen", "langfuse:t1:o1"))
    score = json.loads((tmp_path / "x").read_text())
    assert (score["name"], score["dataType"], score["value"], score["comment"]) == ("output", "CORRECTION", "author 1", "seen")
    assert (score["traceId"], score["observationId"], score["output"]) == ("t1", "o1", BEFORE)
    assert (score["metadata"]["edit"], score["metadata"]["author"]) == (words(1).id, "ann")


def test_pictures_are_files_named_by_digest_once_each(tmp_path):
    written = exported(tmp_path / "x.jsonl", "jsonl", edit(0), edit(3), edit(4))
    names = sorted(path.name for path in (tmp_path / "x-images").iterdir())
    assert names == sorted({f"{picture(number).digest}.png" for number in (0, 1, 3, 4)})
    assert written.images == len(names)


def test_the_header_of_a_table_has_room_for_the_longest_row(tmp_path):
    exported(tmp_path / "x.csv", "csv", words(1), edit(2))
    with (tmp_path / "x.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == [
        "image",
        "question",
        "target",
        "also",
        "keep",
        "subject",
        "reach",
        "valid_until",
        "author",
        "reason",
        "ticket",
    ]
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize("format", EXPORTABLE)
def test_nothing_that_is_there_is_replaced_unless_it_is_said(tmp_path, format):
    path = tmp_path / "x"
    path.write_text("mine")
    with pytest.raises(BadInput, match="--force"):
        exported(path, format, words(1))
    assert path.read_text() == "mine"
    exported(path, format, words(1), force=True)
    assert path.read_text() != "mine"


def test_a_picture_with_a_name_that_is_taken_stops_an_export(tmp_path):
    taken = tmp_path / "x-images" / f"{picture(1).digest}.png"
    taken.parent.mkdir()
    taken.write_text("mine")
    with pytest.raises(BadInput, match="isn't the picture"):
        exported(tmp_path / "x", "jsonl", edit(1))
    assert (taken.read_text(), (tmp_path / "x").exists()) == ("mine", False)
    exported(tmp_path / "x", "jsonl", edit(1), force=True)
    assert taken.read_bytes() == picture(1).data


def test_an_export_that_fails_midway_leaves_the_old_file_and_nothing_else(tmp_path):
    def failing():
        yield Exported(words(1), BY)
        raise BadInput("an image was lost")

    (tmp_path / "x").write_text("old")
    for format in EXPORTABLE:
        with pytest.raises(BadInput, match="lost"):
            write(tmp_path / "x", format, failing, force=True)
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


def test_an_export_into_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadInput, match="no folder"):
        exported(tmp_path / "none" / "x", "jsonl", words(1))
