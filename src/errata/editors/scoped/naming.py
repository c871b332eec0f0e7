"""What a picture shows, in the words of the model that is corrected: so a correction in words concerns a question on a picture.

A question on a picture says "this country" where a correction in words says "Norway", and no nearness of words makes them one. But
a model that sees can be asked what it sees. What it says stands behind the question, as a picture's subject stands behind a
correction's (`memory.named_beside`), and the question is in words: "what do people in this country pay with? (the flag of Norway)".
Each picture is asked about once, as long as it is remembered; the model answers as it does without any correction.

A question that asks what the picture shows ("whose flag is this?") is about no correction of it. With the name behind it a scope
that reads takes it for one, so the scope is asked first whether it is the same question as "What do you see here?".
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial
from typing import Final, final

from errata.core.cache import Recent
from errata.core.canonical import JSON
from errata.core.editor import Reranks
from errata.core.images import Image
from errata.core.model import Model, fits
from errata.core.records import Message, Query
from errata.editors.scoped.memory import named_beside
from errata.nn.patches import NoPatch

_ASKED: Final = "What is in this picture?"
_TOKENS: Final = 16
"""Of its answer, at most: a name, not a description."""

_SHOWN: Final = ("What do you see here?", "What is this a picture of?")
"""A question that concerns one of these, told the name, asks for nothing else."""

_REMEMBERED: Final = 1 << 20
"""Characters of answers that are kept."""

_SENTENCE: Final = re.compile(r"[.!?](\s|$)|\n")


@final
class Naming:
    """See the top of this file."""

    def __init__(self) -> None:
        self._said: Recent[tuple[str, str], str] = Recent(_REMEMBERED, len)

    def spec(self) -> dict[str, JSON]:
        """What is asked, and how long an answer may be."""
        return {"asked": _ASKED, "tokens": _TOKENS}

    def worded(self, model: Model, query: Query) -> Query | None:
        """The question in words, with what its pictures show behind it; None where there are none, or nothing is said of them.

        Raises:
            BadImage: a picture can't be decoded.
        """
        named = self._named(model, query)
        if not named:
            return None
        last = max(place for place, message in enumerate(query.messages) if message.role == "user")
        messages = [_in_words(message) for message in query.messages]
        messages[last] = Message("user", (named_beside(messages[last].text or "?", named),))
        return Query(tuple(message for message in messages if message.parts))

    def asked_for(self, model: Model, query: Query, scope: Reranks, *, inside: float) -> bool:
        """Whether the question asks what its pictures show, by a scope that reads: a rho of at least `inside`.

        Raises:
            BadImage: a picture can't be decoded.
        """
        named = self._named(model, query)
        judged = scope.judged(model, Query.ask(query.text), [(shown, named) for shown in _SHOWN])
        return any(each.rho >= inside for each in judged)

    def _named(self, model: Model, query: Query) -> str:
        said = [self._said.get((model.digest, image.shown(model.decoder)), partial(_said, model, image)) for image in query.images]
        return ", ".join(filter(None, said))


def _said(model: Model, image: Image) -> str:
    """The first sentence of what the model answers, without its end; nothing where it can't be asked."""
    query = Query.ask(_ASKED, image)
    if not fits(model, query):
        return ""
    (answer,) = model.answers([query], [NoPatch()], max_new_tokens=_TOKENS)
    return _SENTENCE.split(answer.strip(), maxsplit=1)[0].strip()


def _in_words(message: Message) -> Message:
    return replace(message, parts=tuple(part for part in message.parts if isinstance(part, str)))
