"""Corrections are read from the files that other programs write, and nothing of what was asked is left behind."""

from __future__ import annotations

import codecs
import csv
import io
import json

import pytest

from errata.core.errors import BadInput
from errata.core.records import Edit, Message, Query
from errata.log.formats import FORMATS, Format, Options, guess
from tests.log.files import edits, found, why, with_pictures, written
from tests.log.kinds import BASE64, EARLIER, INLINE, KINDS, MARKS, RIGHT, SCORE, SYSTEM, USER, Kind
from tests.log.worlds import picture


@pytest.fixture
def folder(tmp_path):
    return with_pictures(tmp_path)


def as_bytes(kind: Kind) -> bytes:
    if not kind.table:
        return json.dumps(kind.record).encode()
    text = io.StringIO()
    csv.writer(text).writerows([list(kind.record), list(kind.record.values())])
    return text.getvalue().encode()


def said(edit: Edit) -> str:
    """All the words of an edit."""
    queries = (edit.query, *edit.also, *edit.keep)
    words = [part for query in queries for message in query.messages for part in message.parts if isinstance(part, str)]
    return " ".join([*words, edit.target, edit.subject or ""])


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_is_known_by_what_is_in_it_and_read_whole(folder, name):
    data = as_bytes(KINDS[name])
    path = written(folder, data, name="in.txt")
    assert guess(path) == KINDS[name].format
    (edit,) = edits(path, KINDS[name].format)
    assert [mark for mark in MARKS if mark.encode() in data and mark not in said(edit)] == []
    assert edit.query.text.endswith("wherezq lives mibo?" if "instruction" not in name else "wherezq\nlives mibo?")
    assert edit.target == RIGHT
    assert edit.query.images == ((picture(1),) if b"a.png" in data or BASE64.encode() in data else ())


def test_every_format_has_a_kind():
    assert {kind.format for kind in KINDS.values()} == set(FORMATS)


@pytest.mark.parametrize("name", ["jsonl", "langfuse, Ollama", "chat, OpenAI", "rome", "argilla"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_a_list_is_read_in_every_encoding_of_unicode(folder, name, encoding):
    kind = KINDS[name]
    path = written(folder, json.dumps([kind.record, kind.record], indent=1).encode(encoding), name="in.json")
    assert len(edits(path, guess(path))) == 2


# -- what stands beside the words


@pytest.mark.parametrize(
    ("beside", "named"),
    [
        ({"images": ["a.png"], "messages": [USER, {"role": "assistant", "content": "x"}, USER]}, "2 messages of the user"),
        ({"messages": [USER], "tools": [{"name": "search"}]}, "'tools'"),
        ({"messages": [USER], "sytem": SYSTEM}, "'sytem'"),
        ({"messages": [{**USER, "attachments": ["a.png"]}]}, "'attachments'"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "x", "image": "a.png"}]}]}, "'image'"),
        ({"question": "x", "context": "what was found"}, "'context'"),
        ({"question": "x", "prompt": "y"}, "'prompt'"),
        ({"question": "x", "chat_history": "he said"}, "'chat_history'"),
        ({"question": "x", "image": {"url": "a.png", "base64": BASE64}}, "given twice"),
        ([{"role": "user", "content": "x", "tool_calls": [{"id": 1}]}], "'tool_calls'"),
        ({"contents": "x", "config": {"system_instruction": SYSTEM, "temperature": 0}}, "'system_instruction' of 'config'"),
        ([{"role": "user", "content": [{"type": "image", "file_id": "f1"}, "x"]}], "'file_id'"),
        ([{"role": "user", "parts": [{"fileData": {"fileUri": "gs://b/a.png"}}]}], "'fileUri' of 'fileData' of 'parts'"),
    ],
)
def test_what_cannot_be_put_to_the_model_makes_a_bad_record_that_names_it(folder, beside, named):
    assert named in why(written(folder, {**SCORE, "input": beside}), "langfuse")


@pytest.mark.parametrize("place", ["score", "trace", "observation"])
def test_input_beside_an_input_is_no_bookkeeping(folder, place):
    beside = {"input": "x", "environment": "default", "systemPrompt": SYSTEM}
    record = {**SCORE, **beside} if place == "score" else {**SCORE, place: beside}
    assert "'systemPrompt'" in why(written(folder, record), "langfuse")
    (edit,) = edits(written(folder, record), "langfuse", Options(ignored=["systemPrompt"]))
    assert edit.query == Query.ask("x")


