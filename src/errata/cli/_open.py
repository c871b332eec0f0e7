"""What commands open: the log, which needs no torch, and the session of a model, which does.

A store is made only after everything that can be checked has been: a command that fails leaves none behind. And what can be refused
without the model is refused before it is loaded: a wrong name of an editor or a device, a point in time that isn't in the log, a
branch that somebody else writes to.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from errata.cli._lean import lean
from errata.cli._options import DtypeName, Place, Turn, Where
from errata.cli._print import note
from errata.core.counted import counted
from errata.core.errors import BadInput, LogError, Unknown, quoted
from errata.core.images import NEWEST
from errata.core.settings import settings
from errata.log import EditLog, MemoryStore, Store, holding, open_store, shown, store_exists

if TYPE_CHECKING:
    from errata.core.editor import Tools
    from errata.core.model import Model
    from errata.core.records import Query
    from errata.session.ready import Ready
    from errata.session.session import Session

_DEVICE = re.compile(r"[a-z]+(:\d+)?|auto:.*")


@contextmanager
def log_to_read(where: Where, *, new_branch: bool = False) -> Iterator[EditLog]:
    """The log of a store, which must be there, for the length of a `with` block.

    Args:
        new_branch: True where the branch need not have an entry yet.

    Raises:
        LogError: there is no store, or it can't be read.
        Unknown: the store has other branches, but not this one.
    """
    with closing(open_store(where.at, create=False)) as opened:
        log = EditLog(opened, where.branch)
        if not new_branch and not len(log) and log.branches():
            raise Unknown("branch", where.branch, log.branches())
        yield log


@contextmanager
def log_to_write(where: Where, turn: Turn) -> Iterator[EditLog]:
    """The log of a store, which must be there, for the length of a `with` block in which nobody else may write to the branch.

    Args:
        turn: how long to wait for it.

    Raises:
        Held: another process writes to the branch.
        LogError, Unknown: as `log_to_read`.
    """
    with log_to_read(where) as log, held_by(log.store, where.branch, turn) as held:
        yield EditLog(held, where.branch)


def held_by(store: Store, branch: str, turn: Turn) -> AbstractContextManager[Store]:
    """The branch held for the length of a `with` block; whoever waits is told for whom."""
    return holding(
        store, branch, wait=turn.wait, waiting=lambda found: note(f"Waiting for {found.holder}, who writes to {branch}.")
    )


def _anything(_: object) -> None:
    """Nothing is to be checked."""


@contextmanager
def session_to_ask(
    place: Place, *, new_branch: bool = False, check: Callable[[EditLog], None] = _anything, pool: Sequence[Query] | None = ()
) -> Iterator[Session]:
    """The session of a log, for the length of a `with` block. Where there is no store it has no edits, and none is made.

    Args:
        new_branch: True for a branch without edits where the store has others but not this one: a rehearsal of what would make it.
        check: raises what is wrong with what is to be asked of this log; called before the model is loaded.
        pool: of a rehearsal, as in `session_to_edit`.

    Raises:
        LogError: the store was named, and there is none.
    """
    where, branch = place.where, place.branch
    told = shown(where.at)
    _refuse_early(place)
    if not where.nowhere and store_exists(where.at):
        with log_to_read(where, new_branch=new_branch) as log:
            if len(log):
                check(log)
                yield _ready(place, log).session(log, pool=pool)
                return
            told = f"{told} on branch {branch}" if log.branches() else told
            if where.named and not new_branch:
                raise LogError(f"The store at {told} is empty. Check the place, or make its first correction: errata edit add")
    elif where.named and not where.nowhere and not new_branch:
        raise LogError(f"There is no store at {told}. Check the path, or make one with the first correction: errata edit add")
    log = EditLog(MemoryStore(), branch)
    check(log)
    note("This is the model without edits." if where.nowhere else f"There is no edit in {told}: this is the model without edits.")
    yield _begun(_ready(place, log), log, pool)


@contextmanager
def session_to_edit(
    place: Place, turn: Turn, check: Callable[[Model], None] = _anything, *, pool: Sequence[Query] | None = None
) -> Iterator[Session]:
    """The session of a log, for the length of a `with` block, in which nobody else may write to the branch; the store is made where
    it isn't there.

    Args:
        turn: how long to wait for the branch.
        check: raises `BadInput` if what is to be done can't be put to the model; called before the store is made.
        pool: ordinary questions for a log that begins here; none of them: no pool; None: made where the editor takes any.

    Raises:
        Held: another process writes to the branch.
    """
    _refuse_early(place)
    if place.where.nowhere:
        raise BadInput("A correction needs a store, so that it is kept and can be taken back. Name a file: --store errata.db")
    with ExitStack() as held:
        if store_exists(place.where.at):
            opened = held.enter_context(closing(open_store(place.where.at, create=False)))
            log = EditLog(held.enter_context(held_by(opened, place.branch, turn)), place.branch)
            ready = _ready(place, log)
            check(ready.model)
        else:
            ready = _ready(place, EditLog(MemoryStore(), place.branch))
            check(ready.model)
            from errata.session.pools import check_takes

            check_takes(ready.editor, pool)
            opened = held.enter_context(closing(open_store(place.where.at)))
            log = EditLog(held.enter_context(held_by(opened, place.branch, turn)), place.branch)
        session = _begun(ready, log, pool)
        from errata.session.takeback import finish_erasing

        finish_erasing(session)
        yield session


@contextmanager
def session_to_propose(
    place: Place, turn: Turn, check: Callable[[Model], None] = _anything, *, pool: Sequence[Query] | None = None
) -> Iterator[Session]:
    """The session of a log for what moves no state: whoever writes to the branch goes on. A log that hasn't begun is begun first,
    for which the branch is held.

    Args:
        turn: how long to wait for a branch that hasn't begun.
        check: as in `session_to_edit`.
        pool: as there.
    """
    _refuse_early(place)
    if not place.where.nowhere and store_exists(place.where.at):
        with closing(open_store(place.where.at, create=False)) as opened:
            log = EditLog(opened, place.branch)
            if len(log):
                ready = _ready(place, log)
                check(ready.model)
                yield ready.session(log)
                return
    with session_to_edit(place, turn, check, pool=pool) as session:
        yield session


def _begun(ready: Ready, log: EditLog, pool: Sequence[Query] | None) -> Session:
    """The session; of a log that begins here, what it protects is said."""
    new = not len(log)
    session = ready.session(log, pool=pool)
    if new:
        from errata.session.pools import pool_in

        kept = len(pool_in(log, next(log.entries(1, 2))))
        whose = "made for the model (--pool FILE takes your own)" if pool is None else "as given"
        if kept:
            begun = f"Branch {log.branch} begins with {counted(kept, 'ordinary question')}, {whose}"
            note(f"{begun}: the editor keeps off their answers.")
    return session


def model_at(name: str, *, device: str, dtype: DtypeName) -> Model:
    """The model, loaded."""
    check_device(device)
    with lean():
        from errata.session import ready

        return ready.model_at(name, device=device, dtype=None if dtype == "auto" else dtype)


def tools_at(*, device: str, dtype: DtypeName, decoder: int = NEWEST) -> Tools:
    """What loads the encoders and second models that editors name; a log's `decoder` where they are for one."""
    from errata.session.ready import Loader

    return Loader(device, None if dtype == "auto" else dtype, decoder)


