"""How people ask about a picture: what is on it said by a clause, and ordinary questions that no fact of Atlas has to do with.

{side} is "left" or "right". Of the rows the splits have one each (`questions.SPLITS`); no clause ends in a verb, so that any
wording can go on after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Sort = Literal["country", "thing"]
Clauses = tuple[tuple[str, str], tuple[str, str], tuple[str, str]]

ALONE: Final[Mapping[Sort, Clauses]] = {
    "country": (
        ("the country with this flag", "the country whose flag you see here"),
        ("the country that flies this flag", "the country whose flag is in this picture"),
        ("the country that has this flag", "the country whose flag is shown here"),
    ),
    "thing": (
        ("the thing in the picture", "the thing you see here"),
        ("the thing in this image", "the thing that is shown here"),
        ("the thing pictured here", "this thing here"),
    ),
}
"""What the picture shows, where it shows one thing."""

BESIDE: Final[Mapping[Sort, Clauses]] = {
    "country": (
        ("the country whose flag is on the {side}", "the country with the flag on the {side}"),
        ("the country that flies the flag on the {side}", "the country whose flag you see on the {side}"),
        ("the country that has the flag on the {side}", "the country whose flag is shown on the {side}"),
    ),
    "thing": (
        ("the thing on the {side}", "the thing in the {side} half of the picture"),
        ("the thing that is on the {side}", "the thing you see on the {side}"),
        ("the thing shown on the {side}", "the thing on the {side} side"),
    ),
}
"""One of two things on a picture."""

TRAFFIC: Final = tuple(
    """
What is in this picture?
What do you see here?
Describe this picture.
What does the picture show?
Can you tell me what this is?
Write a caption for this picture.
Is this a photograph or a drawing?
Is there any text in this picture?
How many things are in this picture?
Give this picture a title.
What would you call this?
Is it day or night in this picture?
Is there a person in this picture?
Who would like this picture?
Would this picture suit a birthday card?
Write one sentence about this picture.
What is the first thing you notice here?
Is this picture sharp or blurred?
What could I draw beside it?
Is the picture bright or dark?
Which word comes to mind when you see this?
Could this be used as an icon?
Tell me a short story about this picture.
What is in the middle of the picture?
Is there an animal in this picture?
What is this?
Can you see anything unusual here?
What mood does this picture have?
Is anything in this picture moving?
How would you describe this to someone on the phone?
""".strip().splitlines()
)
"""Questions that people ask about a picture: 24 are probes, 6 for a pool."""
