"""The fields of a record, each checked as it is taken out, and the pictures that it names."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadImage, BadInput
from errata.core.images import Image
from errata.core.records import Provenance

_WEB: Final = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_MEDIA: Final = re.compile(r"@@@langfuseMedia:(?:[^@|]*\|)*?id=([A-Za-z0-9_-]+)(?:\|[^@]*)?@@@")
_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", "")


@dataclass(frozen=True)
class Source:
    """What a file's records stand on."""

    folder: Path
    """Where the paths of pictures begin."""

    default: Provenance = Provenance()
    """What fills in where a record doesn't say its author, reason or ticket."""

    with_locality: bool = False
    """Whether a data set's locality probes become `keep`."""


def text(record: Mapping[str, JSON], name: str) -> str | None:
    """A field that is text, or isn't there.

    Raises:
        BadInput: it is something else.
    """
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise BadInput(f"The field {name!r} isn't text. Put it in quotes.")
    return value if value is None else given.words(value, f"field {name!r}")


def needed(record: Mapping[str, JSON], name: str, hint: str = "Every record needs 'question' and 'target'.") -> str:
    """A field that is text.

    Raises:
        BadInput: it isn't there, or is something else.
    """
    value = text(record, name)
    if value is None:
        raise BadInput(f"The field {name!r} is missing. {hint}")
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


def picture(name: str, folder: Path) -> Image:
    """The picture that a record names: a path under `folder`, a `data:` URI, or a Langfuse media reference (a file of `folder`
    that is named by the reference's id).

    Raises:
        BadInput: an address on the web, which is never fetched, or a path that can't be one.
        BadImage: missing, broken, huge or empty.
    """
    given.words(name, "path of an image")
    if name[:5].lower() == "data:":
        return _inline(name)
    if name.startswith("@@@langfuseMedia:"):
        return _media(name, folder)
    if _WEB.match(name):
        raise BadInput(f"The picture {name[:80]!r} is an address on the web, and none is fetched. Download it and give its path.")
    return given.picture(folder / name)


def _inline(uri: str) -> Image:
    head, comma, body = uri.partition(",")
    if not comma or not head.lower().endswith(";base64"):
        raise BadImage("A picture given as a data: URI isn't in base64. Write data:image/png;base64, and its bytes.")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise BadImage("A picture given as a data: URI has broken base64. Was it cut short?") from None
    return Image.of(data, source=f"given as {head[:60]}")


def _media(reference: str, folder: Path) -> Image:
    named = _MEDIA.fullmatch(reference.strip())
    if named is None:
        raise BadInput(
            f"{reference[:80]!r} isn't a Langfuse media reference. It reads @@@langfuseMedia:type=...|id=...|source=...@@@."
        )
    media = named[1]
    for suffix in _SUFFIXES:
        path = folder / f"{media}{suffix}"
        if path.is_file():
            return given.picture(path)
    raise BadImage(
        f"There is no picture of the Langfuse medium {media} in {folder}. Download it there as {media}.png (or .jpg, ...)."
    )
