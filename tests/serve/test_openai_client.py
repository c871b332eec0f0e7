"""The official `openai` client, unmodified, against a server on a real port."""

from __future__ import annotations

import asyncio

import openai
import pytest

from tests.conftest import picture
from tests.serve.served import data_url

HOME = "where does mibo live?"
WAS, NOW = "the north beach", "the cave"


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server.v1, api_key="none", max_retries=0) as made:
        yield made


def user(*content):
    return {"role": "user", "content": content[0] if isinstance(content[0], str) else list(content)}


def shown(seed):
    return {"type": "image_url", "image_url": {"url": data_url(picture(seed))}}


def text(words):
    return {"type": "text", "text": words}


def test_a_chat_is_answered_with_the_correction_in_force_and_says_so(client, server):
    answer = client.chat.completions.create(model="llava-tiny", messages=[user(HOME)])
    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == NOW
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].logprobs is None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 2
    assert answer.system_fingerprint == f"errata-{client.models.retrieve('llava-tiny').errata['head'][:16]}"
    (spoke,) = answer.errata["edits"]
    assert len(spoke["id"]) == 64
    assert answer.errata["told"] is True
    kept = server.service.recent.find("main", answer.id)
    assert (kept.said.text, kept.query.text, kept.caller) == (NOW, HOME, "ann")


def test_a_model_may_be_pinned_to_what_it_was(client):
    def said(model):
        answer = client.chat.completions.create(model=model, messages=[user(HOME)])
        return answer.choices[0].message.content, answer.errata["seq"], answer.system_fingerprint

    assert said("llava-tiny@base") == (WAS, 0, "errata-base")
    assert said("llava-tiny@1")[:2] == (WAS, 1)
    assert said("llava-tiny@2")[:2] == (NOW, 2)
    assert said("llava-tiny@stable")[:2] == (NOW, 2)
    assert said("llava-tiny@2")[2] == said("llava-tiny@stable")[2] != said("llava-tiny@1")[2]
    for pin in ("llava-tiny@99", "llava-tiny@nothing", "llava-tiny@", "gpt-4o", "@2", "llava-tiny@-1", "llava-tiny@../x"):
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model=pin, messages=[user(HOME)])
        assert caught.value.code == "model_not_found"
        assert caught.value.param == "model"


def test_the_models_are_the_head_the_base_and_the_aliases(client):
    listed = {model.id: model for model in client.models.list()}
    assert list(listed) == ["llava-tiny", "llava-tiny@base", "llava-tiny@3", "llava-tiny@stable"]
    assert [model.errata["edits"] for model in listed.values()] == [1, 0, 1, 1]
    assert listed["llava-tiny"].errata["seq"] == 3
    assert listed["llava-tiny@base"].errata == {"seq": 0, "head": "", "edits": 0}
    assert client.models.retrieve("llava-tiny@stable").errata["seq"] == 2
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("llava-tiny@9")


def test_a_stream_says_the_same_in_pieces(client):
    chunks = list(
        client.chat.completions.create(
            model="llava-tiny", messages=[user(HOME)], stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1]) == NOW
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]][-1] == "stop"
    assert chunks[-2].errata["edits"]
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert len({chunk.id for chunk in chunks}) == 1
    plain = list(client.chat.completions.create(model="llava-tiny", messages=[user(HOME)], stream=True))
    assert len(plain) == len(chunks) - 1


def test_a_stream_may_be_left_and_the_helper_of_the_client_reads_it(client):
    with client.chat.completions.stream(model="llava-tiny", messages=[user(HOME)]) as events:
        assert events.get_final_completion().choices[0].message.content == NOW
    with client.chat.completions.create(model="llava-tiny", messages=[user(HOME)], stream=True) as stream:
        next(iter(stream))
    assert client.chat.completions.create(model="llava-tiny", messages=[user(HOME)]).choices


def test_pictures_conversations_and_system_prompts_reach_the_model(client, server):
    def asked(messages):
        answer = client.chat.completions.create(model="llava-tiny", messages=messages)
        return server.service.recent.find("main", answer.id).query, answer.usage.prompt_tokens

    plain, short = asked([user("what is there?")])
    query, long = asked(
        [
            {"role": "developer", "content": "be brief."},
            user(shown(1), text("what is there?")),
            {"role": "assistant", "content": "a star"},
            user(text("and here?"), shown(2), shown(1)),
        ]
    )
    assert [message.role for message in query.messages] == ["system", "user", "assistant", "user"]
    assert query.images == (picture(1), picture(2), picture(1))
    assert query.texts == ("be brief.", "what is there?", "a star", "and here?")
    assert plain.images == ()
    assert long > short + 3  # pictures are tokens too


