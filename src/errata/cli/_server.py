"""A running server that has the model open: a command asks it and answers at once, instead of opening the model itself.

It is the one that ERRATA_SERVER names, or the one that says it has the store open (`errata.serve.announced`). The key is in
ERRATA_KEY; a server that a file names is asked on this machine only, so that a key goes nowhere else. No torch is loaded here.
"""

from __future__ import annotations

import atexit
import base64
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from ipaddress import ip_address
from typing import Annotated, Any, Final, final
from urllib.parse import quote, urlencode, urlsplit

import typer

from errata.cli._groups import Options
from errata.cli._options import By, Place, Where
from errata.cli._print import note
from errata.core.canonical import JSON
from errata.core.errors import BadInput, LogError, quoted
from errata.core.images import Image
from errata.core.settings import settings
from errata.log.stores.opening import is_url

KEY: Final = "ERRATA_KEY"
"""The variable that holds the key; it is a secret, so it is no setting that stands in a file."""

_CONNECT_S: Final = 2.0
_ANSWER_S: Final = 600.0
_LOG: Final = frozenset({409, 503})
_MAGIC: Final = ((b"\x89PNG", "png"), (b"\xff\xd8", "jpeg"), (b"GIF8", "gif"), (b"RIFF", "webp"))


@dataclass(frozen=True)
class Served(Options):
    """Whether a running server may be asked."""

    no_server: Annotated[
        bool, typer.Option("--no-server", help="Open the model here, also where a server has it open (ERRATA_SERVER).")
    ] = False


@final
class Server:
    """A server that answered, and as whom it knows us."""

    def __init__(self, url: str, key: str, *, named: bool) -> None:
        self.url, self.named, self._key = url.rstrip("/"), named, key
        self._parts = urlsplit(self.url)
        from http.client import HTTPConnection, HTTPSConnection  # a twentieth of a second that no list of edits needs

        made = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
        self._connection = made(self._parts.hostname or "", self._parts.port, timeout=_CONNECT_S)
        atexit.register(self._connection.close)
        self.me: Mapping[str, Any] = {}

    def meet(self) -> Server:
        """Find out who it takes us for.

        Raises:
            BadInput, LogError: nobody answers, or the key is nobody's.
        """
        self.me = self.get("/v1/me")
        if self._connection.sock is not None:
            self._connection.sock.settimeout(_ANSWER_S)
        self._connection.timeout = _ANSWER_S
        return self

    def get(self, path: str, **asked: object) -> dict[str, Any]:
        """What it has there. Raises as `post`."""
        given = [(name, each) for name, value in asked.items() for each in (value if isinstance(value, list) else [value])]
        words = urlencode([(name, str(value)) for name, value in given if value not in (None, "")])
        return self._asked("GET", f"{path}?{words}" if words else path, None)

    def post(self, path: str, body: Mapping[str, JSON], *, key: str = "") -> dict[str, Any]:
        """What it answers.

        Args:
            key: names the request: given again, nothing is done twice.

        Raises:
            BadInput, LogError: what it says is wrong, in its words; or nobody answers any more.
        """
        return self._asked("POST", path, json.dumps(body).encode(), {"Idempotency-Key": key} if key else {})

    def _asked(self, method: str, path: str, body: bytes | None, more: Mapping[str, str] | None = None) -> dict[str, Any]:
        from http.client import HTTPException

        headers = {"Content-Type": "application/json", **(more or {})} | (
            {"Authorization": f"Bearer {self._key}"} if self._key else {}
        )
        try:
            self._connection.request(method, self._parts.path + path, body, headers)
            answer = self._connection.getresponse()
            status, data = answer.status, answer.read()
        except (OSError, HTTPException) as error:
            raise LogError(
                f"The server at {self.url} doesn't answer: {str(error) or type(error).__name__}. Look whether it runs."
            ) from None
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if status == 200 and isinstance(found, dict):
            return found
        said = found.get("error") if isinstance(found, dict) else None
        told = (
            str(said.get("message"))
            if isinstance(said, dict)
            else f"The server at {self.url} answered {status}, not as errata does."
        )
        raise LogError(told) if status in _LOG else BadInput(told)


