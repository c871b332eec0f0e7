"""`errata serve`: the corrected model over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from errata.cli._groups import Options, grouped
from errata.cli._lean import lean
from errata.cli._open import check_device
from errata.cli._options import Place, Where
from errata.cli._print import say
from errata.core.catalogue import check_named
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted
from errata.core.given import given_by
from errata.core.settings import DEFAULT_HOST, DEFAULT_PORT, settings
from errata.log import shown
from errata.log.processes import is_local

if TYPE_CHECKING:
    from fastapi import FastAPI

    from errata.serve.access import Keys, Limits
    from errata.serve.addresses import Allowed
    from errata.serve.beside.kept import Beside
    from errata.serve.engine.seam import Engine
    from errata.serve.events.hooks import Hook
    from errata.serve.service import Service

_NEEDED = ("fastapi", "uvicorn", "prometheus_client")
_LOWEST, _HIGHEST = 0, 65535
_MB = 1024 * 1024


@dataclass(frozen=True)
class Listen(Options):
    """Where the server listens, and to whom it connects."""

    host: Annotated[
        str | None,
        typer.Option("--host", help=f"The address to listen at. Not given: as set, or {DEFAULT_HOST}; others need a key."),
    ] = None
    port: Annotated[
        int | None,
        typer.Option("--port", min=_LOWEST, max=_HIGHEST, help=f"The port; 0: any. Not given: as set, or {DEFAULT_PORT}."),
    ] = None
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-host",
            metavar="HOST",
            help="Fetch pictures from HOST too, or HOST:PORT; HOST=ADDRESS where that isn't public. May be given several times.",
        ),
    ] = None

    advertise: Annotated[
        str | None,
        typer.Option(
            "--advertise",
            metavar="URL",
            help="Where other servers on the store reach this one, to pass on what it alone may write. Not given: where it "
            "listens, unless that is every address.",
        ),
    ] = None

    @property
    def at(self) -> tuple[str, int]:
        """As given, else as set.

        Raises:
            BadInput: what is set is no port.
        """
        held = settings()
        port = held["port"].value if self.port is None else str(self.port)
        if not (port.isascii() and port.isdigit() and len(port) < 6 and int(port) <= _HIGHEST):
            raise BadInput(f"The port {quoted(port)} of {held['port'].source} is none. Give a number up to {_HIGHEST}.")
        return held["host"].value if self.host is None else self.host, int(port)


@dataclass(frozen=True)
class Room(Options):
    """How much is taken in at once."""

    max_rows: Annotated[int, typer.Option("--max-rows", min=1, help="Questions that are answered at once.")] = 8
    max_waiting: Annotated[
        int, typer.Option("--max-waiting", min=1, help="Questions that wait for a row; more are told to come again (429).")
    ] = 256
    max_body_mb: Annotated[int, typer.Option("--max-body", metavar="MB", min=1, help="The longest request, in MB.")] = 32


@dataclass(frozen=True)
class Told(Options):
    """Who may ask how often, and who is told what happens to corrections."""

    rate: Annotated[
        float, typer.Option("--rate", min=0, help="Requests that a key may make each second, in the long run; 0: any number.")
    ] = 0.0
    burst: Annotated[int, typer.Option("--burst", min=1, help="Requests that a key may make at once.")] = 60
    webhook: Annotated[
        str, typer.Option("--webhook", metavar="URL", help="Post what happens to corrections there, signed, until it is taken.")
    ] = ""
    webhook_secret_file: Annotated[
        Path | None, typer.Option("--webhook-secret-file", metavar="FILE", help="The secret that signs it: 16 characters or more.")
    ] = None


@dataclass(frozen=True)
class Noted(Options):
    """What the server's own log tells, on standard error."""

    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], typer.Option("--log-level", help="The lowest level that is noted.")
    ] = "info"
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Note what is asked and answered, too; never pictures.")] = (
        False
    )


@grouped
def serve(
    listen: Listen = Listen(), room: Room = Room(), told: Told = Told(), noted: Noted = Noted(), place: Place = Place()
) -> None:
    """Serve the model with every correction of the log in force: to whatever speaks OpenAI's API, at /v1.

    The store is made where it isn't there, and the branch is held while the server runs. One line says when it listens; every
    request is noted on standard error as a line of JSON, without what was asked, answered or shown. Stop it with Ctrl+C: what was
    begun is answered first. Once a key was made (errata key add) nobody is answered without one.

    \b
    Examples:
      errata serve --model llava-tiny
      errata serve --model llava-tiny --store errata.db --port 8400
      errata serve --model llava-tiny --allow-host images.example.org
      errata serve --store postgresql:///errata --host 0.0.0.0 --advertise http://10.0.0.5:8319
      errata serve --webhook https://example.org/errata --webhook-secret-file webhook.secret
    """
    check_installed()
    check_device(place.device)
    check_named(place.editor if place.editor is not None else settings()["editor"].value)

    def made(url: str) -> Made:
        engine = _engine(place, room, url)
        with lean():
            from errata.serve.app import create_app
        return Made(engine, create_app)

    answer(made, Settled(listen, room.max_body_mb, told, noted, place.where))


