"""What is settled by the environment that vLLM is started in."""

from __future__ import annotations

import os
from dataclasses import dataclass

from errata.core.errors import BadInput, quoted

STORE = "ERRATA_STORE"
BRANCH = "ERRATA_BRANCH"
SLOTS = "ERRATA_SLOTS"
POLL = "ERRATA_POLL_S"
SERVER = "ERRATA_SERVER"


@dataclass(frozen=True)
class Settings:
    """See docs/how-to/vllm.md."""

    store: str
    branch: str
    slots: int | None
    """Of the buffers; None: twice the editor's, so that versions of before stay beside the newest."""

    poll_s: float
    """Between looks at the log."""


def settings() -> Settings | None:
    """What the environment says; None where no store is named.

    Raises:
        BadInput: a number isn't one.
    """
    store = os.environ.get(STORE, "")
    if not store:
        return None
    slots = os.environ.get(SLOTS, "")
    return Settings(
        store,
        os.environ.get(BRANCH, "") or "main",
        int(_number(SLOTS, slots, at_least=1)) if slots else None,
        _number(POLL, os.environ.get(POLL, "") or "0.5", at_least=0.01),
    )


def _number(name: str, text: str, *, at_least: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value >= at_least or (at_least >= 1 and value != int(value)):
        raise BadInput(f"{name} must be a number of at least {at_least:g}, not {quoted(text)}.")
    return value
