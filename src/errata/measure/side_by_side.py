"""Several pieces of work side by side, each in one of some processes: as many runs at a time as a machine has cores for.

A process is begun anew (not forked: threads don't survive that), opens what all its pieces need once, and takes one piece after
another. It has a pipe of its own to its parent, so that one that is killed disturbs no other, and ends when its parent does.
"""

from __future__ import annotations

import copyreg
import os
import pickle
import signal
import traceback
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import torch

from errata.core.errors import BadInput, ErrataError
from errata.core.progress import Progress

_W = TypeVar("_W")
_T = TypeVar("_T")

_PARTS = 100
"""Of each piece, as progress counts."""


def _view(of: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(of)


copyreg.pickle(MappingProxyType, lambda view: (_view, (dict(view),)))  # a result's tables are read-only views


def jobs_for(device: str) -> int:
    """Pieces that this machine can work on at a time: one on a GPU, else one for each core that no other thread is meant for."""
    return 1 if torch.device(device).type != "cpu" else max(1, _cores() // torch.get_num_threads())


def side_by_side(
    pieces: Sequence[str],
    *,
    opened: Callable[[], _W],
    work: Callable[[_W, str, Progress], _T],
    jobs: int,
    progress: Progress,
) -> Generator[tuple[str, _T]]:
    """What comes of each piece, as soon as it is there. When this ends early, by an error or by `close`, so do all processes.

    Args:
        pieces: their names, each once.
        opened: opens what a process needs for all its pieces; it and `work` can be pickled.
        work: does a piece; what it gives can be pickled.
        jobs: processes, >= 1; the threads of this one are shared out among them.
        progress: called with what the last piece that went on is at, and how much of all is done.

    Raises:
        BadInput: what errata said of a piece, or a process was killed.
        RuntimeError: anything else that went wrong in a process, with its traceback.
    """
    left, share = list(pieces), dict.fromkeys(pieces, 0.0)
    desks: dict[Connection, _Desk] = {}
    try:
        for _ in range(min(jobs, len(left))):
            desk = _Desk.begun(opened, work, threads=max(1, min(torch.get_num_threads(), _cores() // jobs)))
            desks[desk.pipe] = desk
            desk.take(left)
        while desks:
            for pipe in wait(list(desks)):
                desk = desks[pipe]  # type: ignore[index]
                heard = desk.heard()
                if isinstance(heard, _Shown):
                    share[desk.piece] = heard.done / max(1, heard.total)
                    progress(f"{desk.piece}, {heard.what}", int(sum(share.values()) * _PARTS), len(pieces) * _PARTS)
                    continue
                yield desk.piece, heard.value
                if left:
                    desk.take(left)
                else:
                    desks.pop(desk.pipe).stop()
    finally:
        for desk in desks.values():
            desk.stop()


@dataclass(frozen=True)
class _Shown:
    """Sent by a process for its parent to show."""

    what: str
    done: int
    total: int


@dataclass(frozen=True)
class _Done(Generic[_T]):
    value: _T


@dataclass(frozen=True)
class _Failed:
    """What errata says on purpose, or a traceback; errors themselves can't all be sent from one process to another."""

    said: str
    on_purpose: bool


@dataclass
class _Desk:
    """A process as its parent knows it."""

    process: BaseProcess
    pipe: Connection
    piece: str = ""

    @staticmethod
    def begun(opened: Callable[[], Any], work: Callable[[Any, str, Progress], Any], *, threads: int) -> _Desk:
        context = get_context("spawn")
        mine, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, opened, work, threads), daemon=True)
        process.start()
        theirs.close()
        return _Desk(process, mine)

    def take(self, left: list[str]) -> None:
        self.piece = left.pop(0)
        try:
            self.pipe.send(self.piece)
        except OSError as error:
            raise self._killed() from error

    def heard(self) -> _Shown | _Done[Any]:
        """What the process said next.

        Raises:
            BadInput, RuntimeError: it failed, or is no more.
        """
        try:
            said: _Shown | _Done[Any] | _Failed = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise self._killed() from error
        if isinstance(said, _Failed):
            raise BadInput(said.said) if said.on_purpose else RuntimeError(f"{self.piece}:\n{said.said}")
        return said

    def stop(self) -> None:
        self.pipe.close()
        self.process.terminate()
        self.process.join()

    def _killed(self) -> BadInput:
        self.process.join(_PATIENCE_S)
        return BadInput(
            f"The process of {self.piece} was ended from outside (exit code {self.process.exitcode}), perhaps for want of memory. "
            "What was finished is kept. Run fewer at a time: --jobs 1."
        )


_PATIENCE_S = 5
"""For a process that closed its pipe to end."""


def _serve(pipe: Connection, opened: Callable[[], _W], work: Callable[[_W, str, Progress], Any], threads: int) -> None:
    """What a process does: one piece after another, until its parent closes the pipe or is no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent is interrupted too, and ends all
    torch.set_num_threads(threads)
    try:
        held: list[_W] = []
        while True:
            piece = pipe.recv()
            said = _done(held, opened, work, piece, lambda what, done, total: pipe.send(_Shown(what, done, total)))
            try:
                pipe.send(said)
            except (TypeError, AttributeError, pickle.PicklingError):  # nothing of it was sent
                pipe.send(_Failed(traceback.format_exc(), on_purpose=False))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _done(
    held: list[_W], opened: Callable[[], _W], work: Callable[[_W, str, Progress], _T], piece: str, progress: Progress
) -> _Done[_T] | _Failed:
    try:
        if not held:
            held.append(opened())
        return _Done(work(held[0], piece, progress))
    except ErrataError as error:
        return _Failed(str(error), on_purpose=True)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the parent says it
        return _Failed(traceback.format_exc(), on_purpose=False)


def _cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not everywhere
        return os.cpu_count() or 1
