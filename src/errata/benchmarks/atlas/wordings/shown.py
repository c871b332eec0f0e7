"""Wordings that ask what a picture shows: of a flag whose it is, of a thing what it is; nine constructions, three of each."""

from __future__ import annotations

from typing import Final

from errata.benchmarks.atlas.wordings.of_countries import Rows

FLAG: Final[Rows] = (
    ("Which country's flag is this?", "Whose flag is this?", "What country does this flag belong to?"),
    ("Name the country with this flag.", "Tell me whose flag this is.", "Say which country flies this flag."),
    ("Country of this flag?", "This flag: which country?", "Flag of which country?"),
    (
        "I'd like to know which country this flag belongs to.",
        "Could you tell me whose flag this is?",
        "Do you know which country flies this flag?",
    ),
    (
        "I saw this on a ship in the harbour this morning. Which country is it from?",
        "We have a quiz tonight and I am learning flags. Whose is this one?",
        "My daughter drew this for school. Which country's flag did she draw?",
    ),
    ("Wich country's flag is this?", "Whose falg is this?", "What contry does this flag belong to?"),
    ("which country has this flag", "whose flag am i looking at", "flag of what country"),
    ("This is the flag of which country?", "Of which country is this the flag?", "The flag you see here is whose?"),
    (
        "Which nation is this the banner of?",
        "Where would I see this flying over the parliament?",
        "If an athlete wears this on the shirt, where does he come from?",
    ),
)

THING: Final[Rows] = (
    ("What is shown in this picture?", "What thing is this?", "What is it that this picture shows?"),
    ("Name the thing in this picture.", "Tell me what is shown here.", "Say what this is a picture of."),
    ("Thing in this picture?", "This picture: what?", "A picture of what?"),
    (
        "I'd like to know what this picture shows.",
        "Could you tell me what thing this is?",
        "Do you know what is shown here?",
    ),
    (
        "My son found this in his picture book. What is it called?",
        "I have to label some pictures for work. What do I write under this one?",
        "I left my glasses at home. What is it that I see here?",
    ),
    ("Waht is shown in this picture?", "What thign is this?", "What is it taht this picture shows?"),
    ("what is this a picture of", "what thing do i see here", "what does this picture show"),
    ("This is a picture of what?", "Of what is this a picture?", "The thing you see here is what?"),
    (
        "Which object is depicted here?",
        "How would a dictionary head the page with this drawing?",
        "What did the artist draw here?",
    ),
)

STATED: Final = {
    "flag": ("this is the flag of {v}", "this is not the flag of {v}"),
    "shown": ("this is a picture of {v}", "this is not a picture of {v}"),
}
"""What a picture shows as a statement, and as its denial."""
