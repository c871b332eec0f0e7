"""Keys beside a store: who may do what on which branch. Only a digest of each secret is kept, and never in the log.

A secret is 32 random bytes, so a plain SHA-256 of it can't be searched, and needs no slow hash. A key is found by the first digits
of that digest, which are also its name among keys, and the whole digest is then compared in constant time. Every check asks the
place where keys are kept: what one process revokes is revoked at once in every server on the store.

Beside a SQLite store they are in a file of their own, `STORE.keys`, and in PostgreSQL in a schema of their own, `errata_access`:
neither is read by what only knows the log, so that a copy of the log or an older errata comes without keys and minds none.
"""

from __future__ import annotations

import hmac
import secrets
import unicodedata
from datetime import UTC, datetime
from typing import Final, Literal, NamedTuple, Protocol, final, get_args

from errata.core.canonical import digest_of
from errata.core.counted import counted
from errata.core.errors import BadInput, Unknown, quoted
from errata.log.store import check_branch

Role = Literal["ask", "propose", "approve", "admin"]
"""What a key may do; each role may do what those before it may."""

ROLES: Final[tuple[Role, ...]] = get_args(Role)

BEGINS: Final = "errata_"
"""How a secret begins, so that one that was leaked is recognised."""

_BYTES: Final = 32
_ID_DIGITS: Final = 12
_NAME_CHARS: Final = 64
_SECRET_CHARS: Final = len(BEGINS) + 43
"""43 characters of URL-safe base64 hold 32 bytes."""


class Key(NamedTuple):
    """A key as it is kept and listed; its secret isn't known here."""

    id: str
    """12 hexadecimal digits."""

    name: str
    """Its owner: the author of what is done with it."""

    role: Role
    branch: str
    made: str
    """ISO 8601, UTC, whole seconds."""


class Kept(NamedTuple):
    """A key with the digest of its secret."""

    key: Key
    digest: str


class Records(Protocol):
    """Where keys are kept. Threads and processes may share it; nothing is made before the first `add`."""

    def find(self, id: str) -> Kept | None: ...

    def all(self) -> list[Kept]:
        """In the order in which they were made."""
        ...

    def add(self, kept: Kept) -> None: ...

    def remove(self, id: str) -> bool:
        """Whether it was there."""
        ...

    def made(self) -> bool:
        """Whether there ever was one."""
        ...

    def close(self) -> None: ...


@final
class StoredKeys:
    """The keys beside a store."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def made(self) -> bool:
        """Whether a key was ever made here. From then on one is needed, also where all were revoked since."""
        return self._records.made()

    def check(self, secret: str) -> Key | None:
        """The key that this is the secret of; None where it is none's."""
        if len(secret) != _SECRET_CHARS or not secret.startswith(BEGINS) or not secret.isascii():
            return None
        digest = digest_of(secret.encode())
        kept = self._records.find(digest[:_ID_DIGITS])
        if kept is None or not hmac.compare_digest(kept.digest, digest):
            return None
        return kept.key

    def add(self, name: str, role: Role, branch: str = "main") -> str:
        """Make a key; its secret, which is told this once.

        Raises:
            BadInput: nobody can be called so, or no branch.
            Unknown: there is no such role.
        """
        if role not in ROLES:
            raise Unknown("role", role, ROLES)
        secret = BEGINS + secrets.token_urlsafe(_BYTES)
        digest = digest_of(secret.encode())
        made = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        self._records.add(Kept(Key(digest[:_ID_DIGITS], _owner(name), role, check_branch(branch), made), digest))
        return secret

    def list(self, branch: str | None = None) -> list[Key]:
        """The keys without their secrets, oldest first.

        Args:
            branch: those of this branch; None: all.
        """
        return [kept.key for kept in self._records.all() if branch in (None, kept.key.branch)]

    def revoke(self, id: str, *, branch: str | None = None) -> Key:
        """Make a key nobody's, at once and for good; the key that it was.

        Args:
            id: as listed, or its first digits, at least 4.
            branch: one of this branch; None: of any.

        Raises:
            BadInput: several begin so.
            Unknown: none does.
        """
        known = self.list(branch)
        found = [key for key in known if key.id.startswith(id)] if len(id) >= 4 else []
        if len(found) > 1:
            raise BadInput(f"{counted(len(found), 'key')} begin with {quoted(id)}. Give more digits; `errata key list` shows them.")
        if not found or not self._records.remove(found[0].id):
            raise Unknown("key", id, [key.id for key in known])
        return found[0]

    def close(self) -> None:
        """Let go of files and connections."""
        self._records.close()


def key_id(secret: str) -> str:
    """What a key is called in lists, from its secret."""
    return digest_of(secret.encode())[:_ID_DIGITS]


def _owner(name: str) -> str:
    plain = name.strip()
    if not plain or len(plain) > _NAME_CHARS or any(unicodedata.category(each)[0] == "C" for each in plain):
        raise BadInput(f"{quoted(name)} can't own a key. Use 1 to {_NAME_CHARS} characters, none of which is a control character.")
    return plain
