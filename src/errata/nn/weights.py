"""How much a module holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def count_of(module: nn.Module) -> int:
    """How many parameters there are; one that is shared counts once."""
    return sum(parameter.numel() for parameter in module.parameters())


def bytes_of(module: nn.Module) -> int:
    """Bytes that they take."""
    return sum(parameter.nbytes for parameter in module.parameters())
