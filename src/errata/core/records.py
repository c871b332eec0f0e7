"""The nouns that every floor shares: a query, an edit, who made it, and how each is written down.

A record is a frozen value. Its JSON form names images by digest; `Images` is where their bytes are found again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Literal, NewType, cast, get_args

from errata.core.canonical import JSON, digest_of_json
from errata.core.errors import BadInput, quoted
from errata.core.images import Image

EditId = NewType("EditId", str)
"""The digest of an edit's whole content: 64 hexadecimal digits. Any unique prefix of at least 6 names it at the command line."""

Speaker = Literal["system", "user", "assistant"]
"""Who says a message."""

Reach = Literal["image", "kind", "text", "open"]
"""How far a correction is meant to go: this image, everything of its kind, the words alone, or not said."""

Images = Callable[[str], Image]
"""Finds an image by its digest; raises `BadImage` when it isn't there."""


@dataclass(frozen=True)
class Message:
    """One message of a conversation; its parts are texts and images in the order in which they are said."""

    role: Speaker
    parts: tuple[str | Image, ...]

    @property
    def text(self) -> str:
        """The words of the message, images left out, parts joined by a newline."""
        return "\n".join(part for part in self.parts if isinstance(part, str))

    def to_json(self) -> dict[str, JSON]:
        parts: list[JSON] = [part if isinstance(part, str) else {"image": part.digest} for part in self.parts]
        return {"role": self.role, "parts": parts}


@dataclass(frozen=True)
class Query:
    """What a model is asked: a conversation whose last message is the user's. `Query.ask` makes the common case."""

    messages: tuple[Message, ...]

    @staticmethod
    def ask(text: str, *images: Image) -> Query:
        """One user turn: the images, then the words.

        Raises:
            BadInput: the text is empty.
        """
        if not text.strip():
            raise BadInput("The prompt is empty. Ask a question.")
        return Query((Message("user", (*images, text)),))

    @property
    def images(self) -> tuple[Image, ...]:
        """Every image, in order."""
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, Image))

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text, in order, whoever says it."""
        return tuple(part for message in self.messages for part in message.parts if isinstance(part, str))

    @property
    def text(self) -> str:
        """The words of the last user message."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")

    @cached_property
    def digest(self) -> str:
        """The digest of the whole query, images by theirs."""
        return digest_of_json(self.to_json())

    def to_json(self) -> dict[str, JSON]:
        return {"messages": [message.to_json() for message in self.messages]}

    @staticmethod
    def from_json(value: Mapping[str, Any], images: Images) -> Query:
        """Read back what `to_json` wrote.

        Raises:
            BadInput: a field is missing or of the wrong type.
        """
        try:
            messages = tuple(
                Message(
                    message["role"],
                    tuple(part if isinstance(part, str) else images(part["image"]) for part in message["parts"]),
                )
                for message in value["messages"]
            )
        except (KeyError, TypeError) as error:
            raise BadInput(
                f"A query needs 'messages', each with 'role' and 'parts'; this one doesn't have them ({error})."
            ) from None
        return Query(messages)


@dataclass(frozen=True)
class Edit:
    """A correction: to this query the right answer is `target`. Its id is the hash of all of its content.

    The fields are final: a log that holds edits stays readable.
    """

    query: Query
    """(i_e, t_e): what was asked."""

    target: str
    """y_e: the right answer."""

    also: tuple[Query, ...] = ()
    """Other wordings and views that the user gives for the same correction; each must give the target too."""

    keep: tuple[Query, ...] = ()
    """Queries whose answers must not move."""

    reach: Reach = "open"
    """How far the correction is meant to go."""

    subject: str | None = None
    """What the correction is about, in words that hold without the image ("red star"), where the user can say it."""

    valid_until: str | None = None
    """ISO 8601 time in UTC after which the correction no longer holds; None: no end."""

    def __post_init__(self) -> None:
        if not self.target.strip():
            raise BadInput("The target is empty. Say what the right answer is.")
        if self.reach not in get_args(Reach):
            raise BadInput(f"The reach {quoted(self.reach)} isn't known. Use one of: {', '.join(get_args(Reach))}.")
        if self.valid_until is not None:
            instant(self.valid_until)

    @cached_property
    def id(self) -> EditId:
        return EditId(digest_of_json(self.to_json()))

    @property
    def images(self) -> tuple[Image, ...]:
        """Every image of the edit, its `also` and `keep`, each once, in order of appearance."""
        seen = {image.digest: image for query in (self.query, *self.also, *self.keep) for image in query.images}
        return tuple(seen.values())

    def over(self, now: datetime) -> str:
        """Why it can't be given any more: its time is over by then; "" where it isn't."""
        if self.valid_until is None or instant(self.valid_until) > now:
            return ""
        return f"The edit's time is over: it was valid until {self.valid_until}. Give a later time, or none."

    def to_json(self) -> dict[str, JSON]:
        return {
            "query": self.query.to_json(),
            "target": self.target,
            "also": [query.to_json() for query in self.also],
            "keep": [query.to_json() for query in self.keep],
            "reach": self.reach,
            "subject": self.subject,
            "valid_until": self.valid_until,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any], images: Images) -> Edit:
        """Read back what `to_json` wrote.

        Raises:
            BadInput: a field is missing or of the wrong type.
        """
        try:
            return Edit(
                query=Query.from_json(value["query"], images),
                target=value["target"],
                also=tuple(Query.from_json(query, images) for query in value["also"]),
                keep=tuple(Query.from_json(query, images) for query in value["keep"]),
                reach=cast(Reach, value["reach"]),
                subject=value["subject"],
                valid_until=value["valid_until"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(
                f"An edit needs query, target, also, keep, reach, subject and valid_until; this one lacks {error}."
            ) from None


def instant(text: str) -> datetime:
    """The moment that an ISO 8601 time names; a day alone is its beginning, and a time without a zone is in UTC.

    Raises:
        BadInput: it names none.
    """
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInput(f"{quoted(text)} is no time. Write it in UTC as 2026-12-31 or 2026-12-31T18:00:00Z.") from None


@dataclass(frozen=True)
class Provenance:
    """Who made an entry, and why."""

    author: str = "unknown"
    reason: str = ""
    ticket: str = ""

    def to_json(self) -> dict[str, JSON]:
        return {"author": self.author, "reason": self.reason, "ticket": self.ticket}


@dataclass(frozen=True)
class Spec:
    """What re-creates an editor: its name and every field that matters, digests included."""

    name: str
    fields: Mapping[str, JSON] = field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        return {"name": self.name, "fields": dict(self.fields)}
