"""What a relation of the corpus says of itself."""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """What can be asked of a kind of subject."""

    subjects: str
    values: str
    wordings: tuple[str, ...]
    stated: tuple[str, ...]
    """The fact as a statement, in one order or more."""

    reverse: tuple[str, ...] = ()
    """From the value to its subject."""
