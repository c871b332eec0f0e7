"""An engine of one thread: it alone runs the model and changes branches, so no answer meets half a correction.

A round is: one change, if any waits; what others appended; questions into the rows that are free; one step for every row; one batch
of those that are answered whole. So a change waits for one round at most, a row for one change, one reading of what enters and one
such batch, and a question for its turn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar, final

from errata.core.errors import ErrataError, Held, LogError
from errata.core.model import Model, Steps
from errata.core.records import Query
from errata.door import Session
from errata.log import Listening
from errata.serve.engine.branches import Branch, Branches, Version
from errata.serve.engine.choosing import check_sampling
from errata.serve.engine.rows import Admitted, Rows
from errata.serve.engine.seam import PATIENCE_S, Ask, Asked, Deliver, Full, Load, NotYet, Piece, Said
from errata.serve.engine.whole import Whole

T = TypeVar("T")

GATHER_S: Final = 0.002
"""How long an engine at rest waits for others once somebody asks, in seconds."""

FOLLOW_S: Final = 0.05
"""How long what others appended may go unseen where nobody asks for it by `min_seq`, and the store doesn't tell."""

TOLD_S: Final = 1.0
"""How often the store is looked at although it tells."""

RETRY_S: Final = 1.0
"""After how long whoever finds the queue full is told to come again."""

_CLOSED: Final = "The server is shutting down and takes no more. Ask again once it runs."

_log = logging.getLogger(__name__)


@final
@dataclass(eq=False)
class Waiting:
    """A question that was taken in."""

    ask: Ask
    deliver: Deliver
    until: float
    """When it has waited for its `min_seq` for too long, on the monotonic clock."""

    gone: threading.Event = field(default_factory=threading.Event)
    """Set once nobody listens, or everything was said."""

    @property
    def left(self) -> bool:
        """Whether nobody listens any more."""
        return self.gone.is_set()

    def cancel(self) -> None:
        """See `seam.Asked`."""
        self.gone.set()

    def say(self, what: Piece | Said | Exception) -> None:
        """Deliver something, unless nobody listens."""
        if self.left:
            return
        if not isinstance(what, Piece):
            self.gone.set()
        try:
            self.deliver(what)
        except Exception:  # noqa: BLE001  a listener's mistake ends its own answer and nobody else's
            _log.exception("An answer could not be delivered.")
            self.gone.set()


@final
@dataclass(eq=False)
class _Change:
    branch: str
    what: Callable[[Session], Any]
    future: Future[Any]