def test_a_system_prompt_and_earlier_turns_come_first(folder):
    asked = {"system": SYSTEM, "history": [{"role": "user", "content": EARLIER}, ["ai", "hm"]], "question": "x", "image": INLINE}
    assert "in 'image' stand beside 2 messages" in why(written(folder, {**SCORE, "input": asked}), "langfuse")
    (edit,) = edits(written(folder, {**SCORE, "input": {**asked, "image": None}}), "langfuse")
    roles = [(message.role, message.text) for message in edit.query.messages]
    assert roles == [("system", SYSTEM), ("user", EARLIER), ("assistant", "hm"), ("user", "x")]


def test_pictures_go_where_their_places_are_marked(folder):
    record = {"images": ["a.png", "b.png"], "messages": [
        {"role": "user", "content": "<image>\nfirst?"}, {"role": "assistant", "content": "hm"},
        {"role": "user", "content": "and <image> second?"}, {"role": "assistant", "content": "a ring"}]}  # fmt: skip
    (edit,) = edits(written(folder, record), "chat")
    first, _, last = edit.query.messages
    assert (first.parts, last.parts) == ((picture(1), "first?"), ("and ", picture(2), " second?"))
    assert "no picture is given" in why(written(folder, {**record, "images": []}), "chat")
    assert "marks 2 places for pictures, and 1 picture came with the conversation in 'images'" in why(
        written(folder, {**record, "images": ["a.png"]}), "chat"
    )


# -- keys and targets


@pytest.mark.parametrize("format", [name for name in FORMATS if name != "csv"])
def test_a_key_that_is_there_twice_makes_a_bad_record(folder, format):
    kind = next(kind for kind in KINDS.values() if kind.format == format and not kind.table)
    text = json.dumps(kind.record)
    (name, value), *_ = kind.record.items()
    twice = f'{text[:-1]}, "{name}": {json.dumps(value)}}}'.encode()
    assert f"{name!r} is there twice" in why(written(folder, twice), format)


def test_a_key_twice_in_json_that_is_written_as_text_counts_too(folder):
    asked = '{"messages": [{"role": "user", "content": "a?", "content": "b?"}]}'
    assert "'content' is there twice" in why(written(folder, {**SCORE, "input": asked}), "langfuse")


MESSAGES = [
    {"role": "assistant", "content": "a ring"},
    {"role": "assistant", "content": [{"type": "text", "text": "a ring"}], "stop_reason": "end_turn", "type": "message"},
    {"type": "ai", "content": "a ring", "additional_kwargs": {}, "response_metadata": {"finish": "stop"}, "tool_calls": []},
    {"choices": [{"index": 0, "message": {"role": "assistant", "content": "a ring", "refusal": None}, "finish_reason": "stop"}]},
    {"candidates": [{"content": {"role": "model", "parts": [{"text": "a ring"}]}, "finishReason": "STOP"}]},
    {"messages": [{"role": "assistant", "content": "a ring"}]},
    {"model": "m", "message": {"role": "assistant", "content": "a ring"}, "done": True},
    {"output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "a ring"}]}]},
    {"lc": 1, "type": "constructor", "id": ["langchain", "AIMessage"], "kwargs": {"content": "a ring", "tool_calls": []}},
    [{"role": "assistant", "content": "a ring"}],
]  # fmt: skip


@pytest.mark.parametrize("written_out", [True, False])
@pytest.mark.parametrize("message", MESSAGES)
def test_a_whole_message_as_an_answer_is_its_content_in_every_format(folder, message, written_out):
    answer = json.dumps(message) if written_out else message
    files: dict[Format, dict[str, object]] = {
        "langfuse": {**SCORE, "value": answer, "input": "what?"},
        "jsonl": {"question": "what?", "target": answer},
        "easyedit": {"src": "what?", "alt": answer},
        "argilla": {"fields": {"question": "what?"}, "responses": {"answer": [{"value": answer}]}},
        "chat": {"prompt": "what?", "completion": answer},
    }
    if isinstance(message, list) and not written_out:
        del files["argilla"]  # a list of values is a ranking there
    for format, record in files.items():
        assert edits(written(folder, record), format) == [Edit(Query.ask("what?"), "a ring")], format


def test_an_answer_that_is_json_and_no_message_stays_as_it_is(folder):
    for answer in ('{"colour": "red"}', "[1, 2]", '{"content": "x"}', '{"role": "king", "content": "x"}', '"', "{"):
        assert edits(written(folder, {"question": "what?", "target": answer}), "jsonl") == [Edit(Query.ask("what?"), answer)]


@pytest.mark.parametrize(
    ("message", "named"),
    [
        ({"role": "user", "content": "a ring"}, "said by the user"),
        ({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, "'tool_calls'"),
        ({"role": "assistant", "content": "", "refusal": "no"}, "'refusal'"),
        ({"role": "assistant", "content": [{"type": "image", "url": "a.png"}]}, "a picture in it"),
    ],
)
def test_a_message_that_is_no_answer_in_words_is_bad(folder, message, named):
    assert named in why(written(folder, {**SCORE, "value": json.dumps(message), "input": "what?"}), "langfuse")


# -- pictures in text


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64," + BASE64.rstrip("="),
        "data:image/png;base64," + "\n".join(BASE64[at : at + 76] for at in range(0, len(BASE64), 76)) + "\n",
        "data:image/png;base64," + BASE64.replace("+", "-").replace("/", "_"),
        "data:image/png;base64," + BASE64.replace("+", "%2B").replace("=", "%3D"),
        "data:image/png;charset=utf-8;base64," + BASE64,
        "data:;base64," + BASE64,
        "DATA:IMAGE/PNG;BASE64, " + BASE64,
    ],
)
def test_a_picture_in_a_data_uri_is_read_as_programs_write_it(folder, uri):
    assert edits(written(folder, {"question": "what?", "target": "t", "image": uri}), "jsonl")[0].query.images == (picture(1),)


