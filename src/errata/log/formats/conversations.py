"""What a model was asked, as the makers of models and of frameworks write it, and what a whole message of an answer says.

A value is words, a list of messages, or an object that has one of these with a system prompt, pictures and earlier turns beside it.
What says something and isn't known makes the record bad: a picture or a system prompt that is dropped is another question.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from errata.core import given
from errata.core.canonical import JSON
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.core.records import Message, Query, Speaker
from errata.log.formats.fields import Source, no_input, nothing_else, says_nothing, within
from errata.log.formats.parts import HOLE, Hole, Part, parts_of, picture_of
from errata.log.formats.records import maybe

SAYS: Final[Mapping[str, Speaker]] = {
    **dict.fromkeys(("system", "developer", "systemmessage"), "system"),
    **dict.fromkeys(("user", "human", "humanmessage", "humanmessagechunk"), "user"),
    **dict.fromkeys(("assistant", "ai", "model", "gpt", "chatbot", "bot", "aimessage", "aimessagechunk"), "assistant"),
}
"""Roles as the makers of models and frameworks name them, in small letters."""

MESSAGES: Final = ("messages", "contents", "conversations", "conversation")
QUESTIONS: Final = ("question", "prompt", "input", "query")
"""Where an object has its words, when it has no messages."""

SYSTEMS: Final = (
    ("system", "system_prompt", "systemPrompt", "system_message", "systemMessage")
    + ("system_instruction", "systemInstruction", "instructions")
)  # fmt: skip
EARLIER: Final = ("history", "chat_history", "chatHistory")
PICTURES: Final = (
    ("image", "images", "image_url", "image_urls", "imageUrl", "imageUrls")
    + ("image_path", "image_paths", "img", "picture", "pictures")
)  # fmt: skip
_BESIDE: Final = (*SYSTEMS, *EARLIER, *PICTURES)

_SETTINGS: Final = (
    ("model", "models", "user", "metadata", "stop", "stop_sequences", "response_format", "format", "text_format", "tool_choice")
    + ("function_call", "functionCall", "stream_options", "service_tier", "store", "include", "truncation", "reasoning")
    + ("reasoning_effort", "verbosity", "keep_alive", "options", "logit_bias", "modalities", "safety_settings")
    + ("safetySettings", "generation_config", "generationConfig", "config", "extra_body", "extra_headers", "prompt_cache_key")
    + ("safety_identifier", "schemaVersion", "inferenceConfig", "cachePoint", "thinking")
)
"""Names of settings of a call: they decide how an answer is drawn, not what is asked."""

_OF_CALLS: Final = ("json_schema", "schema", "text", "media_resolution", "mediaResolution", "thinking_config", "thinkingConfig")
"""Fields of settings whose names look like input and that aren't."""

_OF_A_MESSAGE: Final = (
    ("id", "name", "index", "status", "phase", "created_at", "createdAt", "timestamp", "date", "model", "response_metadata")
    + ("usage_metadata", "usage", "annotations", "cache_control", "cachePoint", "thinking", "reasoning_content", "stop_reason")
    + ("stop_sequence", "lc", "logprobs", "finish_reason", "metadata")
)
"""Fields of a message that say nothing that another model would be told."""


_CUT: Final = re.compile(r'\s*(?:\{\s*"|\[\s*\{\s*")')


class _Turn(NamedTuple):
    role: Speaker
    parts: tuple[Part, ...]


def query_of(value: JSON, source: Source, *, what: str = "'input'") -> Query:
    """What the model was asked: words, messages, or an object with either.

    Raises:
        BadInput: it isn't that, or it says what can't be put to a model.
    """
    value = maybe(value) if isinstance(value, str) else value
    if isinstance(value, str):
        if _CUT.match(value):
            raise BadInput(f"The {what} begins as JSON does and isn't: {quoted(value)}. Was it cut short?")
        return given.asked(value, ())
    return asked(conversation(value, source, what=what), what)


