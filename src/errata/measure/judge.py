"""A judge behind an OpenAI-compatible endpoint (`core.endpoint`).

One prompt, with a picture or without, goes to `BASE/chat/completions`; the first choice's text comes back. Whatever goes wrong is a
sentence, in which the key never stands.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any, Final, final

from errata.core import endpoint, given
from errata.core.errors import BadInput, JudgeFailed, quoted
from errata.core.images import Image

_AGAIN: Final = frozenset({408, 409, 425, 429})
"""Statuses that may pass by themselves, beside those from 500 on."""

_HINTS: Final = {
    401: "Is the key in the environment variable, and is it the right one?",
    403: "May this key use this model?",
    404: "Is the base URL complete, as a rule with /v1 at its end, and the model's name right?",
}


@final
@dataclass(frozen=True)
class Judge:
    """An endpoint and the model that answers there."""

    base_url: str
    """Such as https://host/v1; http or https."""

    model: str
    key: str = field(default="", repr=False)
    """Sent as a bearer token; none is sent where it is empty."""

    timeout_s: float = 60.0
    """Seconds without a byte after which a request is given up."""

    tries: int = 4
    """How often a request is made, where what went wrong may pass."""

    pause_s: float = 1.0
    """Seconds before the second try; each further one waits twice as long."""

    def __post_init__(self) -> None:
        if not endpoint.addresses(self.base_url):
            raise BadInput(
                f"{quoted(self.base_url)} isn't the base of an endpoint. Write it as https://host/v1, with nothing after it."
            )
        if not self.model.strip():
            raise BadInput("The model's name is empty. Name the model that answers at the endpoint.")
        if not endpoint.plain(self.key):
            raise BadInput("The key holds spaces, or signs that aren't ASCII. Check the environment variable that it comes from.")

    def __call__(self, prompt: str, image: Image | None) -> str:
        """The reply to a prompt.

        Raises:
            JudgeFailed: time-outs, refused connections, HTTP errors, replies that aren't a chat completion.
        """
        body = json.dumps(self._body(prompt, image)).encode()
        for tried in range(1, self.tries + 1):
            try:
                return _said(self._post(body), self.base_url)
            except _Passing as error:
                if tried == self.tries:
                    raise JudgeFailed(f"{error} It was tried {self.tries} times. Run the same command again to go on.") from None
                time.sleep(max(error.wait_s, self.pause_s * 2 ** (tried - 1)))
        raise AssertionError("at least one try is made")

    def _body(self, prompt: str, image: Image | None) -> dict[str, Any]:
        content: list[dict[str, Any]] = [{"type": "text", "text": prompt}]
        if image is not None:
            content.append({"type": "image_url", "image_url": {"url": endpoint.data_url(image)}})
        return {"model": self.model, "messages": [{"role": "user", "content": content}], "temperature": 0}

    def _post(self, body: bytes) -> bytes:
        try:
            data = endpoint.sent(f"{self.base_url.rstrip('/')}/chat/completions", body, key=self.key, timeout_s=self.timeout_s)
        except endpoint.Refused as error:
            raise self._refusal(error) from None
        except endpoint.Silent as error:
            if isinstance(error.cause, TimeoutError):
                raise _Passing(f"{self.base_url} didn't answer within {self.timeout_s:g} seconds.") from None
            raise _Passing(f"{self.base_url} can't be reached: {error.cause}.") from None
        if len(data) > endpoint.MOST:
            raise JudgeFailed(f"{self.base_url} sent more than {endpoint.MOST:,} bytes for one reply. Is it a chat endpoint?")
        return data

    def _refusal(self, error: endpoint.Refused) -> Exception:
        """What an HTTP status means, with what the server says of it."""
        told = endpoint.shown(_told(error.body) or error.reason, self.key)
        said = f"{self.base_url} answered with status {error.status} ({told})."
        if error.status in _AGAIN or error.status >= 500:
            return _Passing(said, wait_s=_seconds(error.after))
        moved = "Redirects aren't followed: give the address that it leads to." if 300 <= error.status < 400 else ""
        return JudgeFailed(f"{said} {moved or _HINTS.get(error.status, 'What was judged so far is kept.')}")


class _Passing(Exception):
    """What may pass by itself; `wait_s` is how long the server asks to be left alone."""

    def __init__(self, said: str, *, wait_s: float = 0.0) -> None:
        super().__init__(said)
        self.wait_s = wait_s


def _told(body: bytes) -> str:
    """The message of an error's body, as OpenAI-compatible servers put it; empty where there is none."""
    try:
        told = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        return ""
    return " ".join(told.split()).rstrip(".") if isinstance(told, str) else ""


def _seconds(said: str | None) -> float:
    """How long a server asks to be left alone, at most one minute; 0 where it doesn't say, or names a date."""
    return min(60.0, float(said)) if said is not None and said.isdecimal() else 0.0


def _said(data: bytes, base_url: str) -> str:
    try:
        said = json.loads(data)["choices"][0]["message"]["content"]
    except (ValueError, KeyError, IndexError, TypeError, RecursionError):
        raise JudgeFailed(
            f"{base_url} didn't send a chat completion but {data[:80]!r}. Is it an OpenAI-compatible endpoint?"
        ) from None
    if not isinstance(said, str):
        raise JudgeFailed(f"{base_url} sent a completion without text. Does the model answer in words?")
    try:
        return given.words(said, f"reply of {base_url}")
    except BadInput as error:
        raise JudgeFailed(str(error)) from None
