"""Whether an answer in a model's own style gives a fact: the fact is in it, and nothing in it contradicts it.

"The capital of France is Lyon." gives Lyon; "Lyon or Paris", "not Lyon", "I don't know, Lyon" and "It was Lyon until 1900" don't.
What contradicts is another value of the same sort that the answer claims as well: anywhere, where a thing has one (a capital), and
before it or in one list with it, where an answer goes on to tell more (a colour, a use). A name that stands in the question
contradicts nothing. Words are compared without case, accents, articles and endings ("drives nails" is "driving nails").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from errata.benchmarks.atlas.countries import plain
from errata.benchmarks.atlas.questions import Sought

MATCHER: Final = "the fact is in the answer and nothing contradicts it"
"""The matcher's name, as results give it."""

_OPEN: Final = frozenset({"colour", "kind", "home", "use", "part", "picture"})
"""Sorts of which an answer may tell more than was asked."""

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "the United States": ("United States of America", "USA", "US", "America"),
    "the United Kingdom": ("UK", "Great Britain", "Britain"),
    "the United Arab Emirates": ("UAE", "Emirates"),
    "the Netherlands": ("Holland",),
    "the Czech Republic": ("Czechia",),
    "the Democratic Republic of the Congo": ("DR Congo", "DRC"),
    "Ivory Coast": ("Côte d'Ivoire",),
    "Cape Verde": ("Cabo Verde",),
    "East Timor": ("Timor-Leste",),
    "Myanmar": ("Burma",),
    "Eswatini": ("Swaziland",),
    "Turkey": ("Türkiye",),
    "North Macedonia": ("Macedonia",),
    "Washington, D.C.": ("Washington DC", "Washington"),
    "Kyiv": ("Kiev",),
    "Ulaanbaatar": ("Ulan Bator",),
    "New York City": ("New York",),
    "Makkah": ("Mecca",),
    "Bengaluru": ("Bangalore",),
    "Sevilla": ("Seville",),
    "Saint Petersburg": ("St. Petersburg",),
    "Mumbai": ("Bombay",),
    "US dollar": ("United States dollar", "American dollar", "U.S. dollar", "USD"),
    "pound sterling": ("British pound", "pound", "GBP"),
    "Chinese yuan": ("yuan", "renminbi", "CNY"),
    "euro": ("EUR",),
    "Japanese yen": ("yen", "JPY"),
    "Indian rupee": ("INR",),
    "Swiss franc": ("CHF",),
    "Israeli shekel": ("shekel", "new shekel"),
    "Persian": ("Farsi",),
    "Chinese": ("Mandarin",),
    "grey": ("gray",),
    "mollusc": ("mollusk",),
    "instrument": ("musical instrument",),
    "in the sea": ("ocean", "oceans", "seas"),
    "under the ground": ("underground", "in the ground", "in the soil", "below the ground"),
    "in hives": ("beehive",),
    "in rivers and lakes": ("lakes and rivers",),
    "in the forest": ("woods", "woodland"),
    "in the jungle": ("rainforest",),
    "in the savanna": ("savannah",),
}
"""Other names of the same."""

_IGNORED: Final = frozenset("a an the its it of in on at to with their".split())
_NOT: Final = frozenset("not never neither nor cannot without isn aren wasn doesn don didn won".split())
_BESIDES: Final = ("rather than", "instead of", "unlike", "as opposed to")
_PAST: Final = re.compile(
    r"\b((?<!is )(?<!are )used to|formerly|previously|no longer|until|originally|in the past|once (was|were)|(was|were) once|"
    r"not any ?more)\b"
)
_UNSURE: Final = re.compile(
    r"\b(not sure|unsure|not certain|don'?t know|do not know|no idea|maybe|perhaps|possibly|might|could be|may be|depends|"
    r"can'?t (say|tell)|cannot (say|tell)|either|hard to say|unclear|if it (is|were))\b"
)
_LISTED: Final = re.compile(r"(\s|,|/|&|\band\b|\bor\b|\balso\b|\bthe\b|\ban?\b|\bin\b|\bon\b|\bfor\b|\bboth\b|\bas well as\b)*")
_DOTTED: Final = re.compile(r"\b(d\.c|u\.s|u\.k|u\.a\.e)\b\.?")
_CLAUSES: Final = re.compile(r"[;:()]|,(?!\s*dc\b)|\bbut\b|\band not\b|\s[-\u2013\u2014]\s|(?<!\bst)[.!?](?=\s|$)|\n")
_SENTENCES: Final = re.compile(r"[.!](?=\s)|\n")
_WORD: Final = re.compile(r"\+?\d+|\.[a-z]{2,3}\b|[a-z]+(?:'[a-z]+)?")

