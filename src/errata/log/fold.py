"""Which edits are in force: the fold of a branch's entries, kept up to date one entry at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, final

from errata.core.errors import LogError
from errata.core.records import EditId
from errata.log.entry import FIRST, WITHDRAWING, Entry, Kind


class Step(NamedTuple):
    """What the fold remembers of one entry."""

    seq: int
    kind: Kind
    edit: EditId | None
    holds_edit: bool
    hash: str


@final
@dataclass
class Fold:
    """Everything that follows from the entries so far. Grows by `add`; `until` gives an independent shorter one.

    An edit is in force from the entry that applied it until an entry that withdraws it; applied again later, it takes its place at
    the end, because an editor would write it last.
    """

    steps: list[Step] = field(default_factory=list)
    standing: dict[EditId, int] = field(default_factory=dict)
    """Edits in force -> number of the entry that applied them; in the order of these numbers."""

    holders: dict[EditId, int] = field(default_factory=dict)
    """Every edit whose content is in the log -> number of the latest entry that holds it."""

    @property
    def seq(self) -> int:
        return len(self.steps)

    @property
    def hash(self) -> str:
        return self.steps[-1].hash if self.steps else FIRST

    def add(self, step: Step) -> None:
        assert step.seq == self.seq + 1, "a fold takes entries in order"
        self.steps.append(step)
        if step.edit is None:
            return
        if step.holds_edit:
            self.holders[step.edit] = step.seq
        if step.kind == "applied":
            self.standing.setdefault(step.edit, step.seq)
        elif step.kind in WITHDRAWING:
            self.standing.pop(step.edit, None)

    def until(self, seq: int) -> Fold:
        """The fold of the entries up to `seq`."""
        shorter = Fold()
        for step in self.steps[:seq]:
            shorter.add(step)
        return shorter

    def about(self, edit: EditId | None) -> Iterator[int]:
        """The numbers of the entries about this edit; of all entries for None."""
        return (step.seq for step in self.steps if edit is None or step.edit == edit)

    def check(self, kind: Kind, edit: EditId | None, holds_edit: bool) -> None:
        """Whether an entry of this kind makes sense now.

        Raises:
            LogError: it would apply an edit that's in force, or withdraw one that isn't, or doesn't say which.
        """
        if kind == "applied":
            if edit is None or not holds_edit:
                raise LogError("An 'applied' entry needs the whole edit, so that the log can be replayed. Give the edit.")
            if edit in self.standing:
                raise LogError(
                    f"The edit {edit[:12]} is in force already (entry {self.standing[edit]}). Revert it before applying it again."
                )
        if kind in WITHDRAWING and kind != "erased":  # an image may be erased whether or not its edit is in force
            if edit is None:
                raise LogError(f"A {kind!r} entry needs the id of the edit that it takes out of force.")
            if edit not in self.standing:
                raise LogError(f"The edit {edit[:12]} isn't in force, so it can't be {kind}. List the edits in force first.")


def step_of(entry: Entry) -> Step:
    """What the fold needs of an entry."""
    return Step(entry.seq, entry.kind, entry.edit_id, entry.holds_edit, entry.hash)
