"""A judge behind an OpenAI-compatible endpoint, over the standard library's own client.

One prompt, with a picture or without, goes to `BASE/chat/completions`; the first choice's text comes back. Redirects aren't
followed, so that the key goes nowhere but where it was sent. Whatever goes wrong is a sentence, in which the key never stands.
"""

from __future__ import annotations

import base64
import http.client
import io
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Final, final
from urllib.parse import urlsplit

from errata.core import given
from errata.core.decoding import as_it_is
from errata.core.errors import BadInput, JudgeFailed, quoted
from errata.core.images import Image

_MOST: Final = 1024 * 1024
"""Bytes of a reply that are read, at most."""

_AGAIN: Final = frozenset({408, 409, 425, 429})
"""Statuses that may pass by themselves, beside those from 500 on."""

_SHOWN: Final = 300
"""Characters of what a server says of an error that are shown."""

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
        try:
            parts = urlsplit(self.base_url)
            usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.username or parts.query or parts.fragment or not _plain(self.base_url):
            raise BadInput(
                f"{quoted(self.base_url)} isn't the base of an endpoint. Write it as https://host/v1, with nothing after it."
            )
        if not self.model.strip():
            raise BadInput("The model's name is empty. Name the model that answers at the endpoint.")
        if not _plain(self.key):
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
            content.append({"type": "image_url", "image_url": {"url": _data_url(image)}})
        return {"model": self.model, "messages": [{"role": "user", "content": content}], "temperature": 0}

    def _post(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        url = f"{self.base_url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        opener = urllib.request.build_opener(_NoRedirect)
        try:
            with opener.open(request, timeout=self.timeout_s) as reply:
                data: bytes = reply.read(_MOST + 1)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refusal(error) from None
        except (OSError, http.client.HTTPException, UnicodeError) as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            if isinstance(cause, TimeoutError):
                raise _Passing(f"{self.base_url} didn't answer within {self.timeout_s:g} seconds.") from None
            raise _Passing(f"{self.base_url} can't be reached: {cause}.") from None
        if len(data) > _MOST:
            raise JudgeFailed(f"{self.base_url} sent more than {_MOST:,} bytes for one reply. Is it a chat endpoint?")
        return data

    def _refusal(self, error: urllib.error.HTTPError) -> Exception:
        """What an HTTP status means, with what the server says of it; the key is struck out."""
        told = _told(error) or error.reason
        struck = told.replace(self.key, "***") if self.key else told
        said = f"{self.base_url} answered with status {error.code} ({struck[:_SHOWN]})."
        if error.code in _AGAIN or error.code >= 500:
            return _Passing(said, wait_s=_seconds(error.headers.get("Retry-After")))
        moved = "Redirects aren't followed: give the address that it leads to." if 300 <= error.code < 400 else ""
        return JudgeFailed(f"{said} {moved or _HINTS.get(error.code, 'What was judged so far is kept.')}")


def _plain(text: str) -> bool:
    """Whether a text can stand in a request's head."""
    return text.isascii() and text.isprintable() and " " not in text


class _Passing(Exception):
    """What may pass by itself; `wait_s` is how long the server asks to be left alone."""

    def __init__(self, said: str, *, wait_s: float = 0.0) -> None:
        super().__init__(said)
        self.wait_s = wait_s


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """None: the status comes back as an error."""
        return


def _told(error: urllib.error.HTTPError) -> str:
    """The message of an error's body, as OpenAI-compatible servers put it; empty where there is none."""
    try:
        told = json.loads(error.read(_MOST))["error"]["message"]
    except (OSError, http.client.HTTPException, ValueError, KeyError, IndexError, TypeError, RecursionError):
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


def _data_url(image: Image) -> str:
    """The pixels that a model gets: in a PNG, but for a photograph that every program decodes alike and that is larger as a PNG."""
    if as_it_is(image.data):
        return f"data:image/jpeg;base64,{base64.b64encode(image.data).decode()}"
    drawn = io.BytesIO()
    image.pixels().save(drawn, "PNG")
    return f"data:image/png;base64,{base64.b64encode(drawn.getvalue()).decode()}"
