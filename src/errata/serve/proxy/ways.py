"""Which way a question goes: on to the upstream as it is, answered with what was pinned, or put with the correction before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

from errata.core.errors import BadInput
from errata.core.model import Decision
from errata.core.records import EditId, Query
from errata.nn.patches import Rewrite, Verbatim
from errata.serve.engine.branches import Version
from errata.serve.engine.seam import Finish, Said
from errata.serve.proxy.sent import Sent
from errata.serve.wire.answers import behind

Name = Literal["passed", "pinned", "told"]
"""passed: no correction concerned it, and it was put to the upstream as it came. pinned: a correction's own answer, and nobody was
asked. told: the upstream was asked with the correction before the question."""


@final
@dataclass(frozen=True)
class Way:
    """A way, and of which version of the branch that is true."""

    name: Name
    version: Version
    edits: tuple[EditId, ...] = ()
    decision: Decision | None = None
    text: str = ""
    """Of "pinned": the answer."""

    instead: Query | None = None
    """Of "told": how the question is put."""

    why: str = ""
    """Why a correction that concerns it doesn't speak; "" where none does, or it speaks."""

    def said(self, text: str, *, whole: bool = True, prompt: int = 0, tokens: int = 0) -> Said:
        """An answer that went this way, at its end."""
        finish: Finish = "stop" if whole else "length"
        return Said(text, finish, self.edits, True, self.decision, self.version.seq, self.version.head, prompt, tokens)

    def errata(self) -> dict[str, Any]:
        """What stands behind the answer, as it is told with it."""
        told: dict[str, Any] = {"way": self.name, **behind(self.said("")).model_dump(mode="json")}
        return told | ({"why": self.why} if self.why else {})


def way_of(version: Version, sent: Sent, query: Query | None) -> Way:
    """The way of a request.

    Args:
        version: of the branch that it is asked of.
        sent: the request.
        query: its question; None where it is none that a correction could concern.
    """
    if query is None:
        return Way("passed", version)
    try:
        patch = version.read(query)
    except BadInput as error:  # what can't be told apart is no question that a correction is known to concern
        return Way("passed", version, why=str(error))
    match patch:
        case Verbatim() if sent.unlike_words:
            why = f"the request asks by {sent.unlike_words} for what no pinned answer is"
            return Way("passed", version, decision=patch.decision, why=why)
        case Verbatim():
            return Way("pinned", version, patch.edits, patch.decision, text=patch.text)
        case Rewrite():
            return Way("told", version, patch.edits, patch.decision, instead=patch.query)
        case _:
            return Way("passed", version, decision=patch.decision)