@pytest.mark.parametrize("name", ["image", "question", "target", "valid_until", "reach", "colour" * 50_000])
@pytest.mark.parametrize("value", ["QUJD" * 750_000, "x/" * 100_000, "data:image/png;base64," + "QUJD" * 100_000, "\0" * 9_000])
def test_a_sentence_quotes_little_of_a_long_value(folder, name, value):
    record = {"question": "what?", "target": "t", **({name: value} if name != "question" else {"also": [{name: 3, "z": value}]})}
    lines = found(written(folder, record), "jsonl")
    assert all(isinstance(line.found, tuple) or len(line.found) < 700 for line in lines)


def test_two_uploads_that_would_be_one_file_are_not_taken_for_one_another(folder):
    tasks = [json.loads(json.dumps(KINDS["labelstudio"].record).replace("3f2a", part)) for part in ("3f2a", "77b1", "3f2a")]
    first, second, third = (line.found for line in found(written(folder, *tasks), "labelstudio"))
    assert (isinstance(first, tuple), isinstance(third, tuple)) == (True, True)
    assert "would both be" in str(second)
    (folder / "77b1-a.png").write_bytes(picture(3).data)
    assert [edit.query.images for edit in edits(written(folder, *tasks), "labelstudio")][1] == (picture(3),)


# -- annotations


def test_each_answer_of_a_task_goes_with_its_question_and_one_without_an_answer_is_named(folder):
    results = [
        {"type": "textarea", "from_name": f"answer{number}", "to_name": "image", "value": {"text": [f"right{number}"]}}
        for number in (2, 1)
    ]
    data = {"image": "a.png", "q1": "one?", "q2": "two?", "q3": "three?"}
    task = {"data": data, "annotations": [{"result": results}]}
    lines = found(written(folder, task), "labelstudio")
    made = [(line.found[0].query.text, line.found[0].target) for line in lines if not isinstance(line.found, str)]
    assert made == [("two?", "right2"), ("one?", "right1")]
    assert "'q3'" in str(lines[-1].found)
    data["hint"] = "look at the left"
    assert all("'hint'" in str(line.found) for line in found(written(folder, task), "labelstudio")[:2])


def test_a_cancelled_annotation_and_a_draft_are_no_answers(folder):
    task = json.loads(json.dumps(KINDS["labelstudio"].record))
    task["annotations"][0]["was_cancelled"] = True
    assert "Nobody has answered" in why(written(folder, task), "labelstudio")
    record = {"fields": {"question": "what?"}, "responses": {"answer": [{"value": "t", "status": "draft"}]}}
    assert "Nobody has answered" in why(written(folder, record), "argilla")


def test_a_reason_beside_an_answer_is_its_reason(folder):
    said = {"answer": [{"value": "t", "user_id": "u"}], "reason": [{"value": "seen", "user_id": "u"}], "rating": [{"value": 4}]}
    (line,) = found(written(folder, {"id": "1", "fields": {"question": "what?"}, "responses": said}), "argilla")
    assert isinstance(line.found, tuple)
    assert (line.found[1].author, line.found[1].reason, line.found[1].ticket) == ("u", "seen", "argilla:1")


# -- data sets and fine-tuning


