"""Corrections from a file, put to a session one after another; what an earlier run of the same file did is passed over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Final, final

from errata.core.canonical import JSON
from errata.core.errors import BadInput
from errata.core.records import Provenance
from errata.core.rules import Rules
from errata.log.conflicts import Conflicts, Disagreement
from errata.log.formats import Format, Line
from errata.session.session import Session

OUTCOMES: Final = ("applied", "refused", "passed over", "bad")
"""What may become of a line."""

_NOTED: Final = 100
"""Conflicts that the log's entry on an import names."""

Tell = Callable[[str], None]
"""Told a sentence on one line of the file."""


def _silent(_: str) -> None:
    """Nobody listens."""


@final
class Import:
    """One run of an import: what became of each line, and what is passed over because an earlier run did it.

    Args:
        session: what the corrections are put to.
        digest: of the file (`errata.log.formats.digest_of_file`).
        limit: at most so many corrections are put to the model; None for all.
        retry: put what an earlier run refused to the model again.
        rules: what the corrections must not break.
        bad: told of each line that can't be used.
        refused: told of each correction that the guard refused, and of each that speaks to its own wording alone.

    Raises:
        BadInput: the branch asks for two people.
    """

    def __init__(
        self,
        session: Session,
        digest: str,
        *,
        limit: int | None = None,
        retry: bool = False,
        rules: Rules | None = None,
        bad: Tell = _silent,
        refused: Tell = _silent,
    ) -> None:
        self._session = session
        self._digest = digest
        self._limit = limit
        self._retry = retry
        self._rules = rules
        self._bad = bad
        self._refused = refused
        if session.log.two_people:
            raise BadInput(
                f"Branch {session.log.branch!r} asks for two people, and an import applies what one gives. Nothing was changed. "
                "Propose the corrections (errata edit add --propose), or import them onto another branch."
            )
        self._standing = set(session.log.ids_in_force())
        self._seen = 0
        self._heard = Conflicts(session.log.asks)
        self.done: Counter[str] = Counter()

    @property
    def full(self) -> bool:
        """As many corrections were put to the model as there may be."""
        return self._limit is not None and self.done["applied"] + self.done["refused"] >= self._limit

    @property
    def conflicts(self) -> tuple[Disagreement, ...]:
        """The same question with other answers by other people, as far as the file was read."""
        return tuple(self._heard.found)

    def take(self, line: Line) -> bool:
        """Apply a line; False, and nothing is done, where there may be no more."""
        if self.full:
            return False
        self._seen += 1
        self._heard.hear(line)
        self.done[self._outcome(line)] += 1
        return True

    def finish(self, file: Path, format: Format, by: Provenance) -> None:
        """Note in the log what was imported, once for as far as the file was read; nothing where nothing in it could be used."""
        if set(self.done) <= {"bad"}:
            return
        told: dict[str, JSON] = {name.replace(" ", "_"): self.done[name] for name in OUTCOMES}
        if self.conflicts:
            told["conflicts"] = [[one.earlier.edit, one.later.edit] for one in self.conflicts[:_NOTED]]
        self._session.log.append(
            "imported",
            None,
            by,
            details={"file": file.name, "digest": self._digest, "format": format, **told},
            key=f"import:{self._digest}:after {self._seen}",
        )

    def _outcome(self, line: Line) -> str:
        if isinstance(line.found, str):
            self._bad(f"{line.place}: {line.found}")
            return "bad"
        edit, by = line.found
        # The edit is part of the key: the same file read with other options, or beside other pictures, says other things.
        key = f"import:{self._digest}:{line.number}.{line.part}:{edit.id}"
        before = self._session.log.keyed(key)
        again = before is not None and before.kind == "refused" and self._retry
        if edit.id in self._standing or (before is not None and not again):
            return "passed over"
        try:
            receipt = self._session.edit(edit, by, key="" if again else key, rules=self._rules)  # the key is spent
        except BadInput as error:
            self._bad(f"{line.place}: {error}")
            return "bad"
        if receipt.status == "refused":
            self._refused(f"{line.place}: refused: {receipt.why}")
        else:
            for one in receipt.unsaid:
                self._refused(f"{line.place}: applied, but typed as {one.query!r} the question is answered {one.after!r}")
            self._standing = set(self._session.log.ids_in_force())  # it may have taken the place of another
        return receipt.status
