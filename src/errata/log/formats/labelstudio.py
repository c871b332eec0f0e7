"""What annotators wrote in Label Studio: its export as JSON (tasks with their annotations), as JSON-MIN, and as CSV.

    [{"id": 1, "data": {"image": "/data/upload/1/3f2a-a.png", "q1": "what is it?"}, "annotations": [{"id": 7, "result": [
      {"from_name": "answer1", "to_name": "q1", "type": "textarea", "value": {"text": ["a ring"]}}]}]}]

A text that was written, or a choice that was made, is the right answer to the field that it is about. Predictions and drafts are no
corrections, and neither are annotations that were cancelled.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final

from errata.core.canonical import JSON
from errata.core.errors import BadImage, BadInput, quoted, shortened
from errata.core.records import Provenance
from errata.log.formats.annotations import ANSWERS, Answer, corrections, task_of
from errata.log.formats.conversations import answer_of
from errata.log.formats.fields import Source, is_picture, no_input, nothing_else, objects, says_nothing
from errata.log.formats.pictures import is_there, uploaded
from errata.log.formats.records import Line, begins_json, json_records, maybe, parsed, sentence
from errata.log.formats.tables import rows

_TASK: Final = ("data", "annotations", "predictions", "drafts", "file_upload", "meta", "storage_filename", "inner_id")
_FLAT: Final = (
    "id",
    "annotation_id",
    "annotator",
    "created_at",
    "updated_at",
    "lead_time",
    "inner_id",
    "completed_by",
    "file_upload",
    "agreement",
) + ("project", "import_id", "was_cancelled", "ground_truth", "meta")
"""Columns of the flat exports that Label Studio adds to those of the task."""

_ANNOTATION: Final = ("id", "result", "prediction", "parent_prediction", "parent_annotation", "draft_created_at")
_RESULT: Final = (
    "id",
    "value",
    "type",
    "from_name",
    "to_name",
    "origin",
    "meta",
    "original_width",
    "original_height",
    "image_rotation",
)

_SAID: Final[Mapping[str, str]] = {"textarea": "text", "choices": "choices"}
"""Types of results that are answers, and where each says its words."""

_MARKED: Final = ("labels", "hypertextlabels", "paragraphlabels", "timeserieslabels")
"""Types of results that mark a piece of a text, and hold a copy of it."""

_UPLOADS: Final = ("/data/", "upload/", "data/")


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order."""
    files = _Uploads(source)
    if not begins_json(file):
        for row in rows(file):
            yield from _lines(Line(row.number, row.read_bytes, "", "line"), row.fields, files)
        return
    for raw in json_records(file):
        yield from _lines(Line(raw.number, raw.read_bytes, "", raw.unit), partial(parsed, raw), files)


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    return (isinstance(record.get("data"), dict) and {"annotations", "predictions"} & set(record) != set()) or is_table(record)


def is_table(names: Collection[str]) -> bool:
    """Whether the columns of a table are those of an export."""
    return {"annotation_id", "lead_time"} <= set(names)


def _lines(line: Line, record: Callable[[], JSON], files: _Uploads) -> Iterator[Line]:
    """The corrections of one task, all of them at its place."""
    try:
        value = record()
        if not isinstance(value, dict):
            raise BadInput("It isn't a JSON object. The file is a list of tasks with 'data' and 'annotations'.")
        shown, known, answers = _flat(value, files.source) if is_table(value) else _nested(value, files.source)
        task = task_of({name: files.found(held) for name, held in shown.items()}, files.source, known=known)
        made = list(corrections(task, answers))
    except (BadInput, RecursionError) as error:
        made = [sentence(error)]
    for part, each in enumerate(made, start=1):
        yield replace(line, found=each, part=part if len(made) > 1 else 0)


