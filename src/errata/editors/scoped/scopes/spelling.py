"""How a question is spelled, and which of its sentences asks.

To a language model a name in lower case is another name, made of other tokens; people type both. And what stands before a question
moves its vector away from the bare one, which is what a correction mostly is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Final

_WORD: Final = re.compile(r"\w+")
_SENTENCES: Final = re.compile(r"(?<=[.!?\u2026])[\"')\u201d]?\s+")

_BEGINS: Final = frozenset(
    _WORD.findall(
        "a an and are at but by can could did do does for from give had has have how i if in is it may might my name now of on or "
        "our say should so tell that the there they this to was we were what when where which who whom whose why will with would "
        "you your"
    )
)
"""Words whose capital says that a sentence begins."""

_FEWEST: Final = 3
"""Words of a sentence that may ask by itself."""

_SHOUTED: Final = 3
"""Capitals alone are an abbreviation up to so many."""


def aligned(known: str, target: str, asked: str) -> tuple[str, str]:
    """A correction's question and another, each with the other's spelling of what it has in lower case, or in capitals alone.

    Args:
        known: the correction's question.
        target: its answer, of which the question may say a word, too.
        asked: the question.

    Returns:
        Both as they are read together.
    """
    by_asked, by_known = dict(_spelled(asked)), dict(_spelled(target)) | dict(_spelled(known))
    return _respelled(known, by_asked.get), _respelled(asked, by_known.get)


def as_spelled(text: str, spellings: Callable[[str], Collection[str]]) -> str:
    """A text with the words as others spell them; what they spell so, too, or don't have, stays.

    Args:
        spellings: folded word -> how the others spell it.
    """

    def spelled(match: re.Match[str]) -> str:
        word = match[0]
        known = () if word.casefold() in _BEGINS else spellings(word.casefold())
        return min(known) if known and word not in known else word

    return _WORD.sub(spelled, text)


def words_in(text: str) -> Iterator[str]:
    """The words of a text, as they are spelled."""
    return (match[0] for match in _WORD.finditer(text))


def asking(text: str) -> str:
    """The sentence of a text that asks: the last with a question mark, else the last; the whole where those are too short."""
    *_, last = sentences = _SENTENCES.split(text.strip())
    asks = [sentence for sentence in reversed(sentences) if sentence.rstrip("\"')\u201d ").endswith("?")]
    long = (sentence for sentence in (*asks, last) if sum(1 for _ in words_in(sentence)) >= _FEWEST)
    return next(long, text.strip())


def _respelled(text: str, better: Callable[[str], str | None]) -> str:
    def spelled(match: re.Match[str]) -> str:
        word = match[0]
        return (better(word.casefold()) or word) if _odd(word) else word

    return _WORD.sub(spelled, text)


def _spelled(text: str) -> Iterator[tuple[str, str]]:
    """Folded word -> the word, of those whose capital says something."""
    for word in words_in(text):
        if not _odd(word) and word != word.lower() and word.casefold() not in _BEGINS:
            yield word.casefold(), word


def _odd(word: str) -> bool:
    return word.islower() or (word.isupper() and len(word) > _SHOUTED)
