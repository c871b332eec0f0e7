"""CounterFact as ROME and MEMIT lay it out, and MQuAKE: what is to be rewritten, with the subject put into a prompt.

    {"requested_rewrite": {"prompt": "{} lives in", "subject": "Mibo", "target_new": {"str": "Oslo"}},
     "paraphrase_prompts": ["The home of Mibo is"], "neighborhood_prompts": ["Ravo lives in"]}

The prompt must give `target_new`, and so must its paraphrases. Neighbours are probes of what must not move: `with_locality` makes
them `keep`. A record with several rewrites is as many corrections.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import BinaryIO, Final

from errata.core import given
from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.records import Edit, Provenance, Query
from errata.log.formats.conversations import answer_of
from errata.log.formats.fields import Source, needed, nothing_else, says_nothing, text
from errata.log.formats.records import Line, attempt, values

_REWRITE: Final = "requested_rewrite"
_PASSED_OVER: Final = (
    "case_id",
    "pararel_idx",
    "known_id",
    "attribute_prompts",
    "generation_prompts",
    "questions",
    "answer",
    "answer_alias",
    "orig",
) + ("new_answer", "new_answer_alias", "single_hops", "new_single_hops")
"""What the exam asks beside the rewrite, and its answers."""


def read(file: BinaryIO, source: Source) -> Iterator[Line]:
    """The edits of a file, in order."""
    for line, value in values(file):
        if line.found:
            yield line
            continue
        rewrites = value.get(_REWRITE) if isinstance(value, dict) else None
        several = rewrites if isinstance(rewrites, list) and rewrites else [rewrites]
        for part, each in enumerate(several, start=1):
            made = attempt(partial(_edit, value, each, len(several) == 1, source))
            yield replace(line, found=made, part=part if len(several) > 1 else 0)


def recognises(record: Mapping[str, JSON]) -> bool:
    """Whether a record is of this format, by its keys."""
    return _REWRITE in record


def _edit(value: JSON, rewrite: JSON, alone: bool, source: Source) -> tuple[Edit, Provenance]:
    if not isinstance(value, dict) or not isinstance(rewrite, dict):
        raise BadInput(f"It has no {_REWRITE!r} with 'prompt', 'subject' and 'target_new'. Is it a data set of ROME's kind?")
    nothing_else(value, (_REWRITE, "paraphrase_prompts", "neighborhood_prompts", *_PASSED_OVER), "a record", source)
    known = ("prompt", "subject", "target_new", "target_true", "relation_id", "id", "question")
    nothing_else(rewrite, known, f"{_REWRITE!r}", source)
    prompt, subject = needed(rewrite, "prompt", "Every rewrite needs it."), text(rewrite, "subject") or ""
    if "{}" in prompt and not subject.strip():
        raise BadInput("The prompt has a place for the subject, and the field 'subject' says none. Give it.")
    new = rewrite.get("target_new")
    if isinstance(new, dict):
        nothing_else(new, ("str", "id"), "'target_new'", source)
        new = new.get("str")
    if new is None:
        raise BadInput("The field 'target_new' is missing. Every rewrite needs it.")
    asks = _asked(rewrite, prompt.replace("{}", subject)) if alone else (given.asked(prompt.replace("{}", subject), ()),)
    paraphrases = _texts(value, "paraphrase_prompts") if alone else []
    edit = Edit(
        query=asks[0],
        target=answer_of(new, source, what="field 'target_new'"),
        also=(*asks[1:], *(given.asked(words, ()) for words in paraphrases)),
        keep=tuple(given.asked(words, ()) for words in _texts(value, "neighborhood_prompts")) if source.with_locality else (),
        subject=subject or None,
    )
    return edit, source.default


def _asked(rewrite: Mapping[str, JSON], prompt: str) -> tuple[Query, ...]:
    """The prompt with its subject, and the same as a question where the record has it."""
    question = text(rewrite, "question")
    return given.asked(prompt, ()), *((given.asked(question, ()),) if question and question.strip() else ())


def _texts(value: Mapping[str, JSON], name: str) -> list[str]:
    items = value.get(name)
    if items is None:
        return []
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise BadInput(f"The field {name!r} isn't a list of texts. Give texts.")
    return [given.words(str(item), f"field {name!r}") for item in items if not says_nothing(item)]
