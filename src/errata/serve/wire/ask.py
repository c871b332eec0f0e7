"""`POST /v1/ask`: questions as `errata ask` puts them, and all that is told of the answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from errata.serve.wire.edits import Sent, Told, Wording


class Questions(Sent):
    """Questions to the model as the log has made it."""

    questions: Annotated[list[Wording], Field(min_length=1, max_length=16)]
    at: Annotated[str, Field(max_length=128)] = ""
    """As the model was after this entry (0: unedited), at this alias or time."""

    min_seq: Annotated[int | None, Field(ge=0, le=2**63 - 1)] = None
    """The entry of the log that must have been folded first, as another server acknowledged it; waited for some seconds."""

    max_new_tokens: Annotated[int, Field(ge=1, le=4096)] | None = None
    leave_one_out: bool = False
    """Find out which edits the answer needs also where they share weights: each that may have spoken is left out once."""


class Decided(Told):
    """What a scope said of a question."""

    edit: str
    score: float
    inside: bool


class Answered(Told):
    """An answer, or why there is none."""

    answer: str
    whole: bool
    """Whether the model ended it; False: it was cut at the limit."""

    edits: list[str]
    """The edits that spoke."""

    exact: bool
    """Whether these are exactly those; False: they share weights, and any of them may have."""

    decision: Decided | None
    needed: list[str] | None
    """The edits without which the answer would be another; None where that wasn't or can't be found out."""

    error: str | None = None
    """What is wrong with this question; the others are answered."""


class Answers(Told):
    object: Literal["list"] = "list"
    data: list[Answered]
    entry: int
    """The last entry of the log that the answers are of."""
