"""GET /v1/models: the model as it is now, without edits, and as it was at the aliases of the log."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict

from errata.core.records import instant
from errata.door import Session
from errata.serve.access import Caller, at_least
from errata.serve.pins import BASE, pinned
from errata.serve.service import Served, Service

router = APIRouter(prefix="/v1", tags=["models"])

_OWNER: Final = "errata"


class Version(BaseModel):
    """Which state of the log a name stands for."""

    model_config = ConfigDict(extra="forbid")

    seq: int
    """The last entry that it holds; 0: the model without edits."""

    head: str
    """That entry's hash; "" for the model without edits."""

    edits: int
    """In force."""


class Model(BaseModel):
    """A name that `model` may be in a request."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["model"] = "model"
    created: int
    """When the state came to be, in seconds since 1970, UTC."""

    owned_by: str = _OWNER
    errata: Version


class Models(BaseModel):
    """All of them but the pins by number, which are as many as the log has entries."""

    model_config = ConfigDict(extra="forbid")

    object: Literal["list"] = "list"
    data: list[Model]


def _state(session: Session, name: str, seq: int, created: int) -> Model:
    log = session.inner.log
    entry = next(iter(log.entries(seq, seq + 1)), None) if seq else None
    return Model(
        id=name,
        created=created if entry is None else int(instant(entry.time).timestamp()),
        errata=Version(seq=seq, head="" if entry is None else entry.hash, edits=len(log.ids_at(seq))),
    )


@router.get("/models")
async def list_models(service: Served, caller: Annotated[Caller, Depends(at_least("ask"))]) -> Models:
    """The model's names: the head, the model without edits, the aliases. NAME@17 is the state after an entry."""
    name = service.model_id

    def states(session: Session) -> list[Model]:
        log = session.inner.log
        named = {name: len(log), f"{name}@{BASE}": 0, f"{name}@{len(log)}": len(log)}
        named |= {f"{name}@{alias}": seq for alias, seq in log.aliases().items() if alias != BASE}
        return [_state(session, each, seq, service.started) for each, seq in named.items()]

    return Models(data=await service.done(caller.branch, states))


@router.get("/models/{model:path}")
async def retrieve_model(model: str, service: Served, caller: Annotated[Caller, Depends(at_least("ask"))]) -> Model:
    """What one name stands for."""
    pin = await pinned(service, caller.branch, model, param=None)
    return await service.done(caller.branch, lambda session: _one(session, service, pin.name, pin.at))


def _one(session: Session, service: Service, name: str, at: int | None) -> Model:
    return _state(session, name, len(session.inner.log) if at is None else at, service.started)