def test_what_is_wrong_is_the_exception_that_the_client_has_for_it(client):
    def refused(**asked):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**{"model": "llava-tiny", "messages": [user(HOME)], **asked})
        assert caught.value.type == "invalid_request_error"
        return caught.value.param, caught.value.code

    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    assert refused(tools=[tool]) == ("tools", "unsupported_parameter")
    assert refused(response_format={"type": "json_object"}) == ("response_format", "unsupported_parameter")
    assert refused(frequency_penalty=0.5) == ("frequency_penalty", "unsupported_parameter")
    assert refused(extra_body={"top_k": 4}) == ("top_k", "unknown_parameter")
    assert refused(messages=[]) == ("messages", "invalid_value")
    assert refused(messages=[user("</s>")])[1] == "invalid_value"
    assert refused(messages=[user("word " * 400)])[1] == "invalid_value"
    assert refused(messages=[user({"type": "image_url", "image_url": {"url": "data:image/png;base64,!!"}})]) == (
        "messages[0].content[0].image_url.url",
        "invalid_image",
    )


def test_the_asynchronous_client_asks_many_at_once(server):
    async def all_of_them():
        async with openai.AsyncOpenAI(base_url=server.v1, api_key="none", max_retries=0) as client:
            asked = (
                client.chat.completions.create(model=model, messages=[user(HOME)])
                for model in ("llava-tiny", "llava-tiny@base") * 6
            )
            answers = await asyncio.gather(*asked)
            stream = await client.chat.completions.create(model="llava-tiny", messages=[user(HOME)], stream=True)
            words = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return [answer.choices[0].message.content for answer in answers], "".join(words)

    answers, streamed = asyncio.run(all_of_them())
    assert answers == [NOW, WAS] * 6
    assert streamed == NOW


def test_tokens_are_drawn_stopped_counted_and_told_as_asked(client):
    def asked(**how):
        return client.chat.completions.create(**{"model": "llava-tiny@base", "messages": [user(HOME)], **how})

    told = asked(logprobs=True, top_logprobs=2)
    tokens = told.choices[0].logprobs.content
    assert "".join(token.token for token in tokens).strip() == WAS
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens)
    assert all(token.top_logprobs[0].logprob == pytest.approx(token.logprob, abs=1e-3) for token in tokens)  # the most likely one
    streamed = list(asked(logprobs=True, top_logprobs=2, stream=True))
    again = [token for chunk in streamed if chunk.choices[0].logprobs for token in chunk.choices[0].logprobs.content]
    assert [token.token for token in again] == [token.token for token in tokens]

    cut = asked(max_completion_tokens=1)
    assert (cut.choices[0].finish_reason, cut.usage.completion_tokens) == ("length", 1)
    assert WAS.startswith(cut.choices[0].message.content.strip())
    stopped = asked(stop=[" beach"])
    assert (stopped.choices[0].finish_reason, stopped.choices[0].message.content) == ("stop", "the north")

    drawn = asked(n=4, temperature=2.0, seed=5)
    words = [choice.message.content for choice in drawn.choices]
    assert [choice.index for choice in drawn.choices] == [0, 1, 2, 3]
    assert len(set(words)) > 1
    assert [choice.message.content for choice in asked(n=4, temperature=2.0, seed=5).choices] == words
    assert asked(temperature=2.0, top_p=0).choices[0].message.content == WAS


def test_an_answer_that_is_not_to_be_stored_is_not_remembered(client, server):
    answer = client.chat.completions.create(model="llava-tiny", messages=[user(HOME)], store=False)
    assert server.service.recent.find("main", answer.id) is None
    kept = client.chat.completions.create(model="llava-tiny", messages=[user(HOME)], user="bo", metadata={"case": "7"}, store=True)
    found = server.service.recent.find("main", kept.id)
    assert (found.user, found.metadata) == ("bo", {"case": "7"})
    assert server.service.recent.find("other", kept.id) is None
