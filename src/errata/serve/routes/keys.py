"""`/v1/keys` and `/v1/me`: who may do what on the caller's branch."""

from __future__ import annotations

import asyncio
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Path

from errata.serve.access.stored import KeysBeside
from errata.serve.keys.stored import Key, StoredKeys, key_id
from errata.serve.routes._common import Admin, Asker
from errata.serve.service import Served, Service
from errata.serve.wire.errors import conflict
from errata.serve.wire.logs import KeyList, ListedKey, MadeKey, Me, NewKey, Revoked

router = APIRouter(prefix="/v1", tags=["keys"])


@router.get("/me")
async def me(caller: Asker, service: Served) -> Me:
    """As whom the server knows the caller."""
    two = await service.done(caller.branch, lambda session: session.two_people)
    return Me(
        name=caller.name,
        role=caller.role,
        branch=caller.branch,
        two_people=two,
        seq=service.engine.seq(caller.branch),
        model=service.engine.model_name,
        version=version("errata"),
        server=service.word,
    )


@router.post("/keys")
async def add(body: NewKey, caller: Admin, service: Served) -> MadeKey:
    """Make a key of the caller's branch. Its secret is told this once. Where none was made before, one is needed from then on."""
    keys = _stored(service)
    secret = await asyncio.to_thread(keys.add, body.name, body.role, caller.branch)
    made = next(key for key in await asyncio.to_thread(keys.list, caller.branch) if key.id == key_id(secret))
    return MadeKey(**_told(made).model_dump(), secret=secret)


@router.get("/keys")
async def list_keys(caller: Admin, service: Served) -> KeyList:
    """The keys of the caller's branch, without their secrets."""
    return KeyList(data=[_told(key) for key in await asyncio.to_thread(_stored(service).list, caller.branch)])


@router.delete("/keys/{key}")
async def revoke(
    key: Annotated[str, Path(pattern=r"^[0-9a-f]{12}$", description="As it is listed.")], caller: Admin, service: Served
) -> Revoked:
    """Make a key nobody's, at once, in every server on the store."""
    keys = _stored(service)
    gone = await asyncio.to_thread(lambda: keys.revoke(key, branch=caller.branch))
    return Revoked(id=gone.id)


def _stored(service: Service) -> StoredKeys:
    if not isinstance(service.keys, KeysBeside):
        raise conflict("This server has no store, and keys are kept beside one. Start it with --store.")
    return service.keys.stored


def _told(key: Key) -> ListedKey:
    return ListedKey(id=key.id, name=key.name, role=key.role, branch=key.branch, made=key.made)
