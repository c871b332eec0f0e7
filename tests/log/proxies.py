"""A connection that breaks at a chosen moment: a real socket between a store and its server, which lets go at the commit."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Literal

Moment = Literal["before the commit is sent on", "after the commit, before its answer"]

SOCKET = ".s.PGSQL.5432"


@contextmanager
def breaking(server: Path, folder: Path, moment: Moment, *, for_good: bool = False) -> Iterator[Path]:
    """A folder with a socket that leads to the server's. The first connection that commits is broken at the moment named.

    Args:
        server: the folder of the server's socket.
        folder: where to listen.
        moment: when to break.
        for_good: whether nobody gets through any more afterwards.
    """
    broken = threading.Event()
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(folder / SOCKET))
        listening.listen()
        threading.Thread(target=_serve, args=(listening, server / SOCKET, moment, broken, for_good), daemon=True).start()
        yield folder
    assert broken.is_set(), "nothing was committed"


def _serve(listening: socket.socket, server: Path, moment: Moment, broken: threading.Event, for_good: bool) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:  # the block is over
            return
        if broken.is_set() and for_good:
            client.close()
            continue
        behind = socket.socket(socket.AF_UNIX)
        behind.connect(str(server))
        threading.Thread(target=_pass_on, args=(client, behind, moment, broken), daemon=True).start()


def _pass_on(client: socket.socket, server: socket.socket, moment: Moment, broken: threading.Event) -> None:
    with closing(client), closing(server), selectors.DefaultSelector() as ready, suppress(OSError):
        ready.register(client, selectors.EVENT_READ, server)
        ready.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in ready.select():
                said = key.fileobj.recv(65536)  # type: ignore[union-attr]
                if not said:
                    return
                if key.fileobj is client and b"COMMIT\0" in said and not broken.is_set():
                    broken.set()
                    if moment == "after the commit, before its answer":
                        server.sendall(said)
                        server.recv(65536)  # the server has committed, and nobody will hear of it
                    return
                key.data.sendall(said)
