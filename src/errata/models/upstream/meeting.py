"""Who is at an address: whether OpenAI's API is spoken there, and what is said of the model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, Final

from errata.core.canonical import JSON
from errata.core.endpoint import UPSTREAM, UPSTREAM_KEY, Refused, Silent, plain, sent, upstream_address
from errata.core.errors import BadInput, Unknown, UpstreamFailed, quoted
from errata.models.upstream.model import TIMEOUT_S, Upstream

PREFIX: Final = "upstream:"
"""Before the name of a model that is asked at the address that the operator set."""

_LASTING: Final = ("owned_by", "root", "parent")
"""What stays the same of a model in /models from start to start: when it was made doesn't."""

_MEET_S: Final = 30.0


def meet(url: str, name: str = "", *, key: str = "", timeout_s: float = TIMEOUT_S) -> Upstream:
    """The model at an address, which is asked who it is.

    Args:
        url: of the API: http://127.0.0.1:8000/v1.
        name: of the model; "": the only one there.
        key: sent as a bearer token.
        timeout_s: how long an answer may take, in seconds.

    Raises:
        BadInput: it is no address, OpenAI's API isn't spoken there, or there are several models and none was named.
        Unknown: no model of that name is there.
        UpstreamFailed: nobody answers, or the key isn't taken.
    """
    url = upstream_address(url)
    if not plain(key):
        raise BadInput(
            "The upstream's key can't stand in a request: it has characters beyond ASCII, or spaces. Check the variable."
        )
    models, why = _models(Upstream(url, name, {}, key=key, timeout_s=min(timeout_s, _MEET_S)))
    if not name:
        if not models:
            raise _unlike(url, why)
        if len(models) > 1:
            raise BadInput(
                f"There are several models at {url}, and none was named. Known: {', '.join(sorted(models))}. Name one: --model NAME"
            )
        (name,) = models
    said = models.get(name)
    met = Upstream(url, name, {each: said[each] for each in _LASTING if said and each in said}, key=key, timeout_s=timeout_s)
    if said is None:  # some list nothing, or not what they would answer
        _try(met, models, why)
    return met


def opened(named: str) -> Upstream:
    """The model that `upstream:NAME` means: at the address that is set in the environment.

    Raises:
        BadInput: none is set.
        Unknown, UpstreamFailed: as `meet`.
    """
    url = os.environ.get(UPSTREAM, "").strip()
    if not url:
        raise BadInput(
            f"The model {quoted(named)} is asked at an upstream, and {UPSTREAM} doesn't say where. Set it to the address of the "
            f"API ({UPSTREAM}=http://HOST:PORT/v1, the key in {UPSTREAM_KEY}), or go through the running errata proxy."
        )
    return meet(url, named.removeprefix(PREFIX), key=os.environ.get(UPSTREAM_KEY, "").strip())


def _models(asked: Upstream) -> tuple[Mapping[str, Mapping[str, JSON]], str]:
    """What /models says, by name; and why it says nothing, where it doesn't.

    Raises:
        UpstreamFailed: nobody answers, or the key isn't taken.
    """
    try:
        data = sent(f"{asked.url}/models", None, key=asked.key, timeout_s=asked.timeout_s)
    except Silent as error:
        raise asked.silence(error) from None
    except Refused as error:
        if error.status in (401, 403):
            raise asked.refusal(error) from None
        return {}, f"GET {asked.url}/models answers {error.status}"
    try:
        listed: Any = json.loads(data)["data"]
        return {each["id"]: each for each in listed if isinstance(each["id"], str)}, ""
    except (ValueError, TypeError, KeyError):
        return {}, f"GET {asked.url}/models gives no list of models"


def _try(met: Upstream, models: Mapping[str, object], why: str) -> None:
    """Ask a model that isn't listed for one token."""
    try:
        met.chat([{"role": "user", "content": "Say yes."}], most=1)
    except (BadInput, UpstreamFailed) as error:
        if models:
            raise Unknown(f"model at {met.url}", met.name, models) from None
        raise _unlike(met.url, why or "it lists no model", str(error)) from None


def _unlike(url: str, why: str, said: str = "") -> BadInput:
    also = f" Asked a question: {said}" if said else ""
    return BadInput(f"OpenAI's API isn't spoken at {url}: {why or 'it lists no model'}.{also} Give the address that ends in /v1.")