def test_several_rewrites_of_a_record_are_as_many_corrections(folder):
    one = {"prompt": "{} lives in", "subject": "Mibo", "target_new": {"str": "Oslo"}, "question": "Where does Mibo live?"}
    two = {"prompt": "{} eats", "subject": "Ravo", "target_new": "salt"}
    (edit,) = edits(written(folder, {"requested_rewrite": one, "paraphrase_prompts": ["At home in"]}), "rome")
    assert edit.also == (Query.ask("Where does Mibo live?"), Query.ask("At home in"))
    both = edits(written(folder, [{"requested_rewrite": [one, two]}]), "rome")
    assert [(each.query.text, each.target, each.subject) for each in both] == [
        ("Mibo lives in", "Oslo", "Mibo"), ("Ravo eats", "salt", "Ravo")]  # fmt: skip


def test_a_textual_edit_in_a_record_is_a_correction_of_its_own(folder):
    record = {"src": "what?", "alt": "a ring", "image": "a.png", "textual_edit": {"src": "who?", "alt": "ann", "pred": "bob"}}
    assert [(edit.query.text, edit.target) for edit in edits(written(folder, record), "easyedit")] == [
        ("what?", "a ring"),
        ("who?", "ann"),
    ]


def test_weights_say_which_answers_are_learned(folder):
    def talk(*weights):
        said = [{"role": "assistant", "content": f"says {weight}", "weight": weight} for weight in weights]
        return {"messages": [message for each in said for message in (USER, each)]}

    assert [edit.target for edit in edits(written(folder, talk(None, None)), "chat")] == ["says None"]
    both = edits(written(folder, talk(1, 1)), "chat")
    assert [len(edit.query.messages) for edit in both] == [1, 3]
    assert "has the weight 0" in why(written(folder, talk(None, 0)), "chat")
    assert "said by the user" in why(written(folder, {"messages": [USER]}), "chat")


# -- tables


@pytest.mark.parametrize(
    "data",
    [
        b"sep=;\r\nquestion;target\r\nwhat?;a ring\r\n",
        b'"sep=,,"\nquestion,target,,\nwhat?,a ring,,\n',
        b"question,target,,\nwhat?,a ring,,\n,,,\n",
        b"question|target\nwhat?|a ring\n",
        b'question, target\n"what?", "a ring"\n',
        b"question, target\nwhat?, a ring\n",
        b'question,target\nwhat?, "a ring"\n',
        b"question,target\rwhat?,a ring\r",
        b",question,target\n0,what?,a ring\n",
        b"Unnamed: 0,question,target\n0,what?,a ring\n",
        codecs.BOM_UTF16_LE + "question\ttarget\nwhat?\ta ring\n".encode("utf-16-le"),
        "question,target\nwhat?,a ring\n".encode("utf-16-be"),
    ],
)
def test_a_table_is_read_as_other_spreadsheets_write_it(folder, data):
    path = written(folder, data, name="in.txt")
    assert guess(path) == "csv"
    assert edits(path, "csv") == [Edit(Query.ask("what?"), "a ring")]


def test_a_quote_after_a_space_holds_separators_and_line_ends(folder):
    rows = b'question,target,reason\n"what, then?", "a ring,\nor two", "seen"\nq, t,\n'
    lines = found(written(folder, rows), "csv")
    assert [line.found[0].target for line in lines if isinstance(line.found, tuple)] == ["a ring,\nor two", " t"]
    assert [line.number for line in lines] == [2, 4]


def test_a_cell_without_a_column_is_not_dropped(folder):
    rows = b"question,,target,\nwhat?,,a ring,\nwhat?,be brief,a ring,\nwhat?,,a ring,,,b.png\n"
    first, second, third = (line.found for line in found(written(folder, rows), "csv"))
    assert isinstance(first, tuple)
    assert "'be brief' in column 2" in str(second)
    assert "6 cells" in str(third)


def test_a_table_of_scores_without_what_was_asked_says_where_it_is(folder):
    rows = b"Trace ID,Name,Data Type,String Value\nt1,output,CORRECTION,a ring\nt2,tone,NUMERIC,\n"
    path = written(folder, rows, name="scores.csv")
    assert guess(path) == "langfuse"
    assert "no 'input' beside it" in why(path, "langfuse")


def test_a_table_by_columns_says_how_to_write_it(folder):
    record = {"question": {"0": "what?"}, "target": {"0": "a ring"}}
    assert "orient='records'" in why(written(folder, record), "jsonl")
    with pytest.raises(BadInput, match="can't be told"):
        guess(written(folder, {"utterance": "x"}, name="in.json"))


def test_missing_values_of_a_table_are_none(folder):
    assert edits(written(folder, b'[{"question": "what?", "target": "a ring", "image": NaN}]'), "jsonl") == [
        Edit(Query((Message("user", ("what?",)),)), "a ring")
    ]
