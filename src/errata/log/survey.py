"""One reading of a log: the Merkle tree over its entries, the checkpoints in it, and the proofs that follow."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import NamedTuple, final

from errata.core.counted import counted
from errata.core.errors import BadInput, Conflict, Tampered
from errata.core.records import Provenance
from errata.log.checkpoint import Checkpoint, Consistency, Inclusion, leaf_of
from errata.log.edit_log import EditLog
from errata.log.entry import FIRST, Entry
from errata.log.merkle import Tree
from errata.log.signing import SigningKey, sign


@final
@dataclass
class Survey:
    """What one reading of a log gives: the tree over its entries, and the checkpoints in it, each found to be true."""

    log: EditLog
    tree: Tree = field(default_factory=Tree)
    recorded: dict[int, Checkpoint] = field(default_factory=dict)
    """Size -> the checkpoint that a `checkpointed` entry holds."""

    _first: str = FIRST
    _hash: str = FIRST

    @staticmethod
    def of(log: EditLog) -> Survey:
        """Read every entry.

        Raises:
            Tampered: an entry doesn't verify, or a checkpoint in the log isn't that of the entries before it.
        """
        survey = Survey(log)
        survey.follow()
        return survey

    @property
    def hash(self) -> str:
        """The hash of the last entry that was read."""
        return self._hash

    def follow(self) -> None:
        """Read the entries that came since.

        Raises:
            Tampered: as `of`.
        """
        for entry in self.log.entries(self.tree.size + 1):
            if entry.previous != self._hash:
                raise Tampered(entry.seq, f"it follows another entry {entry.seq - 1} than the one that was read")
            self._first = self._first or entry.hash
            if entry.kind == "checkpointed" and "root" in entry.details:
                self.recorded[self.tree.size] = self._recorded_by(entry)
            try:
                self.tree.add(leaf_of(entry))
            except (ValueError, RecursionError) as error:
                raise Tampered(entry.seq, f"it isn't what a log can hold ({error})") from None
            self._hash = entry.hash

    def head(self, size: int | None = None) -> Checkpoint:
        """The checkpoint over the first `size` entries (None: all): the one in the log where there is one, with its signature.

        Raises:
            BadInput: there are not so many entries, or none.
        """
        there = self.tree.size
        if not there:
            raise BadInput(f"Branch {self.log.branch!r} has no entry yet, so there is nothing to prove. Add an edit first.")
        size = there if size is None else size
        if not 1 <= size <= there:
            raise BadInput(f"There is no head over {counted(size, 'entry')}: the log has {there}. Give a number from 1 to {there}.")
        return self.recorded.get(size) or Checkpoint(f"errata/{self.log.branch}/{self._first}", size, self.tree.root(size))

    def newest(self, seq: int) -> Checkpoint:
        """The newest checkpoint in the log that covers entry `seq`; the head over everything where there is none."""
        return self.head(max((size for size in self.recorded if size >= seq), default=None))

    def check(self, kept: Checkpoint) -> None:
        """Whether a checkpoint that was kept elsewhere is one of this log.

        Raises:
            BadInput: it's of another branch.
            Tampered: the log was cut short or rewritten since.
        """
        if kept.branch != self.log.branch:
            raise BadInput(f"The checkpoint is of branch {kept.branch!r}, not {self.log.branch!r}. Name it with --branch.")
        there = self.tree.size
        if kept.size > there:
            raise Tampered(
                there + 1, f"the log ends at entry {there}, and the kept checkpoint covers {kept.size}: entries were cut off"
            )
        if kept.first != self._first:
            raise Tampered(1, "it isn't the first entry of the kept checkpoint's log")
        if kept.root != self.tree.root(kept.size):
            raise Tampered(
                kept.size,
                f"the first {counted(kept.size, 'entry')} don't have the root of the kept checkpoint: one of them was rewritten",
            )

    def check_signatures(self) -> None:
        """Whether every signed checkpoint in the log is signed by the key that it names.

        Raises:
            Tampered: with the number of the entry that holds one that isn't.
            LogError: the library that checks signatures isn't installed.
        """
        for size, found in self.recorded.items():
            if found.signature is not None and (fault := found.signature_fault()):
                raise Tampered(size + 1, fault)

    def inclusion(self, seq: int, at: Checkpoint) -> Inclusion:
        """The proof that entry `seq` is among those that a checkpoint of this log covers.

        Raises:
            BadInput: the checkpoint doesn't cover such an entry.
        """
        if not 1 <= seq <= at.size:
            raise BadInput(
                f"Entry {seq} isn't among the {counted(at.size, 'entry')} of that head. Give a number from 1 to {at.size}."
            )
        (entry,) = self.log.entries(seq, seq + 1)
        return Inclusion(at, entry, self.tree.path(seq - 1, at.size))

    def consistency(self, first: Checkpoint, second: Checkpoint) -> Consistency:
        """The proof that the first checkpoint of this log is the beginning of the second.

        Raises:
            BadInput: the first is the larger one.
        """
        if first.size > second.size:
            raise BadInput(
                f"The first head covers {counted(first.size, 'entry')}, the second {second.size}. Give the older one first."
            )
        return Consistency(first, second, self.tree.consistency(first.size, second.size))

    def _recorded_by(self, entry: Entry) -> Checkpoint:
        """The checkpoint that an entry holds; the entries before it are in the tree."""
        try:
            found = Checkpoint.from_json(entry.details)
        except BadInput as error:
            raise Tampered(entry.seq, f"its checkpoint can't be read ({error})") from None
        if found.size != self.tree.size:
            raise Tampered(entry.seq, f"its checkpoint covers {counted(found.size, 'entry')}, but {self.tree.size} are before it")
        if (found.branch, found.first) != (entry.branch, self._first) or found.root != self.tree.root():
            raise Tampered(entry.seq, "its checkpoint isn't that of the entries before it")
        return found


class Recorded(NamedTuple):
    """A checkpoint, and the entry that holds it."""

    entry: Entry
    checkpoint: Checkpoint


def checkpoint(log: EditLog, by: Provenance, *, key: SigningKey | None = None) -> Recorded:
    """Append a checkpoint over everything in the log.

    Args:
        log: the log; others may append meanwhile.
        by: who makes it, and why.
        key: signs it.

    Raises:
        BadInput: the log is empty.
        Tampered: it doesn't verify.
        LogError: the log can't be written, or the library that signs isn't installed.
    """
    survey = Survey(log)
    while True:
        survey.follow()
        made = survey.head()
        if key is not None:
            made = replace(made, signature=sign(key, made.note))
        try:
            entry = log.append("checkpointed", None, by, details=made.to_json(), after=survey.hash)
        except Conflict:  # another writer was first: cover its entry too
            if len(log) <= survey.tree.size:
                raise
        else:
            return Recorded(entry, made)
