"""Corrections that people made in Langfuse: scores of the type CORRECTION, each beside what the model had been asked.

A record is a score that carries its `input`, or its `trace` or `observation` with one; a trace or an observation with its `scores`;
or a page of these under `data`. Other kinds of scores are no corrections and are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import BinaryIO, Final, NamedTuple, TextIO

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Message, Provenance, Query, Speaker
from errata.log.formats.fields import Source, objects, picture, text
from errata.log.formats.jsonl import NameOf
from errata.log.formats.records import Exported, Line, Raw, attempt, json_records, parsed

_SAYS: Final[Mapping[str, Speaker]] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
}
"""Roles as the makers of models and frameworks name them."""

_QUESTIONS: Final = ("question", "prompt", "input", "query")
"""Where an input that is an object has its words, when it has no messages."""

_TICKET: Final = re.compile(r"langfuse:([^:\s]+)(?::([^:\s]+))?")


class _Found(NamedTuple):
    """A correction, and the input of what it corrects."""

    score: Mapping[str, JSON]
    input: JSON


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order."""
    for raw in json_records(file):
        try:
            found = _corrections_in(parsed(raw))
        except BadInput as error:
            yield Line(raw.number, raw.read_bytes, str(error), raw.unit)
        else:
            yield from _lines(raw, found, source)


def _lines(raw: Raw, found: list[_Found], source: Source) -> Iterator[Line]:
    for part, each in enumerate(found, start=1):
        made = attempt(partial(_edit, each, source))
        yield Line(raw.number, raw.read_bytes, made, raw.unit, part if len(found) > 1 else 0)


def _corrections_in(value: JSON) -> list[_Found]:
    page = value.get("data") if isinstance(value, dict) else None
    records = page if isinstance(page, list) else [value]
    found: list[_Found] = []
    for each in records:
        if not isinstance(each, dict) or (_kind(each) is None and not {"scores", "observations"} & set(each)):
            raise BadInput(
                "It is neither a score nor a trace or an observation with 'scores'. docs/reference/import-file.md shows them."
            )
        found += _corrections(each)
    return found


def _kind(score: Mapping[str, JSON]) -> JSON:
    """What type of score it is; the API and the exports spell the field in two ways."""
    return score.get("dataType", score.get("data_type"))


def _corrections(value: Mapping[str, JSON]) -> Iterator[_Found]:
    """The corrections in a record, each once, whichever of the shapes it has."""
    if _kind(value) == "CORRECTION":
        yield _Found(value, _input_beside(value))
        return
    trace = value.get("trace")
    top = trace if isinstance(trace, dict) else value
    holders = [*([] if top is value else [value]), top, *objects(value.get("observations"))]
    if top is not value:
        holders += objects(top.get("observations"))
    inputs = {_ref(each, "id"): each.get("input") for each in holders}
    seen: set[str] = set()
    for holder in holders:
        for score in objects(holder.get("scores")):
            named = _ref(score, "id")
            if _kind(score) != "CORRECTION" or (named and named in seen):
                continue
            seen.add(named)
            about = _about(score).observation  # not the trace's answer, then, but a step's
            beside = _input_beside(score)
            yield _Found(
                score, beside if beside is not None else inputs.get(about) if about else holder.get("input", top.get("input"))
            )


def _input_beside(score: Mapping[str, JSON]) -> JSON:
    """The input that a score carries itself: the observation's before the trace's."""
    for holder in (score, score.get("observation"), score.get("trace")):
        found: JSON = holder.get("input") if isinstance(holder, dict) else None
        if found not in (None, ""):
            return found
    return None


def _ref(value: Mapping[str, JSON], *names: str) -> str:
    return next((found for name in names if isinstance(found := value.get(name), str)), "")


class _About(NamedTuple):
    trace: str
    observation: str


def _about(score: Mapping[str, JSON]) -> _About:
    """What the score is attached to: two fields, or in the third version of the API a `subject`."""
    subject = score.get("subject")
    if isinstance(subject, dict):
        named, is_step = _ref(subject, "id"), subject.get("kind") == "observation"
        return _About(_ref(subject, "traceId") if is_step else named, named if is_step else "")
    return _About(_ref(score, "traceId", "trace_id"), _ref(score, "observationId", "observation_id"))


def _edit(found: _Found, source: Source) -> tuple[Edit, Provenance]:
    score = found.score
    if found.input is None or found.input == "":
        raise BadInput(
            "The correction has no 'input' beside it, so it isn't known what was asked. Put its trace's or observation's there."
        )
    edit = Edit(query=_query(found.input, source), target=_target(score))
    trace, observation = _about(score)
    ticket = f"langfuse:{trace}{':' if observation else ''}{observation}" if trace else ""
    by = Provenance(
        author=given.words(_ref(score, "authorUserId", "author_user_id"), "author") or source.default.author,
        reason=text(score, "comment") or source.default.reason,
        ticket=given.words(ticket, "trace's id") or source.default.ticket,
    )
    return edit, by


