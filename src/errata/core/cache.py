"""A cache that is bounded by bytes and forgets what was used longest ago; threads may share it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar, final

K = TypeVar("K")
V = TypeVar("V")


@final
class Recent(Generic[K, V]):
    """Values by key, the longest unused dropped first once their sizes pass the budget.

    Args:
        budget_bytes: the most that is kept. A value larger than that is made and not kept.
        size: how many bytes a value takes.
    """

    def __init__(self, budget_bytes: int, size: Callable[[V], int]) -> None:
        self._budget_bytes = budget_bytes
        self._size = size
        self._held: OrderedDict[K, V] = OrderedDict()
        self._held_bytes = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: K, make: Callable[[], V]) -> V:
        """The value under `key`, made and kept when it isn't there."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
                return self._held[key]
        value = make()
        with self._lock:
            if key not in self._held:
                self._held[key] = value
                self._held_bytes += self._size(value)
            while self._held_bytes > self._budget_bytes:
                _, dropped = self._held.popitem(last=False)
                self._held_bytes -= self._size(dropped)
        return value
