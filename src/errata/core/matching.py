"""When two answers are the same: exactly, but for white space at the ends and between words."""

from __future__ import annotations

MATCHER = "exact, white space folded"
"""The matcher's name, as results give it."""


def same(a: str, b: str) -> bool:
    """Whether two answers are the same text, white space folded; case and punctuation count."""
    return " ".join(a.split()) == " ".join(b.split())
