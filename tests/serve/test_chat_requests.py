"""What a request may hold, what the engine is told of it, and how everything else is refused; no model runs here."""

from __future__ import annotations

import json

import pytest

from errata.core.errors import BadInput, LogError, Unknown
from errata.serve.engine.seam import Piece, Sampling, Token
from tests.serve.served import LIKELY, says

ASKED = {"model": "scripted", "messages": [{"role": "user", "content": "what?"}]}


def put(client, **asked):
    body = json.dumps({**ASKED, **asked})
    return client.post("/v1/chat/completions", content=body, headers={"content-type": "application/json"})


def refused(client, status=400, **asked):
    answer = put(client, **asked)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"].endswith(".")
    return error["param"], error["code"]


@pytest.mark.parametrize(
    ("asked", "sampling"),
    [
        ({}, Sampling()),
        ({"max_tokens": 7}, Sampling(max_new_tokens=7)),
        ({"max_completion_tokens": 7, "max_tokens": 7}, Sampling(max_new_tokens=7)),
        ({"temperature": 0.5, "top_p": 0.9, "seed": 11}, Sampling(temperature=0.5, top_p=0.9, seed=11)),
        ({"temperature": 1, "top_p": 0}, Sampling()),
        ({"stop": "\n"}, Sampling(stop=("\n",))),
        ({"stop": ["a", "b"]}, Sampling(stop=("a", "b"))),
        ({"logprobs": True}, Sampling(top_logprobs=0)),
        ({"logprobs": True, "top_logprobs": 3}, Sampling(top_logprobs=3)),
        ({"logprobs": False}, Sampling()),
    ],
)
def test_the_engine_is_told_what_was_asked_for(client, engine, asked, sampling):
    assert put(client, **asked).status_code == 200
    (row,) = engine.came
    assert row.ask.sampling == sampling
    assert (row.ask.branch, row.ask.at, row.ask.min_seq) == ("main", None, None)


def test_a_pin_and_an_entry_to_wait_for_reach_the_engine(client, engine):
    put(client, model="scripted@2", min_seq=3)
    put(client, model="scripted@base")
    assert [(row.ask.at, row.ask.min_seq) for row in engine.came] == [(2, 3), (0, None)]


def test_several_answers_are_several_rows_that_draw_apart_and_again(client, engine):
    engine.script = [[says("one", tokens=3)], [Piece("two"), says("two", finish="length", tokens=4)]]
    answer = put(client, n=2, seed=2**63 - 1, temperature=1).json()
    assert [row.ask.sampling.seed for row in engine.came] == [2**63 - 1, 0]
    assert [(each["index"], each["message"]["content"], each["finish_reason"]) for each in answer["choices"]] == [
        (0, "one", "stop"),
        (1, "two", "length"),
    ]
    assert answer["usage"] == {"prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12}
    put(client, n=2)
    assert [row.ask.sampling.seed for row in engine.came[2:]] == [None, None]


def test_log_probabilities_have_the_shape_of_openai_and_no_infinity(client, engine):
    unlikely = Piece("é", (Token("é", float("-inf"), ()),))
    engine.script = [[LIKELY, unlikely, says("aé")]]
    answer = put(client, logprobs=True, top_logprobs=2).json()
    first, second = answer["choices"][0]["logprobs"]["content"]
    assert first == {
        "token": "a",
        "logprob": -0.1,
        "bytes": [97],
        "top_logprobs": [{"token": "a", "logprob": -0.1, "bytes": [97]}, {"token": "b", "logprob": -2.5, "bytes": [98]}],
    }
    assert second == {"token": "é", "logprob": -9999.0, "bytes": [195, 169], "top_logprobs": []}
    events = put(client, logprobs=True, top_logprobs=2, stream=True).text
    assert json.loads(events.split("\n\n")[1][6:])["choices"][0]["logprobs"]["content"] == [first]


def test_a_stream_is_events_with_a_role_pieces_an_end_and_done(client):
    answer = put(client, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *events, done, rest = answer.text.split("\n\n")
    assert (done, rest) == ("data: [DONE]", "")
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "a"},
        {"content": "b"},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None, None, None, "stop"]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert all("usage" not in chunk for chunk in chunks)
    assert ["errata" in chunk for chunk in chunks] == [False, False, False, True]


def test_several_answers_may_be_streamed_together(client, engine):
    engine.script = [[Piece("a"), says("a")], [Piece("b"), says("b")]]
    events = put(client, n=2, stream=True, stream_options={"include_usage": True}).text.split("\n\n")[:-2]
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    words = ["", ""]
    for chunk in chunks[:-1]:
        (choice,) = chunk["choices"]
        words[choice["index"]] += choice["delta"].get("content", "")
    assert words == ["a", "b"]
    assert chunks[-1]["usage"]["completion_tokens"] == 4


def test_what_goes_wrong_before_the_first_piece_has_its_status_and_later_it_is_an_event(client, engine):
    for error, status in ((BadInput("Too long."), 400), (LogError("Gone."), 503), (RuntimeError("secret"), 500)):
        engine.script = [[error]]
        for stream in (False, True):
            answer = put(client, stream=stream)
            assert answer.status_code == status
            assert "secret" not in answer.text
            assert "Traceback" not in answer.text
    engine.script = [[Piece("a"), LogError("Gone.")]]
    events = put(client, stream=True).text.split("\n\n")
    assert json.loads(events[-2][6:]) == {"error": {"message": "Gone.", "type": "server_error", "param": None, "code": "log_error"}}
    assert "[DONE]" not in events[-1]