def asked(messages: Sequence[Message], what: str = "'input'") -> Query:
    """A conversation as a question.

    Raises:
        BadInput: it doesn't end with one.
    """
    query = Query(tuple(messages))
    if not messages or messages[-1].role != "user" or not query.text.strip():
        raise BadInput(f"The last message of the {what} isn't a question of the user. A correction corrects the answer to one.")
    return query


def conversation(value: JSON, source: Source, *, what: str, known: Iterable[str] = ()) -> tuple[Message, ...]:
    """The messages of a conversation, with what stands beside them put into it: system prompts and earlier turns in front, pictures
    where their places are marked, or in front of the only message of the user.

    Args:
        known: fields beside the conversation that the caller reads.

    Raises:
        BadInput: it can't be read, or something in it would be dropped.
    """
    if isinstance(value, dict) and _is_message(value):
        value = [value]
    if isinstance(value, list):
        return _filled(_turns(value, source, what), (), what)
    if not isinstance(value, dict):
        raise BadInput(
            f"The {what} is neither words nor messages. Give what was asked, as text or as messages with role and content."
        )
    system: list[_Turn] = []
    earlier: list[_Turn] = []
    beside: list[Image] = []
    shows: list[str] = []
    for name in [name for name in _BESIDE if not says_nothing(value.get(name))]:
        with within(name):
            if name in SYSTEMS:
                system.append(_Turn("system", tuple(parts_of(value[name], source))))
            elif name in EARLIER:
                earlier += _earlier(value[name], source, name)
            else:
                beside += _pictures(value[name], source)
                shows.append(quoted(name))
    name = next((name for name in MESSAGES if value.get(name) is not None), "")
    if name:
        turns = _turns(value[name], source, what)
    else:
        name, turns = _words(value, source, what)
    nothing_else(value, {name, *_BESIDE, *_SETTINGS, *known}, f"the {what}, beside {quoted(name)}", source)
    for setting in _SETTINGS:
        inner = value.get(setting)
        if isinstance(inner, dict) and setting != "metadata":
            no_input(inner, _OF_CALLS, quoted(setting), source)
    return _filled([*system, *earlier, *turns], beside, f"{what} in {' and '.join(shows)}" if shows else what)


def _words(value: Mapping[str, JSON], source: Source, what: str) -> tuple[str, list[_Turn]]:
    """The field of an object that has the question, and the turn in which it is asked."""
    name = next((name for name in QUESTIONS if not says_nothing(value.get(name))), "")
    words = value.get(name)
    if isinstance(words, list) or (isinstance(words, dict) and name == "input"):
        return name, _turns(words, source, what)
    if not isinstance(words, str):
        raise BadInput(
            f"The {what} is an object without 'messages', and none of {', '.join(QUESTIONS)} in it is text. Its fields are: "
            f"{', '.join(quoted(each) for each in list(value)[:8]) or 'none'}. Give one."
        )
    return name, [_Turn("user", (given.words(words, f"field {name!r}"),))]


def _turns(value: JSON, source: Source, what: str) -> list[_Turn]:
    value = maybe(value) if isinstance(value, str) else value
    if isinstance(value, dict):
        value = [value]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        value = value[0]  # a batch of one conversation
    if isinstance(value, str):
        return [_Turn("user", (given.words(value, what),))]
    if not isinstance(value, list) or not value:
        raise BadInput(
            f"The {what} is neither words nor messages. Give what was asked, as text or as messages with role and content."
        )
    if all(isinstance(item, dict) and "type" in item and not _is_message(item) for item in value):
        return [_Turn("user", tuple(parts_of(value, source)))]  # the parts of one message, without it
    return [_turn(each, source, what) for each in value]


