"""A branch held for the length of a `with` block: its lease is renewed while the block runs, and once lost, nothing is appended.

A process that dies stops renewing, so its lease ends by itself; on the same machine its death is seen, and frees the branch at once
(`processes`). One that works on a slow edit, or waits for the next request, keeps
it. What keeps the chain whole is the store's `append`; a lease tells a second writer at once that its work would be in vain.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final, final

from errata.core.errors import BadInput, Held, LogError
from errata.log.entry import Row
from errata.log.store import Blobs, Lease, Leases, Shelf, Store, Tip

LEASE_S: Final = 30.0
"""How long a lease lasts after its holder died."""

_RENEWALS: Final = 3
"""Renewals in the time of one lease: two may fail before it ends."""


_POLL_S: Final = 0.2
"""How often a branch that somebody else has is asked for again."""


def _patient(_: Held) -> None:
    """Nobody is told."""


@contextmanager
def holding(
    store: Store,
    branch: str,
    *,
    holder: str = "",
    url: str = "",
    seconds: float = LEASE_S,
    wait: float = 0.0,
    waiting: Callable[[Held], None] = _patient,
) -> Iterator[Store]:
    """The store, with its branch held by this process; append to the branch through what this gives.

    Args:
        store: where the branch is.
        branch: its name; it need not have an entry yet.
        holder: who writes, for whoever must wait; "" for user, machine and process.
        url: where this process takes what others would write; "": nowhere.
        seconds: how long the lease lasts after this process died.
        wait: seconds to wait for somebody else who has the branch, >= 0.
        waiting: told once who that is.

    Raises:
        Held: somebody else has the branch, and had it for as long as was waited.
        BadInput: so long can't be waited.
        LogError: the lease can't be written down.
    """
    if not wait >= 0:
        raise BadInput(f"{wait} seconds can't be waited for branch {branch!r}. Give 0 or more.")
    started, lease = _taken(lambda: store.leases.take(branch, holder or this_process(), seconds=seconds, url=url), wait, waiting)
    keeper = _Keeper(store.leases, lease, seconds=seconds, ends=started + seconds)
    try:
        yield Guarded(store, turn=keeper.check, append=lambda row: keeper.check(row.branch))
    finally:
        keeper.stop()
        with suppress(LogError):  # a store that can't be reached any more: the lease ends by itself
            store.leases.release(lease)


def _taken(take: Callable[[], Lease], wait: float, waiting: Callable[[Held], None]) -> tuple[float, Lease]:
    """The lease, and when it was asked for."""
    deadline, told = time.monotonic() + wait, False
    while True:
        asked = time.monotonic()
        try:
            return asked, take()
        except Held as error:
            if asked >= deadline:
                raise
            if not told:
                waiting(error)
                told = True
        time.sleep(max(0.0, min(_POLL_S, deadline - time.monotonic())))


def this_process() -> str:
    """Who this is: user, machine, process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):  # a user without a name, as in some containers
        user = "somebody"
    return f"{user}@{socket.gethostname()} (process {os.getpid()})"


@final
class _Keeper:
    """Renews a lease from a thread of its own, for an edit can take longer than a lease lasts."""

    def __init__(self, leases: Leases, lease: Lease, *, seconds: float, ends: float) -> None:
        self.branch = lease.branch
        self._leases = leases
        self._lease = lease
        self._seconds = seconds
        self._ends = ends  # on this process's clock, counted from before the store was asked: never later than the store's end
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease of {lease.branch}", daemon=True)
        self._thread.start()

    def check(self, branch: str) -> None:
        """Return if the branch is held, or is another one.

        Raises:
            Held: somebody else took it.
            LogError: it ended and can't be renewed.
        """
        if branch == self.branch and time.monotonic() >= self._ends:
            self._renew()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds / _RENEWALS):
            with suppress(LogError):  # the next renewal may go well; if none does, `check` says why
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            asked = time.monotonic()
            try:
                self._leases.renew(self._lease, seconds=self._seconds)
            except Held:
                self._ends = 0.0  # whatever this process's clock says
                raise
            self._ends = asked + self._seconds


@final
class Guarded:
    """A store that asks before a turn is taken, and before a row is appended.

    Args:
        store: where everything else goes.
        turn: given the branch; whatever it raises stands in the way of the turn.
        append: given the row, likewise.
    """

    def __init__(self, store: Store, *, turn: Callable[[str], None], append: Callable[[Row], None]) -> None:
        self._store, self._turn, self._append = store, turn, append

    @property
    def blobs(self) -> Blobs:
        return self._store.blobs

    @property
    def shelf(self) -> Shelf:
        return self._store.shelf

    @property
    def leases(self) -> Leases:
        return self._store.leases

    @contextmanager
    def turn(self, branch: str) -> Iterator[None]:
        self._turn(branch)
        with self._store.turn(branch):
            yield

    def append(self, row: Row) -> None:
        self._append(row)
        self._store.append(row)

    def rows(self, branch: str, start: int = 1, stop: int | None = None) -> Iterator[Row]:
        return self._store.rows(branch, start, stop)

    def branches(self) -> Mapping[str, Tip]:
        return self._store.branches()

    def close(self) -> None:
        self._store.close()
