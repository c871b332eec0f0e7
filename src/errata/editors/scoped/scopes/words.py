"""Words as numbers, without a vocabulary: every word, number and mark falls into one of some buckets by its CRC-32.

A word that training never saw has a bucket like any other, so a made-up name is still told from another one.
"""

from __future__ import annotations

import re
from zlib import crc32

_WORD = re.compile(r"\w+|[^\w\s]")


def words(text: str) -> list[str]:
    """Lower-case words, numbers and marks, in order."""
    return _WORD.findall(text.lower())


def bucket(word: str, buckets: int) -> int:
    """Where a word falls: 0 to buckets - 1, the same on every machine."""
    return crc32(word.encode()) % buckets
