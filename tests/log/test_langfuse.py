"""Corrections made in Langfuse are found in every shape that its API and exports give them, with the question that they answer."""

from __future__ import annotations

import base64
import json

import pytest

from errata.core.records import Edit, Message, Provenance, Query
from errata.log.formats import guess
from tests.log.files import edits, found, why, with_pictures, written
from tests.log.worlds import picture

INLINE = "data:image/png;base64," + base64.b64encode(picture(2).data).decode()
ASKED = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "image_url", "image_url": {"url": INLINE}}, {"type": "text", "text": "what is it?"}]},
]
SCORE = {"id": "s", "name": "output", "dataType": "CORRECTION", "value": "a ring", "traceId": "t1", "comment": "seen"}
QUERY = Query((Message("system", ("Be brief.",)), Message("user", (picture(2), "what is it?"))))


@pytest.fixture
def folder(tmp_path):
    return with_pictures(tmp_path)


@pytest.mark.parametrize(
    "record",
    [
        {**SCORE, "input": ASKED},
        {**SCORE, "input": json.dumps(ASKED)},
        {**SCORE, "input": {"messages": ASKED, "temperature": 0}},
        {**SCORE, "trace": {"id": "t1", "input": ASKED}},
        {**SCORE, "trace": {"input": "another question"}, "observation": {"input": ASKED}},
        {**SCORE, "value": 0, "stringValue": "a ring", "input": ASKED},
        {"data_type": "CORRECTION", "value": 0, "string_value": "a ring", "trace_id": "t1", "comment": "seen", "input": ASKED},
        {**SCORE, "value": json.dumps({"role": "assistant", "content": "a ring"}), "input": ASKED},
        {**SCORE, "value": '"a ring"', "input": ASKED},
        {
            "id": "t1",
            "input": ASKED,
            "output": "a disc",
            "scores": [{"dataType": "NUMERIC", "value": 1}, SCORE],
            "observations": [],
        },
        {"dataType": "CORRECTION", "value": "a ring", "comment": "seen", "subject": {"kind": "trace", "id": "t1"}, "input": ASKED},
        {"data": [{**SCORE, "input": ASKED}, {"dataType": "BOOLEAN", "value": True}], "meta": {"limit": 50}},
        {"trace": {"id": "t1", "input": ASKED, "scores": [SCORE]}, "observations": [], "scores": [SCORE]},
    ],
)
def test_a_correction_is_found_in_every_shape_that_it_is_given_in(folder, record):
    path = written(folder, record)
    assert guess(path) == "langfuse"
    (line,) = found(path, "langfuse")
    assert line.found == (Edit(QUERY, "a ring"), Provenance("ann", "seen", "langfuse:t1"))


def test_a_correction_of_a_step_goes_with_what_the_step_was_asked(folder):
    steps = [{"id": "o1", "input": "first?"}, {"id": "o2", "input": "second?", "scores": [{**SCORE, "id": "b", "value": "two"}]}]
    subject = {"kind": "observation", "id": "o1", "traceId": "t1"}
    scores = [{**SCORE, "id": "a", "subject": subject}, {**SCORE, "id": "c"}, {**SCORE, "id": "d", "observationId": "gone"}]
    lines = found(written(folder, {"id": "t1", "input": "all?", "observations": steps, "scores": scores}), "langfuse")
    assert [line.place for line in lines] == [f"line 1, correction {part}" for part in (1, 2, 3, 4)]
    made = [line.found[0].query.text if not isinstance(line.found, str) else line.found for line in lines]
    assert made[:2] == ["first?", "all?"]
    assert "has no 'input'" in made[2]
    assert made[3] == "second?"
    assert isinstance(lines[0].found, tuple)
    assert lines[0].found[1].ticket == "langfuse:t1:o1"


def test_what_is_no_correction_is_passed_over(folder):
    others = [{"dataType": "NUMERIC", "value": 1}, {"id": "t", "input": "x", "scores": [], "observations": []}]
    assert found(written(folder, *others), "langfuse") == []


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": "a.png"},
        {"type": "input_image", "image_url": "a.png"},
        {"type": "image", "image": "a.png"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": INLINE.split(",")[1]}},
        {"type": "image_url", "image_url": {"url": "@@@langfuseMedia:type=image/png|id=m-1_x|source=base64_data_uri@@@"}},
        "@@@langfuseMedia:type=image/png|id=m-1_x|source=bytes@@@",
    ],
)
def test_a_picture_is_taken_from_every_form_that_needs_no_network(folder, part):
    (folder / "m-1_x.png").write_bytes(picture(3).data)
    message = {"role": "user", "content": [part, {"type": "input_text", "text": "what?"}]}
    (edit,) = edits(written(folder, {**SCORE, "input": [message]}), "langfuse")
    (image,) = edit.query.images
    assert image in (picture(1), picture(2), picture(3))


def content(*parts: object) -> dict[str, object]:
    return {**SCORE, "input": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (SCORE, "has no 'input'"),
        ({**SCORE, "input": ""}, "has no 'input'"),
        ({**SCORE, "input": 3}, "neither words nor messages"),
        ({**SCORE, "input": {"x": 1}}, "without 'messages'"),
        ({**SCORE, "input": "q", "value": 0}, "has no text"),
        ({**SCORE, "input": "q", "value": " "}, "target is empty"),
        ({**SCORE, "input": "q", "comment": 3}, "'comment' isn't text"),
        ({**SCORE, "input": "\ud800"}, "valid Unicode"),
        ({**SCORE, "input": [{"content": "x"}]}, "no 'role'"),
        ({**SCORE, "input": [{"role": "tool", "content": "x"}]}, "said by 'tool'"),
        ({**SCORE, "input": [*ASKED, {"role": "assistant", "content": "x"}]}, "isn't a question of the user"),
        (content({"type": "input_audio"}), "neither text nor a picture"),
        (content({"type": "image_url"}), "no address"),
        (content({"type": "image_url", "image_url": {"url": "https" + "://example.com/a.png"}}), "none is fetched"),
        (content("@@@langfuseMedia:type=image/png|id=gone|source=bytes@@@", "what?"), "Download it there as gone.png"),
        (content("@@@langfuseMedia:type=image/png|id=../a|source=bytes@@@", "what?"), "isn't a Langfuse media reference"),
        ({"id": "x"}, "neither a score nor a trace"),
        ({"data": [3]}, "neither a score nor a trace"),
        (b"{nope", "isn't JSON"),
    ],
)
def test_a_bad_correction_says_what_is_wrong_with_it(folder, record, said):
    assert said in why(written(folder, record), "langfuse")
