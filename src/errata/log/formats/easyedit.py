"""Data sets for model editors as EasyEdit and its forks lay them out: a JSON list of flat objects, the probes beside the edit.

    {"src": "How many balls are there?", "alt": "2", "image": "a.jpg", "rephrase": "...", "image_rephrase": "b.jpg",
     "loc": "...", "loc_ans": "...", "m_loc": "c.jpg", "m_loc_q": "...", "m_loc_a": "...", "pred": "no"}

`src` on `image` must give `alt`, and so must its rephrasings. The rest are probes of what must not move: an editor that is shown
them is marked on what it has seen, so they are left out unless `with_locality` asks for them. A `textual_edit` in a record is a
correction of its own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final, TextIO

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.images import Image
from errata.core.records import Edit, Provenance, Query
from errata.log.formats.conversations import answer_of
from errata.log.formats.fields import Source, needed, nothing_else, objects, says_nothing, text
from errata.log.formats.jsonl import NameOf, is_plain
from errata.log.formats.pictures import picture
from errata.log.formats.records import Exported, Line, attempt, values

ASKS: Final = ("src", "prompt", "question")
"""Names of what is asked: E-VQA, E-IC, VLKEB, FGVEdit and ZsRE; CounterFact; ComprehendEdit."""

GIVES: Final = ("alt", "target_new", "target", "answer")
_REPHRASED: Final = ("rephrase", "rephrase_prompt", "rephrase_prompts")
_SEEN_ANEW: Final = ("image_rephrase", "rephrase_image")
_TEXT_PROBES: Final = ("loc", "locality_prompt")
_PROBES: Final = (("m_loc_q", "m_loc"), ("multimodal_locality_prompt", "multimodal_locality_image"), ("fg_loc_q", "image"))
"""Questions that must not move, and the fields with their pictures; FGVEdit asks on the edit's own picture."""


_PASSED_OVER: Final = (
    ("pred", "loc_ans", "m_loc_a", "locality_ground_truth", "multimodal_locality_ground_truth", "ground_truth", "answers", "cond")
    + ("fg_gen_q", "fg_gen_a", "fg_loc_a", "fg_loc_q", "port_new", "portability", "portability_prompt", "portability_ground_truth")
    + (
        "portability_image",
        "one_hop_img",
        "knowledge_type",
        "Category",
        "source",
        "id",
        "pid",
        "case_id",
        "question_id",
        "image_id",
    )
    + ("loc", "locality_prompt", "m_loc", "m_loc_q", "multimodal_locality_prompt", "multimodal_locality_image", "locality", "tag")
    + ("src_q", "rephrase_q", "m_loc_q_q", "image_rephrase_question", "rel", "rel_ans", "m_rel", "m_rel_ans", "relation_id")
    + tuple(f"{m}rel_{number}{answer}" for m in ("", "m_") for number in (1, 2) for answer in ("", "_ans"))
    + tuple(f"{m}rel_ans_{number}" for m in ("", "m_") for number in (1, 2))
)
"""What the model said, and the questions of the exam with their answers."""

_TEXTUAL: Final = "textual_edit"


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The edits of a file, in order."""
    for line, value in values(file):
        if line.found:
            yield line
            continue
        textual = value.get(_TEXTUAL) if isinstance(value, dict) else None
        yield replace(line, found=attempt(partial(_edit, value, source)), part=1 if textual else 0)
        if textual:
            yield replace(line, found=attempt(partial(_edit, textual, source)), part=2)


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    kinds = ({"src", "alt"}, {"prompt", "target_new"}, {"question", "answer", "rephrase"}, {"question", "answer", "image"})
    return any(kind <= set(record) for kind in kinds)


def _edit(value: JSON, source: Source) -> tuple[Edit, Provenance]:
    if not isinstance(value, dict):
        raise BadInput("It isn't a JSON object. The file is a list of objects with 'src' and 'alt', or 'prompt' and 'target_new'.")
    asks, gives = (next((name for name in names if value.get(name) is not None), "") for names in (ASKS, GIVES))
    if not asks or not gives:
        raise BadInput(f"It needs one of {', '.join(ASKS)}, and one of {', '.join(GIVES)}. Is it a data set of EasyEdit's kind?")
    rephrased, seen_anew = (_first(value, names) for names in (_REPHRASED, _SEEN_ANEW))
    known = {asks, gives, rephrased, seen_anew, "image", "subject", _TEXTUAL, *_PASSED_OVER}
    nothing_else({name: held for name, held in value.items() if not name.endswith("_topk")}, known, "a record", source)
    images, question = _images(value, "image", source), needed(value, asks)
    also = [given.asked(words, images) for words in _several(value, rephrased)]
    also += [given.asked(question, [image]) for image in _images(value, seen_anew, source)]
    edit = Edit(
        query=given.asked(question, images),
        target=answer_of(value[gives], source, what=f"field {gives!r}"),
        also=tuple(also),
        keep=tuple(_probes(value, source)) if source.with_locality else (),
        subject=text(value, "subject") or None,
    )
    return edit, source.default


def _probes(value: Mapping[str, JSON], source: Source) -> Iterator[Query]:
    for words in _several(value, _first(value, _TEXT_PROBES)):
        yield given.asked(words, ())
    for question, image in _PROBES:
        for words in _several(value, question):
            yield given.asked(words, _images(value, image, source))
    kinds = value.get("locality")
    for probes in kinds.values() if isinstance(kinds, dict) else ():
        for probe in objects(probes):
            yield from (given.asked(words, ()) for words in _several(probe, "prompt"))


def _first(value: Mapping[str, JSON], names: tuple[str, ...]) -> str:
    """The first of these fields that says something; "" for none."""
    return next((name for name in names if not says_nothing(value.get(name))), "")


def _several(value: Mapping[str, JSON], name: str) -> list[str]:
    """The texts of a field: one text, or a list of them."""
    items = value.get(name)
    if isinstance(items, str):
        items = [items]
    if items is None:
        return []
    if not isinstance(items, list):
        raise BadInput(f"The field {name!r} isn't text. Put it in quotes.")
    if not all(isinstance(item, str) for item in items):
        raise BadInput(f"The field {name!r} is a list of something else than texts. Give texts.")
    return [given.words(str(item), f"field {name!r}") for item in items if str(item).strip()]


def _images(value: Mapping[str, JSON], name: str, source: Source) -> tuple[Image, ...]:
    return tuple(picture(each, source.folder) for each in _several(value, name))


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
