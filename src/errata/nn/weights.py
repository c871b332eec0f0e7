"""How much a module holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from errata.nn.places import parts_of

if TYPE_CHECKING:
    from torch import nn


def count_of(module: nn.Module) -> int:
    """How many parameters there are; one that is shared counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def bytes_of(module: nn.Module) -> int:
    """Bytes that they take; a quantised one as many as its parts."""
    return sum(part.nbytes for parameter in module.parameters() for part in parts_of(parameter).values())
