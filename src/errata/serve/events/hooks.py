"""A signed webhook: what happened to corrections is posted to a URL, in the order of the log, again and again until it is taken.

    POST URL
    Errata-Event: main:17                         the branch and the entry: the same event always has the same name
    Errata-Signature: t=1764432000,v1=<hex>       v1 = HMAC-SHA256(secret, t + "." + body)

The log is the queue, and how far a webhook has come is kept beside the store: a receiver that was away gets what it missed, also
what was appended while no server ran. The first time that a URL is given it is told of what happens from then on. An answer of 2xx
takes an event; anything else is tried again after 1, 2, 4, ... seconds, and nothing that came later on the branch goes before it.
An event may come twice, after an answer that was lost.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Final, final
from urllib.parse import urlsplit, urlunsplit

from errata.core.canonical import canonical, digest_of
from errata.core.counted import counted
from errata.core.errors import BadInput, ErrataError, quoted
from errata.log import EditLog
from errata.serve.addresses import Allowed, Place, checked, connected
from errata.serve.beside.kept import Beside, InMemory
from errata.serve.events.happened import Firsts, Happened, happened

if TYPE_CHECKING:
    from errata.serve.service import Service

_TIMEOUT_S: Final = 10.0
_LONGEST_S: Final = 60.0
"""Between two tries."""

_LOOK_S: Final = 1.0
"""How often logs are looked at for what other processes appended; what this one did is told at once."""

_SECRET_CHARS: Final = 16
"""A secret has at least so many."""

_log: Final = logging.getLogger("errata.serve.events.hooks")


@dataclass(frozen=True)
class Hook:
    """Where events are posted, and how they are signed."""

    url: str
    secret: bytes = field(repr=False)
    allowed: tuple[Allowed, ...] = ()
    """Hosts that may have an address that isn't public, if that is named."""

    @staticmethod
    def of(url: str, secret: bytes, allowed: Sequence[Allowed] = ()) -> Hook:
        """The hook, once everything that can be checked is.

        Raises:
            BadInput: no such URL, a secret that is too short, or a host with an address that isn't public.
        """
        plain = secret.strip()
        if len(plain) < _SECRET_CHARS:
            raise BadInput(
                f"The webhook's secret has {counted(len(plain), 'character')}. Write at least {_SECRET_CHARS} to its file: "
                "openssl rand -hex 32"
            )
        hook = Hook(url, plain, tuple(allowed))
        try:
            hook.place()
        except BadInput as error:
            raise BadInput(f"The webhook can't be used: {error} If it is meant: --allow-host HOST=ADDRESS") from None
        return hook

    def place(self) -> Place:
        """Where the URL leads now, once every address that its host has was checked.

        Raises:
            BadInput: it is no URL, or leads to an address that isn't public and isn't allowed.
        """
        try:
            parts = urlsplit(self.url)
            own = Allowed((parts.hostname or "").rstrip("."), parts.port)
        except ValueError:
            raise BadInput(f"{quoted(self.url)} is no address on the web.") from None
        return checked(self.url, (own, *self.allowed))

    def post(self, event: Happened) -> str:
        """Post an event once; why it wasn't taken, "" where it was."""
        body = canonical(event.to_json())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "errata",
            "Errata-Event": f"{event.branch}:{event.seq}",
            "Errata-Signature": signature(self.secret, body, int(time.time())),
        }
        try:
            place = self.place()
            made = connected(place, _TIMEOUT_S)
            try:
                made.request("POST", urlunsplit(("", "", place.url.path or "/", place.url.query, "")), body, headers)
                status = made.getresponse().status  # a redirect isn't followed: it isn't 2xx
            finally:
                made.close()
        except (BadInput, OSError, HTTPException) as error:
            return str(error) or type(error).__name__
        return "" if 200 <= status < 300 else f"it answered {status}"


def signature(secret: bytes, body: bytes, at: int) -> str:
    """The value of `Errata-Signature`.

    Args:
        at: seconds since 1970.
    """
    return f"t={at},v1={hmac.new(secret, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


@contextmanager
def posting(service: Service, hook: Hook | None) -> Iterator[None]:
    """Post what happens on every branch of the server's store, for the length of a `with` block; None: nothing."""
    if hook is None:
        yield
        return
    log = service.engine.do(service.serving.branch, lambda session: session.inner.log).result()
    branches = partial(_logs, service, log)
    deliveries = Deliveries(hook, branches, beside=service.beside)
    deliveries.start()
    service.news.also(deliveries.nudge)
    try:
        yield
    finally:
        deliveries.stop()


