"""A request's messages as a question of errata, its pictures read and counted; what can't be put to any model is refused here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from errata.core.counted import counted
from errata.core.errors import BadInput
from errata.core.given import words
from errata.core.images import MAX_PIXELS, Image
from errata.core.records import Message, Query, Speaker
from errata.serve.pictures import Pictures
from errata.serve.wire import chat
from errata.serve.wire.errors import api_error, bad_request

_SAYS: Final[Mapping[str, Speaker]] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


def query_of(messages: Sequence[chat.Message], pictures: Pictures, *, most: int, param: str = "messages") -> Query:
    """The question of a conversation. Takes as long as its pictures take to come and to be decoded.

    Args:
        messages: the last is the user's.
        pictures: reads them.
        most: pictures, at most.
        param: what the messages are called in the request.

    Raises:
        ApiError: it can't be asked (400); the field that is to blame is named.
    """
    _check(messages, most, param)
    budget = _Budget()
    query = Query(
        tuple(
            Message(
                _SAYS[message.role],
                tuple(_parts(message, pictures, budget, f"{param}[{number}].content")),
            )
            for number, message in enumerate(messages)
        )
    )
    if not query.text.strip():
        raise bad_request("The last message asks nothing. Ask a question.", param=f"{param}[{len(messages) - 1}].content")
    return query


def _check(messages: Sequence[chat.Message], most: int, param: str) -> None:
    """What can be seen before any picture is read."""
    parts = [part for message in messages for part in ([message.content] if isinstance(message.content, str) else message.content)]
    shown = sum(isinstance(part, chat.ImagePart) for part in parts)
    length = sum(len(part if isinstance(part, str) else part.text) for part in parts if not isinstance(part, chat.ImagePart))
    if messages[-1].role != "user":
        raise bad_request("The last message isn't the user's. End with what is asked.", param=f"{param}[{len(messages) - 1}].role")
    if shown > most:
        raise bad_request(
            f"The messages have {counted(shown, 'picture')}, and {most} are taken at most. Leave some out.", param=param
        )
    if length > chat.MAX_CHARS:
        raise bad_request(
            f"The messages have {length:,} characters, which is more than any model here takes. Shorten them.",
            param=param,
            code="context_length_exceeded",
        )


class _Budget:
    """How many pixels of a request have been decoded."""

    def __init__(self) -> None:
        self._spent = 0

    def spend(self, image: Image) -> None:
        width, height = image.pixels().size
        self._spent += width * height
        if self._spent > MAX_PIXELS:
            raise BadInput(f"The pictures have more than {MAX_PIXELS:,} pixels together. Resize them first.")


def _parts(message: chat.Message, pictures: Pictures, budget: _Budget, param: str) -> Iterator[str | Image]:
    content = message.content
    for number, part in enumerate([content] if isinstance(content, str) else content):
        where = param if isinstance(part, str) else f"{param}[{number}]"
        try:
            if isinstance(part, chat.ImagePart):
                image = pictures.read(part.image_url.url)
                budget.spend(image)
                yield image
            else:
                yield words(part if isinstance(part, str) else part.text, "message")
        except BadInput as error:
            raise api_error(error, param=f"{where}.image_url.url" if isinstance(part, chat.ImagePart) else where) from None