def _target(score: Mapping[str, JSON]) -> str:
    """The corrected output: words, or what an assistant's message in JSON says."""
    for name in ("stringValue", "string_value", "longStringValue", "long_string_value", "value"):
        found = score.get(name)
        if isinstance(found, str) and found:
            return given.words(_said(found), "corrected output")
    raise BadInput("The correction has no text: neither 'value' nor 'stringValue' has any. Give the corrected output.")


def _said(output: str) -> str:
    value = _maybe_json(output)
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and isinstance(value.get("content"), str) and set(value) <= {"role", "content"}:
        return str(value["content"])
    return output


def _maybe_json(words: str) -> JSON:
    """Exports write payloads as text; text that isn't JSON is itself."""
    if words.lstrip()[:1] not in ("{", "[", '"'):
        return words
    try:
        value: JSON = json.loads(words)
    except (ValueError, RecursionError):
        return words
    return value


def _query(value: JSON, source: Source) -> Query:
    """What the model had been asked."""
    value = _maybe_json(value) if isinstance(value, str) else value
    if isinstance(value, str):
        return given.asked(value, ())
    if isinstance(value, dict):
        if isinstance(value.get("messages"), list):
            value = value["messages"]
        elif "role" in value:
            value = [value]
        else:
            name = next((name for name in _QUESTIONS if name in value), "")
            return _query_of(value, name, source)
    if not isinstance(value, list) or not value:
        raise BadInput(
            "The 'input' is neither words nor messages. Give what was asked, as text or as messages with role and content."
        )
    query = Query(tuple(_message(each, source) for each in value))
    if query.messages[-1].role != "user" or not query.text.strip():
        raise BadInput("The last message of the 'input' isn't a question of the user. A correction corrects the answer to one.")
    return query


def _query_of(value: Mapping[str, JSON], name: str, source: Source) -> Query:
    words = value.get(name) if name else None
    if isinstance(words, list) and name == "input":
        return _query(words, source)
    if not isinstance(words, str):
        raise BadInput(f"The 'input' is an object without 'messages', and none of {', '.join(_QUESTIONS)} in it is text. Give one.")
    images = value.get("image")
    names = images if isinstance(images, list) else [] if images is None else [images]
    return given.asked(words, [_picture(each, source) for each in names])


def _message(value: JSON, source: Source) -> Message:
    role = value.get("role", value.get("type")) if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(role, str):
        raise BadInput("A message of the 'input' has no 'role'. Give messages with role and content.")
    if role not in _SAYS:
        raise BadInput(
            f"A message of the 'input' is said by {role!r}, which the model can't be told. Only system, user and assistant can."
        )
    content = value.get("content")
    parts = content if isinstance(content, list) else [content]
    return Message(_SAYS[role], tuple(_part(part, source) for part in parts))


def _part(value: JSON, source: Source) -> str | Image:
    if isinstance(value, str):
        return picture(value, source.folder) if value.startswith("@@@langfuseMedia:") else given.words(value, "message")
    kind = value.get("type") if isinstance(value, dict) else None
    if isinstance(value, dict) and kind in ("text", "input_text", "output_text"):
        words = text(value, "text")
        if words is not None:
            return words
    if isinstance(value, dict) and kind in ("image_url", "input_image", "image"):
        return _picture(value.get("image_url", value.get("image", value.get("source"))), source)
    raise BadInput("A part of a message is neither text nor a picture. Text and pictures are what can be asked.")


def _picture(value: JSON, source: Source) -> Image:
    """A picture as the makers of models write it: an address, an object with one, or base64 with its type."""
    if isinstance(value, dict) and isinstance(value.get("data"), str):
        data = str(value["data"])
        inline = not data.startswith(("data:", "@@@"))
        return picture(f"data:{value.get('media_type', 'image/png')};base64,{data}" if inline else data, source.folder)
    name = value.get("url") if isinstance(value, dict) else value
    if not isinstance(name, str) or not name:
        raise BadInput("A picture of a message has no address. Give a data: URI, a media reference, or a path.")
    return picture(name, source.folder)


def write(file: TextIO, held: Iterator[Exported], name_of: NameOf) -> None:
    """Write each edit as the score that records it in Langfuse, with the messages that it corrects beside it."""
    for each in held:
        file.write(json.dumps(_score(each, name_of), ensure_ascii=False) + "\n")


def _score(held: Exported, name_of: NameOf) -> dict[str, JSON]:
    edit, by = held.edit, held.by
    score: dict[str, JSON] = {"name": "output", "dataType": "CORRECTION", "value": edit.target}
    if by.reason:
        score["comment"] = by.reason
    if known := _TICKET.fullmatch(by.ticket):
        score["traceId"] = known[1]
        score |= {"observationId": known[2]} if known[2] else {}
    score["metadata"] = {"edit": edit.id, "author": by.author, "ticket": by.ticket}
    score["input"] = [_told(message, name_of) for message in edit.query.messages]
    if held.before:
        score["output"] = held.before
    return score


def _told(message: Message, name_of: NameOf) -> JSON:
    if len(message.parts) == 1 and isinstance(message.parts[0], str) and not message.parts[0].startswith("@@@"):
        return {"role": message.role, "content": message.parts[0]}
    content: list[JSON] = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image_url", "image_url": {"url": name_of(part)}}
        for part in message.parts
    ]
    return {"role": message.role, "content": content}
