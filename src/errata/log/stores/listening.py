"""Being told by PostgreSQL that a row was appended: one connection that listens, made anew whenever it breaks.

The transaction that appends a row notifies (https://www.postgresql.org/docs/current/sql-notify.html), and the server passes that on
when it commits. Not every way to a server lets it through: a pool of connections that shares them among transactions takes LISTEN
and forgets it, and a standby refuses it. So the connection also sends itself a word now and then, and only while its own word comes
back is anybody told that listening works.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Final, final

import psycopg

Connection = psycopg.Connection[tuple[Any, ...]]

CHANNEL: Final = "errata"
"""What an append is told on; one database has its own."""

_WORD_S: Final = 15.0
"""How often the connection sends itself a word."""

_BACK_S: Final = 5.0
"""The word must have come back after so many seconds."""

_TURN_S: Final = 0.2
"""How long it takes at most until a listener notices that it was stopped."""

_PAUSES_S: Final = (0.5, 30.0)
"""How long to wait before a broken connection is made anew, first and at most."""

_log = logging.getLogger(__name__)


@final
class PostgresListening:
    """`Listening` on a database, from a thread of its own until `stop`.

    Args:
        connect: makes a connection that isn't shared; may raise `psycopg.Error`.
        shown: the database, for messages.
        heard: see `Tells.listen`.
        back_s: how long the own word may take to come back.
    """

    def __init__(
        self, connect: Callable[[], Connection], shown: str, heard: Callable[[], None], *, back_s: float = _BACK_S
    ) -> None:
        self._connect, self._shown, self._heard, self._back_s = connect, shown, heard, back_s
        self._own = f"errata_{secrets.token_hex(8)}"
        self._stopped, self._works = threading.Event(), False
        self._thread = threading.Thread(target=self._run, name="listening", daemon=True)
        self._thread.start()

    @property
    def works(self) -> bool:
        return self._works

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(2 * _TURN_S)

    def _run(self) -> None:
        pause, told = _PAUSES_S[0], False
        while not self._stopped.is_set():
            try:
                with self._connect() as connection:
                    self._listen(connection)
            except psycopg.Error as error:
                if self._works or not told:
                    why = str(error).splitlines()[0] if str(error) else type(error).__name__
                    _log.warning("%s can't be listened to, so it is looked at again and again: %s", self._shown, why)
                pause, told = (_PAUSES_S[0] if self._works else min(_PAUSES_S[1], 2 * pause)), True
            finally:
                self._works = False
            self._stopped.wait(pause)

    def _listen(self, connection: Connection) -> None:
        """Listen until stopped.

        Raises:
            psycopg.Error: the connection broke, or the own word didn't come back.
        """
        connection.execute(f'LISTEN "{CHANNEL}"')
        connection.execute(f'LISTEN "{self._own}"')
        sent, back = -_WORD_S, True
        while not self._stopped.is_set():
            now = time.monotonic()
            if back and now - sent >= _WORD_S:
                connection.execute(f'NOTIFY "{self._own}"')
                sent, back = now, False
            if not back and now - sent >= self._back_s:
                raise psycopg.OperationalError("what is sent to it doesn't come back")
            for found in connection.notifies(timeout=_TURN_S, stop_after=1):
                if found.channel == self._own:
                    back = True
                    if self._works:
                        continue
                    self._works = True  # what came before is looked for once
                self._heard()