def server_for(where: Where, served: Served, *, refuses: str = "", writes: bool = False, by: By | None = None) -> Server | None:
    """The running server that a command goes through; None where it does its work itself.

    Args:
        where: which log is meant.
        served: whether one may be asked.
        refuses: what was given that a server can't be told, such as "--rules"; "" where all can be.
        writes: whether the command writes an entry, for which a server that has the store open must be gone through.
        by: who makes the entry.

    Raises:
        BadInput, LogError: one is named and can't be asked, or what was given can't go through it.
    """
    if served.no_server or where.nowhere:
        return None
    chosen = settings()["server"]
    found = _named(chosen.value) if chosen.chosen and where.store is None else _beside(where)
    if found is None:
        return None
    why = _cannot(found, where, refuses, by if writes else None)
    if why and (found.named or (writes and found.me["branch"] == where.branch)):
        raise BadInput(why)
    if why:
        note(f"{why} The model is opened here instead.")
    return None if why else found


def server_named(where: Where, served: Served) -> Server | None:
    """The server that ERRATA_SERVER names, for what could be read in the store as well; None where none is named.

    Raises:
        BadInput, LogError: as `server_for`.
    """
    chosen = settings()["server"].chosen and where.store is None
    return server_for(where, served) if chosen else None


def refused(place: Place | None = None, **given: object) -> str:
    """What of these options was given, of those that a server can't be told: their names; "" where none was."""
    own = {} if place is None else {each.name: vars(place)[each.name] != each.default for each in fields(place)}
    names = [name for name in ("model", "editor", "device", "dtype") if own.get(name)]
    names += [name for name, value in given.items() if value]
    return " and ".join(f"--{name.replace('_', '-')}" for name in names)


def pictures(images: Sequence[Image]) -> list[JSON]:
    """Pictures as they are sent: data URLs of their very bytes."""
    return [f"data:image/{_kind(image.data)};base64,{base64.b64encode(image.data).decode()}" for image in images]


def within(name: str) -> str:
    """A name as a part of a path."""
    return quote(name, safe="")


def _named(url: str) -> Server:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise BadInput(f"ERRATA_SERVER is {quoted(url)}, which is no URL of a server. Write http://HOST:PORT, or unset it.")
    try:
        return Server(url, os.environ.get(KEY, "").strip(), named=True).meet()
    except LogError as error:
        raise LogError(f"{error} ERRATA_SERVER names it: unset it, or give --no-server to open the model here.") from None


def _beside(where: Where) -> Server | None:
    """The server that has the store open, if it says so and is there."""
    if is_url(where.at):
        return None
    from errata.serve.announced import announced

    told = announced(where.at)
    if told is None or not on_this_machine(told.url):
        return None
    found = Server(told.url, os.environ.get(KEY, "").strip(), named=False)
    try:
        found.meet()
    except LogError:
        return None
    except BadInput as error:
        note(f"The server at {told.url} has this store open and can't be asked: {error}")
        return None
    return found if found.me.get("server") == told.word else None


def _cannot(found: Server, where: Where, refuses: str, by: By | None) -> str:
    """Why a command can't go through a server; "" where it can."""
    me, told = found.me, f"The server at {found.url}"
    if me["branch"] != where.branch:
        return (
            f"{told} knows this key on branch {quoted(me['branch'])}, not {quoted(where.branch)}. Give that branch, or its own key."
        )
    if refuses:
        return (
            f"{refuses} can't go through a server, and the one at {found.url} has the model open. Leave it out, or stop the server."
        )
    author = None if by is None else by.author if by.author is not None else _chosen_author()
    if author is not None and author != me["name"]:
        return (
            f"{told} writes the key's owner, {quoted(me['name'])}, into the log, so {quoted(author)} can't be the author. "
            "Leave --author and ERRATA_AUTHOR out, or set ERRATA_KEY to a key of that name."
        )
    return ""


def _chosen_author() -> str | None:
    author = settings()["author"]
    return author.value if author.chosen else None


def on_this_machine(url: str) -> bool:
    """Whether a URL leads to this machine, by an address and not by a name."""
    try:
        return ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False


def _kind(data: bytes) -> str:
    return next((kind for magic, kind in _MAGIC if data.startswith(magic)), "*")
