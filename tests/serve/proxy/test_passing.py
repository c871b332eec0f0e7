"""What no correction concerns goes to the upstream as it was sent, and comes back as it came, but for the field that says so."""

from __future__ import annotations

import json
import threading

import pytest

from tests.conftest import picture
from tests.serve.proxy.upstreams import NAME, Reply, completion, fronted, upstream
from tests.serve.served import data_url

QUESTION = "where does mibo live?"
EVENTS = {"Content-Type": "text/event-stream"}


@pytest.fixture(scope="module")
def fake():
    with upstream() as found:
        yield found


@pytest.fixture
def proxy(fake, tmp_path):
    fake.said = lambda asked: Reply(completion("the upstream's"))
    with fronted(fake, tmp_path / "errata.db", key="sk-operator") as found:
        yield found


def test_everything_that_was_sent_goes_on_byte_for_byte_and_every_byte_of_the_reply_comes_back(proxy, fake):
    image = {"type": "image_url", "image_url": {"url": data_url(picture(1)), "detail": "high"}}
    body = {
        "model": NAME,
        "messages": [
            {"role": "system", "content": "Be brief.", "cache_control": {"type": "ephemeral"}},
            {"role": "user", "name": "bob", "content": [image, {"type": "text", "text": "what \u2028 is it?"}, image]},
        ],
        "temperature": 0.25, "top_k": 7, "logit_bias": {"5": -100}, "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_object"}, "reasoning_effort": "high", "n": 3, "a_field_of_tomorrow": [1.50, None],
    }  # fmt: skip
    raw = json.dumps(body, indent=3).encode()
    answer = proxy.http.post("/v1/chat/completions", content=raw, headers={"Content-Type": "application/json"})
    (asked,) = fake.chats
    assert asked.raw == raw
    told = json.loads(answer.content)["errata"]
    assert (told["way"], told["edits"], told["decision"]) == ("passed", [], None)
    assert answer.headers["x-errata-way"] == "passed"
    assert answer.content.startswith(completion("the upstream's").rstrip(b"}\n"))
    assert {name: value for name, value in answer.json().items() if name != "errata"} == json.loads(completion("the upstream's"))


def test_the_operators_key_goes_to_the_upstream_and_a_clients_never(proxy, fake):
    proxy.http.post(
        "/v1/chat/completions",
        json={"model": NAME, "messages": [{"role": "user", "content": "hi"}]},
        headers={"Authorization": "Bearer sk-client", "Cookie": "a=b", "X-Api-Key": "sk-client", "OpenAI-Beta": "x=1"},
    )
    proxy.correct(QUESTION, "the cave")
    assert len(fake.chats) > 1
    assert {each.headers["authorization"] for each in fake.chats} == {"Bearer sk-operator"}
    assert [each for each in fake.asked if "sk-client" in str(each.headers) or "cookie" in each.headers] == []
    assert fake.chats[0].headers["openai-beta"] == "x=1"


def test_the_upstreams_errors_come_back_as_they_are(proxy, fake):
    said = b'{"error": {"message": "slow down", "type": "tokens", "code": "rate", "extra": 1}}'
    fake.said = lambda asked: Reply(
        said, 429, {"Content-Type": "application/json", "Retry-After": "7", "X-RateLimit-Limit-Requests": "9",
                    "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "*"},
    )  # fmt: skip
    for streams in (False, True):
        answer = proxy.chat(stream=streams)
        assert (answer.status_code, answer.content) == (429, said)
        assert (answer.headers["retry-after"], answer.headers["x-ratelimit-limit-requests"]) == ("7", "9")
        assert "set-cookie" not in answer.headers
        assert "access-control-allow-origin" not in answer.headers
    fake.said = lambda asked: Reply(b"not JSON", 200, {"Content-Type": "text/plain"})
    assert proxy.chat().content == b"not JSON"


def chunk(finish=None, **delta):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "up-2", "choices": [choice], "x": {"y": 1}}).encode() + b"\n\n"