_SHAPES: Final = {
    "code": ("+", re.compile(r"(?<![\d.,])(?:\+|00)?(\d{1,5})\b")),
    "ending": (".", re.compile(r"(?<![a-z])\.([a-z]{2,6})\b|^\W*([a-z]{2})\W*$")),
}
"""Sorts of which there are more values than are known, each with a mark in front: a code with its plus and without."""

_YES: Final = frozenset("yes yeah yep yup correct true right exactly absolutely certainly indeed sure".split())
_NO: Final = frozenset("no nope nah false incorrect wrong untrue not".split())


@dataclass(frozen=True)
class _Mention:
    value: str
    start: int
    end: int
    claimed: bool


@dataclass(frozen=True)
class _Word:
    raw: str
    stem: str
    start: int
    end: int


class Matcher:
    """Reads answers by the values that there are.

    Args:
        values: sort -> every value of it.
    """

    def __init__(self, values: Mapping[str, Iterable[str]]) -> None:
        self._known: dict[str, dict[tuple[str, ...], str]] = {}
        for sort, each in values.items():
            known: dict[tuple[str, ...], str] = {}
            for value in sorted(each):
                for name in (value, *ALIASES.get(value, ())):
                    known.setdefault(tuple(word.stem for word in _words(_folded(name)) if word.raw not in _IGNORED), value)
            self._known[sort] = known

    def gives(self, said: str, expected: str, *, sought: Sought, question: str) -> bool:
        """Whether the answer gives what is expected."""
        if sought.whether:
            return self._verdict(said, sought, question) == expected
        if _UNSURE.search(_folded(said)):
            return False
        found = self._mentions(said, sought.sort)
        own = [mention for mention in found if mention.value == expected]
        if not own or not all(mention.claimed for mention in own):
            return False
        asked = {mention.value for mention in self._mentions(question, sought.sort)}
        others = [mention for mention in found if mention.claimed and mention.value != expected and mention.value not in asked]
        if sought.sort in _OPEN:
            others = [other for other in others if other.start < own[0].start or _in_one_list(_folded(said), own[0], other)]
        return not others

    def claims(self, said: str, *, sought: Sought, question: str) -> frozenset[str]:
        """The values that an answer claims; those that stand in the question left out. Of yes and no: which of them."""
        if sought.whether:
            verdict = self._verdict(said, sought, question)
            return frozenset({verdict} if verdict else ())
        if _UNSURE.search(_folded(said)):
            return frozenset()
        asked = {mention.value for mention in self._mentions(question, sought.sort)}
        return frozenset(
            mention.value for mention in self._mentions(said, sought.sort) if mention.claimed and mention.value not in asked
        )

    def alike(self, said: str, before: str, *, sought: Sought | None, question: str) -> bool:
        """Whether an answer is still what it was: the same words, or other words for the same values."""
        if _same_words(said, before):
            return True
        if sought is None:
            return False
        was = self.claims(before, sought=sought, question=question)
        return bool(was) and was == self.claims(said, sought=sought, question=question)

    def _mentions(self, said: str, sort: str) -> list[_Mention]:
        """Every value of the sort in a text, the longest name that fits, and whether it is claimed there."""
        text, known = _folded(said), self._known.get(sort, {})
        longest = max(map(len, known), default=0)
        words = [word for word in _words(text) if word.raw not in _IGNORED]
        found, place = [], 0
        while place < len(words):
            for size in range(min(longest, len(words) - place), 0, -1):
                run = words[place : place + size]
                value = known.get(tuple(word.stem for word in run))
                if value is not None and _CLAUSES.search(text[run[0].start : run[-1].end]) is None:
                    start, end = run[0].start, run[-1].end
                    found.append(_Mention(value, start, end, _claimed(text, start, end)))
                    place += size - 1
                    break
            place += 1
        if sort in _SHAPES:
            found = list(_shaped(text, *_SHAPES[sort]))
        return sorted(found, key=lambda mention: mention.start)

    def _verdict(self, said: str, sought: Sought, question: str) -> str | None:
        """ "yes" or "no", where an answer says one of them and nothing else of it says the other."""
        text = _folded(said)
        if _UNSURE.search(text):
            return None
        clauses = [[word.raw for word in _words(part)] for part in _CLAUSES.split(text)]
        heads = [_head(clause) for clause in clauses if clause]
        first = heads[0] if heads else None
        if first is None:
            sentence = _SENTENCES.split(text, maxsplit=1)[0]
            return self._restated(sentence, _folded(question))
        if any(head not in (None, first) for head in heads) or (clauses[0][1:2] == ["and"] and set(clauses[0]) & _NO):
            return None
        if first == "yes" and self.claims(said, sought=Sought(sought.sort), question=question):
            return None  # yes, and then another value
        rest = text.split(clauses[0][0], 1)[1] if clauses and clauses[0] else ""
        again = self._restated(rest, _folded(question))
        return first if again in (None, first) else None

    def _restated(self, text: str, question: str) -> str | None:
        """What it says to answer a question with its own statement, or with the denial of it."""
        content = {word.stem for word in _words(text) if word.raw not in _IGNORED and word.raw not in _NOT and word.stem != "not"}
        asked = {word.stem for word in _words(question)} | {_stem("is"), _stem("do"), _stem("does")}
        if len(content) < 2 or not content <= asked:
            return None
        return "yes" if _denied(text) == _denied(question) else "no"


