"""Requests sent on to the upstream, and its replies as they come: bytes, status and the headers that mean something to a client.

The address is the operator's alone and so is the key; a client's own key isn't sent on, and no redirect is followed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

import httpx2

from errata.serve.wire.errors import ApiError

CONNECT_S: Final = 5.0
"""How long the upstream may take to be there, in seconds."""

TIMEOUT_S: Final = 600.0
"""How long it may say nothing, in seconds, unless said otherwise."""

CONNECTIONS: Final = 100
"""Requests that it has at once, unless said otherwise."""

_ON: Final = ("openai-beta", "idempotency-key", "x-request-id", "traceparent", "tracestate")
"""Headers of a request that are sent on."""

_BACK: Final = ("content-type", "retry-after", "retry-after-ms", "x-request-id", "openai-version", "openai-processing-ms")
_RATES: Final = "x-ratelimit-"
"""Headers of a reply that come back, with those on rates. None that lets pages of other sites in."""


@final
@dataclass(frozen=True)
class Forward:
    """The upstream, as requests are sent to it."""

    url: str
    """Of the API, without a slash at the end."""

    model: str
    """What the upstream calls the model."""

    key: str = field(repr=False)
    """The operator's, sent as a bearer token; none is sent where it is empty."""

    timeout_s: float
    client: httpx2.AsyncClient = field(repr=False)

    @staticmethod
    def to(url: str, model: str, *, key: str = "", timeout_s: float = TIMEOUT_S, connections: int = CONNECTIONS) -> Forward:
        """The upstream at an address.

        Args:
            url: of the API.
            model: what the upstream calls it.
            key: the operator's.
            timeout_s: how long it may say nothing, in seconds.
            connections: requests that it has at once; others wait for so long.
        """
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        return Forward(url, model, key, timeout_s, httpx2.AsyncClient(follow_redirects=False, limits=limits))

    async def chat(self, body: bytes, headers: Mapping[str, str]) -> httpx2.Response:
        """The reply to a chat, of which nothing but the head was read; whoever has it closes it.

        Args:
            body: JSON, sent as it is.
            headers: the client's, of which few are sent on.

        Raises:
            ApiError: nobody answers, or not in time, or from somewhere else (502, 504).
        """
        request = self.client.build_request(
            "POST",
            f"{self.url}/chat/completions",
            content=body,
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                **{name: headers[name] for name in _ON if name in headers},
                **({"Authorization": f"Bearer {self.key}"} if self.key else {}),
            },
            timeout=httpx2.Timeout(self.timeout_s, connect=min(CONNECT_S, self.timeout_s)),
        )
        try:
            reply = await self.client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise unanswered(error) from None
        if reply.is_redirect:
            await reply.aclose()
            raise ApiError(
                502, f"The upstream sends requests on to elsewhere ({reply.status_code}). Give errata proxy its own address.",
                code="upstream_failed",
            )  # fmt: skip
        return reply


def unanswered(error: httpx2.HTTPError) -> ApiError:
    """That nobody answered, or stopped in the middle; the address stays the operator's."""
    if isinstance(error, httpx2.TimeoutException) and not isinstance(error, httpx2.ConnectTimeout):
        return ApiError(504, "The upstream didn't answer in time. Ask again later.", code="upstream_timeout", after_s=5)
    why = " ".join(str(error).split()) or type(error).__name__
    return ApiError(
        502, f"The upstream doesn't answer: {why[:200]}. Corrections that are pinned still come.", code="upstream_failed", after_s=5
    )


def headers_of(reply: httpx2.Response) -> dict[str, str]:
    """The headers of a reply that come back."""
    return {name: value for name, value in reply.headers.items() if name in _BACK or name.startswith(_RATES)}
