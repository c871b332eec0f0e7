"""Counts in sentences: one of a thing is named in the singular."""

from __future__ import annotations


def counted(count: int, one: str) -> str:
    """A count with what it counts: "1 edit", "2 edits", "2,000 entries".

    Args:
        one: the name of one, which takes an s, or ies for a y after a consonant.
    """
    if count == 1:
        return f"1 {one}"
    many = one[:-1] + "ies" if one.endswith("y") and one[-2] not in "aeiou" else one + "s"
    return f"{count:,} {many}"
