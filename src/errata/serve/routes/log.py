"""`/v1/log`, `/v1/audit`, `/v1/images`: what was written, and whether it still holds."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Response

from errata.core.errors import BadImage, Tampered
from errata.log import EditLog
from errata.log.survey import Survey
from errata.serve.pictured import Pictured
from errata.serve.routes._common import Proposer, log_of, read
from errata.serve.service import Served
from errata.serve.wire.edits import Entries, entry_json
from errata.serve.wire.errors import not_found
from errata.serve.wire.logs import AuditedEdit, AuditFound, AuditWanted, CheckpointFile, Verified
from errata.session.audit import Audit

router = APIRouter(prefix="/v1", tags=["log"])

_KINDS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
)
_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",  # one that is erased is gone
}


@router.get("/log")
async def entries(
    caller: Proposer,
    service: Served,
    after: Annotated[int, Query(ge=0, le=2**63 - 2)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Entries:
    """The entries after a number, oldest first, as `errata log show --json` has them."""

    def page(log: EditLog) -> Entries:
        found = [entry_json(entry) for entry in log.entries(after + 1, after + limit + 1)]
        last = found[-1].seq if found else 0
        return Entries(data=found, has_more=bool(found) and last < len(log), last=last)

    return await read(service, caller, page)


@router.get("/log/checkpoint")
async def checkpoint(caller: Proposer, service: Served) -> CheckpointFile:
    """Size and root of the log as it is now, to be kept elsewhere. Nothing is written."""
    found = await read(service, caller, lambda log: Survey.of(log).head().to_json())
    return CheckpointFile.model_validate(found)


@router.get("/log/verify")
async def verify(
    caller: Proposer, service: Served, head: Annotated[str, Query(pattern=r"^(\d{1,18}:)?[0-9a-f]{64}$|^$")] = ""
) -> Verified:
    """Recompute every hash, the chain, every edit and every picture. `head`: one kept elsewhere, which must be in the log."""

    def checked(log: EditLog) -> Verified:
        try:
            count = log.verify(head or None)
        except Tampered as error:
            return Verified(verified=False, entries=error.seq - 1, head="", entry=error.seq, why=error.why)
        last = log.head
        return Verified(verified=True, entries=count, head="" if last is None else last.mark)

    return await read(service, caller, checked)


@router.post("/audit")
async def audit(body: AuditWanted, caller: Proposer, service: Served) -> AuditFound:
    """Ask every edit in force again: what holds, is obsolete, faded, or leaks. The model answers nobody else meanwhile."""
    found: Audit = await service.done(caller.branch, lambda session: session.audit(limit=body.limit))
    service.audits[caller.branch] = found
    return AuditFound(
        edits=[AuditedEdit.model_validate(one.to_json()) for one in found.edits],
        branch=[dict(breach.to_json()) for breach in found.branch],
        counts={str(verdict): count for verdict, count in found.counts.items()},
        clean=found.clean,
        leak_checks=found.leak_checks,
        head=found.head,
    )


@router.get(
    "/images/{digest}", response_class=Response, responses={200: {"content": {"image/*": {}}, "description": "The picture."}}
)
async def image(
    digest: Annotated[str, Path(pattern=r"^[0-9a-f]{64}$", description="As edits and recent answers name it.")],
    caller: Proposer,
    service: Served,
) -> Response:
    """A picture that an edit of the branch, or a recent question of it, has."""
    log = await log_of(service, caller)
    held = service.pictured.setdefault(caller.branch, Pictured())
    shown = await asyncio.to_thread(service.recent.picture, caller.branch, digest)
    if shown is not None:
        return _sent(shown)
    if not await read(service, caller, lambda log: held.has(log, digest)):
        raise not_found(f"There is no picture {digest[:12]} here.")
    try:
        return _sent((await read(service, caller, lambda _: log.image(digest))).data)
    except BadImage as error:
        raise not_found(str(error)) from None


def _sent(data: bytes) -> Response:
    kind = next((kind for magic, kind in _KINDS if data.startswith(magic)), "application/octet-stream")
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "image/webp"
    return Response(data, media_type=kind, headers=_SAFE)
