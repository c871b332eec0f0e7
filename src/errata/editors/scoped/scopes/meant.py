"""What a correction is meant to say in words, and where."""

from __future__ import annotations

from errata.core.records import Edit, Query
from errata.editors.scoped.memory import named_beside


def said(edit: Edit) -> str:
    """A correction's question as it is read in words: with its subject where that is known by a picture alone."""
    return named_beside(edit.query.text, subject(edit))


def subject(edit: Edit) -> str | None:
    """What a correction is about where no picture is shown; None: it doesn't say, or stays with its picture."""
    return None if edit.reach == "image" else edit.subject


def worded(text: str) -> Query:
    """A question of these words alone."""
    return Query.ask(text if text.strip() else "?")


def answered(said: str, edit: Edit) -> str:
    """A correction's question with the answer behind it."""
    return f"{said} {edit.target.strip()}"


def beyond_its_picture(edit: Edit) -> bool:
    """Whether a correction on a picture is meant where that isn't shown."""
    return bool(edit.query.images) and subject(edit) is not None
