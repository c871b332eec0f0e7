"""A pinned answer: the very same question gets the stored answer, every other one the model's own.

What an exact cache or a table of verified answers does (LiteLLM's cache, MongoDB's verified answers). The question is the same
however it is typed, and the picture where it shows the same pixels. Nothing spreads, not even to another wording.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from errata.core.model import Model
from errata.core.records import Spec
from errata.editors.scoped.pinned import Answer, Exactly
from errata.editors.scoped.scoped import Remembers, Scoped


@final
@dataclass(frozen=True)
class Pin(Remembers):
    """Answers by their questions, and by other wordings and views that were given with them."""

    def spec(self, model: Model) -> Spec:
        """The memory."""
        return self._named("pin", model)

    def _memory(self) -> Scoped:
        return Scoped(Exactly(), Answer())
