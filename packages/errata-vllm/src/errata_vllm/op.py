"""Where corrections are let in: one operation behind the module that holds the slots, which a compiled graph calls blindly.

The model's module is replaced by itself and the operation, once, before vLLM traces or runs the model. The operation changes the
module's output in place where a slot speaks; whose rows they are, and what decides, it has from whoever is at its name (`listen`).
A graph that was compiled without it would serve the model uncorrected and not say so: `SALT` goes into the key of vLLM's cache of
graphs, and a seam finds out in every step whether it was reached.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor, nn

from errata.core.errors import BadInput

SALT: Final = "errata::speak_ 1"
"""Raised where what the graph calls changes."""

Listener = Callable[[Tensor, Tensor], None]
"""Takes the module's input [T, I] and its output [T, O], which it may change in place."""

_library: Final[Any] = torch.library.Library("errata", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define("speak_(Tensor x, Tensor(a!) y, str at) -> ()")
_listeners: Final[dict[str, Listener]] = {}


def _speak(x_TI: Tensor, y_TO: Tensor, at: str) -> None:
    listener = _listeners.get(at)
    if listener is not None:
        listener(x_TI, y_TO)


def _traced(x_TI: Tensor, y_TO: Tensor, at: str) -> None:
    """Nothing has a shape that isn't there already."""


_library.impl("speak_", _speak, "CompositeExplicitAutograd")
torch.library.register_fake("errata::speak_", _traced, lib=_library)


class Spoken(nn.Module):
    """A module of vLLM's model with the operation behind it."""

    def __init__(self, inner: nn.Module, at: str) -> None:
        super().__init__()
        self.inner = inner
        self.at = at

    @property
    def weight(self) -> Tensor:
        weight: Tensor = self.inner.weight  # type: ignore[assignment]  # a linear module's
        return weight

    def forward(self, x_TI: Tensor) -> Any:
        given = self.inner(x_TI)
        torch.ops.errata.speak_(x_TI, given[0] if isinstance(given, tuple) else given, self.at)
        return given


def place(model: nn.Module, path: str) -> Spoken:
    """Put the operation behind the module that holds the slots, found by the end of the path that transformers has for it.

    Raises:
        BadInput: it isn't there, or several are.
    """
    at = path.rfind("layers.")
    wanted = path[at:] if at >= 0 else path
    found = [name for name, _ in model.named_modules() if name == wanted or name.endswith("." + wanted)]
    if len(found) != 1:
        raise BadInput(
            f"The log's slots are in {path}, and vLLM's model has {len(found)} modules that end in {wanted}. "
            "A model whose last module is fused or named otherwise there can't be served corrected."
        )
    above, _, name = found[0].rpartition(".")
    parent = model.get_submodule(above)
    module = getattr(parent, name)
    if not isinstance(module, Spoken):
        module = Spoken(module, found[0])  # a name that is the same in every process: graphs that are kept have it in them
        setattr(parent, name, module)
    return module


def listen(spoken: Spoken, listener: Listener) -> None:
    """From now on this decides there."""
    _listeners[spoken.at] = listener
