"""A state as bytes, and back: what a snapshot holds."""

from __future__ import annotations

import json
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors_of
from safetensors.torch import save as bytes_of

from errata.core.errors import BadInput
from errata.editors import from_tensors, to_tensors


def frozen(state: Any) -> bytes:
    """The state as the bytes of a safetensors file."""
    saved = to_tensors(state)
    data: bytes = bytes_of(saved.tensors, saved.metadata)
    return data


def thawed(data: bytes) -> Any | None:
    """The state in a snapshot, or None where it isn't one: a snapshot is a cache, the log has it all."""
    try:
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        return from_tensors(tensors_of(data), metadata)
    except (SafetensorError, ValueError, KeyError, BadInput):
        return None
