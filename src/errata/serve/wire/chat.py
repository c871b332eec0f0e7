"""POST /v1/chat/completions: what is asked for, as OpenAI writes it. What isn't known is refused."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from errata.serve.wire.unsupported import OnlyFor, without_empty

MAX_ROWS: Final = 16
"""Answers to one request, at most."""

MAX_CHARS: Final = 400_000
"""Characters of all messages, at most: more is in no model's context, and would take long to be counted."""

_STRICT: Final = ConfigDict(extra="forbid", strict=True)
_INT64: Final = 2**63 - 1

_NO_TOOLS: Final = "tools"


class ImageUrl(BaseModel):
    """Where a picture is."""

    model_config = _STRICT

    url: str
    """A data: URL; or http or https at a host that the operator allows."""

    detail: Literal["auto", "low", "high"] = "auto"
    """Taken, and nothing follows from it: the model looks at every picture in the one way that it has."""


class TextPart(BaseModel):
    """Words."""

    model_config = _STRICT

    type: Literal["text"]
    text: str


class ImagePart(BaseModel):
    """A picture."""

    model_config = _STRICT

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


def _form(value: Any) -> str:
    return "parts" if isinstance(value, list) else "words"


Words = Annotated[Annotated[str, Tag("words")] | Annotated[list[TextPart], Tag("parts")], Discriminator(_form)]
Content = Annotated[Annotated[str, Tag("words")] | Annotated[list[Part], Tag("parts")], Discriminator(_form)]


_Stop = Annotated[str, Field(min_length=1)]
Stop = Annotated[Annotated[_Stop, Tag("words")] | Annotated[list[_Stop], Field(max_length=4), Tag("parts")], Discriminator(_form)]


class _Message(BaseModel):
    model_config = _STRICT

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, value: Any) -> Any:
        return without_empty(value, but="content")


class SystemMessage(_Message):
    """What the model is told beforehand."""

    role: Literal["system", "developer"]
    content: Words


class UserMessage(_Message):
    """What the user says and shows."""

    role: Literal["user"]
    content: Content


class AssistantMessage(_Message):
    """What was answered before."""

    role: Literal["assistant"]
    content: Words


Message = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]


class StreamOptions(BaseModel):
    """What a stream holds beside the answer."""

    model_config = _STRICT

    include_usage: bool | None = None
    """Whether the counts of tokens come in a chunk of their own before the end."""

    include_obfuscation: Annotated[None, OnlyFor("obfuscation of streams", (False,))] = None


class ChatRequest(BaseModel):
    """A question. Fields that this server can't do anything about may be there as long as they ask for nothing."""

    model_config = _STRICT

    model: str
    """NAME, or with a pin: NAME@17 (after that entry of the log), NAME@base (without edits), NAME@ALIAS."""

    messages: Annotated[list[Message], Field(min_length=1)]
    """The conversation; the last message is the user's."""

    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int | None, Field(ge=1, le=_INT64)] = None
    """The older name of `max_completion_tokens`."""

    max_completion_tokens: Annotated[int | None, Field(ge=1, le=_INT64)] = None
    """Not given: 64, or what a correction that speaks needs."""

    temperature: Annotated[float | None, Field(ge=0, le=2, allow_inf_nan=False)] = None
    """Not given: 0, the most likely token, as corrections are checked."""

    top_p: Annotated[float | None, Field(ge=0, le=1, allow_inf_nan=False)] = None
    stop: Stop | None = None
    seed: Annotated[int | None, Field(ge=-_INT64 - 1, le=_INT64)] = None
    n: Annotated[int | None, Field(ge=1, le=MAX_ROWS)] = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    user: str | None = None
    """Who asks, in the client's own words; kept with the answer."""

    safety_identifier: str | None = None
    """The newer name of `user`."""

    metadata: Annotated[
        dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]] | None, Field(max_length=16)
    ] = None
    """Kept with the answer."""

    store: bool | None = None
    """False: the answer isn't remembered, so that no correction can name it."""

    min_seq: Annotated[int | None, Field(ge=0, le=_INT64)] = None
    """Not OpenAI's: the entry of the log that must be in force, as another replica acknowledged it."""

    prompt_cache_key: str | None = None
    """Taken, and nothing follows from it: it is a hint for a cache."""

    frequency_penalty: Annotated[None, OnlyFor("penalties", (0,))] = None
    presence_penalty: Annotated[None, OnlyFor("penalties", (0,))] = None
    logit_bias: Annotated[None, OnlyFor("logit bias", ({},))] = None
    response_format: Annotated[None, OnlyFor("format but text", ({"type": "text"},))] = None
    modalities: Annotated[None, OnlyFor("modality but text", (["text"],))] = None
    tools: Annotated[None, OnlyFor(_NO_TOOLS, ([],))] = None
    tool_choice: Annotated[None, OnlyFor(_NO_TOOLS, ("none", "auto"))] = None
    parallel_tool_calls: Annotated[None, OnlyFor(_NO_TOOLS, (True, False))] = None
    functions: Annotated[None, OnlyFor(_NO_TOOLS, ([],))] = None
    function_call: Annotated[None, OnlyFor(_NO_TOOLS, ("none", "auto"))] = None
    audio: Annotated[None, OnlyFor("audio")] = None
    prediction: Annotated[None, OnlyFor("predicted outputs")] = None
    reasoning_effort: Annotated[None, OnlyFor("reasoning", ("none",))] = None
    verbosity: Annotated[None, OnlyFor("choice of verbosity", ("medium",))] = None
    service_tier: Annotated[None, OnlyFor("service tiers", ("auto", "default"))] = None
    web_search_options: Annotated[None, OnlyFor("web search")] = None
    prompt_cache_retention: Annotated[None, OnlyFor("cache of prompts", ("in_memory", "in-memory"))] = None
    moderation: Annotated[None, OnlyFor("moderation")] = None

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        if isinstance(value, dict):  # a field of null asks for nothing, whatever its name
            return {name: each for name, each in value.items() if each is not None}
        return value