def test_a_full_queue_says_when_to_come_again(client, engine):
    engine.full = True
    for stream in (False, True):
        answer = put(client, stream=stream)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        assert answer.json()["error"]["type"] == "rate_limit_error"


def test_what_asks_for_nothing_is_taken(client):
    harmless = {
        "tools": [], "tool_choice": "none", "functions": None, "response_format": {"type": "text"}, "logit_bias": {},
        "presence_penalty": 0, "frequency_penalty": 0.0, "parallel_tool_calls": True, "modalities": ["text"], "audio": None,
        "service_tier": "auto", "reasoning_effort": None, "no_such_field": None, "store": True, "user": "bo",
        "prompt_cache_key": "k", "stream": False, "n": 1, "top_p": 1, "metadata": {},
    }  # fmt: skip
    assert put(client, **harmless).status_code == 200
    echoed: dict[str, object] = {
        "role": "assistant",
        "content": "a",
        "refusal": None,
        "annotations": [],
        "tool_calls": None,
        "audio": None,
    }
    assert put(client, messages=[*ASKED["messages"], echoed, *ASKED["messages"]]).status_code == 200


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"functions": [{}]}, "functions"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"presence_penalty": 0.1}, "presence_penalty"),
        ({"frequency_penalty": True}, "frequency_penalty"),
        ({"audio": {"voice": "a", "format": "wav"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"web_search_options": {}}, "web_search_options"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(client, asked, param):
    assert refused(client, **asked) == (param, "unsupported_parameter")


LONG = "x" * 400_001
IMAGE = {"type": "image_url", "image_url": {"url": "data:,"}}
PART = {"type": "text", "text": "a"}


@pytest.mark.parametrize(
    ("asked", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": {}}, "messages"),
        ({"messages": ["hello"]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": ""}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": " \n"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [PART], "name": "bo"}]}, "messages[0].name"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{**PART, "more": 1}]}]}, "messages[0].content[0].more"),
        ({"messages": [{"role": "user", "content": [PART, {"type": "image_url", "image_url": {}}]}]},
         "messages[0].content[1].image_url.url"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "data:,"}]}]},
         "messages[0].content[0].image_url"),
        ({"messages": [{"role": "system", "content": [IMAGE]}, *ASKED["messages"]]}, "messages[0].content[0].type"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{**IMAGE, "more": 1}]}]}, "messages[0].content[0].more"),
        ({"messages": [{"role": "user", "content": LONG}]}, "messages"),
        ({"messages": [*ASKED["messages"], {"role": "assistant", "content": "I"}]}, "messages[1].role"),
        ({"messages": [{"role": "assistant", "content": "x", "tool_calls": [{}]}, *ASKED["messages"]]}, "messages[0].tool_calls"),
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "7"}, "max_tokens"),
        ({"max_tokens": 7.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_tokens": 10**30}, "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 6}, "max_tokens"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"top_p": 1.5}, "top_p"),
        ({"n": 0}, "n"),
        ({"n": 1000}, "n"),
        ({"seed": 2**64}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": ""}, "stop"),
        ({"stop": [""]}, "stop[0]"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"stream": True, "stream_options": {"other": 1}}, "stream_options.other"),
        ({"metadata": {"a": 1}}, "metadata.a"),
        ({"metadata": {str(each): "x" for each in range(17)}}, "metadata"),
        ({"min_seq": -1}, "min_seq"),
        ({"no_such_field": 0}, "no_such_field"),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_refused_and_the_field_is_named(client, engine, asked, param):
    assert refused(client, **asked)[0] == param
    assert engine.came == []


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[]", "application/json"),
        (b"null", "application/json"),
        (b'"text"', "application/json"),
        (b"\xff\xfe", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"model": ' + b"9" * 5000 + b"}", "application/json"),
        (b'{"model": "scripted", "messages": [{"role": "user", "content": "x"}], "temperature": NaN}', "application/json"),
        (b'{"model": "scripted", "messages": [{"role": "user", "content": "x"}], "temperature": Infinity}', "application/json"),
        (json.dumps(ASKED).encode(), "text/plain"),
        (b"a=1", "application/x-www-form-urlencoded"),
    ],
)
def test_a_body_that_is_no_request_is_refused(client, body, kind):
    answer = client.post("/v1/chat/completions", content=body, headers={"content-type": kind})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_whatever_else_is_not_there_is_told_in_the_same_shape(client):
    for method, path, status in (("GET", "/v1/nothing", 404), ("GET", "/v1/chat/completions", 405), ("PUT", "/healthz", 405)):
        answer = client.request(method, path)
        assert answer.status_code == status
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def test_only_this_machines_own_pages_and_programs_are_answered_without_keys(client):
    def status(**headers):
        return client.post("/v1/chat/completions", json=ASKED, headers=headers).status_code

    assert status() == 200
    assert status(authorization="Bearer whatever") == 200
    assert status(origin="http://127.0.0.1") == 200
    assert status(host="localhost:8319", origin="http://localhost:8319") == 200
    assert status(host="[::1]:8319") == 200
    assert status(origin="https://evil.example") == 403
    assert status(origin="null") == 403
    assert status(host="evil.example") == 403  # a name that its owner lets point here
    assert status(host="127.0.0.1.evil.example") == 403


def test_an_unknown_name_from_below_is_not_found(client, engine):
    engine.script = [[Unknown("edit", "x", ["y"])]]
    assert refused(client, 404) == (None, "not_found")
