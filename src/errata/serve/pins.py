"""The names of a model's states: NAME is the head, NAME@17 as it was after an entry, NAME@base without edits, NAME@ALIAS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from errata.core.errors import quoted
from errata.serve.service import Service
from errata.serve.wire.errors import ApiError, not_found

BASE: Final = "base"
"""The pin of the model without edits."""


@dataclass(frozen=True)
class Pin:
    """A state that is asked for."""

    name: str
    """As it was asked for."""

    at: int | None
    """The entry; 0 the model without edits; None: the head."""


async def pinned(service: Service, branch: str, name: str, *, param: str | None = "model") -> Pin:
    """The state that a name means on a branch.

    Raises:
        ApiError: there is no such model or state (404).
    """
    head, at, pin = name.rpartition("@")
    for model in (service.engine.model_name, service.model_id):
        if name == model:
            return Pin(name, None)
        if at and head == model:
            return Pin(name, await _entry(service, branch, name, pin, param))
    known = service.model_id
    raise _unknown(
        f"There is no model {quoted(name)} here. There is {known}, and it with a pin: {known}@base, {known}@17, {known}@ALIAS.",
        param,
    )


async def _entry(service: Service, branch: str, name: str, pin: str, param: str | None) -> int:
    if pin == BASE:
        return 0
    if re.fullmatch("[0-9]{1,18}", pin):
        if int(pin) <= service.engine.seq(branch) or int(pin) <= await service.done(branch, lambda session: len(session.inner.log)):
            return int(pin)
    elif pin in (aliases := await service.done(branch, lambda session: session.inner.log.aliases())):
        return aliases[pin]
    raise _unknown(f"The model {quoted(name)} is pinned to what isn't there. GET /v1/models lists the pins.", param)


def _unknown(message: str, param: str | None) -> ApiError:
    return not_found(message, param=param, code="model_not_found")