def _logs(service: Service, log: EditLog) -> Mapping[str, EditLog]:
    return {branch: service.logs.setdefault(branch, log.on(branch)) for branch in log.branches()}


@final
class Deliveries:
    """Posts what happens on the branches of a store, from a thread of its own for each branch, until it is stopped.

    Args:
        hook: where to.
        logs: the branches that there are now, by name, each to be read from any thread.
        beside: where is kept how far it has come; not given: in memory.
        first_s: seconds to the second try.
    """

    def __init__(
        self, hook: Hook, logs: Callable[[], Mapping[str, EditLog]], *, beside: Beside | None = None, first_s: float = 1.0
    ) -> None:
        self._hook, self._logs, self._first_s = hook, logs, first_s
        self._beside = InMemory() if beside is None else beside
        self._name = digest_of(hook.url.encode())[:32]
        self._stopped, self._news = threading.Event(), threading.Condition()
        self._threads: dict[str, threading.Thread] = {}
        self._seen: dict[str, int] = {}
        self._count = 0

    def start(self) -> None:
        """Post what happens from where it had come to, or from now on."""
        known = any(name == self._name for _, name, _ in self._beside.all("posted", None))
        for branch, log in self._logs().items():
            told = self._beside.get("posted", branch, self._name)
            after = min(int(told), len(log)) if told is not None else 0 if known else len(log)
            if told is None:
                self._took(branch, after)
            self._follow(branch, log, after)
        self._spawn("", self._look)

    def nudge(self) -> None:
        """Something was appended."""
        with self._news:
            self._count += 1
            self._news.notify_all()

    def waiting(self) -> int:
        """How many entries haven't been gone through yet."""
        return sum(len(log) - self._seen.get(branch, len(log)) for branch, log in self._logs().items())

    def stop(self, within_s: float = 5.0) -> None:
        """Post no more; what is on its way is ended, as far as the time allows."""
        self._stopped.set()
        self.nudge()
        deadline = time.monotonic() + within_s
        for thread in self._threads.values():
            thread.join(max(0.0, deadline - time.monotonic()))

    def _spawn(self, name: str, run: Callable[[], None]) -> None:
        self._threads[name] = threading.Thread(target=run, name=f"webhook {name}", daemon=True)
        self._threads[name].start()

    def _follow(self, branch: str, log: EditLog, after: int) -> None:
        self._seen[branch] = after
        firsts = Firsts()
        self._spawn(branch, lambda: self._run(branch, log, firsts))

    def _told(self, branch: str, seq: int) -> bool:
        """Whether another server on the store posted it."""
        came_to = self._beside.get("posted", branch, self._name)
        return came_to is not None and int(came_to) >= seq

    def _took(self, branch: str, seq: int) -> None:
        self._seen[branch] = seq
        self._beside.put("posted", branch, self._name, str(seq).encode())

    def _look(self) -> None:
        """Begin with branches that are new."""
        while not self._stopped.is_set():
            try:
                for branch, log in self._logs().items():
                    if branch not in self._threads:
                        self._follow(branch, log, 0)
            except ErrataError as error:
                _log.warning("The branches can't be listed for the webhook: %s", error)
            self._wait()

    def _run(self, branch: str, log: EditLog, firsts: Firsts) -> None:
        while not self._stopped.is_set():
            try:
                for seq, event in happened(log, self._seen[branch], firsts):
                    if event is not None and not self._told(branch, seq) and not self._delivered(event):
                        return
                    self._took(branch, seq)
            except ErrataError as error:
                _log.warning("Branch %s can't be read for the webhook: %s", branch, error)
            self._wait()

    def _delivered(self, event: Happened) -> bool:
        """Whether it was taken in the end; False: stopped before."""
        pause = self._first_s
        while why := self._hook.post(event):
            _log.warning("The webhook didn't take %s:%d: %s. Next try in %g s.", event.branch, event.seq, why, pause)
            if self._stopped.wait(pause):
                return False
            pause = min(_LONGEST_S, 2 * pause)
        return True

    def _wait(self) -> None:
        with self._news:
            count = self._count
            self._news.wait_for(lambda: self._count != count or self._stopped.is_set(), _LOOK_S)
