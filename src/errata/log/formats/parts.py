"""The parts of a message, words and pictures, as the makers of models and of frameworks write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.log.formats.fields import Source, nothing_else, says_nothing, within
from errata.log.formats.pictures import encoded, picture
from errata.log.formats.records import maybe


@dataclass(frozen=True)
class Hole:
    """The place in a message of a picture that stands beside the conversation."""


_REFERENCE: Final = "@@@langfuseMedia:"

HOLE: Final = Hole()

Part = str | Image | Hole

_TEXTS: Final = ("text", "input_text", "output_text")
_PICTURES: Final = ("image_url", "input_image", "image", "file", "media", "input_file")
_BYTES: Final = ("bytes", "data", "base64")
_NAMES: Final = ("url", "uri", "file_uri", "fileUri", "path", "image_url", "imageUrl", "image", "source", "file", "file_data")
_INNER: Final = (*_NAMES, "inline_data", "inlineData", "fileData", "file_data")
_KINDS: Final = ("media_type", "mime_type", "mimeType", "mediaType", "mimetype", "format")
_ABOUT: Final = (
    "type",
    "detail",
    "source_type",
    "cache_control",
    "citations",
    "annotations",
    "id",
    "index",
    "filename",
    "file_name",
) + ("name", "displayName", "display_name", "logprobs", "extras", "thoughtSignature", "thought_signature")
"""Fields of a part that say nothing that a model would be told."""


def parts_of(value: JSON, source: Source) -> Iterator[Part]:
    """The parts of what a message says: words, one part, a list of parts, or an object with `parts`."""
    if isinstance(value, dict) and isinstance(value.get("parts"), list):
        nothing_else(value, ("parts", "role"), "a message", source)
        value = value["parts"]
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, str) and not is_literal(part) and not part.startswith(_REFERENCE):
            yield from parts_of(maybe(part), source)
        else:
            yield _part(part, source)


def is_literal(words: str) -> bool:
    """Whether words are meant as they are: no reference to a picture, and no parts that were written down as JSON text."""
    if words.startswith(_REFERENCE):
        return False
    if not words.lstrip().startswith(("[", "{")):
        return True
    try:
        value = maybe(words)
    except BadInput:
        return True
    parts = value if isinstance(value, list) else [value]
    return not parts or not all(isinstance(part, dict) and _is_part(part) for part in parts)


def _is_part(value: Mapping[str, JSON]) -> bool:
    kind = value.get("type")
    return kind in (*_TEXTS, *_PICTURES) or (kind is None and (set(value) == {"text"} or bool({*_INNER, *_BYTES} & set(value))))


def _part(value: JSON, source: Source) -> Part:
    if isinstance(value, str):
        return picture(value, source.folder) if value.startswith(_REFERENCE) else given.words(value, "message")
    if isinstance(value, dict):
        kind = value.get("type")
        words = value.get("text")
        if isinstance(words, str) and (kind is None or kind in _TEXTS):
            nothing_else(value, ("text", *_ABOUT), "a part of a message", source)
            return given.words(words, "message")
        if kind == "image" and not any(not says_nothing(value.get(name)) for name in (*_INNER, *_BYTES)):
            nothing_else(value, (*_KINDS, *_ABOUT), "a picture", source)
            return HOLE
        if kind in _PICTURES or (kind is None and {*_INNER, *_BYTES} & set(value)):
            return picture_of(value, source)
    raise BadInput("A part of a message is neither text nor a picture. Text and pictures are what can be asked.")


def picture_of(value: JSON, source: Source, kind: str = "") -> Image:
    """A picture: an address, base64, or an object with one of these and its type, however deep.

    Args:
        value: what names or holds it.
        kind: its media type, where an object around it says so.

    Raises:
        BadInput: it has no address, or two; or something is said of it that isn't known.
        BadImage: it isn't a picture.
    """
    if isinstance(value, str) and value:
        return _named(value, source, kind)
    if not isinstance(value, dict):
        raise BadInput("A picture of a message has no address. Give a data: URI, a media reference, or a path.")
    kind = _kind(value) or kind
    if kind and "/" in kind and not kind.startswith("image/"):
        raise BadInput(f"A part of a message is of the type {quoted(kind)}, which is neither text nor a picture.")
    given_as = [name for name in dict.fromkeys((*_BYTES, *_INNER)) if not says_nothing(value.get(name))]
    if given_as[:1] == ["bytes"]:
        given_as = [name for name in given_as if name != "path"]  # the name that the bytes had
    if len(given_as) > 1:
        raise BadInput(f"A picture is given twice, as {' and as '.join(map(quoted, given_as))}. Keep one.")
    if not given_as:
        raise BadInput("A picture of a message has no address. Give a data: URI, a media reference, or a path.")
    (name,) = given_as
    nothing_else(value, (name, *(("path",) if name == "bytes" else ()), *_KINDS, *_ABOUT), "a picture", source)
    inner = value[name]
    if name in _BYTES and isinstance(inner, str) and not inner.startswith(("data:", "@@@")):
        return encoded(inner, f"given as {kind or 'base64'}")
    with within(name):
        return picture_of(inner, source, kind)


def _kind(value: Mapping[str, JSON]) -> str:
    return next((str(value[name]).lower() for name in _KINDS if isinstance(value.get(name), str)), "")


def _named(value: str, source: Source, kind: str) -> Image:
    """A picture by its address; base64 alone is known by how the formats of pictures begin in it."""
    if value.startswith(_BEGINNINGS) and len(value) > _SHORTEST and "." not in value:
        return encoded(value, f"given as {kind or 'base64'}")
    return picture(value, source.folder)


_BEGINNINGS: Final = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "Qk0", "Qk1", "SUkq", "TU0AK", "AAAA")
"""PNG, JPEG, GIF, WebP, BMP, TIFF, and the box that AVIF begins with, in base64."""

_SHORTEST: Final = 60
"""Characters: fewer are no picture, but may be a path."""
