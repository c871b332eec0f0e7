"""Numbers for a reader: one of a thing is named in the singular, and what was measured has three digits."""

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


def digits(value: float) -> str:
    """A measured number to three digits, in full: "0.0012", "0.488", "3,340". What is too small for that keeps its exponent."""
    short = f"{value:.3g}"
    return f"{float(short):,.0f}" if 1000 <= abs(float(short)) < 1e15 else short
