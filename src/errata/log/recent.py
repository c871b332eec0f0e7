"""Recent questions, kept in a file where a user asks for it: what a correction may move is tried on them before it goes live.

The file holds a JSON query to a line, pictures by digest; `FILE.images/` holds the pictures. Nothing is kept unless a file is
named, and deleting both forgets all of it. The log doesn't know of it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from errata.core.canonical import canonical
from errata.core.errors import BadImage, BadInput
from errata.core.given import asked
from errata.core.images import Image
from errata.core.records import Query
from errata.log.files import FileBlobs

KEPT = 200
"""Questions that are kept; the oldest go first."""


def remember(path: Path, query: Query) -> None:
    """Add a question; one that is there already moves to the end.

    Raises:
        BadInput: the file isn't one of recent questions.
        LogError, OSError: it can't be written.
    """
    lines = [line for line in _lines(path) if line != canonical(query.to_json())]
    blobs = _images(path)
    for image in query.images:
        blobs.put(image.data)
    kept = [*lines, canonical(query.to_json())][-KEPT:]
    temporary = path.with_name(path.name + ".tmp")
    temporary.write_bytes(b"".join(line + b"\n" for line in kept))
    os.replace(temporary, path)


def recent(path: Path) -> list[Query]:
    """The questions in a file, oldest first; one whose picture was deleted is left out.

    Raises:
        BadInput: there is no such file, or it isn't one of recent questions.
    """
    if not path.exists():
        raise BadInput(f"There is no file {path} of recent questions. `errata ask --remember {path}` begins one.")
    blobs, found = _images(path), []

    def image(digest: str) -> Image:
        data = blobs.get(digest)
        if data is None:
            raise BadImage(f"The picture {digest[:12]} isn't there.")
        return Image(digest, data)

    for line in _lines(path):
        try:
            found.append(Query.from_json(json.loads(line), image))
        except BadImage:
            continue
    return found


def questions(path: Path) -> list[Query]:
    """The questions in a file: as `remember` keeps them, or in words, one to a line, where its name ends in .txt.

    Raises:
        BadInput: there is no such file, it isn't one of questions, or it has none.
    """
    if path.suffix.lower() != ".txt":
        found = recent(path)
    else:
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise BadInput(f"The file of questions {path} can't be read: {error.strerror or error}. Check the path.") from None
        except UnicodeDecodeError:
            raise BadInput(f"The file of questions {path} isn't in UTF-8. Write it anew in that encoding.") from None
        found = [asked(line.strip(), ()) for line in lines if line.strip()]
    if not found:
        raise BadInput(f"There is no question in {path}. Write some, one to a line, or keep some: errata ask --remember FILE")
    return list(dict.fromkeys(found))


def _images(path: Path) -> FileBlobs:
    return FileBlobs(path.with_name(path.name + ".images"))


def _lines(path: Path) -> list[bytes]:
    if not path.exists():
        return []
    lines = [line for line in path.read_bytes().splitlines() if line.strip()]
    for number, line in enumerate(lines, start=1):
        try:
            Query.from_json(json.loads(line), lambda digest: Image(digest, b""))
        except (ValueError, RecursionError):
            raise BadInput(
                f"Line {number} of {path} is no recent question. Name a file that `errata ask --remember` wrote, or a new one."
            ) from None
    return lines