@dataclass(frozen=True)
class Settled:
    """What a server was told at its start."""

    listen: Listen
    max_body_mb: int
    """The longest request."""

    told: Told
    noted: Noted
    where: Where


@dataclass(frozen=True)
class Made:
    """What answers."""

    engine: Engine
    app: Callable[[Service], FastAPI]
    called: str = ""
    """What the model is called; "": as its folder or hub id is."""

    before: str = ""
    """What stands behind it, to go on from the model's name in the line that says that it listens."""


def answer(make: Callable[[str], Made], settled: Settled) -> None:
    """Take the address, make what answers, and answer until told to stop.

    Args:
        make: called once the address was taken and everything that costs little was found good; takes where other servers on the
            store reach this one.
        settled: the options.

    Raises:
        ErrataError: it can't be served so; nothing was answered.
    """
    listen, told, noted, where = settled.listen, settled.told, settled.noted, settled.where
    author = given_by(settings()["author"].value, "", "").author
    host, port = listen.at
    hosts = tuple(listen.allow_host or ())
    from errata.serve.addresses import Allowed
    from errata.serve.announced import announcing
    from errata.serve.ports import address_of, bound
    from errata.serve.replicas.advertised import advertised

    hook = _hook(told, [Allowed.of(each) for each in hosts])
    with closing(bound(host, port)) as socket, ExitStack() as held:
        keys, limits = _access(where, told, held, host=host)
        made = make(advertised(listen.advertise, socket))
        engine = made.engine
        with lean():
            from errata.serve.events.hooks import posting
            from errata.serve.observed import log_to_stderr
            from errata.serve.running import Server
            from errata.serve.service import Service, Serving

        log_to_stderr(noted.log_level)
        size = settled.max_body_mb * _MB
        serving = Serving(author, where.branch, hosts, max_body=size, log_prompts=noted.log_prompts, called=made.called)
        service = Service(engine, serving, keys=keys, limits=limits, beside=_beside(where, held))
        held.enter_context(posting(service, hook))
        if not where.nowhere:
            held.enter_context(announcing(where.at, address_of(socket), service.word))
        kept = "no store: corrections are gone with the server" if where.nowhere else shown(where.at)
        entries = counted(engine.seq(where.branch), "entry")

        def listening() -> None:
            name = f"{service.model_id}{made.before}"
            say(f"Serving {name} at {address_of(socket)}/v1 (branch {where.branch}, {entries}; {kept})")

        Server(made.app(service), service, listening).answer(socket)


def check_installed() -> None:
    """Whether what speaks HTTP is installed.

    Raises:
        BadInput: it isn't.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise BadInput(f"A server needs {' and '.join(missing)}. Install what is missing: pip install 'errata[serve]'")


def _access(where: Where, told: Told, held: ExitStack, *, host: str) -> tuple[Keys, Limits]:
    """Who may ask, and how often.

    Raises:
        BadInput: others could reach the server, and no key was made.
    """
    from errata.serve.access import NoKeys, Unlimited
    from errata.serve.access.stored import KeysBeside, RateLimits
    from errata.serve.keys.opening import open_keys
    from errata.serve.keys.rates import Rates

    keys: Keys = NoKeys() if where.nowhere else KeysBeside(held.enter_context(closing(open_keys(where.at))))
    if not keys.any and not is_local(host):
        raise BadInput(
            f"At {quoted(host)} others can reach the server, and there is no key yet. Make one first: errata key add; or listen at "
            f"{DEFAULT_HOST}."
        )
    return keys, RateLimits(Rates(told.rate, told.burst)) if told.rate else Unlimited()


def _beside(where: Where, held: ExitStack) -> Beside:
    """Where flags are kept, and how far the webhook has come."""
    from errata.serve.beside.kept import InMemory
    from errata.serve.beside.opening import open_beside

    return InMemory() if where.nowhere else held.enter_context(closing(open_beside(where.at)))


def _hook(told: Told, allowed: list[Allowed]) -> Hook | None:
    """Where events are posted.

    Raises:
        BadInput: no such URL, or no secret.
    """
    from errata.serve.events.hooks import Hook

    if not told.webhook:
        if told.webhook_secret_file is not None:
            raise BadInput("--webhook-secret-file signs what --webhook posts. Give both.")
        return None
    if told.webhook_secret_file is None:
        raise BadInput("What --webhook posts must be signed. Write a secret to a file and name it: --webhook-secret-file FILE")
    return Hook.of(told.webhook, told.webhook_secret_file.read_bytes(), allowed)


def _engine(place: Place, room: Room, url: str) -> Engine:
    chosen = settings()
    with lean():
        from errata.serve.engine.thread import Threaded

        return Threaded.open(
            place.model or (chosen["model"].value if chosen["model"].chosen else None),
            editor=place.editor or (chosen["editor"].value if chosen["editor"].chosen else None),
            store=None if place.where.nowhere else path(place.where.at),
            branch=place.branch,
            device=place.device,
            dtype=None if place.dtype == "auto" else place.dtype,
            max_rows=room.max_rows,
            max_waiting=room.max_waiting,
            url=url,
        )


def path(store: str) -> str | Path:
    """Where a store is, as an engine takes it."""
    return store if "://" in store else Path(store)
