"""What tensors hold, as a hash: the same on every machine, for any order in which they are handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from errata.core.canonical import JSON, canonical


def hash_of(told: JSON, tensors: Mapping[str, Tensor]) -> hashlib._Hash:
    """SHA-256 of what goes with the tensors, and of every tensor's name, type, shape and bytes."""
    found = hashlib.sha256(canonical(told))
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        found.update(canonical([name, str(tensor.dtype), list(tensor.shape)]))
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found
