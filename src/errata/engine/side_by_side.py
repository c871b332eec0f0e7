"""Several pieces of work side by side, each in one of some processes: as many runs at a time as a machine has cores for.

A process is begun anew (not forked: threads don't survive that), opens what all its pieces need once, and takes one piece after
another.
"""

from __future__ import annotations

import copyreg
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import torch

from errata.core.errors import BadInput, ErrataError
from errata.engine.evaluate import Progress

_W = TypeVar("_W")
_T = TypeVar("_T")


def _view(of: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(of)


copyreg.pickle(MappingProxyType, lambda view: (_view, (dict(view),)))  # a result's tables are read-only views


@dataclass(frozen=True)
class _Failed:
    """What errata says on purpose; some of its errors can't be sent from one process to another."""

    said: str


@dataclass(frozen=True)
class _Shown:
    """Sent by a process for its parent to show."""

    piece: str
    what: str
    done: int
    total: int


class _Desk(Generic[_W]):
    """What a process has: what was opened in it, and the way to its parent."""

    opened: _W
    shown: Any


_DESK: _Desk[Any] = _Desk()


def jobs_for(device: str) -> int:
    """Pieces that this machine can work on at a time: one on a GPU, else one for each core that no other thread is meant for."""
    if torch.device(device).type != "cpu":
        return 1
    return max(1, (os.cpu_count() or 1) // torch.get_num_threads())


def side_by_side(
    pieces: Sequence[str],
    *,
    opened: Callable[[], _W],
    work: Callable[[_W, str, Progress], _T],
    jobs: int,
    progress: Progress,
) -> Iterator[tuple[str, _T]]:
    """What comes of each piece, as soon as it is there.

    Args:
        pieces: their names, each once.
        opened: opens what a process needs for all its pieces; it and `work` can be pickled.
        work: does a piece; what it gives can be pickled.
        jobs: processes, >= 1.
        progress: called with what the last piece that went on is at, and how much of all is done.

    Raises:
        BadInput: what errata said of a piece, or a process ended before its work.
    """
    context = get_context("spawn")
    shown = context.Queue()
    listener = threading.Thread(target=_listen, args=(shown, len(pieces), progress), daemon=True)
    listener.start()
    pool = ProcessPoolExecutor(min(jobs, len(pieces)), mp_context=context, initializer=_open, initargs=(opened, shown))
    try:
        named: dict[Future[_T | _Failed], str] = {pool.submit(_work, work, piece): piece for piece in pieces}
        for future in as_completed(named):
            found = future.result()
            if isinstance(found, _Failed):
                raise BadInput(found.said)
            yield named[future], found
    except BrokenProcessPool as error:
        raise BadInput(
            "A process ended before its work was done, perhaps for want of memory. What was finished is kept. Give --jobs 1."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)
        shown.put(None)
        listener.join()


def _open(opened: Callable[[], Any], shown: Any) -> None:
    _DESK.opened, _DESK.shown = opened(), shown


def _work(work: Callable[[Any, str, Progress], _T], piece: str) -> _T | _Failed:
    try:
        return work(_DESK.opened, piece, lambda what, done, total: _DESK.shown.put(_Shown(piece, what, done, total)))
    except ErrataError as error:
        return _Failed(str(error))


def _listen(shown: Any, pieces: int, progress: Progress) -> None:
    share: dict[str, float] = {}
    while (found := shown.get()) is not None:
        share[found.piece] = found.done / max(1, found.total)
        progress(f"{found.piece}, {found.what}", int(sum(share.values()) * _PARTS), pieces * _PARTS)


_PARTS = 100
"""Of each piece, as progress counts."""
