"""An export asked through its target: the folder as transformers and PEFT open it, or a server that speaks OpenAI's API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, final
from urllib.parse import urlsplit

from errata.core import endpoint
from errata.core.canonical import JSON
from errata.core.errors import BadInput, quoted, shortened
from errata.core.images import Image
from errata.core.records import Message
from errata.models import load
from errata.models.exported.adapter import open_adapter
from errata.session.exporting import canary as canaries
from errata.session.exporting.canary import Asked
from errata.session.exporting.forms import ask

_TIMEOUT_S: Final = 600.0
"""A first answer may have to wait until a model is warm."""


@final
@dataclass(frozen=True)
class Checked:
    """What a target answered."""

    corrected: str
    """To the question that must be answered as corrected."""

    unmoved: str
    """To the one whose answer must not have moved."""

    wrong: tuple[str, ...]
    """A sentence for each that got another answer than is due."""


def check_folder(folder: Path, *, base: str = "", device: str = "cpu", dtype: str | None = None) -> Checked:
    """Open an export as transformers and PEFT open it, and ask its canary.

    Args:
        folder: the export.
        base: of an adapter the model that it is for; "": what it names.
        device: as in `errata.models.load`.
        dtype: likewise; None: the precision in which the canary was asked.

    Raises:
        BadInput: it is no export, or can't be opened.
    """
    canary, told = canaries.read(folder)
    precision = dtype or _text(told, "dtype")
    if told.get("form") == "merged":
        model = load(folder, device=device, dtype=precision)
    else:
        model = open_adapter(folder, base=base, device=device, dtype=precision)
    corrected, unmoved = ask(model, canary)
    return Checked(corrected, unmoved, canary.judged(corrected, unmoved))


def check_endpoint(url: str, folder: Path, *, served: str = "", key: str = "") -> Checked:
    """Ask a server that speaks OpenAI's API an export's canary: greedily, pictures as data URLs.

    Args:
        url: such as http://host:8000 or http://host:8000/v1.
        folder: the export, or what is left of it: the canary is read from it.
        served: the model's name there; "": the export's own, else the only one that is served.
        key: sent as a bearer token; none is sent where it is empty.

    Raises:
        BadInput: there is no canary, nobody answers, or what answers isn't such a server.
    """
    canary, told = canaries.read(folder)
    server = Endpoint(_base(url), key)
    if not served:
        there = server.names()
        served, missing = _served(there, told)
        if missing:
            return Checked("", "", (missing,))
    corrected, unmoved = (server.answer(served, asked) for asked in (canary.corrected, canary.unmoved))
    return Checked(corrected, unmoved, canary.judged(corrected, unmoved))


@final
@dataclass(frozen=True)
class Endpoint:
    """A server that speaks OpenAI's API (`core.endpoint`)."""

    base: str
    key: str = ""

    def names(self) -> list[str]:
        """The models that it serves."""
        found = self._asked("/models", None)
        try:
            return [str(one["id"]) for one in found["data"]]
        except (KeyError, TypeError):
            raise BadInput(f"{self.base}/models lists no models. Name the model there: --served NAME") from None

    def answer(self, model: str, asked: Asked) -> str:
        """What it answers to a question."""
        body: dict[str, JSON] = {
            "model": model,
            "messages": [_message(message) for message in asked.query.messages],
            "temperature": 0,
            "max_tokens": asked.room,
        }
        found = self._asked("/chat/completions", json.dumps(body).encode())
        try:
            said = found["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            said = None
        if not isinstance(said, str):
            raise BadInput(f"{self.base} sent no chat completion. Is it a server that speaks OpenAI's API?")
        return said

    def _asked(self, path: str, body: bytes | None) -> Any:
        try:
            data = endpoint.sent(f"{self.base}{path}", body, key=self.key, timeout_s=_TIMEOUT_S)
        except endpoint.Refused as error:
            told = endpoint.shown(" ".join(error.body.decode(errors="replace").split()), self.key) or error.reason
            raise BadInput(f"{self.base}{path} answered with status {error.status}: {told}") from None
        except endpoint.Silent as error:
            raise BadInput(f"{self.base} can't be reached: {error.cause}. Look whether the server runs there.") from None
        try:
            return json.loads(data)
        except ValueError:
            raise BadInput(f"{self.base}{path} didn't answer in JSON. Is it a server that speaks OpenAI's API?") from None


def _served(there: list[str], told: Mapping[str, Any]) -> tuple[str, str]:
    """The name to ask for, or a sentence on why there is none."""
    own, merged = _text(told, "name"), told.get("form") == "merged"
    if own in there:
        return own, ""
    if merged and len(there) == 1:
        return there[0], ""
    if merged:
        raise BadInput(f"The server serves {_listed(there)}. Say which of them is the export: --served NAME")
    return "", (
        f"The server serves {_listed(there)}, and not {own}: the corrections aren't applied there. "
        "Load the adapter under that name, or name the one that it has: --served NAME"
    )


def _listed(there: list[str]) -> str:
    shown = ", ".join(quoted(name) for name in there[:5])
    return (shown + (", ..." if len(there) > 5 else "")) or "no model"


def _base(url: str) -> str:
    """The base of an endpoint's paths.

    Raises:
        BadInput: it is no URL of a server.
    """
    if not endpoint.addresses(url):
        raise BadInput(f"{quoted(url)} isn't the address of a server. Write it as http://HOST:PORT.")
    return url.rstrip("/") if urlsplit(url).path.strip("/") else f"{url.rstrip('/')}/v1"


def _message(message: Message) -> dict[str, JSON]:
    """A message as OpenAI's API takes it; one of words alone as a plain text."""
    if not any(isinstance(part, Image) for part in message.parts):
        return {"role": message.role, "content": message.text}
    parts: list[JSON] = [
        {"type": "text", "text": part}
        if isinstance(part, str)
        else {"type": "image_url", "image_url": {"url": endpoint.data_url(part)}}
        for part in message.parts
    ]
    return {"role": message.role, "content": parts}


def _text(told: Mapping[str, Any], name: str) -> str:
    """A text that a canary's file must have.

    Raises:
        BadInput: it hasn't.
    """
    value = told.get(name)
    if not isinstance(value, str):
        raise BadInput(f"The {canaries.FILE} of this export doesn't say its {shortened(name)}. Export again.")
    return value
