"""What is typed or read from a file, as values: words, pictures, questions; checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errata.core.errors import BadInput, quoted, shortened
from errata.core.images import Image
from errata.core.records import Provenance, Query


def words(text: str, what: str) -> str:
    """The text, if it can be written down.

    Raises:
        BadInput: it isn't Unicode (half of a surrogate pair, bytes of another encoding).
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise BadInput(f"The {what} isn't valid Unicode text. Write it again, in UTF-8.") from None
    return text


def picture(path: Path | str) -> Image:
    """The picture in a file.

    Raises:
        BadInput: the path can't be one.
        BadImage: missing, broken, huge or empty.
    """
    if "\0" in words(str(path), "path of an image"):
        raise BadInput(f"The path of an image, {quoted(str(path))}, holds a zero character. Check the path.")
    try:
        return Image.open(path)
    except BadInput as error:
        raise type(error)(str(error).replace(str(path), shortened(path))) from None


def asked(question: str, images: Sequence[Image]) -> Query:
    """A question on pictures.

    Raises:
        BadInput: it is empty.
    """
    return Query.ask(words(question, "question"), *images)


def given_by(author: str, reason: str, ticket: str) -> Provenance:
    """Who makes an entry, and why.

    Raises:
        BadInput: one of them can't be written down.
    """
    return Provenance(words(author, "author"), words(reason, "reason"), words(ticket, "ticket"))
