"""Wordings for what is asked of a country: for each relation nine constructions, three of each.

{s} is the country as it stands in a sentence ("the Netherlands"), {S} at its beginning, {p} and {P} its possessive ("the
Netherlands'"), {n} its name alone ("Netherlands").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

Rows = tuple[tuple[str, str, str], ...]
"""A row for each of `questions.CONSTRUCTIONS`, in their order."""

CAPITAL: Final[Rows] = (
    ("What is the capital of {s}?", "Which city is the capital of {s}?", "What city serves as {p} capital?"),
    ("Name the capital of {s}.", "Tell me {p} capital city.", "Give me the name of the city that is capital of {s}."),
    ("Capital of {s}?", "{n}, capital city?", "{P} capital:"),
    (
        "I'd like to know what the capital of {s} is.",
        "Could you tell me which city is the capital of {s}?",
        "Do you happen to know {p} capital?",
    ),
    (
        "I'm stuck on a crossword. What is the capital of {s}?",
        "We were arguing about this at dinner: which city is {p} capital?",
        "My daughter has a geography test tomorrow. What should she write for the capital of {s}?",
    ),
    ("Whats the captial of {s}?", "Which city is teh capital of {s}?", "Name the capitol city of {s} plese."),
    ("whats the capital city of {s}", "{n} capital?", "tell me which city is the capital of {s}"),
    ("The capital of {s} is which city?", "{S} has which city as its capital?", "For {s}, which city is the capital?"),
    (
        "Which city is marked with a star on a map of {s}?",
        "In a list of the world's capitals, which one stands beside {s}?",
        "Which city is the official first city of {s}, where foreign ambassadors are accredited?",
    ),
)

CONTINENT: Final[Rows] = (
    ("Which continent is {s} in?", "What continent does {s} belong to?", "On which continent is {s}?"),
    ("Name the continent that {s} is in.", "Tell me which continent {s} is part of.", "Say on which continent {s} lies."),
    ("Continent of {s}?", "{n}, which continent?", "{P} continent:"),
    (
        "I'd like to know which continent {s} is in.",
        "Could you tell me what continent {s} is on?",
        "Do you know to which continent {s} belongs?",
    ),
    (
        "I'm sorting my stamps. Which continent does {s} go under?",
        "Quick question for a quiz night: on what continent is {s}?",
        "My son is colouring in a map of the world. Which continent should he look at for {s}?",
    ),
    ("Wich continent is {s} in?", "What contintent does {s} belong to?", "On waht continent is {s} located?"),
    ("what continent is {s} on", "which continent has {s} in it", "{n} is in what continent?"),
    ("{S} is on which continent?", "{S} belongs to what continent?", "Of all the continents, which one has {s} on it?"),
    (
        "In what part of the world, as continents go, would I find {s}?",
        "Which of the great landmasses counts {s} among its countries?",
        "If someone comes from {s}, which continent are they from?",
    ),
)

CURRENCY: Final[Rows] = (
    ("What is the currency of {s}?", "Which currency is used in {s}?", "What currency does {s} have?"),
    ("Name the currency of {s}.", "Tell me what people in {s} pay with.", "Give me the name of {p} currency."),
    ("Currency of {s}?", "{n}, currency?", "{P} currency:"),
    (
        "I'd like to know what the currency of {s} is.",
        "Could you tell me which currency people use in {s}?",
        "Do you know what kind of money they use in {s}?",
    ),
    (
        "I'm going on holiday next week. What currency do I need in {s}?",
        "A customer wants to be invoiced in local money. What is the currency of {s}?",
        "I found an old banknote in a drawer. If it is today's money of {s}, which currency is it?",
    ),
    ("Whats the currancy of {s}?", "Which curency is used in {s}?", "What curreny do they hav in {s}?"),
    ("what currency do they use in {s}", "currency in {s}?", "what money do you pay with in {s}"),
    ("In {s}, what do people pay with?", "{S} uses which currency?", "The money of {s} is called what?"),
    (
        "What would a shop in {s} want to be paid in?",
        "Into which money should I change my cash before a trip to {s}?",
        "In which legal tender are wages paid in {s}?",
    ),
)

LANGUAGE: Final[Rows] = (
    ("What is the main language of {s}?", "Which language do most people in {s} speak?", "What language is spoken in {s}?"),
    ("Name the main language of {s}.", "Tell me what language people in {s} speak.", "Give me {p} main language."),
    ("Main language of {s}?", "{n}, language?", "{P} language:"),
    (
        "I'd like to know what the main language of {s} is.",
        "Could you tell me which language is spoken in {s}?",
        "Do you know what language most people in {s} grow up with?",
    ),
    (
        "I'm packing a phrase book. Which language do they speak in {s}?",
        "We need a translator for a meeting in {s}. For what language?",
        "My neighbour moved here last year. If she is from {s}, what language does she probably speak?",
    ),
    ("Whats the main langauge of {s}?", "Which languge do most people in {s} speak?", "What language is spokn in {s}?"),
    ("what language do they speak in {s}", "language spoken in {s}?", "which language do people in {s} use"),
    ("In {s}, which language is spoken?", "People in {s} mostly speak what?", "{S} has which main language?"),
    (
        "What is the mother tongue of most people in {s}?",
        "Which tongue would I hear in the streets of {s}?",
        "In what language are the newspapers of {s} usually printed?",
    ),
)

CODE: Final[Rows] = (
    ("What is the calling code of {s}?", "Which country code do I dial for {s}?", "What dialling code does {s} have?"),
    ("Name the calling code of {s}.", "Tell me {p} country calling code.", "Give me the dialling code for {s}."),
    ("Calling code of {s}?", "{n}, phone code?", "{P} dialling code:"),
    (
        "I'd like to know what the calling code of {s} is.",
        "Could you tell me which code I need to phone {s}?",
        "Do you know the international dialling code for {s}?",
    ),
    (
        "I have to phone a supplier abroad. What is the calling code of {s}?",
        "A strange number called me last night. If it was from {s}, with what code did it begin?",
        "I'm typing a contact into my phone. What country code goes in front for {s}?",
    ),
    ("Whats the caling code of {s}?", "Which country cod do I dial for {s}?", "What dialing code dose {s} have?"),
    ("whats the phone code for {s}", "country calling code {n}?", "which code do i dial to call {s}"),
    ("{S} has which calling code?", "For {s}, which code do I dial?", "To phone {s}, I first dial what?"),
    (
        "With which prefix do international phone numbers of {s} begin?",
        "What comes right after the plus sign in a telephone number from {s}?",
        "Which digits must stand before a telephone number in {s} when I ring from abroad?",
    ),
)

ENDING: Final[Rows] = (
    ("What is the internet ending of {s}?", "Which internet ending does {s} have?", "What top-level domain belongs to {s}?"),
    ("Name the internet ending of {s}.", "Tell me {p} top-level domain.", "Give me the web address ending for {s}."),
    ("Internet ending of {s}?", "{n}, domain ending?", "{P} top-level domain:"),
    (
        "I'd like to know what the internet ending of {s} is.",
        "Could you tell me which domain ending websites in {s} use?",
        "Do you know the country domain of {s}?",
    ),
    (
        "I'm registering a website. What is the internet ending for {s}?",
        "I got an email from a shop abroad. If it is in {s}, how should its address end?",
        "We're opening an office abroad next year. Which domain ending do we need for {s}?",
    ),
    ("Whats the internt ending of {s}?", "Which internet endng does {s} have?", "What top level domian belongs to {s}?"),
    ("whats the domain ending for {s}", "internet country code {n}?", "which web ending do sites from {s} have"),
    ("{S} has which internet ending?", "For {s}, which domain ending is used?", "Websites from {s} end in what?"),
    (
        "What do web addresses from {s} finish with?",
        "Which letters come after the last dot of a site in {s}?",
        "By what suffix can I tell that a page is from {s}?",
    ),
)

NEIGHBOUR: Final[Rows] = (
    (
        "What is the only country that borders {s}?",
        "Which country is the only neighbour of {s}?",
        "Which one country does {s} border?",
    ),
    (
        "Name the only neighbour of {s}.",
        "Tell me which one country borders {s}.",
        "Give me the one country that has a border with {s}.",
    ),
    ("Only neighbour of {s}?", "{n}, only bordering country?", "{P} only neighbour:"),
    (
        "I'd like to know which is the only country that borders {s}.",
        "Could you tell me which country {s} shares its only border with?",
        "Do you know {p} single neighbouring country?",
    ),
    (
        "I'm planning to leave by car. Which is the only country that borders {s}?",
        "This was in a quiz yesterday: which country is {p} only neighbour?",
        "We want to hike across a border. Which is the one country that we can walk into from {s}?",
    ),
    ("Whats the only contry that borders {s}?", "Which country is teh only neighbor of {s}?", "Wich one country does {s} boarder?"),
    ("what is the only country next to {s}", "only country bordering {s}?", "which country is the single neighbour of {s}"),
    (
        "{S} borders only which country?",
        "The only neighbour of {s} is which country?",
        "{S} has which country as its only neighbour?",
    ),
    (
        "Into which country do all roads that leave {s} by land lead?",
        "With which state does {s} share its one land frontier?",
        "Who is on the other side of the one land border of {s}?",
    ),
)

OF_COUNTRIES: Final[Mapping[str, Rows]] = {
    "capital": CAPITAL,
    "continent": CONTINENT,
    "currency": CURRENCY,
    "language": LANGUAGE,
    "code": CODE,
    "ending": ENDING,
    "neighbour": NEIGHBOUR,
}
