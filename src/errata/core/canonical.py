"""One byte string for one value: canonical JSON and SHA-256 digests, the ground of every id and of the log's chain."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Union

JSON = Union[None, bool, int, float, str, Sequence["JSON"], Mapping[str, "JSON"]]  # noqa: UP007  recursive: needs the string form
"""What canonical JSON can hold."""


def canonical(value: JSON) -> bytes:
    """The one way to write `value`: sorted keys, no spaces, UTF-8, shortest round-trip floats, no NaN.

    Raises:
        ValueError: a float is NaN or infinite.
        TypeError: a value isn't JSON.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(data: bytes) -> str:
    """SHA-256 of the bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of_json(value: JSON) -> str:
    """SHA-256 of the canonical form of `value`, as 64 hexadecimal digits."""
    return digest_of(canonical(value))


def finite(number: float) -> float | None:
    """The number, or None for what JSON has no word for: what a diverged write leaves."""
    return number if math.isfinite(number) else None
