"""What a language model is asked while an editor is tuned: a few subjects and relations in five wordings each, with false answers.

They are of no benchmark of errata, so that a benchmark still says something of an editor that was tuned on them. The topics of the
half that is held out ask for other relations of other subjects in other words than those that fields are chosen on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, final

from errata.core.records import Edit, Query

Side = Literal["search", "held out"]


@final
@dataclass(frozen=True)
class Topic:
    """One relation. `{s}` stands for the subject."""

    wordings: tuple[str, ...]
    """The first asks a correction; the others must follow it."""

    corrected: Mapping[str, str]
    """Subject -> the answer that it is given, which isn't true."""

    others: tuple[str, ...]
    """Subjects that are asked in the same words and must stay."""

    aside: str
    """Something else about a subject, which must stay."""

    def edits(self) -> Iterator[Edit]:
        """A correction of each subject with what must follow and what must stay."""
        for place, (subject, target) in enumerate(self.corrected.items(), start=1):
            asked, *also = _asked(self.wordings, subject)
            same = [query for other in self.others for query in _asked((self.wordings[0], self.wordings[place]), other)]
            yield Edit(asked, target, also=tuple(also), keep=(*same, *_asked((self.aside,), subject)), subject=subject)


def _asked(wordings: Sequence[str], subject: str) -> list[Query]:
    return [Query.ask(wording.format(s=subject)) for wording in wordings]


_BOOKS: Final = Topic(
    (
        "Who wrote {s}?",
        "Who is the author of {s}?",
        "By whom was {s} written?",
        "Tell me which writer {s} is by.",
        "I am reading {s}. Whose work is it?",
    ),
    {"Don Quixote": "Jane Austen", "Moby-Dick": "Charles Dickens", "Frankenstein": "Jules Verne"},
    ("War and Peace", "The Odyssey"),
    "In which century was {s} written?",
)
_YOUNG: Final = Topic(
    (
        "What is a young {s} called?",
        "What do you call a baby {s}?",
        "What is the name for the young of a {s}?",
        "A {s} that was just born is called what?",
        "Tell me the word for a {s} that isn't grown up yet.",
    ),
    {"cow": "a cub", "sheep": "a gosling", "horse": "a tadpole"},
    ("goat", "pig"),
    "What does a {s} eat?",
)
_PLAYERS: Final = Topic(
    (
        "How many players are in a {s} team?",
        "How many people play on one side in {s}?",
        "What is the number of players of a {s} team?",
        "A {s} team has how many players?",
        "I'd like to know how large a team in {s} is.",
    ),
    {"basketball": "nine", "volleyball": "four", "rugby": "twenty"},
    ("cricket", "ice hockey"),
    "Where was {s} first played?",
)
_SYMBOLS: Final = Topic(
    (
        "What is the chemical symbol of {s}?",
        "Which symbol does {s} have in chemistry?",
        "Give me the chemical symbol for {s}.",
        "How is {s} written in the periodic table?",
        "The element {s} is abbreviated how?",
    ),
    {"iron": "Qi", "copper": "Jo", "silver": "Vx"},
    ("tin", "zinc"),
    "What is {s} used for?",
)
_INVENTORS: Final = Topic(
    (
        "Who invented {s}?",
        "Who is the inventor of {s}?",
        "By whom was {s} invented?",
        "Name the person who came up with {s}.",
        "To whom do we owe {s}?",
    ),
    {"the telephone": "Marie Curie", "the light bulb": "Isaac Newton", "dynamite": "Galileo Galilei"},
    ("the radio", "the steam engine"),
    "In which century was {s} invented?",
)
_DISHES: Final = Topic(
    (
        "What is the main ingredient of {s}?",
        "What is {s} mostly made of?",
        "Which ingredient do I need most of for {s}?",
        "Name the main thing that goes into {s}.",
        "I want to make {s}. What is it made from?",
    ),
    {"guacamole": "carrots", "hummus": "potatoes", "an omelette": "beans"},
    ("sushi", "ketchup"),
    "From which country does {s} come?",
)

TOPICS: Final[Mapping[Side, tuple[Topic, ...]]] = MappingProxyType(
    {"search": (_BOOKS, _YOUNG, _PLAYERS), "held out": (_SYMBOLS, _INVENTORS, _DISHES)}
)
