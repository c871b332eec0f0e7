"""Files of corrections are read as streams, whatever their format; every bad record is told apart and says what is wrong."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Provenance, Query
from errata.log.formats import FORMATS, MAX_RECORD_BYTES, Format, Options, guess, read
from tests.log.files import edits, found, why, with_pictures, written
from tests.log.worlds import picture

GOOD = {"image": "a.png", "question": "what is it?", "target": "a ring"}
PROBED = {
    "src": "How many balls are there?",
    "pred": "no",
    "rephrase": "What is the number of balls?",
    "alt": "2",
    "image": "a.png",
    "image_rephrase": "b.png",
    "loc": "nq question: who was first?",
    "loc_ans": "ann",
    "m_loc": "b.png",
    "m_loc_q": "What sport is it?",
    "m_loc_a": "motocross",
}


@pytest.fixture
def folder(tmp_path):
    return with_pictures(tmp_path)


def table(folder, *rows: list[str], name: str = "in.csv"):
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    (folder / name).write_bytes(text.getvalue().encode())
    return folder / name


def test_a_record_becomes_the_edit_that_it_says(folder):
    more = {"also": ["and now?", {"image": "b.png", "question": "and here?"}], "keep": [{"question": "1 plus 1?"}]}
    record = {
        **GOOD,
        **more,
        "subject": "the ring",
        "reach": "kind",
        "author": "bob",
        "reason": "seen",
        "valid_until": "2030-01-01",
    }
    (line,) = found(written(folder, record), "jsonl")
    assert not isinstance(line.found, str)
    edit, by = line.found
    assert (edit.query.text, edit.query.images, edit.target) == ("what is it?", (picture(1),), "a ring")
    assert [(query.text, query.images) for query in edit.also] == [("and now?", (picture(1),)), ("and here?", (picture(2),))]
    assert [(query.text, query.images) for query in edit.keep] == [("1 plus 1?", ())]
    assert (edit.subject, edit.reach, edit.valid_until) == ("the ring", "kind", "2030-01-01")
    assert by == Provenance("bob", "seen", "T-1")


def test_a_conversation_stands_in_place_of_a_question(folder):
    told = [{"role": "system", "parts": ["Be brief."]}, {"role": "user", "parts": ["what is ", {"image": "a.png"}, "?"]}]
    (edit,) = edits(written(folder, {"messages": told, "target": "a ring"}), "jsonl")
    assert edit.query.messages == (Message("system", ("Be brief.",)), Message("user", ("what is ", picture(1), "?")))


def test_blank_lines_are_passed_over_and_numbers_are_those_of_the_file(folder):
    path = written(folder, GOOD, b"", b"  ", {**GOOD, "target": ""}, GOOD)
    lines = found(path, "jsonl")
    assert [(line.number, line.place) for line in lines] == [(1, "line 1"), (4, "line 4"), (5, "line 5")]
    assert [isinstance(line.found, str) for line in lines] == [False, True, False]
    assert lines[-1].read_bytes == path.stat().st_size


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (b"{nope", "isn't JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"1" * 5000, "isn't JSON that can be read"),
        (b"[1]", "isn't a JSON object"),
        (b"{\xff}", "isn't UTF-8"),
        (b'"' + b"x" * MAX_RECORD_BYTES + b'"', "more than 16 MiB"),
        ({"question": "q"}, "'target' is missing"),
        ({"target": "t"}, "'question' is missing"),
        ({**GOOD, "target": " "}, "target is empty"),
        ({**GOOD, "question": ""}, "prompt is empty"),
        ({**GOOD, "question": 3}, "'question' isn't text"),
        ({**GOOD, "image": "none.png"}, "no image at"),
        ({**GOOD, "image": "in.jsonl"}, "isn't a picture"),
        ({**GOOD, "image": "."}, "can't be read"),
        ({**GOOD, "image": os.devnull}, "a device or a pipe"),
        ({**GOOD, "image": "a\0b"}, "zero character"),
        ({**GOOD, "image": 7}, "'image' is neither"),
        ({**GOOD, "image": ["a.png", None]}, "'image' is neither"),
        ({**GOOD, "image": "s3://bucket/a.png"}, "an address on the web"),
        ({**GOOD, "image": "data:image/png;base64,AAAAA"}, "broken base64"),
        ({**GOOD, "image": "data:image/png;base64,AAA"}, "isn't a picture"),
        ({**GOOD, "image": "data:application/pdf;base64,AAAA"}, "isn't a picture"),
        ({**GOOD, "image": "data:image/png,\ud800"}, "valid Unicode"),
        ({**GOOD, "target": "\ud800"}, "valid Unicode"),
        ({**GOOD, "image": "\ud800.png"}, "valid Unicode"),
        ({**GOOD, "reach": "far"}, "reach 'far' isn't known"),
        ({**GOOD, "valid_until": "soon"}, "'soon' is no time"),
        ({**GOOD, "valid_until": 2030}, "'valid_until' isn't text"),
        ({**GOOD, "colour": "red"}, "'colour' isn't known"),
        ({**GOOD, "also": "x"}, "'also' isn't a list"),
        ({**GOOD, "keep": [3]}, "item of 'keep'"),
        ({**GOOD, "keep": [{"q": "x"}]}, "item of 'keep'"),
        ({**GOOD, "also": [{"image": "none.png", "question": "x"}]}, "no image at"),
        ({**GOOD, "messages": [{"role": "user", "parts": ["x"]}]}, "both 'messages' and"),
        ({"target": "t", "messages": []}, "isn't a list of messages"),
        ({"target": "t", "messages": [{"role": "judge", "parts": ["x"]}]}, "a 'role'"),
        ({"target": "t", "messages": [{"role": "user", "parts": "x"}]}, "aren't a list"),
        ({"target": "t", "messages": [{"role": "user", "parts": [{"image": 3}]}]}, "neither words nor a picture"),
        ({"target": "t", "messages": [{"role": "assistant", "parts": ["x"]}]}, "isn't a question of the user"),
    ],
)
def test_a_bad_line_says_what_is_wrong_with_it(folder, record, said):
    assert said in why(written(folder, record), "jsonl")


def test_a_byte_order_mark_is_no_part_of_the_first_record(folder):
    assert len(edits(written(folder, b"\xef\xbb\xbf" + json.dumps(GOOD).encode(), GOOD), "jsonl")) == 2


def test_a_record_that_is_too_long_costs_itself_alone(folder):
    long, probed = b"{" + b" " * MAX_RECORD_BYTES + b"}", json.dumps(PROBED).encode()
    rows = b'question,target\nq,t\n"' + b"x" * MAX_RECORD_BYTES + b'",t\nq,u\n'
    files: dict[Format, Path] = {
        "jsonl": written(folder, GOOD, long, GOOD, name="lines"),
        "easyedit": written(folder, b"[" + b",".join((probed, long, probed)) + b"]", name="list"),
        "csv": written(folder, rows, name="rows"),
    }
    for format, path in files.items():
        first, second, third = (line.found for line in found(path, format))
        assert "more than 16 MiB" in str(second)
        assert (isinstance(first, tuple), isinstance(third, tuple)) == (True, True)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_that_cannot_be_read_is_refused_whole(folder, name, format):
    with pytest.raises(BadInput, match="can't be read"):
        next(read(folder / name, format))
    with pytest.raises(BadInput, match="can't be read"):
        guess(folder / name)


def test_only_the_line_at_hand_is_read(folder):
    lines = read(written(folder, GOOD, b"{nope", GOOD), "jsonl")
    assert next(lines).read_bytes < (folder / "in.jsonl").stat().st_size


# -- tables


def test_a_row_becomes_the_edit_that_it_says_and_a_column_may_be_repeated(folder):
    header = ["Question", "target", "image", "image", "also", "also", "keep", "subject", "reach", "valid_until", "author"]
    row = [
        "what is\nit?",
        'a "ring"',
        "a.png",
        "b.png",
        "and now?",
        "",
        '{"question": "1 plus 1?"}',
        "",
        "kind",
        "2030-01-01",
        "bob",
    ]
    (line,) = found(table(folder, header, row), "csv")
    assert not isinstance(line.found, str)
    edit, by = line.found
    assert edit == Edit(
        query=Query.ask("what is\nit?", picture(1), picture(2)),
        target='a "ring"',
        also=(Query.ask("and now?", picture(1), picture(2)),),
        keep=(Query.ask("1 plus 1?"),),
        reach="kind",
        valid_until="2030-01-01",
    )
    assert by == Provenance("bob", "because", "T-1")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbfquestion,target\r\nwhat?,a ring\r\n",
        b"question;target\nwhat?;a ring\n",
        b"question\ttarget\nwhat?\ta ring",
        b'"question","target","reason"\n"what?","a ring"\n',
    ],
)
def test_a_table_is_read_as_spreadsheets_write_it(folder, data):
    assert edits(written(folder, data), "csv") == [Edit(Query.ask("what?"), "a ring")]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (b"what?", "'target' is missing"),
        (b"what?,a,b,c", "4 cells"),
        (b'"what?,a ring', "isn't CSV"),
        (b'"what"?,a ring', "isn't CSV"),
        (b"what?,\xff", "isn't valid Unicode"),
        (b"what?," + b"x" * 200_000, "isn't CSV"),
        (b"what?,a ring,{nope", "begins with a brace"),
        (b'what?,a ring,"{""image"": 3}"', "'question' is missing"),
    ],
)
def test_a_bad_row_says_what_is_wrong_with_it_and_costs_no_other(folder, row, said):
    lines = found(written(folder, b"question,target,also\nq,t,\n" + row + b"\n\nq,u,\n\nq,v,\n"), "csv")
    assert [line.number for line in lines] == [2, 3, 5, 7]
    assert [line.found[0].target for line in lines if not isinstance(line.found, str)] == ["t", "u", "v"]
    assert said in str(lines[1].found)


@pytest.mark.parametrize(
    ("header", "said"),
    [
        (b"", "needs the columns"),
        (b"question,answer\n", "'answer' isn't known"),
        (b"question,image\n", "needs the columns"),
        (b"question,target,target\n", "'target' twice"),
        (b'question,"target\n', "can't be read"),
        (b"\xff", "isn't known"),
        (b"\xff\xfeq", "begins as UTF-16 does"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file(folder, header, said):
    with pytest.raises(BadInput, match=said):
        found(written(folder, header, name="in.csv"), "csv")


# -- JSON in other layouts


@pytest.mark.parametrize(
    "data",
    [
        json.dumps([PROBED, PROBED]).encode(),
        b"\xef\xbb\xbf" + json.dumps([PROBED, PROBED], indent=2).replace("\n", "\r\n").encode(),
        json.dumps(PROBED).encode() + b"\n" + json.dumps(PROBED).encode(),
        json.dumps(PROBED, indent=4).encode() + b"\n\n" + json.dumps(PROBED, indent=4).encode(),
        b" [ " + json.dumps(PROBED).encode() + b" , " + json.dumps(PROBED).encode() + b" , ] ",
    ],
)
def test_a_list_and_objects_after_one_another_are_the_same_records(folder, data):
    edit = Edit(
        query=Query.ask("How many balls are there?", picture(1)),
        target="2",
        also=(Query.ask("What is the number of balls?", picture(1)), Query.ask("How many balls are there?", picture(2))),
    )
    path = written(folder, data)
    assert edits(path, "easyedit") == [edit, edit]
    assert [line.number for line in found(path, "easyedit") if line.unit == "record"] in ([1, 2], [])


def test_a_broken_element_of_a_list_costs_itself_alone(folder):
    good = json.dumps({**PROBED, "rephrase": 'she said \\ "[{" and } ],'}).encode()
    broken = [b"{nope}", b"{'src': 1}", b"", b"nope"]
    lines = found(written(folder, b"[" + b",".join([good, *broken, good]) + b"]"), "easyedit")
    assert [(line.place, isinstance(line.found, str)) for line in lines] == [
        (f"record {number}", 1 < number < 6) for number in range(1, 7)
    ]


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_list_that_was_cut_short_says_so(folder, cut):
    whole = json.dumps([PROBED, PROBED]).encode()
    lines = found(written(folder, whole[:-cut]), "easyedit")
    assert isinstance(lines[-1].found, str)
    assert isinstance(lines[0].found, tuple)


def test_a_record_is_put_together_from_the_pieces_in_which_it_is_read(folder):
    padded = [{**PROBED, "pred": "\\" * size + '"' + "é" * size} for size in (0, 1, 32_765, 65_535, 65_536, 200_000)]
    assert len(edits(written(folder, json.dumps(padded, ensure_ascii=False).encode()), "easyedit")) == len(padded)


# -- data sets of EasyEdit's kind


def test_locality_probes_become_keep_only_where_they_are_asked_for(folder):
    path = written(folder, [PROBED])
    (plain,), (probed,) = edits(path, "easyedit"), edits(path, "easyedit", Options(with_locality=True))
    assert plain.keep == ()
    assert probed.keep == (Query.ask("nq question: who was first?"), Query.ask("What sport is it?", picture(2)))


@pytest.mark.parametrize(
    "record",
    [
        {"src": "who?", "alt": "ann", "rephrase": "who is it?", "loc": "where?", "loc_ans": "here", "subject": "it", "pred": "bob"},
        {"prompt": "who?", "target_new": "ann", "rephrase_prompt": "who is it?", "locality_prompt": "where?", "subject": "it"},
        {"question": "who?", "answer": "ann", "rephrase": ["who is it?"], "locality_prompt": "where?", "subject": "it", "pid": 3},
    ],
)
def test_the_layouts_of_several_data_sets_are_read(folder, record):
    path = written(folder, [record], name="in.json")
    assert guess(path) == "easyedit"
    (edit,) = edits(path, "easyedit", Options(with_locality=True))
    assert edit == Edit(Query.ask("who?"), "ann", also=(Query.ask("who is it?"),), keep=(Query.ask("where?"),), subject="it")


def test_fine_grained_probes_are_asked_on_the_picture_of_the_edit(folder):
    record = {
        "image": "a.png",
        "src": "who?",
        "alt": "ann",
        "fg_loc_q": "what colour?",
        "fg_gen_q": "is it ann?",
        "fg_gen_a": "yes",
    }
    (edit,) = edits(written(folder, [record]), "easyedit", Options(with_locality=True))
    assert (edit.also, edit.keep) == ((), (Query.ask("what colour?", picture(1)),))


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ([1], "isn't a JSON object"),
        ({"alt": "x"}, "needs one of src"),
        ({"src": "x"}, "one of alt"),
        ({**PROBED, "alt": ""}, "target is empty"),
        ({**PROBED, "alt": ["2"]}, "'alt' is neither text"),
        ({**PROBED, "rephrase": 3}, "'rephrase' isn't text"),
        ({**PROBED, "rephrase": [3]}, "something else than texts"),
        ({**PROBED, "image": "val/none.jpg"}, "no image at"),
    ],
)
def test_a_bad_record_of_a_data_set_says_what_is_wrong_with_it(folder, record, said):
    assert said in why(written(folder, [record]), "easyedit")


# -- any file


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("x.jsonl", b'{"question": "q", "target": "t"}', "jsonl"),
        ("x.jsonl", b"{nope", "jsonl"),
        ("x.json", b'{"question": "q", "target": "t"}\n', "jsonl"),
        ("x.csv", b"", "csv"),
        ("x.txt", b"question;target\n", "csv"),
        ("x.json", b'[{"src": "q", "pred": "", "alt": "t"}]', "easyedit"),
        ("x.json", b'\xef\xbb\xbf [{"dataType" : "CORRECTION"}]', "langfuse"),
    ],
)
def test_the_format_is_told_from_the_name_and_the_beginning(folder, name, data, format):
    assert guess(written(folder, data, name=name)) == format


@pytest.mark.parametrize(("name", "data"), [("x.json", b"[{}]"), ("x", b"hello"), ("x.parquet", b"PAR1"), ("x.json", b"")])
def test_a_format_that_cannot_be_told_has_to_be_said(folder, name, data):
    with pytest.raises(BadInput, match="--format"):
        guess(written(folder, data, name=name))


def test_pictures_are_looked_for_in_the_folder_that_is_given(folder, tmp_path):
    path = tmp_path / "deep" / "in.jsonl"
    path.parent.mkdir()
    written(path.parent, GOOD)
    assert "no image at" in why(path, "jsonl")
    assert edits(path, "jsonl", Options(images=folder))[0].query.images == (picture(1),)


PIECES = (
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b'"',
    b"\\",
    b"\n",
    b";",
    b"question",
    b"target",
    b"src",
    b"alt",
    b":",
    b'{"dataType":"CORRECTION",',
)


@given(
    data=st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join)),
    format=st.sampled_from(FORMATS),
)
def test_no_bytes_at_all_raise_anything_but_a_sentence(tmp_path_factory, data, format):
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(data)
    with contextlib.suppress(BadInput):
        guess(path)
    try:
        lines = found(path, format)
    except BadInput:
        return
    assert all(isinstance(line.found, str | tuple) for line in lines)


def sized(size: int, format: str) -> bytes:
    """A file of about this many bytes."""
    long = 'so "it" was said; ' * 60
    if format == "csv":
        quoted = long.replace('"', '""')
        return b"question,target,reason\n" + f'q?,t,"{quoted}"\n'.encode() * (size // len(quoted))
    records: dict[str, dict[str, object]] = {
        "jsonl": {"question": "q?", "target": "t", "reason": long},
        "easyedit": {"src": "q?", "alt": "t", "pred": long},
        "langfuse": {"dataType": "CORRECTION", "value": "t", "input": "q?", "comment": long},
        "rome": {"requested_rewrite": {"prompt": "q?", "target_new": "t"}, "generation_prompts": [long]},
        "chat": {"prompt": "q?", "completion": "t", "rejected": long},
        "labelstudio": {"annotation_id": 1, "lead_time": 2, "question": "q?", "answer": "t", "meta": long},
        "argilla": {"fields": {"question": "q?"}, "responses": {"answer": [{"value": "t"}]}, "metadata": {"long": long}},
    }
    one = json.dumps(records[format]).encode()
    return b"[" + b",\n".join([one] * (size // len(one))) + b"]" if format == "easyedit" else (one + b"\n") * (size // len(one))


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_of_five_megabytes_takes_a_tenth_of_it_in_memory(tmp_path, format):
    path = tmp_path / "large"
    path.write_bytes(sized(5_000_000, format))
    tracemalloc.start()
    try:
        good = sum(not isinstance(line.found, str) for line in read(path, format))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert good > 3_000
    assert peak < 500_000, peak
