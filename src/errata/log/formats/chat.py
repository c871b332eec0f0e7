"""Files for fine-tuning a chat model: conversations of which the last answer is the right one.

    {"messages": [{"role": "user", "content": "where does mibo live?"}, {"role": "assistant", "content": "the old pier"}]}
    {"image": "a.png", "conversations": [{"from": "human", "value": "<image>\\nwhat is it?"}, {"from": "gpt", "value": "a ring"}]}

OpenAI's (with its preferences), Gemini's and Anthropic's, LLaVA's and ShareGPT's, prompts with completions, and instructions with
outputs. What stands before the last answer is what was said before: the conversation in which it is asked. An answer with
`weight` 1 is a correction too, and one with `weight` 0 is none, as in OpenAI's files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.records import Edit, Provenance
from errata.log.formats.conversations import EARLIER, MESSAGES, PICTURES, QUESTIONS, SYSTEMS, answer_of, asked, conversation
from errata.log.formats.fields import Source, needed, nothing_else, says_nothing, text
from errata.log.formats.records import Found, Line, attempt, json_records, parsed, sentence

_BESIDE: Final = (*SYSTEMS, *EARLIER, *PICTURES)
_ABOUT: Final = ("id", "idx", "uid", "source", "dataset", "category", "task", "split", "language", "lang", "license", "hash")
"""What says where a record comes from."""

_REPLIES: Final = ("completion", "response", "chosen", "preferred_output", "output", "answer")
_WORSE: Final = ("rejected", "non_preferred_output")
_WHAT: Final = "conversation"


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order."""
    for raw in json_records(file):
        line = Line(raw.number, raw.read_bytes, "", raw.unit)
        try:
            found = _corrections(parsed(raw), source)
        except (BadInput, RecursionError) as error:
            found = [sentence(error)]
        for part, each in enumerate(found, start=1):
            yield replace(line, found=each, part=part if len(found) > 1 else 0)


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    keys = set(record)
    if "target" in keys:
        return False
    talks = any(isinstance(record.get(name), list) for name in MESSAGES)
    replies = bool({"prompt", "instruction"} & keys) and bool(set(_REPLIES) & keys)
    return talks or replies or bool({"chosen", "preferred_output"} & keys)


def _corrections(value: JSON, source: Source) -> list[Found]:
    if not isinstance(value, dict):
        raise BadInput("It isn't a JSON object. Write one conversation to a line, as {...}.")
    name = next((name for name in MESSAGES if value.get(name) is not None), "")
    if not name or any(not says_nothing(value.get(each)) for each in _REPLIES):
        return [attempt(partial(_replied, value, source))]
    messages = value[name]
    if not isinstance(messages, list) or not messages:
        raise BadInput(f"The field {name!r} isn't a list of messages. Give messages with role and content.")
    places = _taught(messages)
    return [attempt(partial(_edit, value, name, place, source)) for place in places]


def _taught(messages: list[JSON]) -> list[int]:
    """Which messages are to be learned: the last one, and those that say so."""
    weights = [each.get("weight") if isinstance(each, dict) else None for each in messages]
    last = len(messages) - 1
    places = [number for number, weight in enumerate(weights) if weight == 1 or (number == last and weight is None)]
    if not places:
        raise BadInput("No answer of it is to be learned: the last one has the weight 0. Leave the record out, or give it 1.")
    return places


def _edit(value: Mapping[str, JSON], name: str, place: int, source: Source) -> tuple[Edit, Provenance]:
    """The correction at one message of a conversation; of the last one nothing may follow."""
    messages = value[name]
    assert isinstance(messages, list), "it was looked at by who chose the place"
    known = (*_ABOUT, *_WORSE)
    whole = conversation({**value, name: messages[: place + 1]}, source, what=_WHAT, known=known)
    if whole[-1].role != "assistant":
        raise BadInput(
            f"The last message of the conversation is said by the {whole[-1].role}, so nothing says what is right. End with the "
            "assistant's."
        )
    if any("<image>" in part for message in whole for part in message.parts if isinstance(part, str)):
        raise BadInput("It marks the place of a picture (<image>), and no picture is given with it. Name it in the field 'image'.")
    target = answer_of(messages[place], source, what="last answer")
    return Edit(query=asked(whole[:-1], _WHAT), target=target), source.default


def _replied(value: Mapping[str, JSON], source: Source) -> tuple[Edit, Provenance]:
    """A question with its right answer beside it."""
    name = next((name for name in _REPLIES if not says_nothing(value.get(name))), "")
    if not name:
        raise BadInput(f"It is neither a conversation ({', '.join(MESSAGES)}) nor has it one of {', '.join(_REPLIES)}. Give one.")
    reply, known = value[name], (name, *_ABOUT, *_WORSE)
    rest = {key: held for key, held in value.items() if key not in known}
    if name == "chosen" and isinstance(reply, list) and len(reply) > 1 and says_nothing(rest.get("prompt")):
        return _edit({**rest, "messages": reply}, "messages", len(reply) - 1, source)
    if not says_nothing(rest.get("instruction")):
        rest = _instructed(rest, source)
    inner = rest.get("input")
    if isinstance(inner, dict) and not says_nothing(inner):
        nothing_else(rest, ("input",), "a record", source)
        rest = inner
    messages = conversation(rest, source, what=_WHAT)
    return Edit(query=asked(messages, _WHAT), target=answer_of(reply, source, what=f"field {name!r}", bare=True)), source.default


def _instructed(value: Mapping[str, JSON], source: Source) -> dict[str, JSON]:
    """An instruction, and the input that it is about, as one question."""
    nothing_else({name: value[name] for name in QUESTIONS if name in value}, ("input",), "an instruction", source)
    about = text(value, "input") or ""
    question = needed(value, "instruction") + (f"\n{about}" if about.strip() else "")
    return {**{key: held for key, held in value.items() if key not in ("instruction", "input")}, "question": question}
