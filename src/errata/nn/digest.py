"""What tensors hold, as a hash: the same on every machine, for any order in which they are handed over."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor

from errata.core.canonical import JSON, canonical
from errata.nn.places import parts_of


def hash_of(told: JSON, tensors: Mapping[str, Tensor]) -> hashlib._Hash:
    """SHA-256 of what goes with the tensors, and of every tensor's name, type, shape and bytes; a quantised one's: its parts'."""
    found = hashlib.sha256(canonical(told))
    for name in sorted(tensors):
        for rest, part in parts_of(tensors[name].detach()).items():
            tensor = part.cpu().contiguous()
            found.update(canonical([name + rest, str(tensor.dtype), list(tensor.shape)]))
            found.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return found
