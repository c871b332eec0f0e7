"""An endpoint that speaks OpenAI's API, asked over the standard library's own client.

Redirects aren't followed, so that a key goes nowhere but where it was sent. What goes wrong is told apart; who asked says it in a
sentence of its own, with the key struck out.
"""

from __future__ import annotations

import base64
import http.client
import io
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any, Final
from urllib.parse import urlsplit

from errata.core.decoding import as_it_is
from errata.core.errors import BadInput, quoted
from errata.core.images import NEWEST, Image

MOST: Final = 1024 * 1024
"""Bytes of a reply that are read, at most; one more is read of a longer one."""

UPSTREAM: Final = "ERRATA_UPSTREAM"
"""The variable that holds the address of an upstream. No file and no log names one: a key goes nowhere else."""

UPSTREAM_KEY: Final = "ERRATA_UPSTREAM_KEY"
"""The variable that holds its key."""

_SHOWN: Final = 300
"""Characters of what a server says of an error that are shown."""


class Refused(Exception):
    """An HTTP status that is an error, or leads elsewhere."""

    def __init__(self, status: int, reason: str, body: bytes, after: str | None) -> None:
        super().__init__(f"status {status}")
        self.status, self.reason = status, reason
        self.body = body
        """As far as it could be read."""

        self.after = after
        """Its Retry-After."""


class Silent(Exception):
    """Nobody answered, or not in HTTP; `cause` says why."""

    def __init__(self, cause: object) -> None:
        super().__init__(str(cause))
        self.cause = cause


def sent(url: str, body: bytes | None, *, key: str, timeout_s: float) -> bytes:
    """The reply to a body that is posted, or to a GET where there is none; at most one byte more than `MOST`.

    Args:
        url: http or https.
        body: JSON.
        key: sent as a bearer token; none is sent where it is empty.
        timeout_s: seconds without a byte after which it is given up.

    Raises:
        Refused, Silent: there is none.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout_s) as reply:
            data: bytes = reply.read(MOST + 1)
    except urllib.error.HTTPError as error:
        told = b""
        with error, suppress(OSError, http.client.HTTPException):
            told = error.read(MOST)
        raise Refused(error.code, str(error.reason), told, error.headers.get("Retry-After")) from None
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        raise Silent(error.reason if isinstance(error, urllib.error.URLError) else error) from None
    return data


def shown(told: str, key: str) -> str:
    """What a server says of an error, cut short, with the key struck out."""
    return (told.replace(key, "***") if key else told)[:_SHOWN]


def addresses(url: str) -> bool:
    """Whether this is the address of a server, with or without a path, and nothing else."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return usable and "@" not in parts.netloc and not (parts.query or parts.fragment) and plain(url)


def upstream_address(url: str) -> str:
    """The address of an API that is asked for its answers, without spaces around it or a slash at its end.

    Raises:
        BadInput: it is none.
    """
    bare = url.strip().rstrip("/")
    if not addresses(bare):
        raise BadInput(
            f"The upstream {quoted(url)} is no address. Write it as http://HOST:PORT/v1, without a key or a query in it."
        )
    return bare


def plain(text: str) -> bool:
    """Whether a text can stand in a request's head."""
    return text.isascii() and text.isprintable() and " " not in text


def as_shown(image: Image, decoder: int = NEWEST) -> tuple[bytes, str]:
    """The pixels that a model gets, in bytes that every program decodes alike, and "png" or "jpeg".

    A PNG, but for a photograph that all decode alike and that is larger as a PNG.
    """
    if decoder == NEWEST and as_it_is(image.data):
        return image.data, "jpeg"
    drawn = io.BytesIO()
    image.pixels(decoder).save(drawn, "PNG")
    return drawn.getvalue(), "png"


def data_url(image: Image, decoder: int = NEWEST) -> str:
    """The same as a data URL."""
    data, kind = as_shown(image, decoder)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any) -> None:
        """None: the status comes back as an error."""
        return
