"""The upstream's replies with errata's field put in: every other byte is as it came, in one body or in a stream of events."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, final

import httpx2

from errata.serve.proxy.forward import unanswered
from errata.serve.streaming import event_of

FIELD: Final = "errata"
UPSTREAMS: Final = "upstream"
"""Where the field of an upstream that has one too is then found: the upstream may be another errata."""

_DATA: Final = b"data:"


@final
@dataclass
class Heard:
    """What was said in the first choice of a reply, as far as it came."""

    id: str = ""
    text: list[str] = field(default_factory=list)
    whole: bool = True
    prompt: int = 0
    tokens: int = 0

    def take(self, reply: Mapping[str, Any], part: str) -> None:
        """Take in a reply, or a chunk of one.

        Args:
            part: where a choice has its words: message or delta.
        """
        self.id = reply["id"] if isinstance(reply.get("id"), str) else self.id
        usage = reply.get("usage")
        if isinstance(usage, dict):
            self.prompt, self.tokens = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
        for choice in _choices(reply):
            if choice.get("index", 0) == 0:
                said = choice.get(part)
                words = said.get("content") if isinstance(said, dict) else None
                self.text += [words] if isinstance(words, str) else []
                self.whole = choice.get("finish_reason") != "length" and self.whole


def with_field(data: bytes, told: Mapping[str, Any], heard: Heard) -> bytes:
    """A whole reply with errata's field; as it came where it is no object."""
    reply = _object(data)
    if reply is None:
        return data
    heard.take(reply, "message")
    return _spliced(data, reply, told)


async def events(reply: httpx2.Response, told: Mapping[str, Any], heard: Heard, done: Callable[[], None]) -> AsyncIterator[bytes]:
    """A stream of events as it comes, line by line; errata's field is in the chunk that ends a choice.

    Args:
        reply: closed at the end.
        told: the field.
        heard: takes in what was said.
        done: called where it came to its end.
    """
    left = b""
    try:
        async for data in reply.aiter_bytes():
            *lines, left = (left + data).split(b"\n")
            if lines:
                yield b"".join(_line(line, told, heard) + b"\n" for line in lines)
        if left:
            yield _line(left, told, heard)
    except httpx2.HTTPError as error:  # the answer has begun, so that the error can only be told in it
        yield event_of(unanswered(error).to_json()).encode()
        return
    finally:
        await reply.aclose()
    done()


def _line(line: bytes, told: Mapping[str, Any], heard: Heard) -> bytes:
    if not line.startswith(_DATA):
        return line
    data = line[len(_DATA) :].strip()
    chunk = _object(data)
    if chunk is None:
        return line
    heard.take(chunk, "delta")
    ends = any(choice.get("finish_reason") is not None for choice in _choices(chunk))
    return _DATA + b" " + _spliced(data, chunk, told) + line[len(line.rstrip()) :] if ends else line


def _spliced(data: bytes, reply: Mapping[str, Any], told: Mapping[str, Any]) -> bytes:
    """The bytes of an object with one more field."""
    if FIELD in reply:
        return _json({**reply, FIELD: {**told, UPSTREAMS: reply[FIELD]}})
    before = data.rstrip()[:-1].rstrip()
    return before + (b"," if reply else b"") + _json(FIELD) + b":" + _json(dict(told)) + b"}"


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _choices(reply: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = reply.get("choices")
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _count(value: object) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
