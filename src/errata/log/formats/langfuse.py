"""Corrections that people made in Langfuse: scores of the type CORRECTION, each beside what the model had been asked.

A record is a score that carries its `input`, or its `trace` or `observation` with one; a trace or an observation with its `scores`;
or a page of these under `data`; or a row of a table of scores, with the input in a column. Other kinds of scores are no corrections
and are passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final, NamedTuple, TextIO

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.records import Edit, Message, Provenance
from errata.log.formats.conversations import answer_of, query_of
from errata.log.formats.fields import Source, no_input, objects, text
from errata.log.formats.jsonl import NameOf
from errata.log.formats.parts import is_literal
from errata.log.formats.records import Exported, Line, attempt, begins_json, json_records, parsed, sentence
from errata.log.formats.tables import Row, rows

_KINDS: Final = ("NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT", "CORRECTION")
"""The types of scores."""

_VALUES: Final = ("stringValue", "string_value", "longStringValue", "long_string_value", "value")
_SCORE: Final = (
    ("id", "name", "dataType", "data_type", "comment", "input", "output", "trace", "observation", "subject", "metadata", "source")
    + ("traceId", "trace_id", "observationId", "observation_id", "authorUserId", "author_user_id", "scores", "observations")
    + ("queueId", "queue_id", "configId", "config_id", "executionTraceId", "traceName", "trace_name", *_VALUES)
)
_HOLDER: Final = (
    ("id", "name", "input", "output", "scores", "observations", "metadata", "data", "trace", "traceId", "trace_id", "sessionId")
    + ("promptId", "prompt_id", "promptName", "prompt_name", "promptVersion", "prompt_version", "promptTokens", "usage")
    + ("usageDetails", "usage_details", "costDetails", "cost_details", "modelParameters", "model_parameters", "inputUsage")
    + ("inputCost", "input_cost", "inputPrice", "input_price", "calculatedInputCost", "totalCost", "toolDefinitions")
)
"""Fields of scores, and of traces and observations, whose names or values may look like input and whose meaning is known."""

_TICKET: Final = re.compile(r"langfuse:([^:\s]+)(?::([^:\s]+))?")


class _Found(NamedTuple):
    """A correction, and the input of what it corrects."""

    score: Mapping[str, JSON]
    input: JSON


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The corrections of a file, in order."""
    if not begins_json(file):
        for row in rows(file):
            record = partial(_as_score, row)
            yield from _lines(Line(row.number, row.read_bytes, "", "line"), record, source)
        return
    for raw in json_records(file):
        yield from _lines(Line(raw.number, raw.read_bytes, "", raw.unit), partial(parsed, raw), source)


def _lines(line: Line, record: Callable[[], JSON], source: Source) -> Iterator[Line]:
    """The corrections of one record, all of them at its place."""
    try:
        found = _corrections_in(record(), source)
    except (BadInput, RecursionError) as error:
        yield replace(line, found=sentence(error))
        return
    for part, each in enumerate(found, start=1):
        yield replace(line, found=attempt(partial(_edit, each, source)), part=part if len(found) > 1 else 0)


def _as_score(row: Row) -> JSON:
    """A row of a table of scores; the names of its columns are spelt with spaces, or as in the API."""
    return {_COLUMNS.get(_letters(name), name): cell for name, cell in row.fields().items() if cell}


def is_table(names: Collection[str]) -> bool:
    """Whether the columns of a table are those of scores."""
    known = {_COLUMNS.get(_letters(name), name) for name in names}
    return "dataType" in known and bool(known & {*_VALUES})


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    page = record.get("data")
    if isinstance(page, list) and page and isinstance(page[0], dict):
        record = page[0]
    return bool({"dataType", "data_type", "scores", "observations"} & set(record))


def _letters(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign.isalnum())


_COLUMNS: Final = {
    _letters(name): name
    for name in (
        "dataType",
        "stringValue",
        "longStringValue",
        "value",
        "traceId",
        "observationId",
        "authorUserId",
        "comment",
        "input",
    )
}


def _corrections_in(value: JSON, source: Source) -> list[_Found]:
    page = value.get("data") if isinstance(value, dict) else None
    records = page if isinstance(page, list) else [value]
    if isinstance(value, dict) and isinstance(page, list):
        no_input(value, ("data", "meta"), "a page", source)
    found: list[_Found] = []
    for each in records:
        if not isinstance(each, dict) or (_kind(each) is None and not {"scores", "observations"} & set(each)):
            raise BadInput(
                "It is neither a score nor a trace or an observation with 'scores'. docs/reference/import-file.md shows them."
            )
        found += _corrections(each, source)
    return found


def _kind(score: Mapping[str, JSON]) -> JSON:
    """What type of score it is; the API and the exports spell the field in two ways."""
    return score.get("dataType", score.get("data_type"))


def _corrects(score: Mapping[str, JSON]) -> bool:
    """Whether a score is a correction.

    Raises:
        BadInput: it is of no type that there is.
    """
    kind = _kind(score)
    if kind is None and any(isinstance(score.get(name), str) for name in _VALUES):
        raise BadInput("A score has no 'dataType', so it isn't known whether it is a correction. Give it.")
    if kind is not None and kind not in _KINDS:
        raise BadInput(f"The type of score {quoted(kind)} isn't known. The types are: {', '.join(_KINDS)}.")
    return kind == "CORRECTION"


