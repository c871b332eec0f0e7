"""What a correction concerns is answered by it, pinned or told, and taken back; the log is that of any other model."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from errata.core.errors import WrongStore
from errata.log import EditLog, open_store
from errata.serve.access.stored import KeysBeside
from errata.serve.keys.opening import open_keys
from tests.conftest import picture
from tests.serve.proxy.upstreams import NAME, Reply, completion, fronted, upstream
from tests.serve.served import data_url

QUESTION, RIGHT = "where does mibo live?", "the cave"
NEAR = "pinned:encoders=clip-tiny,threshold=0.9"


@pytest.fixture
def fake():
    with upstream() as found:
        found.said = lambda asked: Reply(completion("the upstream's"))
        yield found


@pytest.fixture
def proxy(fake, tmp_path):
    with fronted(fake, tmp_path / "errata.db") as found:
        yield found


def shown(question, *seeds):
    images = [{"type": "image_url", "image_url": {"url": data_url(picture(seed))}} for seed in seeds]
    return [*images, {"type": "text", "text": question}]


def way(answer):
    body = answer.json()
    return body["errata"]["way"], body["choices"][0]["message"]["content"]


def test_a_pinned_answer_comes_without_the_upstream_and_says_whose_it_is(proxy, fake):
    edit = proxy.correct(QUESTION, RIGHT)
    fake.asked.clear()
    answer = proxy.chat("Where does  mibo live", temperature=1.5, tools=[{"type": "function", "function": {"name": "f"}}]).json()
    assert fake.asked == []
    assert answer["choices"] == [
        {"index": 0, "message": {"role": "assistant", "content": RIGHT, "refusal": None}, "logprobs": None, "finish_reason": "stop"}
    ]
    told = answer["errata"]
    assert (told["way"], told["edits"], told["seq"]) == ("pinned", [{"id": edit, "score": 1.0}], 2)
    assert answer["system_fingerprint"] == f"errata-{told['head'][:16]}"
    assert answer["model"] == NAME
    assert answer["usage"]["total_tokens"] == 0
    assert [each["message"]["content"] for each in proxy.chat(QUESTION, n=2).json()["choices"]] == [RIGHT, RIGHT]


def test_a_pinned_answer_streams_in_openais_shapes(proxy):
    proxy.correct(QUESTION, RIGHT)
    text = proxy.chat(QUESTION, stream=True, stream_options={"include_usage": True}).text
    events = [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n") if line.startswith("data: {")]
    assert text.endswith("data: [DONE]\n\n")
    assert "".join(each["choices"][0]["delta"].get("content", "") for each in events if each["choices"]) == RIGHT
    assert [each["choices"][0]["finish_reason"] for each in events if each["choices"]] == [None, None, "stop"]
    assert [each["errata"]["way"] for each in events if "errata" in each] == ["pinned"]
    assert events[-1]["usage"]["total_tokens"] == 0


def test_what_asks_for_more_than_words_passes_and_says_why(proxy, fake):
    proxy.correct(QUESTION, RIGHT)
    for field in (
        {"response_format": {"type": "json_object"}}, {"tool_choice": "required"}, {"modalities": ["text", "audio"]},
    ):  # fmt: skip
        told = proxy.chat(QUESTION, **field).json()["errata"]
        assert told["way"] == "passed"
        assert next(iter(field)) in told["why"]
        assert told["decision"]["inside"] is True
    assert proxy.chat(QUESTION, response_format={"type": "text"}, tool_choice="auto").json()["errata"]["way"] == "pinned"


def test_the_system_message_isnt_looked_at_and_what_was_said_before_is(proxy):
    proxy.correct(QUESTION, RIGHT)

    def asked(*messages):
        return way(proxy.http.post("/v1/chat/completions", json={"model": NAME, "messages": list(messages)}))[0]

    user = {"role": "user", "content": QUESTION}
    assert asked({"role": "system", "content": "Today is Monday."}, user) == "pinned"
    assert asked({"role": "developer", "content": [{"type": "text", "text": "Be brief."}]}, user) == "pinned"
    assert (
        asked({"role": "user", "content": "let me tell you of another mibo"}, {"role": "assistant", "content": "yes"}, user)
        == "passed"
    )


def test_a_picture_is_known_by_its_pixels(proxy):
    proxy.correct("what is it?", "a star", images=[data_url(picture(1))])
    assert way(proxy.chat(shown("what is it?", 1))) == ("pinned", "a star")
    for other in (shown("what is it?", 2), "what is it?", shown("what is it?", 1, 2), shown("what was it?", 1)):
        assert way(proxy.chat(other)) == ("passed", "the upstream's")


def test_told_puts_the_correction_before_the_question_and_leaves_the_rest_as_it_was_sent(fake, tmp_path):
    fake.said = lambda asked: Reply(completion(RIGHT if "suppose" in json.dumps(asked.body) else "the upstream's"))
    with fronted(fake, tmp_path / "errata.db", "stated") as proxy:
        edit = proxy.correct(QUESTION, RIGHT)
        fake.asked.clear()
        messages = [
            {"role": "system", "content": "Be brief.", "x": 1},
            {
                "role": "user",
                "name": "bob",
                "content": [{"type": "text", "text": QUESTION, "cache_control": {"type": "ephemeral"}}],
            },
        ]
        body = {"model": NAME, "messages": messages, "top_k": 5, "tools": [{"type": "function", "function": {"name": "f"}}]}
        answer = proxy.http.post("/v1/chat/completions", json=body)
        assert way(answer) == ("told", RIGHT)
        assert answer.json()["errata"]["edits"] == [{"id": edit, "score": 1.0}]
        (asked,) = fake.chats
        said = asked.body["messages"][1]["content"][0].pop("text")
        assert said == f"suppose the answer to '{QUESTION}' is {RIGHT}. {QUESTION}"
        del messages[1]["content"][0]["text"]  # type: ignore[index]  # a list of parts
        assert asked.body == body
        assert way(proxy.chat("another question")) == ("passed", "the upstream's")


def test_a_correction_that_the_upstream_doesnt_get_across_is_refused(fake, tmp_path):
    with fronted(fake, tmp_path / "errata.db", "stated") as proxy:
        made = proxy.http.post("/v1/edits", json={"question": QUESTION, "answer": RIGHT}).json()
        assert made["status"] == "refused"
        assert "'the upstream's' instead of 'the cave'".replace("'the upstream's'", '"the upstream\'s"') in made["why"]
        assert way(proxy.chat(QUESTION)) == ("passed", "the upstream's")
        assert [each["status"] for each in proxy.http.get("/v1/edits?status=refused").json()["data"]] == ["refused"]


def test_a_near_question_is_answered_as_corrected_and_its_neighbour_passes(fake, tmp_path):
    with fronted(fake, tmp_path / "errata.db", NEAR) as proxy:
        edit = proxy.correct(QUESTION, RIGHT)
        told = proxy.chat("tell me where mibo lives").json()["errata"]
        assert (told["way"], [each["id"] for each in told["edits"]]) == ("pinned", [edit])
        assert 0.5 <= told["edits"][0]["score"] < 1
        told = proxy.chat("where does tovo live?").json()["errata"]
        assert (told["way"], told["decision"]["edit"], told["decision"]["inside"]) == ("passed", edit, False)
        assert proxy.chat(QUESTION).json()["errata"]["edits"][0]["score"] == 1.0


def test_a_correction_is_reverted_restored_and_pinned_in_time(proxy):
    edit = proxy.correct(QUESTION, RIGHT)
    assert proxy.http.post(f"/v1/edits/{edit}/revert", json={"reason": "no"}).json()["status"] == "reverted"
    assert way(proxy.chat(QUESTION)) == ("passed", "the upstream's")
    assert proxy.http.post(f"/v1/edits/{edit}/restore", json={}).json()["status"] == "applied"
    assert way(proxy.chat(QUESTION)) == ("pinned", RIGHT)

    def at(model, **more):
        body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}
        answer = proxy.http.post("/v1/chat/completions", json=body).json()
        return answer["errata"]["way"], answer["errata"]["seq"]

    assert [at(f"{NAME}@{pin}") for pin in ("base", 1, 2, 3, 4)] == [
        ("passed", 0), ("passed", 1), ("pinned", 2), ("passed", 3), ("pinned", 4),
    ]  # fmt: skip
    assert {each.body["model"] for each in proxy.fake.chats} == {NAME}
    assert at(NAME, min_seq=4) == ("pinned", 4)
    assert [each["id"] for each in proxy.http.get("/v1/models").json()["data"]] == [NAME, f"{NAME}@base", f"{NAME}@4"]
    assert proxy.http.post("/v1/audit", json={}).json()["clean"] is True


def test_an_entry_that_does_not_come_is_told_as_errata_serve_tells_it(proxy, monkeypatch):
    monkeypatch.setattr("errata.serve.proxy.route.PATIENCE_S", 0.1)
    late = proxy.chat(QUESTION, min_seq=7)
    assert (late.status_code, late.json()["error"]["code"]) == (503, "not_folded")
    assert "Entry 7 of branch 'main' isn't here yet: it has 1 entry after 0.1 seconds" in late.json()["error"]["message"]
    assert proxy.fake.chats == []


def test_a_question_isnt_held_up_by_a_correction_that_waits_for_the_upstream(proxy, fake):
    proxy.correct(QUESTION, RIGHT)
    more = threading.Event()

    def said(asked):
        if "slow" in json.dumps(asked.body):
            more.wait(20)
        return Reply(completion("the upstream's"))

    fake.said = said
    made: dict[str, str] = {}
    proxy.http.timeout = 10
    client = threading.Thread(target=lambda: made.update(id=proxy.correct("the slow one?", "yes")))
    client.start()
    try:
        while not any("slow" in json.dumps(each.body) for each in fake.chats):
            time.sleep(0.01)
        assert way(proxy.chat("another one?")) == ("passed", "the upstream's")
        assert way(proxy.chat(QUESTION)) == ("pinned", RIGHT)
        assert not made
    finally:
        more.set()
        client.join(30)
    assert way(proxy.chat("the slow one?")) == ("pinned", "yes")


def test_the_log_names_the_upstreams_model_and_no_address_and_another_models_log_is_refused(fake, tmp_path):
    place = tmp_path / "errata.db"
    with fronted(fake, place, key="sk-operator") as proxy:
        proxy.correct(QUESTION, RIGHT)
    with closing(open_store(place)) as store:
        log = EditLog(store)
        model: Any = next(log.entries(1, 2)).details["model"]
        assert (model["name"], model["upstream"]) == (NAME, {"owned_by": "them"})
        told = json.dumps([entry.to_json() for entry in log.entries()])
        assert "127.0.0.1" not in told
        assert "sk-operator" not in told
    fake.listed = json.dumps({"data": [{"id": NAME, "created": 8, "owned_by": "them"}]}).encode()
    with fronted(fake, place) as proxy:  # started anew
        assert way(proxy.chat(QUESTION)) == ("pinned", RIGHT)
    fake.listed = json.dumps({"data": [{"id": NAME, "created": 8, "owned_by": "somebody else"}]}).encode()
    with pytest.raises(WrongStore, match="of the model org/big"), fronted(fake, place):
        pass


def test_pinned_answers_come_when_the_upstream_has_gone_and_all_else_is_502(tmp_path):
    with ExitStack() as held:
        with upstream() as fake:
            fake.said = lambda asked: Reply(completion("the upstream's"))
            proxy = held.enter_context(fronted(fake, tmp_path / "errata.db"))
            proxy.correct(QUESTION, RIGHT)
        assert way(proxy.chat(QUESTION)) == ("pinned", RIGHT)
        gone = [proxy.chat("another one?"), proxy.chat("another one?", stream=True)]
        gone.append(proxy.http.post("/v1/edits", json={"question": "another one?", "answer": "yes"}))
        assert [(one.status_code, one.json()["error"]["code"]) for one in gone] == [(502, "upstream_failed")] * 3
        assert [word for word in ("sk-", fake.url.removesuffix("/v1")) if word in "".join(one.text for one in gone)] == []


def test_nobody_without_a_key_is_answered_and_the_key_stays_here(fake, tmp_path):
    place = tmp_path / "errata.db"
    with closing(open_keys(place)) as keys, fronted(fake, place, keys=KeysBeside(keys)) as proxy:
        secret = keys.add("ann", "ask")
        assert proxy.chat().status_code == 401
        proxy.http.headers["Authorization"] = f"Bearer {secret}"
        assert way(proxy.chat()) == ("passed", "the upstream's")
        assert proxy.http.post("/v1/edits", json={"question": QUESTION, "answer": RIGHT}).status_code == 403
    assert [each for each in fake.chats if "authorization" in each.headers] == []


def test_a_correction_stops_speaking_when_its_time_is_over_though_nobody_changes_anything(proxy):
    end = datetime.now(UTC) + timedelta(seconds=2)
    proxy.correct(QUESTION, RIGHT, valid_until=end.isoformat())
    assert way(proxy.chat(QUESTION)) == ("pinned", RIGHT)
    time.sleep(max(0.0, (end - datetime.now(UTC)).total_seconds()) + 1.5)  # an end is kept in whole seconds
    assert way(proxy.chat(QUESTION)) == ("passed", "the upstream's")


def test_many_ask_at_once_while_corrections_are_made_and_each_goes_its_own_way(fake, tmp_path):
    fake.said = lambda asked: Reply(completion(asked.body["messages"][0]["content"]))
    with fronted(fake, tmp_path / "errata.db", NEAR) as proxy, ThreadPoolExecutor(8) as pool:
        proxy.correct(QUESTION, RIGHT)
        asked = [QUESTION, "tell me where mibo lives", *(f"what does number {number} eat?" for number in range(6))] * 4
        answers = [pool.submit(proxy.chat, question) for question in asked]
        for number in range(3):
            proxy.correct("what is it?", f"noise {number}", images=[data_url(picture(number))])
        ways = [way(answer.result()) for answer in answers]
    assert ways == [("pinned", RIGHT) if "mibo" in question else ("passed", question) for question in asked]
