"""What annotators wrote in Argilla: its records as JSON, nested as the interface gives them or flat.

    [{"id": "1", "fields": {"question": "what is it?", "image": "data:image/png;base64,..."},
      "responses": {"corrected": [{"value": "a ring", "user_id": "u1", "status": "submitted"}]}}]

A text that was written, or a label that was chosen, is the right answer. Suggestions are the model's and no corrections, and
neither are drafts and what was discarded. Numbers (ratings) are no answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, Final, NamedTuple

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.records import Provenance
from errata.log.formats.annotations import ANSWERS, Answer, corrections, task_of
from errata.log.formats.conversations import answer_of
from errata.log.formats.fields import Source, no_input, nothing_else, objects, says_nothing, within
from errata.log.formats.records import Line, json_records, parsed, sentence

_RECORD: Final = ("id", "status", "fields", "metadata", "suggestions", "responses", "vectors", "external_id", "inserted_at")
_FLAT: Final = ("id", "_server_id", "status", "metadata", "vectors", "external_id", "inserted_at", "updated_at")
_RESPONSE: Final = ("value", "user_id", "status", "question_name", "inserted_at", "updated_at", "id")
_REASONS: Final = ("reason", "comment", "comments", "feedback", "explanation", "note", "notes")


class _Said(NamedTuple):
    """A response of one annotator to one question."""

    name: str
    value: JSON
    user: str
    status: str


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order."""
    for raw in json_records(file):
        line = Line(raw.number, raw.read_bytes, "", raw.unit)
        try:
            value = parsed(raw)
            if not isinstance(value, dict):
                raise BadInput("It isn't a JSON object. The file is a list of records with 'fields' and 'responses'.")
            flat = not isinstance(value.get("fields"), dict)
            shown, said = _flat(value) if flat else _nested(value, source)
            task = task_of(shown, source, known=_FLAT if flat else ())
            made = list(corrections(task, _answers(value, said, source)))
        except (BadInput, RecursionError) as error:
            made = [sentence(error)]
        for part, each in enumerate(made, start=1):
            yield replace(line, found=each, part=part if len(made) > 1 else 0)


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    nested = isinstance(record.get("fields"), dict) and bool({"responses", "suggestions"} & set(record))
    return nested or any(name.endswith(".responses") for name in record)


def _nested(value: Mapping[str, JSON], source: Source) -> tuple[Mapping[str, JSON], list[_Said]]:
    no_input(value, _RECORD, "a record", source)
    fields, responses = value["fields"], value.get("responses")
    assert isinstance(fields, dict), "it was looked at by who chose this shape"
    said: list[_Said] = []
    if isinstance(responses, dict):
        for name, items in responses.items():
            if name not in source.ignored and not (isinstance(items, list) and all(isinstance(item, dict) for item in items)):
                raise BadInput(
                    f"The response {quoted(name)} isn't a list of objects with 'value'. Export the records as Argilla does."
                )
            for item in objects(items):
                with within(name):
                    nothing_else(item, _RESPONSE, "a response", source)
                said.append(_Said(name, item.get("value"), _text(item, "user_id"), _text(item, "status")))
    for response in objects(responses):  # as the first version had them: one object to an annotator
        values = response.get("values")
        for name, item in values.items() if isinstance(values, dict) else ():
            held = item.get("value") if isinstance(item, dict) else item
            said.append(_Said(name, held, _text(response, "user_id"), _text(response, "status")))
    return fields, said


def _flat(value: Mapping[str, JSON]) -> tuple[Mapping[str, JSON], list[_Said]]:
    """A record whose responses stand beside its fields, as `corrected.responses`."""
    names = [name.removesuffix(".responses") for name in value if name.endswith(".responses")]
    said: list[_Said] = []
    for name in names:
        users, states = (value.get(f"{name}.responses.{each}") for each in ("users", "status"))
        items = value[f"{name}.responses"]
        for number, item in enumerate(items if isinstance(items, list) else [items]):
            user, state = (each[number] if isinstance(each, list) and number < len(each) else "" for each in (users, states))
            said.append(_Said(name, item, str(user or ""), str(state or "")))
    beside = tuple(f"{name}." for name in names)
    return {name: held for name, held in value.items() if not name.startswith(beside)}, said


def _text(value: Mapping[str, JSON], name: str) -> str:
    held = value.get(name)
    return held if isinstance(held, str) else ""


def _answers(value: Mapping[str, JSON], said: list[_Said], source: Source) -> list[Answer]:
    """The answers among the responses; the reason beside one is its reason."""
    if value.get("status") == "discarded":
        said = []
    given_up = ("draft", "discarded", "pending")
    worded = [
        each for each in said if each.status not in given_up and isinstance(each.value, str | dict) and not says_nothing(each.value)
    ]
    reasons = {each.user: str(each.value) for each in worded if each.name.lower() in _REASONS}
    right = [each for each in worded if each.name.lower() not in _REASONS]
    names = list(dict.fromkeys(each.name for each in right))
    called = [name for name in names if ANSWERS.match(name)]
    if len(names) > 1 and len(called) == 1:
        names = called
    elif len(names) > 1 and not called:
        raise BadInput(
            f"It has several responses, {', '.join(map(quoted, names[:4]))}, and it isn't known which is the right answer. Call it "
            "'answer', 'target' or 'corrected', or pass the others over with --ignore."
        )
    ticket = f"argilla:{value['id']}" if isinstance(value.get("id"), str | int) else source.default.ticket
    return [
        Answer(
            each.name,
            "",
            answer_of(each.value, source, what=f"response {quoted(each.name)}"),
            Provenance(
                given.words(each.user, "user's id") or source.default.author,
                given.words(reasons.get(each.user, ""), "reason") or source.default.reason,
                given.words(ticket, "record's id"),
            ),
        )
        for each in right
        if each.name in names
    ]