def _nested(value: Mapping[str, JSON], source: Source) -> tuple[Mapping[str, JSON], Collection[str], list[Answer]]:
    """What a task shows, and what was answered."""
    data, annotations = value.get("data"), value.get("annotations")
    if not isinstance(data, dict) or not isinstance(annotations, list):
        raise BadInput("It isn't a task with 'data' and 'annotations'. Export the project as JSON or JSON-MIN.")
    no_input(value, _TASK, "a task", source)
    answers: list[Answer] = []
    for annotation in objects(annotations):
        no_input(annotation, _ANNOTATION, "an annotation", source)
        if annotation.get("was_cancelled") is not True:
            by = _by(annotation.get("completed_by"), value.get("id"), annotation.get("id"), source)
            answers += [answer for result in objects(annotation.get("result")) for answer in _answers(result, by, source)]
    return data, (), answers


def _answers(result: Mapping[str, JSON], by: Provenance, source: Source) -> Iterator[Answer]:
    kind, value = result.get("type"), result.get("value")
    if not isinstance(value, dict):
        return
    if kind not in _SAID:
        if {"text", "choices"} & set(value) and kind not in _MARKED:
            raise BadInput(
                f"The type {quoted(kind)} of a result isn't known, and it says something. Texts and choices are answers."
            )
        return
    no_input(result, _RESULT, "a result", source)
    nothing_else(value, (_SAID[str(kind)], "start", "end"), "a result", source)
    said = value.get(_SAID[str(kind)])
    words = said if isinstance(said, list) else [said]
    name = str(result.get("from_name") or "")
    yield Answer(name, str(result.get("to_name") or ""), _one(words, name, source), by)


def _flat(value: Mapping[str, JSON], source: Source) -> tuple[Mapping[str, JSON], Collection[str], list[Answer]]:
    """What a row shows, and what was answered, told apart by the names of its columns."""
    by = _by(value.get("annotator"), value.get("id"), value.get("annotation_id"), source)
    names = [name for name, held in value.items() if ANSWERS.match(name) and name not in _FLAT and not says_nothing(held)]
    answers = []
    for name in names:
        held = value[name]
        said = maybe(held) if isinstance(held, str) else held
        if isinstance(said, dict) and set(said) <= {"text", "choices", "number"}:
            said = said.get("text") or said.get("choices")
        answers.append(Answer(name, "", _one(said if isinstance(said, list) else [held], name, source), by))
    return {name: held for name, held in value.items() if name not in names}, _FLAT, answers


def _one(words: list[JSON], name: str, source: Source) -> str:
    if len(words) != 1:
        raise BadInput(f"The answer {quoted(name)} has {len(words)} texts, and one answer is right. Give one.")
    return answer_of(words[0], source, what=f"answer {quoted(name)}")


def _by(author: JSON, task: JSON, annotation: JSON, source: Source) -> Provenance:
    """Who annotated: an address, or what the command says where there is only a number."""
    named = author.get("email") if isinstance(author, dict) else author
    known = isinstance(named, str) and not named.strip().isdecimal()
    known = known and bool(str(named).strip())
    ticket = ":".join(str(part) for part in ("labelstudio", task, annotation) if isinstance(part, str | int) and str(part))
    default = source.default
    return Provenance(str(named) if known else default.author, default.reason, ticket if ":" in ticket else default.ticket)


class _Uploads:
    """The pictures that were uploaded to Label Studio, as they lie in the folder of pictures."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._named: dict[str, str] = {}

    def found(self, value: JSON) -> JSON:
        """The path of a picture that is named as Label Studio serves it; anything else as it is.

        Raises:
            BadInput: it isn't there, or two pictures would be the same file.
        """
        if isinstance(value, list):
            return [self.found(item) for item in value]
        if not isinstance(value, str) or not value.startswith(_UPLOADS) or not is_picture(value):
            return value
        folder = self.source.folder
        path = next((path for path in uploaded(value, folder) if is_there(path)), None)
        if path is None:
            raise BadImage(f"There is no picture {shortened(value)} in {shortened(folder)}. Copy Label Studio's uploads there.")
        other = self._named.setdefault(str(path), value)
        if other != value:
            raise BadInput(
                f"{shortened(other)} and {shortened(value)} would both be {shortened(path)}. Name them as Label Studio did."
            )
        return str(path.absolute())
