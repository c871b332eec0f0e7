"""What annotators answered to the questions of a task: which field each answer is about, and the corrections that they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, NamedTuple

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted
from errata.core.images import Image
from errata.core.records import Edit, Message, Provenance, Query
from errata.log.formats.conversations import EARLIER, PICTURES, QUESTIONS, SYSTEMS, asked, conversation, shown_in
from errata.log.formats.fields import Source, given_as, is_known, is_picture, nothing_else, says_nothing, within
from errata.log.formats.parts import picture_of
from errata.log.formats.records import Found, attempt

_NUMBER: Final = re.compile(r"\d+$")
_WORDED: Final = (*QUESTIONS, "instruction", "text")
ANSWERS: Final = re.compile(r"(?:answer|correct|target|response|right|gold|label)", re.IGNORECASE)
"""How the names of fields begin in which annotators say what is right."""


class Answer(NamedTuple):
    """What an annotator said."""

    name: str
    """Of the place where it was written."""

    about: str
    """Which field of the task it is about, where the tool says so."""

    words: str
    by: Provenance


@dataclass(frozen=True)
class Task:
    """What annotators were shown."""

    words: Mapping[str, str]
    """Its texts, any of which may be the question."""

    before: tuple[Message, ...]
    """System prompts and earlier turns."""

    images: tuple[Image, ...]
    asked: Query | None
    """A conversation, in place of a text."""

    said_in: str = ""
    """The field that has it."""


def task_of(value: Mapping[str, JSON], source: Source, *, known: Collection[str] = ()) -> Task:
    """What a task shows: every field of it is read, or it is bad.

    Args:
        known: fields that say nothing that a model would be told.

    Raises:
        BadInput: a picture can't be read, or a field can't be told what it is.
    """
    fields = {
        name: held
        for name, held in value.items()
        if not says_nothing(held) and not is_known(name, held, known) and name not in source.ignored
    }
    talk: dict[str, JSON] = {}
    words: dict[str, str] = {}
    images: list[Image] = []
    rest: dict[str, JSON] = {}
    where = ""
    for name, held in fields.items():
        if name in (*SYSTEMS, *EARLIER):
            talk[name] = held
        elif _is_shown(name, held):
            with within(name):
                images += [picture_of(each, source) for each in (held if isinstance(held, list) else [held])]
        elif isinstance(held, str):
            words[name] = given.words(held, f"field {quoted(name)}")
        elif isinstance(held, list) and _is_chat(held) and "messages" not in talk:
            talk["messages"], where = held, name
        else:
            rest[name] = held
    nothing_else(rest, (), "a task", source)
    if "messages" in talk:
        what = f"field {quoted(where)}"
        return Task(words, (), (), asked(shown_in(conversation(talk, source, what=what), images, what), what), where)
    before = conversation({**talk, "question": "?"}, source, what="task")[:-1] if talk else ()
    return Task(words, before, tuple(images), None)


def corrections(task: Task, answers: Sequence[Answer]) -> Iterator[Found]:
    """The correction of each answer, and a sentence for each question of the task that nobody answered."""
    if not answers:
        yield "Nobody has answered it, so nothing says what is right. Leave it out, or export what is annotated."
        return
    pairs = [(answer, "" if task.asked is not None else _question(task, answer)) for answer in answers]
    used = {name for _, name in pairs}
    left = [name for name in task.words if name not in used]
    apart = [name for name in left if _NUMBER.search(name) and any(_stem(name) == _stem(other) for other in used)]
    beside = [name for name in left if name not in apart]
    for answer, name in pairs:
        yield attempt(partial(_edit, task, answer, name, beside))
    for name in apart:
        yield f"Nobody has answered the question in the field {quoted(name)}, so nothing says what is right."


def _edit(task: Task, answer: Answer, name: str, beside: Sequence[str]) -> tuple[Edit, Provenance]:
    if beside:
        said = "the question" if task.asked is None else f"the conversation in {quoted(task.said_in)}"
        raise BadInput(
            f"The field {quoted(beside[0])} of the task says something beside {said}, and it isn't known what. Leave it out "
            f"of the file, or pass it over with --ignore {given_as(beside[0])}."
        )
    if task.asked is not None:
        return Edit(query=task.asked, target=given.words(answer.words, "answer")), answer.by
    if not name:
        raise BadInput(
            f"It can't be told which question the answer {quoted(answer.name)} is about; the texts of the task are: "
            f"{', '.join(map(quoted, task.words)) or 'none'}. Number both (q1, answer1), or call the question 'question'."
        )
    query = Query((*task.before, *given.asked(task.words[name], task.images).messages))
    return Edit(query=query, target=given.words(answer.words, "answer")), answer.by


def _question(task: Task, answer: Answer) -> str:
    """The field that an answer is about; "" where it can't be told, or where the task is a conversation."""
    words = task.words
    if answer.about in words:
        return answer.about
    if len(words) == 1:
        return next(iter(words))
    number = _NUMBER.search(answer.name)
    same = [name for name in words if number and (found := _NUMBER.search(name)) and found[0] == number[0]]
    named = [name for name in words if name.lower() in _WORDED]
    return same[0] if len(same) == 1 else named[0] if len(named) == 1 else ""


def _stem(name: str) -> str:
    return _NUMBER.sub("", name)


def _is_shown(name: str, value: JSON) -> bool:
    """Whether a field is a picture, by its name or by what it says."""
    if isinstance(value, str):
        return is_picture(value) or name.lower() in PICTURES
    if isinstance(value, list):
        return all(isinstance(each, str) and (is_picture(each) or name.lower() in PICTURES) for each in value)
    return isinstance(value, dict) and name.lower() in PICTURES


def _is_chat(value: Sequence[JSON]) -> bool:
    return all(isinstance(each, dict) and {"role", "from"} & set(each) for each in value)