def _earlier(value: JSON, source: Source, name: str) -> list[_Turn]:
    """Earlier turns: messages, or pairs of a question and its answer."""
    if not isinstance(value, list):
        raise BadInput(f"The field {name!r} isn't a list of earlier turns. Give messages with role and content.")
    turns: list[_Turn] = []
    for item in value:
        pair = isinstance(item, list) and len(item) == 2 and all(isinstance(words, str) for words in item)
        if isinstance(item, list) and pair and str(item[0]).lower() not in SAYS:
            question, answer = (given.words(str(words), name) for words in item)
            turns += [_Turn("user", (question,)), _Turn("assistant", (answer,))]
        else:
            turns.append(_turn(item, source, f"field {name!r}"))
    return turns


def _is_message(value: Mapping[str, JSON]) -> bool:
    return _role(value) is not None or value.get("type") == "constructor"


def _role(value: Mapping[str, JSON]) -> str | None:
    for name in ("role", "from"):
        if isinstance(value.get(name), str):
            return str(value[name])
    kind, data = value.get("type"), value.get("data")
    says = "content" in value or (isinstance(data, dict) and "content" in data)
    return str(kind) if isinstance(kind, str) and (kind.lower() in SAYS or says) else None


def _unwrapped(value: Mapping[str, JSON], source: Source) -> Mapping[str, JSON]:
    """A message as LangChain writes one down, as any other."""
    inner = value.get("kwargs")
    if value.get("type") == "constructor" and isinstance(inner, dict):
        nothing_else(value, ("lc", "type", "id", "kwargs", "name", "graph"), "a message", source)
        kind = value.get("id")
        last = kind[-1] if isinstance(kind, list) and kind else ""
        return {**inner, "role": last}
    data = value.get("data")
    if isinstance(data, dict) and "content" in data and set(value) == {"type", "data"}:
        return {**data, "role": value["type"]}
    return value


def _turn(value: JSON, source: Source, what: str) -> _Turn:
    if isinstance(value, list) and len(value) == 2 and all(isinstance(item, str) for item in value):
        value = {"role": value[0], "content": value[1]}  # a pair of LangChain's
    message = _unwrapped(value, source) if isinstance(value, dict) else None
    role = None if message is None else _role(message)
    if message is not None and role is None and "parts" in message and "role" not in message:
        role = "user"  # Gemini's default
    if message is None or role is None:
        raise BadInput(f"A message of the {what} has no 'role'. Give messages with role and content.")
    if role.lower() not in SAYS:
        raise BadInput(
            f"A message of the {what} is said by {quoted(role)}, which the model can't be told. Only system, user and assistant "
            "can."
        )
    said = [name for name in ("content", "parts", "value", "text") if message.get(name) is not None]
    parts: tuple[Part, ...] = ()
    if said:
        with within(said[0]):
            parts = tuple(parts_of(message[said[0]], source))
    pictures = [name for name in PICTURES if not says_nothing(message.get(name))]
    shown: list[Image] = []
    for name in pictures:
        with within(name):
            shown += _pictures(message[name], source)
    known = {"role", "from", *said[:1], *pictures, *_OF_A_MESSAGE}
    if "type" in message and (role == message["type"] or message["type"] == "message" or str(message["type"]).lower() in SAYS):
        known.add("type")
    nothing_else(message, known, "a message", source)
    if not said and not shown:
        raise BadInput(f"A message of the {what}, said by {quoted(role)}, says nothing. Give its content, or leave it out.")
    return _Turn(SAYS[role.lower()], (*shown, *parts))


def _pictures(value: JSON, source: Source) -> list[Image]:
    """Pictures that stand beside words: one, or a list of them."""
    return [picture_of(item, source) for item in (value if isinstance(value, list) else [value])]


