"""Small real edits and logs for the tests of this room."""

from __future__ import annotations

import io
from collections.abc import Iterator

from PIL import Image as Pillow

from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query
from errata.log import EditLog, Store

BY = Provenance(author="ada", reason="the model was wrong", ticket="T-1")


def picture(number: int) -> Image:
    """A 4x4 PNG of one colour, a different one for each number."""
    file = io.BytesIO()
    Pillow.new("RGB", (4, 4), (number % 256, number // 256 % 256, 7)).save(file, "PNG")
    return Image.of(file.getvalue())


def edit(number: int) -> Edit:
    """A correction with an image in its query and another in its keep."""
    return Edit(
        query=Query.ask(f"What is in picture {number}?", picture(number)),
        target=f"thing {number}, naïvely",
        also=(Query.ask(f"Say what picture {number} shows.", picture(number)),),
        keep=(Query.ask("What colour is it?", picture(number % 3)),),
        subject=f"thing {number}",
    )


def words(number: int) -> Edit:
    """A correction without an image."""
    return Edit(query=Query.ask(f"Who wrote book {number}?"), target=f"author {number}")


def filled(store: Store, count: int = 8) -> EditLog:
    """A log that begins, applies edits 0.. and reverts every third of them."""
    log = EditLog(store)
    log.append("begun", None, BY, details={"model": "tiny", "rate": 0.1})
    for number in range(count):
        log.append("applied", edit(number), BY, details={"answer": f"thing {number}"})
        if number % 3 == 2:
            log.append("reverted", None, BY, edit_id=edit(number - 1).id)
    return log


def flips(text: str) -> Iterator[str]:
    """The text with each of its characters changed in turn, or with one added where it's empty."""
    if not text:
        yield "0"
    for index, char in enumerate(text):
        yield text[:index] + ("0" if char != "0" else "1") + text[index + 1 :]