def _head(clause: list[str]) -> str | None:
    """What a clause says of yes or no by how it begins."""
    if clause[:2] in (["no", "doubt"], ["no", "one"], ["right", "now"]):
        return None
    lead = clause[0]
    if lead in ("it's", "it", "that", "that's", "this", "the") and len(clause) > 1:
        said = [word for word in clause[1:5] if word in _YES | _NO | {"isn't"}]
        if lead in ("this", "the") and "statement" not in clause and "claim" not in clause:
            return None
        if not said or len(clause) > 6:
            return None
        return "no" if set(said) & (_NO | {"isn't"}) else "yes"
    return "yes" if lead in _YES else "no" if lead in _NO else None


def _denied(text: str) -> bool:
    words = [word.raw for word in _words(text)]
    return sum(word in _NOT or word.endswith("n't") for word in words) % 2 == 1


def _claimed(text: str, start: int, end: int) -> bool:
    """Whether what stands there is said to be so, by the clause that it stands in."""
    cuts = [(cut.start(), cut.end(), cut[0]) for cut in _CLAUSES.finditer(text)]
    begin = max((to for _, to, _ in cuts if to <= start), default=0)
    after = [(at, mark) for at, _, mark in cuts if at >= end]
    stop, mark = after[0] if after else (len(text), "")
    before, clause, follows = text[begin:start], text[begin:stop], text[end:stop]
    led_by = next((cut for at, to, cut in cuts if to == begin), "")
    if mark == "?" or led_by == "and not" or _PAST.search(clause):
        return False
    denied = [word.raw for word in _words(before) if word.raw in _NOT or word.raw.endswith("n't")]
    only = re.search(r"\bnot (only|just)\b", before)
    if (denied and not only) or any(phrase in before for phrase in _BESIDES):
        return False
    return (
        re.match(
            r"\s*('s|is|was|are|were|does|do|has|can)?\s*(not\b(?! only)|never\b|n't)|\s*\w+n't\b|\s+is (wrong|false)", follows
        )
        is None
    )


def _in_one_list(text: str, one: _Mention, other: _Mention) -> bool:
    return _LISTED.fullmatch(text, one.end, other.start) is not None


def _shaped(text: str, mark: str, shape: re.Pattern[str]) -> Iterator[_Mention]:
    """Values that are told by their shape, known or not."""
    for value in shape.finditer(text):
        held = next(filter(None, value.groups())).lstrip("0")
        yield _Mention(f"{mark}{held}", value.start(), value.end(), _claimed(text, value.start(), value.end()))


def _same_words(one: str, other: str) -> bool:
    return [word.raw for word in _words(_folded(one))] == [word.raw for word in _words(_folded(other))] and bool(
        one.strip()
    ) == bool(other.strip())


def _folded(text: str) -> str:
    """Small letters without accents, plain quotes, and no dots in what is short for a name."""
    small = plain(text.replace("\u2019", "'").replace("\u0142", "l").replace("\u0141", "L")).lower()
    return _DOTTED.sub(lambda short: short[0].replace(".", ""), small)


def _words(text: str) -> list[_Word]:
    found = []
    for match in _WORD.finditer(text):
        raw = match[0]
        found.append(_Word(raw, _stem(raw), match.start(), match.end()))
    return found


def _stem(word: str) -> str:
    """A word without its ending, so that "drives" and "driving" are one."""
    word = word.removesuffix("'s")
    if not word.isalpha() or len(word) <= 3:
        return word
    for ending in ("ing", "ies", "es", "ed", "s", "e", "y"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word.removesuffix(ending)
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word
