"""When two answers are the same, and when two questions are.

Answers: exactly, but for white space. Questions: as a person would say it. Another case, white space, an end without its question
mark, or other bytes of Unicode for the same letters make no other question, so that a correction of one takes the place of a
correction of the other. This decides only which edits take each other's place: the model is asked what was typed.
"""

from __future__ import annotations

import unicodedata
from typing import Final

from errata.core.canonical import JSON, digest_of_json
from errata.core.images import NEWEST
from errata.core.records import Query

MATCHER = "exact, white space folded"
"""The matcher's name, as results give it."""

QUESTIONS: Final = 1
"""The rule by which a new branch tells questions apart, kept in its first entry (`questions`).

0, which is meant where nothing is said: by every byte of the query. 1: as `asks` has it."""

_SAYS_MORE: Final = frozenset({"<super>", "<sub>", "<fraction>", "<circle>", "<square>", "<font>"})
"""How a character is made of others, where it says more than they do: 5² isn't 52. All others are another way to write."""

_UNSEEN: Final = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
_TYPED: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u02bc": "'", "\u201c": '"', "\u201d": '"', "\u037e": "?"})
"""Quotes that a keyboard makes round, and the Greek question mark, which Unicode otherwise takes for a semicolon."""

_ENDS: Final = " ?\u061f.\u3002"


def same(a: str, b: str) -> bool:
    """Whether two answers are the same text, white space folded; case and punctuation count."""
    return " ".join(a.split()) == " ".join(b.split())


def asks(query: Query, *, rule: int = QUESTIONS, decoder: int = NEWEST) -> str:
    """The name of what a query asks: two queries of the same name are the same question.

    Args:
        query: who says what, and the pictures, which are the same where they show the same pixels, whatever their bytes.
        rule: the branch's, one of those that `QUESTIONS` tells of.
        decoder: how the branch decodes pictures.

    Raises:
        BadImage: a picture can't be decoded.
    """
    if rule == 0 and not query.images:
        return query.digest
    messages: list[JSON] = [
        {
            "role": message.role,
            "parts": [_named(part, rule) if isinstance(part, str) else {"shown": part.shown(decoder)} for part in message.parts],
        }
        for message in query.messages
    ]
    return digest_of_json({"questions": rule, "messages": messages} if rule else {"messages": messages})


def _named(text: str, rule: int) -> str:
    return worded(text) if rule else text


def worded(text: str) -> str:
    """The words without how they were typed: case, white space, quotes, Unicode's other bytes for them, a mark at the end."""
    plain = unicodedata.normalize("NFC", "".join(map(_plain, text.translate(_TYPED).translate(_UNSEEN))))
    words = " ".join(unicodedata.normalize("NFC", plain.casefold()).split())
    return words.rstrip(_ENDS).lstrip("\u00bf ") or words


def _plain(char: str) -> str:
    made = unicodedata.decomposition(char).partition(" ")[0]
    return char if made in _SAYS_MORE else unicodedata.normalize("NFKC", char)
