"""The branches of one store, each opened when it is first needed: held where nobody else holds it, else read.

A branch that another process writes to is asked like any other, and follows what is appended there. Whoever would write to it gets
`Held`; each time its lease is asked for anew, so a holder that has gone is succeeded.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, final

from errata import door
from errata.core.counted import counted
from errata.core.errors import BadInput, Held, LogError
from errata.core.model import Model
from errata.core.records import Query
from errata.core.settings import DEFAULT_MODEL
from errata.log import EditLog, Guarded, Listening, MemoryStore, Row, Store, Tells, holding, open_store, store_exists
from errata.session import takeback
from errata.session.asking import Read, unedited
from errata.session.pools import check_takes
from errata.session.ready import Otherwise, Ready
from errata.session.session import Session

PINS: Final = 4
"""States of the past that are kept on each branch, the one that was unused longest given up first: each is as large as a state."""

_BESIDE: Final = frozenset({"proposed", "aliased", "checkpointed"})
"""What may be appended by whoever doesn't hold the branch: it moves no state."""


@dataclass(frozen=True)
class Version:
    """A state of a branch, as a question is asked of it. It stays what it is, whatever the branch goes on to."""

    model: Model
    read: Read
    log: EditLog
    """The log, or a view of it, that says which target a correction has."""

    seq: int
    head: str


@final
class Branch:
    """One branch. Not for several threads.

    Args:
        store: where it is.
        name: what it is called; a new one begins here.
        ready: the model and the editor of a log.
        pool: as `errata.open` takes it.
        url: where the lease says that changes are taken.

    Raises:
        ErrataError: it can't be opened.
    """

    def __init__(
        self, store: Store, name: str, ready: Callable[[EditLog], Ready], pool: Sequence[Query] | None = None, *, url: str = ""
    ) -> None:
        self._store, self._name, self._url = store, name, url
        self._held = ExitStack()
        self._pins: OrderedDict[tuple[int, int], Session] = OrderedDict()
        self._refusal: Held | None = None
        log = EditLog(self._turned(), name)
        try:
            self._inner = ready(log).session(log, pool=pool)
            if self._refusal is None:
                takeback.finish_erasing(self._inner)
        except BaseException:
            self.close()
            raise

    @property
    def seq(self) -> int:
        """The last entry that is folded."""
        return self._inner.seen[0]

    @property
    def over(self) -> bool:
        """Whether an edit's time ended since the state was folded."""
        end = self._inner.next_end
        return end is not None and self._inner.now() >= end

    def session(self) -> door.Session:
        """The branch for whoever looks or changes something: its state is the log's, and it is held if that can be had."""
        if self._refusal is not None:
            self._inner.log = EditLog(self._turned(), self._name)
        self._inner.follow()
        return door.Session(self._inner, ExitStack(), refusal=self._refusal)

    def follow(self) -> None:
        """Fold what others appended, and let go of what has ended."""
        self._inner.follow()

    def lost(self, to: Held) -> None:
        """Let go of a lease that somebody else took; whoever writes next asks for it anew."""
        self._held.close()
        self._refusal = to

    def version(self, at: int | None = None) -> Version:
        """The state of now, as far as it is folded, or that after an entry of the past.

        Raises:
            BadInput: there is no such entry.
        """
        if at == 0:
            return Version(self._inner.model, unedited, self._inner.log, 0, "")
        session = self._inner if at is None else self._past(at)
        seq, head = session.seen
        return Version(session.model, session.read, session.log, seq, head)

    def close(self) -> None:
        """Give the branch back."""
        self._held.close()

    def _past(self, at: int) -> Session:
        log = self._inner.log
        key = (at, len(log.erased()))  # what was made of an erased picture isn't kept on
        if key not in self._pins:
            last = len(log)
            if not 0 < at <= last:
                raise BadInput(
                    f"There is no entry {at} on branch {self._name!r}: it has {counted(last, 'entry')}. Pin one that is."
                )
            self._pins[key] = self._inner.at(at)
            while len(self._pins) > PINS:
                self._pins.popitem(last=False)
        self._pins.move_to_end(key)
        return self._pins[key]

    def _turned(self) -> Store:
        """The store, held, or to be read."""
        try:
            held, self._refusal = self._held.enter_context(holding(self._store, self._name, url=self._url)), None
        except Held as error:
            self._refusal = error
            return Guarded(self._store, turn=lambda _: None, append=partial(_refuse, error))
        return held


@final
class Branches:
    """Every branch of a store that was needed so far.

    Args:
        store: where they are; closed with this.
        model: of all of them.
        ready: the model and the editor of a log.
        url: where the leases say that changes are taken.
    """

    def __init__(self, store: Store, model: Model, ready: Callable[[EditLog], Ready], *, url: str = "") -> None:
        self.model = model
        self._store, self._ready, self._url = store, ready, url
        self._open: dict[str, Branch] = {}

    @staticmethod
    def of(
        store: str | Path | None,
        branch: str,
        *,
        model: str | Model | None,
        editor: str | None,
        pool: Sequence[Query] | None,
        device: str,
        dtype: str | None,
        url: str = "",
    ) -> Branches:
        """Those of a store, one of them opened. Arguments and errors: see `thread.Threaded.open`."""
        with ExitStack() as opening:
            new = store is not None and not store_exists(store)
            kept = MemoryStore() if store is None or new else opening.enter_context(closing(open_store(store, create=False)))
            otherwise = Otherwise(DEFAULT_MODEL)
            first = Ready.of(EditLog(kept, branch), model=model, editor=editor, otherwise=otherwise, device=device, dtype=dtype)
            check_takes(first.editor, pool)
            if store is not None and new:  # made only now that everything else was found good
                kept = opening.enter_context(closing(open_store(store)))

            def ready(log: EditLog) -> Ready:
                named = editor if log.branch == branch else None
                usual = Otherwise(first.model.name, first.asked)
                return Ready.of(log, model=first.model, editor=named, otherwise=usual, device=device, dtype=dtype)

            found = Branches(kept, first.model, ready, url=url)
            found.get(branch, pool=pool)
            opening.pop_all()
            return found

    def get(self, name: str, *, pool: Sequence[Query] | None = None) -> Branch:
        """The branch, opened if it isn't.

        Raises:
            ErrataError: it can't be.
        """
        if name not in self._open:
            self._open[name] = Branch(self._store, name, self._ready, pool, url=self._url)
        return self._open[name]

    def listen(self, heard: Callable[[], None]) -> Listening | None:
        """Have `heard` called when something is appended, by whomever; None where the store can't tell."""
        return self._store.listen(heard) if isinstance(self._store, Tells) else None

    def grown(self) -> Iterator[tuple[str, Branch]]:
        """The open branches whose log went on, or of which an edit ended; one look at the store."""
        tips = self._store.branches()
        for name, branch in self._open.items():
            if branch.over or (name in tips and tips[name].seq != branch.seq):
                yield name, branch

    def close(self) -> None:
        """Give all of them back, and close the store."""
        for branch in self._open.values():
            with suppress(LogError):  # of a store that can't be reached any more: its leases end by themselves
                branch.close()
        self._open.clear()
        self._store.close()


def _refuse(refusal: Held, row: Row) -> None:
    """Let nothing be appended that moves the state of a branch which somebody else holds."""
    if row.branch == refusal.branch and row.kind not in _BESIDE:
        raise refusal
