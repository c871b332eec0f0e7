"""A pool of ordinary queries kept with a log: written once when the log begins, read back whenever it is opened."""

from __future__ import annotations

import json
from collections.abc import Sequence

from errata.core.canonical import canonical
from errata.core.errors import WrongStore
from errata.core.records import Query
from errata.log import EditLog, Entry


def put_pool(log: EditLog, pool: Sequence[Query]) -> str | None:
    """Keep the queries and their images as blobs beside the log; the digest of the list, None for no pool."""
    if not pool:
        return None
    for query in pool:
        for image in query.images:
            log.store.blobs.put(image.data)
    data = canonical([query.to_json() for query in pool])
    return log.store.blobs.put(data)


def pool_in(log: EditLog, first: Entry) -> tuple[Query, ...]:
    """The pool that the log's first entry names.

    Raises:
        WrongStore: it was lost.
    """
    named = first.details.get("pool")
    if named is None:
        return ()
    data = log.store.blobs.get(str(named))
    if data is None:
        raise WrongStore(
            f"The log's pool of protected queries ({str(named)[:12]}) is gone, so its state can't be folded. Restore it."
        )
    return tuple(Query.from_json(query, log.image) for query in json.loads(data))