@final
class Threaded:
    """See `seam.Engine`. Made by `Threaded.open`.

    Args:
        branches: of the store; closed with this.
        max_rows: how many questions are answered at once, >= 1.
        max_waiting: how many more may wait, and how many changes, >= 1.
        patience_s: how long a question waits for its `min_seq`.
    """

    def __init__(
        self,
        branches: Branches,
        *,
        max_rows: int = 8,
        max_waiting: int = 256,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._branches = branches
        self._max_rows, self._max_waiting, self._patience_s = max_rows, max_waiting, patience_s
        self._waiting: deque[Waiting] = deque()
        self._changes: deque[_Change] = deque()
        self._turn = threading.Condition()
        self._closing_at: float | None = None
        self._seqs: dict[str, int] = {}
        self._versions: dict[str, Version] = {}
        self._followed, self._told, self._blind = 0.0, False, False
        self._stuck: dict[str, str] = {}
        self._listening: Listening | None = None
        stepper = branches.model.stepper() if isinstance(branches.model, Steps) else None
        self._rows = None if stepper is None else Rows(stepper)
        self._whole = Whole()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    @staticmethod
    def open(
        model: str | Path | Model | None = None,
        *,
        editor: str | None = None,
        store: str | Path | None = None,
        branch: str = "main",
        pool: Sequence[Query] | None = None,
        device: str = "cpu",
        dtype: str | None = None,
        max_rows: int = 8,
        max_waiting: int = 256,
        patience_s: float = PATIENCE_S,
        url: str = "",
    ) -> Threaded:
        """A model that is asked and corrected by many at once.

        Args:
            model: as `errata.open` takes it; None: as the log of `branch` began, or "llava-tiny".
            editor: as there; so are `store`, `pool`, `device` and `dtype`. Of another branch it is as its own log began.
            branch: opened at once, and held if nobody else holds it; others when they are first needed.
            max_rows: how many questions are answered at once, >= 1.
            max_waiting: how many more may wait, and how many changes, >= 1.
            patience_s: how long a question waits for its `min_seq`, in seconds.
            url: where other servers on the store reach this one, for the leases of its branches; "": nowhere.

        Raises:
            ErrataError: as `errata.open`; a branch that another process holds is opened to be read.
        """
        named = str(model) if isinstance(model, Path) else model
        branches = Branches.of(store, branch, model=named, editor=editor, pool=pool, device=device, dtype=dtype, url=url)
        engine = Threaded(branches, max_rows=max_rows, max_waiting=max_waiting, patience_s=patience_s)
        engine._note(branch, branches.get(branch))
        engine._listening = branches.listen(engine._heard)
        engine._thread.start()
        return engine

    @property
    def model_name(self) -> str:
        return self._branches.model.name

    def ask(self, ask: Ask, deliver: Deliver) -> Asked:
        one = Waiting(ask, deliver, time.monotonic() + self._patience_s)
        with self._turn:
            if self._closing_at is not None:
                one.say(LogError(_CLOSED))
                return one
            if len(self._waiting) >= self._max_waiting:
                self._waiting = deque(each for each in self._waiting if not each.left)
            if len(self._waiting) >= self._max_waiting:
                raise Full(RETRY_S)
            self._waiting.append(one)
            self._turn.notify()
        return one

    def do(self, branch: str, what: Callable[[Session], T]) -> Future[T]:
        future: Future[T] = Future()
        with self._turn:
            if self._closing_at is not None:
                future.set_exception(LogError(_CLOSED))
            elif len(self._changes) >= self._max_waiting:
                future.set_exception(Full(RETRY_S))
            else:
                self._changes.append(_Change(branch, what, future))
                self._turn.notify()
        return future

    def seq(self, branch: str) -> int:
        return self._seqs.get(branch, 0)

    def version(self, branch: str) -> Version | None:
        """The state of a branch as far as it is folded; at once, from any thread. None: nobody asked for the branch yet."""
        return self._versions.get(branch)

    def load(self) -> Load:
        with self._turn:
            waiting = sum(not each.left for each in self._waiting)
            changes = len(self._changes)
        steps, tokens = self._whole.steps, self._whole.tokens
        if self._rows is not None:
            steps, tokens = steps + self._rows.steps, tokens + self._rows.tokens
        return Load(waiting, self._busy, changes, steps, tokens, tuple(self._stuck))

    @property
    def steps_by_row(self) -> bool:
        """Whether answers go token by token, rows entering and leaving between; else whole batches are answered one by one."""
        return self._rows is not None

    @property
    def _busy(self) -> int:
        return len(self._whole) + (0 if self._rows is None else len(self._rows))

    def close(self, *, within_s: float = 10.0) -> None:
        with self._turn:
            if self._closing_at is None:
                self._closing_at = time.monotonic() + within_s
            self._turn.notify()
        self._thread.join(within_s + 1.0)

    def _run(self) -> None:
        while self._rest():
            try:
                self._round()
            except Exception:  # noqa: BLE001  whoever it concerned was told; the others go on
                _log.exception("A round of the engine failed.")
        self._refuse()
        if self._listening is not None:
            self._listening.stop()
        self._branches.close()

    def _rest(self) -> bool:
        """Wait until there is something to do; False once there never will be."""
        with self._turn:
            if self._closing_at is None and not self._busy:
                if not self._changes and not self._waiting:
                    self._turn.wait_for(lambda: self._told or self._changes or self._waiting or self._closing_at, self._look_s)
                elif not self._changes and all(self._seen_too_little(each) for each in self._waiting):
                    # nobody can be answered before somebody else appends
                    self._turn.wait_for(lambda: self._told or self._changes or self._closing_at, self._look_s / 5)
                if self._waiting:  # those who ask together are read together
                    self._turn.wait_for(lambda: len(self._waiting) >= self._max_rows or bool(self._changes), GATHER_S)
            return self._closing_at is None or (self._busy > 0 and time.monotonic() < self._closing_at)

    def _round(self) -> None:
        with self._turn:
            change = self._changes.popleft() if self._changes and self._closing_at is None else None
        if change is not None:
            self._make(change)
        self._follow()
        admitted = self._admitted()
        rows = self._rows
        by_row = [each for each in admitted if rows is not None and rows.takes(each.patch)]
        self._whole.enter([each for each in admitted if each not in by_row])
        if rows is not None:
            if by_row:
                rows.enter(by_row)
            rows.step()
        self._whole.step()

    def _make(self, change: _Change) -> None:
        if not change.future.set_running_or_notify_cancel():
            return
        branch = None
        try:
            branch = self._branches.get(change.branch)
            made = change.what(branch.session())
        except BaseException as error:  # noqa: BLE001  it is whose change it was that is told
            if branch is not None and isinstance(error, Held):
                branch.lost(error)
            self._note(change.branch, branch)
            change.future.set_exception(error)
        else:
            self._note(change.branch, branch)
            change.future.set_result(made)

    def _note(self, name: str, branch: Branch | None) -> None:
        """What was folded is known before whoever did it is told."""
        if branch is not None:
            self._versions[name] = branch.version()
            self._seqs[name] = branch.seq

    @property
    def _look_s(self) -> float:
        """How long the store may go without being looked at."""
        tells = self._listening is not None and self._listening.works
        return TOLD_S if tells or self._blind else FOLLOW_S

    def _heard(self) -> None:
        """The store says that something was appended."""
        with self._turn:
            self._told = True
            self._turn.notify()

    def _follow(self) -> None:
        """Fold what others appended, where the store says so, somebody waits for it, or nobody looked for a while."""
        now = time.monotonic()
        with self._turn:
            asked = any(self._seen_too_little(each) for each in self._waiting)
            due = self._told or now - self._followed >= (self._look_s / 5 if asked else self._look_s)
            self._told = self._told and not due
        if not due:
            return
        self._followed = now
        for name, branch in self._grown():
            try:
                branch.follow()
            except ErrataError as error:
                if self._stuck.get(name) != str(error):  # said once, and tried again and again
                    _log.exception("Branch %s can't be followed.", name)
                self._stuck = {**self._stuck, name: str(error)}
            self._note(name, branch)

    def _grown(self) -> list[tuple[str, Branch]]:
        """The branches with something that isn't folded; none while the store can't be asked, which is said once."""
        try:
            found = list(self._branches.grown())
        except LogError as error:
            if not self._blind:
                _log.warning("What others append can't be looked for: %s", error)
            self._blind = True
            return []
        self._blind = False
        self._stuck = {name: self._stuck[name] for name, _ in found if name in self._stuck}
        return found

    def _seen_too_little(self, one: Waiting) -> bool:
        return one.ask.min_seq is not None and self.seq(one.ask.branch) < one.ask.min_seq

    def _admitted(self) -> list[Admitted]:
        """Questions for the rows that are free, in the order in which they came, each with the version that it is asked of."""
        found: list[Admitted] = []
        for one in self._next():
            try:
                version = self._version(one)
                if version is None:
                    with self._turn:
                        self._waiting.append(one)
                    continue
                check_sampling(one.ask.sampling)
                version.model.check_read(one.ask.query)
                found.append(Admitted(one, version, version.read(one.ask.query)))
            except Exception as error:  # noqa: BLE001  it is whose question it was that is told
                one.say(error)
        return found

    def _next(self) -> list[Waiting]:
        """Those whose turn it is; whoever left meanwhile is forgotten."""
        free = self._max_rows - self._busy
        with self._turn:
            if self._closing_at is not None:
                return []
            waiting = [one for one in self._waiting if not one.left]
            self._waiting = deque(waiting[free:])
            return waiting[:free]

    def _version(self, one: Waiting) -> Version | None:
        """What the question is asked of; None where that isn't here yet.

        Raises:
            NotYet: it didn't come in time.
        """
        ask = one.ask
        branch = self._branches.get(ask.branch)
        self._note(ask.branch, branch)
        if ask.min_seq is not None and self._seen_too_little(one):
            if time.monotonic() < one.until:
                return None
            raise NotYet(ask.branch, ask.min_seq, branch.seq, self._patience_s)
        return branch.version(ask.at)

    def _refuse(self) -> None:
        """Tell whoever still waits that nothing will come."""
        if self._rows is not None:
            self._rows.drop(LogError(_CLOSED))
        self._whole.drop(LogError(_CLOSED))
        with self._turn:
            waiting, changes = list(self._waiting), list(self._changes)
            self._waiting.clear()
            self._changes.clear()
        for one in waiting:
            one.say(LogError(_CLOSED))
        for change in changes:
            if change.future.set_running_or_notify_cancel():
                change.future.set_exception(LogError(_CLOSED))