def _corrections(value: Mapping[str, JSON], source: Source) -> Iterator[_Found]:
    """The corrections in a record, each once, whichever of the shapes it has."""
    if _kind(value) is not None:
        if _corrects(value):
            for name in ("trace", "observation"):
                beside = value.get(name)
                if isinstance(beside, dict):
                    no_input(beside, _HOLDER, f"the {name}", source)
            yield _Found(value, _input_beside(value))
        return
    for name in ("scores", "observations"):
        held = value.get(name)
        texts = isinstance(held, list) and any(isinstance(each, str) and each.lstrip().startswith("{") for each in held)
        if (held is not None and not isinstance(held, list)) or texts:
            raise BadInput(f"The field {name!r} isn't a list, so what is in it would be dropped. Give a list of objects.")
    trace = value.get("trace")
    top = trace if isinstance(trace, dict) else value
    holders = [*([] if top is value else [value]), top, *objects(value.get("observations"))]
    if top is not value:
        holders += objects(top.get("observations"))
    inputs = {_ref(each, "id"): each.get("input") for each in holders}
    seen: set[str] = set()
    for holder in holders:
        if lost := [name for name, held in holder.items() if name not in _HOLDER and any(_kind(each) for each in objects(held))]:
            raise BadInput(f"The field {quoted(lost[0])} of a trace isn't known, and there are scores in it. Call it 'scores'.")
    if any(_corrects(score) for holder in holders for score in objects(holder.get("scores"))):
        for holder in holders:
            no_input(holder, _HOLDER, "a trace or an observation", source)
    for holder in holders:
        for score in objects(holder.get("scores")):
            named = _ref(score, "id")
            if not _corrects(score) or (named and named in seen):
                continue
            seen.add(named)
            about = _about(score).observation  # not the trace's answer, then, but a step's
            beside = _input_beside(score)
            yield _Found(
                score, beside if beside is not None else inputs.get(about) if about else holder.get("input", top.get("input"))
            )


def _input_beside(score: Mapping[str, JSON]) -> JSON:
    """The input that a score carries itself: the observation's before the trace's."""
    for holder in (score, score.get("observation"), score.get("trace")):
        found: JSON = holder.get("input") if isinstance(holder, dict) else None
        if found not in (None, ""):
            return found
    return None


def _ref(value: Mapping[str, JSON], *names: str) -> str:
    return next((found for name in names if isinstance(found := value.get(name), str)), "")


class _About(NamedTuple):
    trace: str
    observation: str


def _about(score: Mapping[str, JSON]) -> _About:
    """What the score is attached to: two fields, or in the third version of the API a `subject`."""
    subject = score.get("subject")
    if isinstance(subject, dict):
        named, is_step = _ref(subject, "id"), subject.get("kind") == "observation"
        return _About(_ref(subject, "traceId") if is_step else named, named if is_step else "")
    return _About(_ref(score, "traceId", "trace_id"), _ref(score, "observationId", "observation_id"))


def _edit(found: _Found, source: Source) -> tuple[Edit, Provenance]:
    score = found.score
    if found.input is None or found.input == "":
        raise BadInput(
            "The correction has no 'input' beside it, so it isn't known what was asked. Put its trace's or observation's there."
        )
    no_input(score, _SCORE, "a score", source)
    edit = Edit(query=query_of(found.input, source), target=_target(score, source))
    trace, observation = _about(score)
    ticket = f"langfuse:{trace}{':' if observation else ''}{observation}" if trace else ""
    by = Provenance(
        author=given.words(_ref(score, "authorUserId", "author_user_id"), "author") or source.default.author,
        reason=text(score, "comment") or source.default.reason,
        ticket=given.words(ticket, "trace's id") or source.default.ticket,
    )
    return edit, by


def _target(score: Mapping[str, JSON], source: Source) -> str:
    """The corrected output: words, or what an assistant's message says."""
    told = [score[name] for name in _VALUES if isinstance(score.get(name), str | dict | list) and score[name]]
    if len({str(value) for value in told}) > 1:
        raise BadInput(f"The correction has several texts, {quoted(told[0])} and {quoted(told[1])}. Keep the right one.")
    if told:
        return answer_of(told[0], source, what="corrected output", bare=True)
    raise BadInput("The correction has no text: neither 'value' nor 'stringValue' has any. Give the corrected output.")


def write(file: TextIO, held: Iterator[Exported], name_of: NameOf) -> None:
    """Write each edit as the score that records it in Langfuse, with the messages that it corrects beside it."""
    for each in held:
        file.write(json.dumps(_score(each, name_of), ensure_ascii=False) + "\n")


def _score(held: Exported, name_of: NameOf) -> dict[str, JSON]:
    edit, by = held.edit, held.by
    score: dict[str, JSON] = {"name": "output", "dataType": "CORRECTION", "value": edit.target}
    if by.reason:
        score["comment"] = by.reason
    if known := _TICKET.fullmatch(by.ticket):
        score["traceId"] = known[1]
        score |= {"observationId": known[2]} if known[2] else {}
    score["metadata"] = {"edit": edit.id, "author": by.author, "ticket": by.ticket}
    score["input"] = [_told(message, name_of) for message in edit.query.messages]
    if held.before:
        score["output"] = held.before
    return score


def _told(message: Message, name_of: NameOf) -> JSON:
    if len(message.parts) == 1 and isinstance(message.parts[0], str) and is_literal(message.parts[0]):
        return {"role": message.role, "content": message.parts[0]}
    content: list[JSON] = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image_url", "image_url": {"url": name_of(part)}}
        for part in message.parts
    ]
    return {"role": message.role, "content": content}
