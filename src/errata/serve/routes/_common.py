"""What the routes on corrections share: who may, who and why, a branch's log, and what was sent as a question."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Final, TypeVar, final

from fastapi import Depends, Header, Path

from errata.core.counted import counted
from errata.core.errors import BadInput, ErrataError, LogError, Tampered
from errata.core.given import asked, given_by, words
from errata.core.images import MAX_PIXELS, Image
from errata.core.records import Provenance, Query
from errata.log import EditLog
from errata.serve.access import Caller, at_least
from errata.serve.service import Service
from errata.serve.wire.edits import Wording
from errata.serve.wire.errors import api_error, bad_request

T = TypeVar("T")

Asker = Annotated[Caller, Depends(at_least("ask"))]
Proposer = Annotated[Caller, Depends(at_least("propose"))]
Approver = Annotated[Caller, Depends(at_least("approve"))]
Admin = Annotated[Caller, Depends(at_least("admin"))]

EditPath = Annotated[str, Path(pattern=r"^[0-9a-f]{6,64}$", description="An edit's 64 hexadecimal digits, or the first of them.")]

RequestKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Names the request: sent again, nothing is done twice, and the first receipt comes back.",
    ),
]

RECENT: Final = 32
"""Recent questions that a dry run asks: each is answered twice."""


def by_of(caller: Caller, reason: str, ticket: str) -> Provenance:
    """Who makes an entry: the owner of the key, whatever the body says."""
    return given_by(caller.name, reason, ticket)


async def changed(service: Service, caller: Caller, what: Callable[..., T], *args: object) -> T:
    """What the branch's session makes of it; whoever waits for events is told."""
    try:
        return await service.done(caller.branch, lambda session: what(*args, session))
    finally:
        service.news.tell()


async def log_of(service: Service, caller: Caller) -> EditLog:
    """The log of the caller's branch, to be read from any thread."""
    known = service.logs.get(caller.branch)
    if known is None:
        known = service.logs[caller.branch] = await service.done(caller.branch, lambda session: session.inner.log)
    return known


async def read(service: Service, caller: Caller, what: Callable[[EditLog], T]) -> T:
    """What is found in the log of the caller's branch, read apart from the event loop and from the model."""
    return await asyncio.to_thread(what, await log_of(service, caller))


async def recent_of(service: Service, caller: Caller, limit: int = RECENT) -> list[Query]:
    """The newest questions of the branch, each once."""
    found = await asyncio.to_thread(lambda: list(service.recent.newest(caller.branch, limit)))
    return list({one.query.digest: one.query for one in found}.values())


@final
class SentPictures:
    """The pictures of one request, read as they come up, with limits on all of them together."""

    def __init__(self, service: Service) -> None:
        self._most = service.serving.max_pictures
        self.reader = service.pictures
        self._count = self._pixels = 0

    async def read(self, urls: Sequence[str], *, param: str) -> list[Image]:
        """The pictures at these addresses.

        Raises:
            ApiError: one can't be used, or they are too many; the place in the request is named.
        """
        self._count += len(urls)
        if self._count > self._most:
            raise bad_request(f"A request takes {counted(self._most, 'picture')} at most. Leave some out.", param=param)
        return [await asyncio.to_thread(self._one, url, f"{param}[{number}]") for number, url in enumerate(urls)]

    def _one(self, url: str, param: str) -> Image:
        try:
            image = self.reader.read(url)
            width, height = image.pixels().size
            self._pixels += width * height
            if self._pixels > MAX_PIXELS:
                raise BadInput(f"The pictures have more than {MAX_PIXELS:,} pixels together. Resize them first.")
        except ErrataError as error:
            raise api_error(error, param=param) from None
        return image


async def wordings(sent: SentPictures, given: Sequence[str | Wording], images: Sequence[Image], *, param: str) -> list[Query]:
    """Questions: those given as text are asked of these pictures."""
    found = []
    for number, one in enumerate(given):
        own = images if isinstance(one, str) else await sent.read(one.images, param=f"{param}[{number}].images")
        found.append(asked(one if isinstance(one, str) else one.question, own))
    return found


def point_of(log: EditLog, text: str, *, param: str) -> int:
    """The entry that a number, an alias or a time names.

    Raises:
        ApiError: none (400).
    """
    try:
        return log.point(words(text, "point"))
    except Tampered:
        raise
    except (BadInput, LogError) as error:
        raise bad_request(str(error), param=param) from None


def check_recent(wanted: bool, dry_run: bool) -> None:
    """Whether recent questions can be asked: only a dry run does."""
    if wanted and not dry_run:
        raise bad_request("Recent questions are asked in a dry run only. Leave recent out, or set dry_run.", param="recent")
