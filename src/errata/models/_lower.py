"""The part of a pass that no write touches, worked out once.

An edit asks for the loss of one row again and again while a few modules in the upper layers change between the calls. What lies
under the lowest of them gives the same output each time: the first pass keeps it, later ones say it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    from torch import nn


@final
class Lower:
    """The lowest `count` of a decoder's layers, for passes of one and the same input.

    Whatever a layer returns is kept as it is and given back as it is, so the model's own code runs around it: masks, positions and
    caches of any architecture. Contract: leaving `on` leaves no trace at the layers, also by an error.
    """

    def __init__(self, layers: Sequence[nn.Module], count: int) -> None:
        self._lower = tuple(layers[:count])
        self._said: list[object] = []

    @contextmanager
    def on(self) -> Iterator[None]:
        """Within the block the lower layers run once at most."""
        if not self._lower:
            yield
        elif self._said:
            with self._repeating():
                yield
        else:
            handle = self._lower[-1].register_forward_hook(lambda layer, given, output: self._said.append(output))
            try:
                yield
            finally:
                handle.remove()

    @contextmanager
    def _repeating(self) -> Iterator[None]:
        """What every lower layer is given and returns is lost on the way but for the last one's output, so all may say that."""
        (said,) = self._said
        own = [vars(layer).get("forward") for layer in self._lower]  # what a library put there, such as accelerate
        for layer in self._lower:
            layer.forward = lambda *given, **named: said  # in front of the class's, for the length of the block
        try:
            yield
        finally:
            for layer, earlier in zip(self._lower, own, strict=True):
                del layer.forward
                if earlier is not None:
                    layer.forward = earlier
