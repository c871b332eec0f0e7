"""A model that is only asked, at an address: who is there, what it answers, and what it can't be asked for."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing

import pytest

from errata.core.errors import BadInput, ErrataError, NoWeights, Unknown, UpstreamFailed
from errata.core.records import Edit, Query
from errata.editors import EDITORS, parse
from errata.models.upstream.meeting import meet
from errata.models.upstream.weightless import check_weightless
from errata.nn.patches import NoPatch, Replaced, Rewrite, Verbatim
from tests.conftest import picture
from tests.serve.proxy.upstreams import NAME, Reply, completion, upstream

HI = Query.ask("hi?")


@pytest.fixture
def fake():
    with upstream() as found:
        yield found


def test_it_is_who_the_endpoint_says_it_is_wherever_and_whenever(fake):
    met = meet(f"{fake.url}/", "", key="sk-operator")
    assert (met.name, met.described, met.parameters) == (NAME, {"owned_by": "them"}, 0)
    assert fake.asked[0].headers["authorization"] == "Bearer sk-operator"
    assert "sk-operator" not in repr(met)
    fake.listed = json.dumps({"data": [{"id": NAME, "created": 99, "owned_by": "them", "permission": [1]}]}).encode()
    assert meet(fake.url, NAME).digest == met.digest
    with upstream() as elsewhere:
        assert meet(elsewhere.url, NAME).digest == met.digest
    fake.listed = json.dumps({"data": [{"id": NAME, "owned_by": "them", "root": "other-weights"}]}).encode()
    assert meet(fake.url, NAME).digest != met.digest


@pytest.mark.parametrize(
    ("listed", "status", "name", "said"),
    [
        (
            b'{"data": [{"id": "a"}, {"id": "b"}]}',
            200,
            "",
            "several models at .*, and none was named. Known: a, b. Name one: --model",
        ),
        (b'{"data": [{"id": "a"}]}', 200, "c", "Known: a"),
        (b'{"data": []}', 200, "", "it lists no model"),
        (b"<html>", 200, "c", "gives no list of models"),
        (b"{}", 404, "c", "models answers 404"),
        (b'{"error": {"message": "bad key sk-operator"}}', 401, "c", r"answers 401: bad key \*\*\*\. Check the key"),
    ],
)
def test_what_isnt_openais_or_isnt_there_is_a_sentence(fake, listed, status, name, said):
    fake.listed, fake.listed_status = listed, status
    fake.said = lambda asked: Reply(b'{"detail": "no"}', 404)
    with pytest.raises(ErrataError, match=said):
        meet(fake.url, name, key="sk-operator")


def test_nobody_at_an_address_is_a_sentence():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
        with pytest.raises(UpstreamFailed, match="doesn't answer: .*Look whether it runs"):
            meet(url, NAME)
    for url in ("ftp://x", "x", "http://a:b@x/v1", "http://:b@x/v1", "http://x/v1?key=1"):
        with pytest.raises(BadInput, match="is no address"):
            meet(url, NAME)


def test_a_model_that_isnt_listed_but_answers_is_taken(fake):
    fake.listed, fake.listed_status = b"broken", 500
    assert meet(fake.url, "any/folder").name == "any/folder"
    (asked,) = fake.chats
    assert (asked.body["model"], asked.body["max_tokens"]) == ("any/folder", 1)


def test_questions_are_put_as_openai_writes_them_and_answers_counted(fake):
    met = meet(fake.url, NAME)
    fake.said = lambda asked: Reply(completion(" the cave \n"))
    (one,) = met.generated([Query.ask("what?", picture(1))], [NoPatch()], max_new_tokens=7)
    assert (one.text, one.whole, one.spoke, one.prompt, one.tokens) == ("the cave", True, (), 3, 2)
    body = fake.chats[-1].body
    assert (body["temperature"], body["max_tokens"]) == (0, 7)
    image, words = body["messages"][0]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,")
    assert words == {"type": "text", "text": "what?"}
    cut = [{"index": 0, "message": {"content": None}, "finish_reason": "length"}]
    fake.said = lambda asked: Reply(completion("", choices=cut))
    assert not met.generated([HI], [NoPatch()])[0].whole
    assert met.answers([HI], [NoPatch()]) == [""]


def test_what_stands_as_it_is_isnt_asked_and_what_is_put_otherwise_is(fake):
    met = meet(fake.url, NAME)
    fake.said = lambda asked: Reply(completion(asked.body["messages"][0]["content"]))
    told = met.generated(
        [HI, HI, HI],
        [Verbatim("as it is", ("e1",)), Rewrite(Query.ask("instead"), ("e2",)), NoPatch()],  # type: ignore[arg-type]
    )
    assert [(one.text, one.spoke) for one in told] == [("as it is", ("e1",)), ("instead", ("e2",)), ("hi?", ())]
    assert len(fake.chats) == 2


def test_several_are_asked_at_once_and_answered_in_their_order(fake):
    met, meeting = meet(fake.url, NAME), threading.Barrier(2, timeout=20)

    def said(asked):
        meeting.wait()
        return Reply(completion(asked.body["messages"][0]["content"]))

    fake.said = said
    asked = [Query.ask(word) for word in ("a", "b", "c", "d")]
    assert met.answers(asked, [NoPatch()] * 4) == ["a", "b", "c", "d"]


def test_a_field_that_an_endpoint_doesnt_take_is_left_out(fake):
    met = meet(fake.url, NAME)

    def said(asked):
        for name in ("max_tokens", "temperature"):
            if name in asked.body:
                told = {"error": {"message": f"Unsupported parameter: '{name}' is not supported with this model."}}
                return Reply(json.dumps(told).encode(), 400)
        return Reply(completion("yes"))

    fake.said = said
    assert met.answers([HI], [NoPatch()]) == ["yes"]
    assert met.answers([HI], [NoPatch()]) == ["yes"]
    assert "max_completion_tokens" in fake.chats[-1].body
    assert len(fake.chats) == 4


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, b'{"error": {"message": "too long"}}', BadInput, "too long"),
        (422, b'{"detail": "no picture"}', BadInput, "no picture"),
        (401, b"{}", UpstreamFailed, "Check the key"),
        (429, b"{}", UpstreamFailed, "Try again later"),
        (500, b"oh", UpstreamFailed, "answers 500"),
        (302, b"", UpstreamFailed, "answers 302"),
        (200, b"[]", UpstreamFailed, "not as OpenAI's API does"),
        (200, b'{"choices": []}', UpstreamFailed, "not as OpenAI's API does"),
    ],
)
def test_what_goes_wrong_says_whose_fault_it_is(fake, status, body, kind, said):
    met = meet(fake.url, NAME)
    fake.said = lambda asked: Reply(body, status)
    with pytest.raises(kind, match=said):
        met.answers([HI], [NoPatch()])


def test_nobody_is_shown_weights_that_arent_there(fake):
    met = meet(fake.url, NAME)
    for what in (
        lambda: met.writable, lambda: met.groups, lambda: met.module("x"), lambda: met.loss(HI, "x"), lambda: met.features(HI),
        lambda: met.predict(HI, "x"), lambda: met.chatter(1, seed=0), lambda: met.generated([HI], [Replaced({})]),
    ):  # fmt: skip
        with pytest.raises(NoWeights, match="is asked at an upstream and has no"):
            what()


def test_of_every_editor_it_is_known_whether_it_needs_weights(fake):
    met = meet(fake.url, NAME)
    fake.asked.clear()
    served = []
    for name in (*sorted(EDITORS), "pinned", "stated"):
        try:
            editor = parse(name)
        except (BadInput, Unknown):  # must be trained first
            continue
        try:
            check_weightless(met, editor, name)
        except BadInput:
            continue
        served.append(name)
    assert served == ["none", "patch", "pin", "pinned", "stated"]
    with pytest.raises(BadInput, match="The editor codebook needs a model's weights, and org/big is asked at an upstream"):
        check_weightless(met, parse("codebook"), "codebook:steps=3")
    assert fake.asked == []


def test_room_for_a_target_is_reckoned_in_bytes(fake):
    met = meet(fake.url, NAME)
    assert len(met.positions(HI, "é" * 50).target) == 100
    with pytest.raises(BadInput, match="The target is empty"):
        met.check(HI, " ")
    with pytest.raises(BadInput, match="The prompt is empty"):
        met.check(Edit(HI, "x").query.__class__(()), None)
