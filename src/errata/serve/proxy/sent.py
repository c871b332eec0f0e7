"""A request as it was sent: its bytes, which go on unchanged unless something must be changed, and the question in it.

What isn't a question of words and pictures (the answer of a tool, audio, a picture that isn't fetched here) is none that a
correction could concern, so it goes on as well: what is wrong with it the upstream says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, final

from pydantic import TypeAdapter, ValidationError
from starlette.exceptions import HTTPException

from errata.core.records import Query
from errata.serve.asked import query_of
from errata.serve.pictures import Pictures
from errata.serve.wire import chat
from errata.serve.wire.errors import bad_request

OWN: Final = "min_seq"
"""The one field that isn't OpenAI's, and isn't sent on."""

_MESSAGES: Final[TypeAdapter[list[chat.Message]]] = TypeAdapter(list[chat.Message])
_CALLS: Final = ("tool_calls", "function_call", "audio")
_ROWS: Final = 128


@final
@dataclass(frozen=True)
class Sent:
    """What was sent."""

    raw: bytes
    body: Mapping[str, Any]

    @staticmethod
    def of(raw: bytes) -> Sent:
        """A body that was read.

        Raises:
            ApiError: it isn't a JSON object with a model and messages (400).
        """
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            raise bad_request("The body isn't JSON. Send an object with model and messages.", code="invalid_json") from None
        if not isinstance(body, dict):
            raise bad_request("The body isn't an object. Send one with model and messages.")
        for name, kind in (("model", str), ("messages", list)):
            if name not in body:
                raise bad_request(f"The field '{name}' is missing.", param=name, code="missing_required_parameter")
            if not isinstance(body[name], kind):
                said = "a name" if kind is str else "a list"
                raise bad_request(f"The field '{name}' can't be used: it isn't {said}.", param=name, code="invalid_value")
        least = body.get(OWN)
        if least is not None and (isinstance(least, bool) or not isinstance(least, int) or least < 0):
            raise bad_request(f"The field '{OWN}' can't be used: it isn't the number of an entry.", param=OWN, code="invalid_value")
        return Sent(raw, body)

    @property
    def model(self) -> str:
        name: str = self.body["model"]
        return name

    @property
    def min_seq(self) -> int | None:
        """The entry that must be in force."""
        least: int | None = self.body.get(OWN)
        return least

    @property
    def streams(self) -> bool:
        return self.body.get("stream") is True

    @property
    def counts(self) -> bool:
        """Whether a stream is to tell the counts of tokens."""
        options = self.body.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def rows(self) -> int:
        """How many answers are asked for."""
        count = self.body.get("n")
        return count if isinstance(count, int) and 1 <= count <= _ROWS else 1

    @property
    def unlike_words(self) -> str:
        """What is asked for that no stored words are, by its field; "" where words will do."""
        body = self.body
        form, choice, modes = body.get("response_format"), body.get("tool_choice"), body.get("modalities")
        if isinstance(form, dict) and form.get("type", "text") != "text":
            return "response_format"
        if choice not in (None, "auto", "none"):
            return "tool_choice"
        return "modalities" if isinstance(modes, list) and "audio" in modes else ""

    def query(self, pictures: Pictures, *, most: int) -> Query | None:
        """The question; None where it is none of words and pictures. Takes as long as its pictures take to be decoded.

        Args:
            pictures: reads them.
            most: how many, at most.
        """
        try:
            messages = _MESSAGES.validate_python([_bare(each) for each in self.body["messages"]])
            return query_of(messages, pictures, most=most) if messages else None
        except (ValidationError, HTTPException):
            return None

    def on(self, model: str, asked: Query | None = None, instead: Query | None = None) -> bytes:
        """The body that is sent on.

        Args:
            model: what the upstream calls it.
            asked: the question that was sent, where it is put otherwise.
            instead: how it is put.
        """
        if instead is None and self.model == model and OWN not in self.body:
            return self.raw
        body = {name: value for name, value in self.body.items() if name != OWN} | {"model": model}
        if asked is not None and instead is not None:
            body["messages"] = [_put(*each) for each in zip(body["messages"], asked.messages, instead.messages, strict=True)]
        return json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _bare(message: Any) -> Any:
    """A message without what changes nothing of what it asks: names, hints for a cache. What calls a tool is no words."""
    if not isinstance(message, Mapping) or any(message.get(name) for name in _CALLS):
        return None
    content = message.get("content")
    parts = [_bare_part(each) for each in content] if isinstance(content, list) else content
    return {"role": message.get("role"), "content": parts}


def _bare_part(part: Any) -> Any:
    if not isinstance(part, Mapping):
        return None
    shown = part.get("image_url")
    if isinstance(shown, Mapping):
        return {"type": part.get("type"), "image_url": {"url": shown.get("url")}}
    return {name: part[name] for name in ("type", "text", "image_url") if name in part}


def _put(message: Mapping[str, Any], asked: Any, instead: Any) -> Mapping[str, Any]:
    """A message with the words that are put otherwise, and everything else that it has."""
    if asked == instead:
        return message
    pairs = list(zip(asked.parts, instead.parts, strict=True))
    if isinstance(message["content"], str):
        return {**message, "content": pairs[0][1]}
    return {**message, "content": _parts(message["content"], pairs)}


def _parts(content: Sequence[Mapping[str, Any]], pairs: Sequence[tuple[Any, Any]]) -> list[Mapping[str, Any]]:
    return [part if was == now else {**part, "text": now} for part, (was, now) in zip(content, pairs, strict=True)]
