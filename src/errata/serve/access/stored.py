"""Keys and rates as a server asks them: those beside the store (`errata.serve.keys`), of whoever called."""

from __future__ import annotations

from typing import final

from errata.serve.access import Caller
from errata.serve.keys.rates import Rates
from errata.serve.keys.stored import StoredKeys


@final
class KeysBeside:
    """`Keys`: whatever was made or revoked by now, by whichever process."""

    def __init__(self, stored: StoredKeys) -> None:
        self.stored = stored

    @property
    def any(self) -> bool:
        return self.stored.made()

    def check(self, secret: str) -> Caller | None:
        key = self.stored.check(secret)
        return None if key is None else Caller(key.name, key.role, key.branch, key.id)


@final
class RateLimits:
    """`Limits`: a bucket of tokens for each key, or for everybody where there is none."""

    def __init__(self, rates: Rates) -> None:
        self._rates = rates

    def take(self, caller: Caller) -> float | None:
        return self._rates.take(caller.key) or None
