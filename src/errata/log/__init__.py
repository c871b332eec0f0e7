"""Floor 3: the hash-chained log of edits, where it is kept, and snapshots of the states that follow from it. No torch."""

from errata.log.edit_log import EditLog
from errata.log.entry import Entry, Kind, Row
from errata.log.leases import LEASE_S, Guarded, holding
from errata.log.snapshots import Found, PartShelf, Snapshot, Snapshots, keep
from errata.log.store import Blobs, Lease, Leases, Listening, Shelf, SnapshotKey, Store, Tells, Tip
from errata.log.stores.memory import MemoryStore
from errata.log.stores.opening import is_url, open_store, shown, store_exists
from errata.log.stores.sqlite import SqliteStore

__all__ = [
    "LEASE_S",
    "Blobs",
    "EditLog",
    "Entry",
    "Found",
    "Guarded",
    "Kind",
    "Lease",
    "Leases",
    "Listening",
    "MemoryStore",
    "PartShelf",
    "Row",
    "Shelf",
    "Snapshot",
    "SnapshotKey",
    "Snapshots",
    "SqliteStore",
    "Store",
    "Tells",
    "Tip",
    "holding",
    "is_url",
    "keep",
    "open_store",
    "shown",
    "store_exists",
]
