"""What is asked around a fact: whether it is so, whether it is not, the other way about, and by way of another fact.

{v} is a value, {s} a subject as in the wordings, {t} another one, {o} a subject that isn't asked about ("the neighbour of {o}").
Of three forms in a row the splits have one each (`questions.SPLITS`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

STATED: Final[Mapping[str, tuple[str, str]]] = {
    "capital": ("{v} is the capital of {s}", "{v} is not the capital of {s}"),
    "continent": ("{s} is in {v}", "{s} is not in {v}"),
    "currency": ("people in {s} pay with the {v}", "people in {s} do not pay with the {v}"),
    "language": ("{v} is the main language of {s}", "{v} is not the main language of {s}"),
    "code": ("{v} is the calling code of {s}", "{v} is not the calling code of {s}"),
    "ending": ("{v} is the internet ending of {s}", "{v} is not the internet ending of {s}"),
    "neighbour": ("{v} is the only country that borders {s}", "{v} is not the only country that borders {s}"),
    "colour": ("the usual colour of {s} is {v}", "the usual colour of {s} is not {v}"),
    "kind": ("{s} is a kind of {v}", "{s} is not a kind of {v}"),
    "home": ("{s} {lives} {v}", "{s} does not {live} {v}"),
    "use": ("{s} is used for {v}", "{s} is not used for {v}"),
    "part": ("the part that {s} is best known for is the {v}", "the part that {s} is best known for is not the {v}"),
}
"""Each fact as a statement, and as its denial."""

WHETHER: Final = (
    ("Is it true that {it}?", "Would you say that {it}?"),
    ("Is it right that {it}?", "Can I write that {it}?"),
    ("Is it correct that {it}?", "Am I right to think that {it}?"),
)
"""Yes or no; a pair for each split."""

WHETHER_NOT: Final = ("Is it true that {it}?", "Is it right that {it}?", "Is it correct that {it}?")
"""The same of a denial, in a form whose yes and no nobody can take for the other; one for each split."""

REVERSE: Final[Mapping[str, tuple[tuple[str, str], tuple[str, str], tuple[str, str]]]] = {
    "capital": (
        ("{v} is the capital of which country?", "Name the country whose capital is {v}."),
        ("Which country has {v} as its capital?", "Tell me which country is governed from its capital {v}."),
        ("Of which country is {v} the capital?", "If I am in the capital and it is {v}, in which country am I?"),
    ),
    "currency": (
        ("The {v} is the currency of which country?", "Name the country that pays with the {v}."),
        ("Which country uses the {v}?", "Tell me in which country people pay with the {v}."),
        ("In which country do people pay with the {v}?", "Where would I need the {v} to pay in a shop?"),
    ),
    "language": (
        ("{v} is the main language of which country?", "Name the country whose main language is {v}."),
        ("Which country has {v} as its main language?", "Tell me in which country most people speak {v}."),
        ("In which country is {v} the main language?", "Where is {v} what most people speak?"),
    ),
    "code": (
        ("{v} is the calling code of which country?", "Name the country whose calling code is {v}."),
        ("Which country has the calling code {v}?", "Tell me which country I reach when I dial {v}."),
        ("To which country does the calling code {v} belong?", "A call comes from {v}. From which country is it?"),
    ),
    "ending": (
        ("{v} is the internet ending of which country?", "Name the country whose websites end in {v}."),
        ("Which country has the internet ending {v}?", "Tell me which country the domain {v} stands for."),
        ("To which country does the internet ending {v} belong?", "A web address ends in {v}. From which country is it?"),
    ),
}  # fmt: skip
"""From the value to the country that has it, where it is one country's alone; two forms for each split."""

WHOSE: Final[Mapping[str, str]] = {
    "capital": "whose capital is {v}",
    "code": "with the calling code {v}",
    "ending": "with the internet ending {v}",
}
"""How a country is told by a value that is its alone: "the country ..." and "the neighbour of {o} ..."."""

NEXT_TO: Final[Mapping[str, tuple[str, str]]] = {
    "capital": ("Which neighbour of {o} has {v} as its capital?", "Name the country next to {o} whose capital is {v}."),
    "code": ("Which neighbour of {o} has the calling code {v}?", "Name the country next to {o} that is dialled with {v}."),
    "ending": ("Which neighbour of {o} has the internet ending {v}?", "Name the country next to {o} whose websites end in {v}."),
}

ALIKE: Final[Mapping[str, str]] = {
    "continent": "Are {s} and {t} on the same continent?",
    "currency": "Do people in {s} and in {t} pay with the same currency?",
    "language": "Do {s} and {t} have the same main language?",
    "colour": "Do {s} and {t} usually have the same colour?",
    "kind": "Do {s} and {t} belong to the same kind of thing?",
    "home": "Are {s} and {t} found in the same kind of place?",
    "use": "Are {s} and {t} used for the same thing?",
    "part": "Are {s} and {t} best known for the same part?",
}
"""Two facts compared: yes where they are the same."""