def _filled(turns: Sequence[_Turn], pictures: Sequence[Image], what: str) -> tuple[Message, ...]:
    """The messages, with the pictures that stand beside them where they are shown."""
    if pictures and not any(isinstance(part, Hole) for turn in turns for part in turn.parts):
        turns = [turn._replace(parts=tuple(_marked(turn.parts))) for turn in turns]
    holes = sum(isinstance(part, Hole) for turn in turns for part in turn.parts)
    if holes and holes != len(pictures):
        given_are = f"{counted(len(pictures), 'picture')} came with the {what}"
        raise BadInput(f"It marks {counted(holes, 'place')} for pictures, and {given_are}. Give one for each place.")
    left = iter(pictures)
    messages = [Message(turn.role, tuple(next(left) if isinstance(part, Hole) else part for part in turn.parts)) for turn in turns]
    return tuple(messages) if holes else shown_in(messages, pictures, what)


def shown_in(messages: Sequence[Message], pictures: Sequence[Image], what: str) -> tuple[Message, ...]:
    """The messages, with pictures that stand beside them in front of what the user says.

    Raises:
        BadInput: the user says more than one thing, so that it isn't known where they belong.
    """
    users = [number for number, message in enumerate(messages) if message.role == "user"]
    if not pictures:
        return tuple(messages)
    if len(users) != 1:
        raise BadInput(
            f"The pictures of the {what} stand beside {len(users)} messages of the user, and nothing says which one shows them. "
            "Put them into that message."
        )
    (at,) = users
    return (*messages[:at], Message("user", (*pictures, *messages[at].parts)), *messages[at + 1 :])


_MARK: Final = "<image>"


def _marked(parts: Iterable[Part]) -> Iterable[Part]:
    """Words with `<image>` in them as words and the places of pictures; the line end beside a mark belongs to it."""
    for part in parts:
        if not isinstance(part, str) or _MARK not in part:
            yield part
            continue
        first, *rest = part.split(_MARK)
        if before := first.removesuffix("\n"):
            yield before
        for number, words in enumerate(rest, start=1):
            yield HOLE
            words = words.removeprefix("\n")
            if words := words if number == len(rest) else words.removesuffix("\n"):
                yield words


def answer_of(value: JSON, source: Source, *, what: str, bare: bool = False) -> str:
    """The words of an answer: text, or what a whole message of the assistant says, as an object or written as JSON text.

    Args:
        bare: whether an object that has `content` alone is a message, and a text in quotes what is in them.

    Raises:
        BadInput: it is neither, or it says something that is no text.
    """
    try:
        read = maybe(value) if isinstance(value, str) else value
    except BadInput:
        if bare:
            raise
        read = value
    if bare and isinstance(read, str):
        return given.words(read, what)
    message = _message_in(read, bare, source)
    if message is None:
        if not isinstance(value, str):
            raise BadInput(f"The {what} is neither text nor a message of the assistant. Give the right answer as text.")
        return given.words(value, what)
    turn = _turn(message if _role(message) not in (None, "message") else {**message, "role": "assistant"}, source, what)
    if turn.role != "assistant":
        raise BadInput(f"The {what} is a message that is said by the {turn.role}. Give the answer of the assistant.")
    words = [part for part in turn.parts if isinstance(part, str)]
    if len(words) < len(turn.parts):
        where = next((f" as {quoted(name)}" for name in PICTURES if name in message), "")
        raise BadInput(
            f"The {what} is a message with a picture in it{where}, which can't be learned. Give the right answer as text."
        )
    return "".join(words)


def _message_in(value: JSON, bare: bool, source: Source) -> Mapping[str, JSON] | None:
    """The message of an answer, in it or in what a maker's interface gives around it."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return None
    for name in ("choices", "candidates", "output", "generations", "messages"):
        inner = value.get(name)
        if isinstance(inner, list) and len(inner) == 1 and "role" not in value:
            return _message_in(inner[0], bare, source)
    for name in ("message", "content"):
        inner = value.get(name)
        if isinstance(inner, dict) and "role" not in value:
            return _message_in(inner, bare, source)
    message = _unwrapped(value, source)
    role = _role(message)
    said = {"content", "parts", "value"} & set(message)
    if role is not None and said and (role.lower() in SAYS or role == "message"):
        return message
    return message if bare and set(message) == {"content"} else None
