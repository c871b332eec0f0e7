"""`errata proxy`: an OpenAI-like API in front of another one, which corrects it."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from errata.cli._groups import Options, grouped
from errata.cli._lean import lean
from errata.cli._open import check_device
from errata.cli._options import Where
from errata.cli.serve import Listen, Made, Noted, Settled, Told, answer, check_installed, path
from errata.core.catalogue import check_named
from errata.core.endpoint import UPSTREAM, UPSTREAM_KEY, upstream_address
from errata.core.errors import BadInput, quoted
from errata.log import EditLog, open_store, store_exists

if TYPE_CHECKING:
    from errata.models.upstream.model import Upstream
    from errata.serve.engine.thread import Threaded

_EDITORS: Final = {"pinned": "pinned", "told": "stated"}
"""Way -> the editor of it."""

_READ: Final = {
    "pinned": "scoped:scope=rerank,surely=0.5,editor=routed:follows=base,reader={}",
    "told": "scoped:scope=rerank,surely=0.5,editor=counterfactual,reader={}",
    None: "rerank:reader={}",
}
"""Way -> the editor of it where a model reads corrections beside questions; None: pinned where that can be, else told."""

_FIRST: Final = "pinned"
_THRESHOLD: Final = 0.95


@dataclass(frozen=True)
class Behind(Options):
    """The model that is corrected."""

    upstream: Annotated[
        str | None, typer.Option("--upstream", metavar="URL", help=f"The API: http://HOST:PORT/v1. Not given: {UPSTREAM}.")
    ] = None
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME", help="What the upstream calls the model. Not given: the log's own, or its only one."
        ),
    ] = None
    key_env: Annotated[
        str,
        typer.Option("--upstream-key-env", metavar="VAR", help="The variable of the environment that holds the upstream's key."),
    ] = UPSTREAM_KEY
    timeout: Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long the upstream may be silent.")] = (
        600.0
    )
    max_connections: Annotated[
        int, typer.Option("--max-connections", min=1, help="Requests that the upstream has at once; others wait for one to end.")
    ] = 100
    max_body_mb: Annotated[int, typer.Option("--max-body", metavar="MB", min=1, help="The longest request, in MB.")] = 32


@dataclass(frozen=True)
class Corrected(Options):
    """How corrections reach a question, and which."""

    way: Annotated[
        Literal["pinned", "told"] | None,
        typer.Option(
            "--way",
            help="pinned: the right answer as it stands; told: the upstream is asked with the correction before the question.",
        ),
    ] = None
    near: Annotated[
        str | None,
        typer.Option(
            "--near",
            metavar="ENCODER",
            help="Near questions count as the same, by a CLIP in a folder, on the hub, or clip-tiny. Not given: exact ones.",
        ),
    ] = None
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", help=f"Of --near: how alike words and picture must be, below 1. Not given: {_THRESHOLD}."),
    ] = None
    reader: Annotated[
        str | None,
        typer.Option(
            "--reader",
            metavar="MODEL",
            help="Other wordings count too, by a small model that reads corrections beside questions: smollm2.",
        ),
    ] = None
    editor: Annotated[
        str | None,
        typer.Option("--editor", help="Another editor that needs no weights, in the place of --way: NAME:FIELD=VALUE,..."),
    ] = None
    device: Annotated[str, typer.Option("--device", help="Where the encoder or the reader runs.")] = "cpu"

    @property
    def asked(self) -> str | None:
        """The editor that these name; None: the log's own, or the first.

        Raises:
            BadInput: some don't go together.
        """
        if self.editor is not None:
            if any(each is not None for each in (self.way, self.near, self.threshold, self.reader)):
                raise BadInput("--editor says all that --way, --near, --threshold and --reader say. Give one or the other.")
            return self.editor
        if self.reader is not None:
            return self._read()
        if self.near is None and self.threshold is not None:
            raise BadInput("--threshold says how near a question must be, and nothing tells: name an encoder with --near.")
        if self.threshold is not None and not 0 < self.threshold < 1:
            raise BadInput(f"--threshold must be above 0 and below 1, not {self.threshold:g}.")
        if self.way is None and self.near is None:
            return None
        if self.near is not None:
            _check_name("encoder", self.near)
        if self.near is None:
            return _EDITORS[self.way or _FIRST]
        threshold = _THRESHOLD if self.threshold is None else self.threshold
        return f"{_EDITORS[self.way or _FIRST]}:encoders={self.near},threshold={threshold:g}"

    def _read(self) -> str:
        if self.near is not None or self.threshold is not None:
            raise BadInput("--reader and --near each say which questions a correction concerns. Give one or the other.")
        _check_name("reader", str(self.reader))
        return _READ[self.way].format(self.reader)


def _check_name(what: str, name: str) -> None:
    if "," in name or "=" in name:
        raise BadInput(f"The {what} {quoted(name)} has a comma or an equals sign in its name. Give it another, or link to it.")


@grouped
def proxy(
    behind: Behind = Behind(),
    corrected: Corrected = Corrected(),
    listen: Listen = Listen(),
    told: Told = Told(),
    noted: Noted = Noted(),
    where: Where = Where(),
) -> None:
    """Correct a model that can't be touched: an OpenAI-like API at /v1 in front of another one.

    What no correction concerns goes through with everything that was sent, and comes back as it came. What one concerns is answered
    with the right answer as it stands, or put to the upstream with the correction before it; each answer says which way it went.
    Corrections, receipts, the log, keys and undo are those of errata serve. The upstream is asked with the operator's key, never
    with a client's.

    \b
    Examples:
      errata proxy --upstream http://127.0.0.1:8000/v1 --model qwen --store errata.db
      errata proxy --upstream https://api.example.org/v1 --model small --upstream-key-env EXAMPLE_KEY --way told
      errata proxy --upstream http://127.0.0.1:8000/v1 --near clip-tiny --threshold 0.95
      errata proxy --upstream http://127.0.0.1:8000/v1 --reader smollm2
    """
    check_installed()
    check_device(corrected.device)
    asked = corrected.asked
    if asked is not None:
        check_named(asked)
    at = _url(behind)

    def made(url: str) -> Made:
        named, kept = _recorded(where)
        upstream = _met(behind, at, named)
        engine = _engine(replace(upstream, discreet=True), asked or kept or _FIRST, corrected, where, url)
        with lean():
            from errata.serve.app import create_app
            from errata.serve.proxy.forward import Forward
            from errata.serve.proxy.route import router_of

        forward = Forward.to(
            upstream.url, upstream.name, key=upstream.key, timeout_s=behind.timeout, connections=behind.max_connections
        )
        return Made(
            engine, lambda service: create_app(service, router_of(forward, engine.version)), upstream.name, f" of {upstream.url}"
        )

    answer(made, Settled(listen, behind.max_body_mb, told, noted, where))


def _url(behind: Behind) -> str:
    """The upstream's address.

    Raises:
        BadInput: there is none.
    """
    url = behind.upstream if behind.upstream is not None else os.environ.get(UPSTREAM, "")
    if not url.strip():
        raise BadInput(f"Nothing says which model is to be corrected. Give its API: --upstream http://HOST:PORT/v1, or {UPSTREAM}.")
    return upstream_address(url)


def _recorded(where: Where) -> tuple[str, str]:
    """What the upstream calls the log's model, and the log's editor; "" each for a log that has not begun.

    Raises:
        BadInput: the log's model is one that errata opens itself.
    """
    if where.nowhere or not store_exists(where.at):
        return "", ""
    with lean():
        from errata.models.upstream.meeting import PREFIX
        from errata.session.beginnings import recorded_editor
        from errata.session.ready import recorded_model

    with closing(open_store(where.at, create=False)) as opened:
        log = EditLog(opened, where.branch)
        named, editor = recorded_model(log), recorded_editor(log)
    if named is None:
        return "", ""
    if not named.startswith(PREFIX):
        raise BadInput(
            f"The log at {where.at} is of the model {named}, which errata serve opens; it is of no upstream. Name another store or "
            "branch."
        )
    return named.removeprefix(PREFIX), editor or ""


def _met(behind: Behind, url: str, recorded: str) -> Upstream:
    key = os.environ.get(behind.key_env, "").strip()
    if not key and behind.key_env != UPSTREAM_KEY:
        raise BadInput(f"The variable {behind.key_env} holds no key for the upstream. Set it, or leave --upstream-key-env out.")
    with lean():
        from errata.models.upstream.meeting import meet

        return meet(url, behind.model if behind.model is not None else recorded, key=key, timeout_s=min(behind.timeout, 120.0))


def _engine(upstream: Upstream, editor: str, corrected: Corrected, where: Where, url: str) -> Threaded:
    with lean():
        from errata.serve.engine.thread import Threaded

    return Threaded.open(
        upstream,
        editor=editor,
        store=None if where.nowhere else path(where.at),
        branch=where.branch,
        device=corrected.device,
        url=url,
    )
