"""Data sets for model editors as EasyEdit and its forks lay them out: a JSON list of flat objects, the probes beside the edit.

    {"src": "How many balls are there?", "alt": "2", "image": "a.jpg", "rephrase": "...", "image_rephrase": "b.jpg",
     "loc": "...", "loc_ans": "...", "m_loc": "c.jpg", "m_loc_q": "...", "m_loc_a": "...", "pred": "no"}

`src` on `image` must give `alt`, and so must its rephrasings. The rest are probes of what must not move: an editor that is shown
them is marked on what it has seen, so they are left out unless `with_locality` asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import BinaryIO, Final, TextIO

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query
from errata.log.formats.fields import Source, picture, text
from errata.log.formats.jsonl import NameOf, is_plain
from errata.log.formats.records import Exported, Line, Raw, attempt, json_records, parsed

ASKS: Final = ("src", "prompt", "question")
"""Names of what is asked: E-VQA, E-IC, VLKEB, FGVEdit and ZsRE; CounterFact; ComprehendEdit."""

GIVES: Final = ("alt", "target_new", "target", "answer")
_REPHRASED: Final = ("rephrase", "rephrase_prompt", "rephrase_prompts")
_SEEN_ANEW: Final = ("image_rephrase", "rephrase_image")
_TEXT_PROBES: Final = ("loc", "locality_prompt")
_PROBES: Final = (("m_loc_q", "m_loc"), ("multimodal_locality_prompt", "multimodal_locality_image"), ("fg_loc_q", "image"))
"""Questions that must not move, and the fields with their pictures; FGVEdit asks on the edit's own picture."""


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The edits of a file, in order."""
    for raw in json_records(file):
        yield Line(raw.number, raw.read_bytes, attempt(partial(_edit, raw, source)), raw.unit)


def _edit(raw: Raw, source: Source) -> tuple[Edit, Provenance]:
    value = parsed(raw)
    if not isinstance(value, dict):
        raise BadInput("It isn't a JSON object. The file is a list of objects with 'src' and 'alt', or 'prompt' and 'target_new'.")
    images = _images(value, ("image",), source)
    asks, gives = _first(value, ASKS), _first(value, GIVES)
    if asks is None or gives is None:
        raise BadInput(f"It needs one of {', '.join(ASKS)}, and one of {', '.join(GIVES)}. Is it a data set of EasyEdit's kind?")
    also = [given.asked(words, images) for words in _several(value, _REPHRASED)]
    also += [given.asked(asks, [image]) for image in _images(value, _SEEN_ANEW, source)]
    edit = Edit(
        query=given.asked(asks, images),
        target=gives,
        also=tuple(also),
        keep=tuple(_probes(value, source)) if source.with_locality else (),
        subject=text(value, "subject") or None,
    )
    return edit, source.default


def _probes(value: Mapping[str, JSON], source: Source) -> Iterator[Query]:
    for words in _several(value, _TEXT_PROBES):
        yield given.asked(words, ())
    for question, image in _PROBES:
        for words in _several(value, (question,)):
            yield given.asked(words, _images(value, (image,), source))


def _first(value: Mapping[str, JSON], names: tuple[str, ...]) -> str | None:
    return next((text(value, name) for name in names if value.get(name) is not None), None)


def _several(value: Mapping[str, JSON], names: tuple[str, ...]) -> list[str]:
    """The texts of the first of these fields that is there: one text, or a list of them."""
    for name in names:
        items = value.get(name)
        if isinstance(items, str) and items.strip():
            return [given.words(items, f"field {name!r}")]
        if isinstance(items, list):
            if not all(isinstance(item, str) for item in items):
                raise BadInput(f"The field {name!r} is a list of something else than texts. Give texts.")
            return [given.words(str(item), f"field {name!r}") for item in items if str(item).strip()]
        if items not in (None, ""):
            raise BadInput(f"The field {name!r} isn't text. Put it in quotes.")
    return []


def _images(value: Mapping[str, JSON], names: tuple[str, ...], source: Source) -> tuple[Image, ...]:
    return tuple(picture(name, source.folder) for name in _several(value, names))


def write(file: TextIO, held: Iterator[Exported], name_of: NameOf) -> None:
    """Write the edits that `held_part` allows as one list; what has no field is left out."""
    file.write("[")
    for number, each in enumerate(held):
        file.write(("," if number else "") + "\n" + json.dumps(_record(each, name_of), ensure_ascii=False))
    file.write("\n]\n")


def is_held(edit: Edit) -> bool:
    """Whether a record can name the query at all: words, on one picture at most."""
    return is_plain(edit.query) and len(edit.query.images) < 2


def losses(held: Exported) -> list[str]:
    """What of the edit a record has no field for."""
    edit, placed = held.edit, _placed(held.edit)
    kept = {name for name in placed if name in ("loc", "m_loc_q")}
    lost = {
        "also": len(edit.also) > sum(name in placed for name in ("rephrase", "image_rephrase")),
        "keep": len(edit.keep) > len(kept),
        "reach": edit.reach != "open",
        "valid_until": edit.valid_until is not None,
        "author, reason, ticket": held.by != Provenance(),
    }
    return [name for name, is_lost in lost.items() if is_lost]


def _placed(edit: Edit) -> dict[str, str | Image]:
    """The first wording and view of `also` and the first of each kind of `keep`, under the fields that hold them."""
    placed: dict[str, str | Image] = {}
    for query in filter(is_plain, edit.also):
        if query.images == edit.query.images:
            placed.setdefault("rephrase", query.text)
        elif query.text == edit.query.text and len(query.images) == 1:
            placed.setdefault("image_rephrase", query.images[0])
    for query in filter(is_plain, edit.keep):
        if not query.images:
            placed.setdefault("loc", query.text)
        elif len(query.images) == 1 and "m_loc" not in placed:
            placed |= {"m_loc": query.images[0], "m_loc_q": query.text}
    return placed


def _record(held: Exported, name_of: NameOf) -> dict[str, JSON]:
    """The fields in their usual order. The log doesn't hold the answers to `keep`, so `loc_ans` and `m_loc_a` are empty."""
    edit = held.edit
    image: dict[str, str | Image] = {"image": edit.query.images[0]} if edit.query.images else {}
    placed = _placed(edit) | image
    subject: dict[str, JSON] = {"subject": edit.subject} if edit.subject else {}
    said: dict[str, JSON] = {"src": edit.query.text, "pred": held.before, "alt": edit.target, **subject}
    for name in ("image", "rephrase", "image_rephrase", "loc", "m_loc", "m_loc_q"):
        value = placed.get(name)
        if value is not None:
            said[name] = value if isinstance(value, str) else name_of(value)
        answer = {"loc": "loc_ans", "m_loc_q": "m_loc_a"}.get(name)
        if answer and value is not None:
            said[answer] = ""
    return said
