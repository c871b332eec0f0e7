"""Pieces of work that processes are handed; they must lie in a module that a new process can import."""

from __future__ import annotations

import os
import time
from types import MappingProxyType

from errata.core.errors import Unknown


class Odd(Exception):
    """One that can't be made again from its words alone."""

    def __init__(self, one, other):
        super().__init__(f"{one}{other}")


def opened() -> list[str]:
    """What one process's pieces share."""
    return []


def not_opened() -> list[str]:
    """What errata says when a process can't open its things."""
    raise Unknown("model", "nobody", ["llava-tiny"])


def work(done, piece, progress):
    """Which process did it, what it did before, and a read-only view, as results hold."""
    if piece == "wrong":
        raise Unknown("editor", piece, ["none"])
    if piece == "odd":
        raise Odd("one", "two")
    if piece == "killed":
        os._exit(9)
    if piece == "unsendable":
        return lambda: None
    if piece == "long":
        progress("begun", 0, 1)
        time.sleep(600)
    progress("half", 1, 2)
    done.append(piece)
    progress("all", 2, 2)
    return os.getpid(), tuple(done), MappingProxyType({"piece": piece})
