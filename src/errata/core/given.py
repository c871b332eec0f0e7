"""What is typed or read from a file, as values: words, pictures, questions; checked before anything heavy is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from errata.core.errors import BadInput, quoted, shortened
from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query

Picture = Image | str | Path
"""A picture: opened already, or where it lies."""

Question = str | Query
"""Words, or a query with everything in it."""


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


def pictures(image: Picture | Sequence[Picture]) -> list[Image]:
    """One picture or several, opened."""
    given = [image] if isinstance(image, Image | str | Path) else list(image)
    return [one if isinstance(one, Image) else picture(one) for one in given]


def query_of(question: Question, image: Picture | Sequence[Picture]) -> Query:
    """A question with its pictures.

    Raises:
        BadInput: it is empty, or has pictures of its own beside those that are given.
    """
    images = pictures(image)
    if isinstance(question, Query):
        if images:
            raise BadInput("This query has its pictures in it. Leave image out, or give the question as words.")
        return question
    return asked(question, images)


def correction(
    question: Question | Edit,
    target: str | None,
    image: Picture | Sequence[Picture],
    also: Sequence[Question],
    keep: Sequence[Question],
) -> Edit:
    """A correction, as its parts or as a whole.

    Raises:
        BadInput: both ways at once, no target, or wordings that aren't a list.
    """
    images = pictures(image)
    if isinstance(question, Edit):
        if target is not None or images or also or keep:
            raise BadInput("An edit has its target, pictures and wordings in it. Give the edit alone.")
        return question
    if target is None:
        raise BadInput("The target is missing. Say what the right answer is.")
    if isinstance(also, str) or isinstance(keep, str):
        raise BadInput("Wordings come as a list, also where there is one: also=[...].")
    return Edit(
        query=query_of(question, images),
        target=words(target, "target"),
        also=tuple(query_of(one, images if isinstance(one, str) else ()) for one in also),
        keep=tuple(query_of(one, images if isinstance(one, str) else ()) for one in keep),
    )