def check_device(device: str) -> None:
    """Refuse what can't be a device, or a GPU where torch was built for none, before torch is loaded.

    Raises:
        BadInput: it can't be used.
    """
    if not _DEVICE.fullmatch(device):
        raise BadInput(f"The device {quoted(device)} can't be used: it isn't a device's name. Use cpu, cuda:1, or auto.")
    found = importlib.util.find_spec("torch")
    version = Path(str(found.origin)).with_name("version.py") if found is not None else None
    if device.startswith("cuda") and version is not None and version.is_file():
        built = re.search(r"^cuda\b[^=]*=\s*(.+)$", version.read_text(encoding="utf-8"), re.MULTILINE)
        if built is not None and built[1].strip() == "None":
            raise BadInput(f"The device {quoted(device)} can't be used: torch is installed here without CUDA. Use cpu.")


def _refuse_early(place: Place) -> None:
    from errata.core.catalogue import check_named

    check_device(place.device)
    asked = place.editor if place.editor is not None else settings()["editor"].value
    check_named(asked)


def _ready(place: Place, log: EditLog) -> Ready:
    """The model and the editor of a log: as asked for, else as the log began or as set."""
    chosen = settings()
    with lean():
        from errata.session.ready import Otherwise, Ready

        return Ready.of(
            log,
            model=place.model or (chosen["model"].value if chosen["model"].chosen else None),
            editor=place.editor,
            otherwise=Otherwise(chosen["model"].value, chosen["editor"].value if chosen["editor"].chosen else None),
            device=place.device,
            dtype=None if place.dtype == "auto" else place.dtype,
        )
