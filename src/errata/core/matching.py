"""When two answers are the same: exactly, but for white space at the ends and between words. And when two questions are."""

from __future__ import annotations

from errata.core.canonical import JSON, digest_of_json
from errata.core.records import Query

MATCHER = "exact, white space folded"
"""The matcher's name, as results give it."""


def same(a: str, b: str) -> bool:
    """Whether two answers are the same text, white space folded; case and punctuation count."""
    return " ".join(a.split()) == " ".join(b.split())


def question(query: Query, decoder: int) -> str:
    """The digest that names a question: the same where its pictures show the same pixels, whatever their bytes.

    Raises:
        BadImage: a picture can't be decoded.
    """
    if not query.images:
        return query.digest
    messages: list[JSON] = [
        {"role": said.role, "parts": [part if isinstance(part, str) else {"shown": part.shown(decoder)} for part in said.parts]}
        for said in query.messages
    ]
    return digest_of_json({"messages": messages})
