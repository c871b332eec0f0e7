"""The picture that a record names or holds: a path, a `data:` URI, a media reference, or base64 with nothing around it."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import unquote, unquote_to_bytes

from errata.core import given
from errata.core.errors import BadImage, BadInput, quoted, shortened
from errata.core.images import SUFFIXES, Image

_WEB: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_MEDIA: Final = re.compile(r"@@@langfuseMedia:(?:[^@|]*\|)*?id=([A-Za-z0-9_-]+)(?:\|[^@]*)?@@@")
_SUFFIXES: Final = (*SUFFIXES, "")
_PATH_CHARS: Final = 4096
"""No system takes a longer path."""

_SPACE: Final = re.compile(r"\s+")
_URL_SAFE: Final = str.maketrans("-_", "+/")


def picture(name: str, folder: Path) -> Image:
    """The picture that a record names: a path under `folder`, a `data:` URI, or a Langfuse media reference (a file of `folder`
    that is named by the reference's id).

    Raises:
        BadInput: an address on the web, which is never fetched, or a path that can't be one.
        BadImage: missing, broken, huge or empty.
    """
    given.words(name, "path of an image")
    if name[:5].lower() == "data:":
        return inline(name)
    if name.startswith("@@@langfuseMedia:"):
        return _media(name, folder)
    if _WEB.match(name):
        raise BadInput(f"The picture {quoted(name)} is an address on the web, and none is fetched. Download it and give its path.")
    if len(name) > _PATH_CHARS or "\n" in name:
        raise BadInput(
            f"The picture is a text of {len(name):,} characters, which is no path. If it is base64, write data:image/png;base64, "
            "before it."
        )
    return given.picture(folder / name)


def encoded(body: str, source: str) -> Image:
    """The picture in base64: padded or not, in one line or several, in the alphabet for addresses or the usual one.

    Raises:
        BadImage: it isn't base64, or no picture.
    """
    letters = _SPACE.sub("", unquote(body) if "%" in body else body).translate(_URL_SAFE).rstrip("=")
    try:
        data = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise BadImage(f"A picture {source} has broken base64. Was it cut short?") from None
    return Image.of(data, source=source)


def inline(uri: str) -> Image:
    """The picture in a `data:` URI, as base64 or percent-encoded.

    Raises:
        BadImage: it isn't one, or no picture.
    """
    head, comma, body = uri.partition(",")
    marks = [mark.strip().lower() for mark in head[5:].split(";")]
    source = f"given as {shortened(_SPACE.sub('', head[:60]))}"
    if not comma:
        raise BadImage("A picture given as a data: URI has no comma before its bytes. Write data:image/png;base64, and its bytes.")
    if marks[0] and not marks[0].startswith(("image/", "application/octet-stream")):
        raise BadImage(f"What is {source} isn't a picture. Give a PNG, JPEG or WebP file.")
    if "base64" in marks[1:]:
        return encoded(body, source)
    return Image.of(unquote_to_bytes(body), source=source)


def _media(reference: str, folder: Path) -> Image:
    named = _MEDIA.fullmatch(reference.strip())
    if named is None:
        raise BadInput(
            f"{quoted(reference)} isn't a Langfuse media reference. It reads @@@langfuseMedia:type=...|id=...|source=...@@@."
        )
    media = named[1]
    for suffix in _SUFFIXES:
        path = folder / f"{media}{suffix}"
        if is_there(path):
            return given.picture(path)
    shown = shortened(media)
    raise BadImage(
        f"There is no picture of the Langfuse medium {shown} in {folder}. Download it there as {shown}.png (or .jpg, ...)."
    )


def is_there(path: Path) -> bool:
    """Whether there is such a file; there is none whose name no system takes."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def uploaded(name: str, folder: Path) -> Iterator[Path]:
    """Where a picture that was uploaded to an annotation tool may lie: under the path of the tool, by its name alone, and by the
    name that it had before the tool put an id in front of it."""
    _, served, local = name.partition("?d=")
    inner = unquote(local) if served else name.removeprefix("/data/").lstrip("/")
    path = Path(inner)
    yield folder / inner
    yield folder / path.name
    _, dash, before = path.name.partition("-")
    if dash and before:
        yield folder / before
