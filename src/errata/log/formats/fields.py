"""The fields of a record, each checked as it is taken out, and what becomes of the fields that nobody takes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.images import SUFFIXES
from errata.core.records import Provenance

_WORDS_OF_INPUT: Final = (
    ("image", "img", "picture", "photo", "screenshot", "media", "attachment", "file", "video", "audio", "document")
    + ("system", "developer", "instruction", "prompt", "question", "query", "input")
    + ("message", "conversation", "history", "context", "turn", "content", "part", "text")
)
"""Beginnings of the words in a field's name that say that what it holds was put to the model."""


@dataclass(frozen=True)
class Source:
    """What a file's records stand on."""

    folder: Path
    """Where the paths of pictures begin."""

    default: Provenance = Provenance()
    """What fills in where a record doesn't say its author, reason or ticket."""

    with_locality: bool = False
    """Whether a data set's locality probes become `keep`."""

    ignored: frozenset[str] = frozenset()
    """Fields that are passed over because the user says so."""


def text(record: Mapping[str, JSON], name: str) -> str | None:
    """A field that is text, or isn't there.

    Raises:
        BadInput: it is something else.
    """
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"The field {quoted(name)} isn't text. Put it in quotes.")
    return value if value is None else given.words(value, f"field {quoted(name)}")


def needed(record: Mapping[str, JSON], name: str, hint: str = "Every record needs 'question' and 'target'.") -> str:
    """A field that is text.

    Raises:
        BadInput: it isn't there, or is something else.
    """
    value = text(record, name)
    if value is None:
        raise BadInput(f"The field {quoted(name)} is missing. {hint}")
    return value


def provenance(record: Mapping[str, JSON], default: Provenance) -> Provenance:
    """Who made it; `default` fills in what the record leaves out."""
    return Provenance(
        author=text(record, "author") or default.author,
        reason=text(record, "reason") or default.reason,
        ticket=text(record, "ticket") or default.ticket,
    )


def objects(value: JSON) -> Iterator[Mapping[str, JSON]]:
    """The objects of a list; nothing for what isn't a list or an object."""
    if isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def says_nothing(value: JSON) -> bool:
    """Whether a value is empty, however deep, so that nothing is lost with it."""
    if isinstance(value, dict):
        return all(says_nothing(item) for item in value.values())
    if isinstance(value, list):
        return all(says_nothing(item) for item in value)
    return value is None or (isinstance(value, str) and not value.strip())


def nothing_else(record: Mapping[str, JSON], known: Collection[str], what: str, source: Source) -> None:
    """Check that a record of what was put to the model says nothing beside its known fields: it would be dropped unseen.

    Numbers and yes or no, under whatever name, are no input.

    Raises:
        BadInput: it does; the message names the field.
    """
    for name, value in record.items():
        if (
            name not in source.ignored
            and not is_known(name, value, known)
            and not isinstance(value, bool | int | float)
            and not says_nothing(value)
        ):
            raise BadInput(
                f"The field {quoted(name)} of {what} isn't known, and what it says would be dropped. "
                f"Leave it out of the file, or pass it over with --ignore {given_as(name)}."
            )


def no_input(record: Mapping[str, JSON], known: Collection[str], what: str, source: Source) -> None:
    """Check that the bookkeeping around what was put to the model (ids, times, costs) holds nothing that looks like input itself.

    Raises:
        BadInput: a field's name or its value looks like it; the message names the field.
    """
    kept = {name: value for name, value in record.items() if name in _NAMES or _is_input(name, value)}
    nothing_else(kept, (*known, *_NAMES), what, source)


_NAMES: Final = ("id", "name", "type", "traceId", "observationId")
"""Fields that name a thing, in a word or as a path of words."""


def is_known(name: str, value: JSON, known: Collection[str]) -> bool:
    """Whether a field is one of those that are known, and no more than a name where it is to name something."""
    return name in known and not (name in _NAMES and _holds_more(value))


def _holds_more(value: JSON) -> bool:
    """Whether a value is more than a name."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(item, dict | list) for item in value))


@contextmanager
def within(name: str) -> Iterator[None]:
    """What goes wrong inside names the field too."""
    try:
        yield
    except BadInput as error:
        said, inside, inner = str(error).partition(" It stands in the field ")
        if quoted(name) in said:
            raise
        where = f"{inner.removesuffix('.')} of {quoted(name)}" if inside else quoted(name)
        raise type(error)(f"{said} It stands in the field {where}.") from None


def given_as(name: str) -> str:
    """A name as it is typed on a command line."""
    return name if name.replace("_", "").replace("-", "").replace(".", "").isalnum() and len(name) < 80 else quoted(name)


def _is_input(name: str, value: JSON) -> bool:
    words = "".join(f" {sign.lower()}" if sign.isupper() else sign if sign.isalnum() else " " for sign in name).split()
    return any(word.startswith(_WORDS_OF_INPUT) for word in [*words, name.lower()]) or _shows(value)


def _shows(value: JSON) -> bool:
    """Whether there is a picture or a message in a value, as far as its form tells."""
    if isinstance(value, dict):
        if "role" in value and {"content", "parts"} & set(value):
            return True
        return any(_shows(item) for item in value.values())
    if isinstance(value, list):
        return any(_shows(item) for item in value)
    return isinstance(value, str) and is_picture(value)


def is_picture(value: str) -> bool:
    """Whether a text names or holds a picture: a `data:` URI, a reference to one, or a path with the ending of one."""
    begins = value[:32].lower()
    if begins.startswith(("data:", "@@@langfusemedia:")):
        return True
    return len(value) < 4096 and "\n" not in value and value.lower().rstrip().endswith(SUFFIXES)
