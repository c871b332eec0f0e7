"""A Ray Serve application of the same server: each of Ray's replicas opens the store and the model, and follows the log.

    serve run errata.serve.replicas.on_ray:application store=postgresql:///errata model=llava-tiny

How many there are, on which machines, when one is added or put in another's place is Ray's (https://docs.ray.io/en/latest/serve).
A replica is asked by Ray, not at an address of its own; what it is to pass on to the one that writes goes to a port that each opens
beside, which the lease names. So a key is needed: others can reach these ports, and Ray's.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack, closing
from typing import Any, Final, final

import ray
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, ValidationError
from ray import serve

from errata.core.errors import BadInput, LogError, quoted
from errata.core.given import given_by
from errata.core.settings import settings
from errata.serve.access.stored import KeysBeside
from errata.serve.app import create_app
from errata.serve.beside.opening import open_beside
from errata.serve.engine.thread import Threaded
from errata.serve.keys.opening import open_keys
from errata.serve.observed import log_to_stderr
from errata.serve.ports import address_of, bound
from errata.serve.running import WITHIN_S, Server
from errata.serve.service import Service, Serving

NAME: Final = "errata"
"""The deployment's, in a configuration file of Ray."""

_AT_ONCE: Final = 100
"""Requests that Ray sends a replica at once; they wait for their rows there."""


class Arguments(BaseModel):
    """What `serve run` and a configuration file may say."""

    model_config = ConfigDict(extra="forbid")

    store: str
    """The URL of a PostgreSQL database; on one machine also the path of a file."""

    model: str | None = None
    """None: as the log began."""

    editor: str | None = None
    branch: str = "main"
    device: str = "cpu"
    dtype: str | None = None
    author: str | None = None
    """Of what a server writes by itself; whoever changes something is the owner of their key."""

    max_rows: int = 8
    max_waiting: int = 256


@final
class Replica:
    """One of Ray's replicas. It is ready once its state is that of the log's end.

    Args:
        given: as `application` got it.

    Raises:
        BadInput: no key was made.
        ErrataError: the store or the model can't be opened.
    """

    def __init__(self, given: Arguments) -> None:
        log_to_stderr("info")
        self._held, self._branch = ExitStack(), given.branch
        keys = self._held.enter_context(closing(open_keys(given.store)))
        if not keys.made():
            raise BadInput("Others can reach a replica of Ray's, and there is no key yet. Make one first: errata key add")
        at = self._held.enter_context(closing(bound(ray.util.get_node_ip_address(), 0)))
        self._engine = Threaded.open(
            given.model,
            editor=given.editor,
            store=given.store,
            branch=given.branch,
            device=given.device,
            dtype=given.dtype,
            max_rows=given.max_rows,
            max_waiting=given.max_waiting,
            url=address_of(at),
        )
        author = given_by(settings()["author"].value if given.author is None else given.author, "", "").author
        beside = self._held.enter_context(closing(open_beside(given.store)))
        asked, passed_on = (
            Service(self._engine, Serving(author, given.branch), keys=KeysBeside(keys), beside=beside) for _ in range(2)
        )  # each for the event loop that it is in
        self._app = create_app(asked)
        server = Server(create_app(passed_on), passed_on)
        self._thread = threading.Thread(target=server.answer, args=(at,), name="what is passed on", daemon=True)
        self._thread.start()
        for end in (lambda: self._thread.join(WITHIN_S + 2), server.stop, asked.stopping.set):  # the last one first
            self._held.callback(end)

    def __serve_build_asgi_app__(self) -> FastAPI:  # noqa: PLW3201  Ray's name: what requests are answered by
        return self._app

    def check_health(self) -> None:
        """Ray asks this every few seconds, and puts another replica in the place of one that raises.

        Raises:
            LogError: an entry can't be folded here, or nothing is taken any more.
        """
        if self._branch in self._engine.load().stuck:
            raise LogError(f"An entry of branch {self._branch!r} can't be folded; the replica's log says why.")
        if not self._thread.is_alive():
            raise LogError("The replica was stopped.")

    def __del__(self) -> None:
        """Give the branch back."""
        self._held.close()


def application(args: dict[str, Any]) -> Any:
    """The application, as `serve run` and `serve deploy` build it.

    Args:
        args: from the command line or the configuration file; see `Arguments`.

    Returns:
        ray.serve.Application.

    Raises:
        BadInput: an argument isn't known, is missing, or isn't what it must be.
    """
    try:
        given = Arguments.model_validate(args)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise BadInput(f"The argument {quoted(name)} of the application can't be used: {first['msg']}.") from None
    deployed = serve.deployment(serve.ingress()(Replica), name=NAME, max_ongoing_requests=_AT_ONCE)
    return deployed.bind(given)