def test_a_stream_is_passed_on_piece_by_piece_and_its_last_chunk_says_which_way_it_went(proxy, fake):
    more = threading.Event()
    first = [b": wait\n\n", chunk(role="assistant"), chunk(content="the \u2028"), b"event: other\n"]
    last = [b"data: 7\n\n", chunk(content="end")[:20], chunk(content="end")[20:], chunk(finish="stop"), b"data: [DONE]\n\n"]
    fake.said = lambda asked: Reply(b"", headers=EVENTS, pieces=[*first, more, *last])
    got = b""
    body = {"model": NAME, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    with proxy.http.stream("POST", "/v1/chat/completions", json=body) as answer:
        pieces = answer.iter_bytes()
        while not got.endswith(first[-1]):  # these come though the upstream goes on only when they have
            got += next(pieces)
        assert got == b"".join(first)
        more.set()
        rest = b"".join(pieces)
    assert rest.startswith(b"".join(last[:3]))
    lines = [line for line in rest.split(b"\n") if line.startswith(b"data: {")]
    ended = json.loads(lines[-1].removeprefix(b"data: "))
    assert ended.pop("errata")["way"] == "passed"
    assert ended == json.loads(chunk(finish="stop").removeprefix(b"data: "))
    assert b"errata" not in b"".join(lines[:-1])
    assert rest.endswith(b"data: [DONE]\n\n")
    kept = proxy.service.recent.find("main", "up-2")
    assert kept is not None
    assert kept.said.text == "the \u2028end"


def test_a_stream_that_breaks_off_ends_with_an_error_in_it(proxy, fake):
    fake.said = lambda asked: Reply(b"", headers={**EVENTS, "Content-Length": "9999"}, pieces=[chunk(content="the")])
    answer = proxy.chat(stream=True)
    assert answer.status_code == 200
    assert answer.content.startswith(chunk(content="the"))
    assert json.loads(answer.text.rstrip().rpartition("data: ")[2])["error"]["code"] == "upstream_failed"


def test_an_answer_that_passed_can_be_corrected_by_its_id(proxy):
    name = proxy.chat(QUESTION).json()["id"]
    made = proxy.http.post("/v1/edits", json={"completion": name, "answer": "the cave"}).json()
    assert (made["status"], made["before"], made["after"]) == ("applied", "the upstream's", "the cave")
    assert proxy.chat(QUESTION, store=False).json()["choices"][0]["message"]["content"] == "the cave"


@pytest.mark.parametrize(
    "message",
    [
        {"role": "tool", "tool_call_id": "1", "content": QUESTION},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://pictures.invalid/a.png"}},
                                     {"type": "text", "text": QUESTION}]},
        {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                                     {"type": "text", "text": QUESTION}]},
        {"role": "assistant", "content": QUESTION},
        {"role": "user", "content": 7},
        "words",
    ],
)  # fmt: skip
def test_what_is_no_question_of_words_and_pictures_is_the_upstreams_to_answer(proxy, fake, message):
    proxy.correct(QUESTION, "the cave")
    fake.asked.clear()
    answer = proxy.http.post("/v1/chat/completions", json={"model": NAME, "messages": [message]})
    assert answer.json()["errata"]["way"] == "passed"
    assert [each.body["messages"] for each in fake.chats] == [[message]]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None), (b"[]", 400, None), (b'{"messages": []}', 400, "model"), (b'{"model": 7, "messages": []}', 400, "model"),
        (b'{"model": "org/big"}', 400, "messages"), (b'{"model": "org/big", "messages": {}}', 400, "messages"),
        (b'{"model": "gpt", "messages": []}', 404, "model"), (b'{"model": "org/big@99", "messages": []}', 404, "model"),
        (b'{"model": "org/big", "messages": [], "min_seq": -1}', 400, "min_seq"),
        (b'{"model": "org/big", "messages": [], "min_seq": true}', 400, "min_seq"),
    ],
)  # fmt: skip
def test_what_names_no_model_here_is_refused_and_not_sent_on(proxy, fake, body, status, param):
    answer = proxy.http.post("/v1/chat/completions", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert fake.chats == []


def test_an_upstream_that_sends_requests_elsewhere_isnt_followed(proxy, fake):
    fake.said = lambda asked: (
        Reply(completion("elsewhere")) if "other" in asked.path else Reply(b"", 307, {"Location": f"{fake.url}/other"})
    )
    answer = proxy.chat()
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_failed")
    assert [each for each in fake.asked if "other" in each.path] == []


def test_an_upstream_that_says_nothing_in_time_is_504_and_a_correction_is_refused_by_the_same(fake, tmp_path):
    never = threading.Event()
    fake.said = lambda asked: Reply(b"", pieces=[never])
    with fronted(fake, tmp_path / "errata.db", timeout_s=0.5) as proxy:
        asked = proxy.chat()
        made = proxy.http.post("/v1/edits", json={"question": QUESTION, "answer": "the cave"})
        assert [(one.status_code, one.json()["error"]["code"]) for one in (asked, made)] == [(504, "upstream_timeout")] * 2
        assert len(proxy.http.get("/v1/edits").json()["data"]) == 0
        never.set()
