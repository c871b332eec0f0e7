"""Wordings for what is asked of a thing: for each relation nine constructions, three of each.

{s} is the thing as it stands in a sentence ("a banana", "milk"), {S} at its beginning, {p} and {P} its possessive, {n} its name
alone ("banana"); {live} and {lives} are "grow" and "grows" of what grows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from errata.benchmarks.atlas.wordings.of_countries import Rows

COLOUR: Final[Rows] = (
    ("What colour is {s}?", "Which colour does {s} usually have?", "What is the usual colour of {s}?"),
    ("Name the colour of {s}.", "Tell me what colour {s} is.", "Give me the usual colour of {s}."),
    ("Colour of {s}?", "{n}, what colour?", "{P} colour:"),
    (
        "I'd like to know what colour {s} is.",
        "Could you tell me which colour {s} normally has?",
        "Do you know what colour {s} usually is?",
    ),
    (
        "I'm painting a picture with my niece. What colour should we use for {s}?",
        "Someone asked me this and I blanked: what colour is {s}?",
        "My son is learning his colours. Which one goes with {s}?",
    ),
    ("Waht colour is {s}?", "Which colur does {s} usually have?", "What is teh usual colour of {s}?"),
    ("what colour is {s} normally", "colour {s} has?", "which colour would you say {s} is"),
    ("{S} is usually what colour?", "Of all colours, which one does {s} have?", "For {s}, which colour is right?"),
    (
        "In which hue does {s} normally come?",
        "Which crayon would a child take to draw {s}?",
        "When I think of {s}, which shade should I picture?",
    ),
)

KIND: Final[Rows] = (
    ("What kind of thing is {s}?", "To which group of things does {s} belong?", "What sort of thing is {s}?"),
    ("Name the kind of thing that {s} is.", "Tell me what sort of thing {s} is.", "Say in one word what kind of thing {s} is."),
    ("Kind of thing: {s}?", "{n}, a kind of what?", "{S}, what sort of thing?"),
    (
        "I'd like to know what kind of thing {s} is.",
        "Could you tell me what sort of thing {s} is?",
        "Do you know to which class of things {s} belongs?",
    ),
    (
        "I'm making flash cards for a class. Under which heading does {s} go?",
        "We're playing twenty questions and it is {s}. What kind of thing is that?",
        "My little brother has never heard of it. What sort of thing is {s}?",
    ),
    ("What knid of thing is {s}?", "To wich group of things does {s} belong?", "What sort of thign is {s}?"),
    ("what kind of thing is {s} again", "{n} is a kind of what?", "what do you call the group that {s} is in"),
    ("{S} is what kind of thing?", "{S} belongs to which group of things?", "Among kinds of things, where does {s} belong?"),
    (
        "How would a dictionary classify {s}?",
        "Into which category would you put {s}?",
        "What is the general word for things such as {s}?",
    ),
)

HOME: Final[Rows] = (
    ("Where does {s} {live}?", "In what kind of place does {s} {live}?", "Where would I find {s} in nature or at home?"),
    ("Name the place where {s} {lives}.", "Tell me where {s} {lives}.", "Say where {s} usually {lives}."),
    ("Place where {s} {lives}?", "{n}, where does it {live}?", "Where {s} {lives}:"),
    (
        "I'd like to know where {s} {lives}.",
        "Could you tell me where {s} normally {lives}?",
        "Do you know in what sort of place {s} {lives}?",
    ),
    (
        "I'm drawing one for a school project. Where does {s} {live}?",
        "My nephew keeps asking me this: where does {s} {live}?",
        "We're making a poster about nature. In which place should we put {s}?",
    ),
    ("Were does {s} {live}?", "In waht kind of place does {s} {live}?", "Where woud I find {s}?"),
    ("where does {s} {live} normally", "{n} {lives} where?", "where do you find {s}"),
    ("{S} {lives} where?", "{S} is usually found where?", "The place where {s} {lives} is what?"),
    (
        "What is the natural home of {s}?",
        "To what sort of surroundings does {s} belong?",
        "Which habitat suits {s} best?",
    ),
)

USE: Final[Rows] = (
    ("What is {s} used for?", "For what do people use {s}?", "What does one do with {s}?"),
    ("Name what {s} is used for.", "Tell me what people use {s} for.", "Say what {s} is for."),
    ("Use of {s}?", "{n}, used for what?", "{P} use:"),
    (
        "I'd like to know what {s} is used for.",
        "Could you tell me what people do with {s}?",
        "Do you know what {s} is good for?",
    ),
    (
        "I'm helping a friend who is learning English. What is {s} used for?",
        "My toddler asked me this morning: what do we use {s} for?",
        "Imagine that you had to explain it to someone from Mars. What is {s} for?",
    ),
    ("What is {s} usd for?", "For waht do people use {s}?", "What dose one do with {s}?"),
    ("what do you use {s} for", "{n} is for what?", "whats the use of {s}"),
    ("{S} is used for what?", "People use {s} to do what?", "With {s}, people do what?"),
    (
        "What purpose does {s} serve?",
        "Which job would I need {s} for?",
        "What is the function of {s} in daily life?",
    ),
)

PART: Final[Rows] = (
    ("Which part is {s} best known for?", "What part of {s} is it best known for?", "What is the best-known part of {s}?"),
    (
        "Name the part that {s} is best known for.",
        "Tell me which part makes {s} easy to recognise.",
        "Give me the best-known part of {s}.",
    ),
    ("Best-known part of {s}?", "{n}, best-known part?", "{P} best-known part:"),
    (
        "I'd like to know which part {s} is best known for.",
        "Could you tell me what the best-known part of {s} is?",
        "Do you know which part everybody remembers of {s}?",
    ),
    (
        "I'm drawing a cartoon. Which part of {s} must I not leave out, as it is best known for it?",
        "We're playing a guessing game. Which part is {s} best known for?",
        "My granddaughter is making a puzzle. What is the best-known part of {s}?",
    ),
    ("Which part is {s} best knwon for?", "What is teh best-known part of {s}?", "Wich part of {s} is the best known?"),
    ("what part is {s} known for", "best known part of {s}?", "which part of {s} is it famous for"),
    (
        "{S} is best known for which part?",
        "Of all its parts, which one is {s} best known for?",
        "For {s}, which part is the best known?",
    ),
    (
        "What feature gives {s} away at once?",
        "By which feature do people tell {s} from others?",
        "What does {s} have that people think of first?",
    ),
)

OF_THINGS: Final[Mapping[str, Rows]] = {"colour": COLOUR, "kind": KIND, "home": HOME, "use": USE, "part": PART}
