"""Ed25519 signatures for checkpoints; the library behind them is optional and loaded when a key is made, read or used.

A private key is kept as PEM (PKCS #8, not encrypted, readable by its owner alone), a public key as PEM (SubjectPublicKeyInfo):
what `openssl pkey` reads too. In JSON a public key is its 32 bytes and a signature its 64 bytes (RFC 8032), in hexadecimal digits.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from errata.core.errors import BadInput, LogError

KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64

_LARGEST_FILE_BYTES: Final = 1 << 16


@dataclass(frozen=True)
class SigningKey:
    """A private key. Its 32 bytes never show in a message."""

    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class Signature:
    """Who signed, and the signature."""

    public_key: bytes
    value: bytes


def available() -> bool:
    """Whether signatures can be made and checked here."""
    return find_spec("cryptography") is not None


def make_key(path: Path) -> str:
    """Make a private key in a new file that only its owner may read; the public key as PEM.

    Raises:
        BadInput: there is a file already; it's left as it is.
        LogError: the library isn't installed.
        OSError: the file can't be written; none is left behind.
    """
    with _library():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise BadInput(f"There is a file {path} already, and a key is never overwritten. Name another file.") from None
    try:
        with os.fdopen(file, "wb") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise
    return public_pem(key.public_key().public_bytes_raw())


def read_key(path: Path) -> SigningKey:
    """The private key in a PEM file.

    Raises:
        BadInput: the file isn't there, or holds no Ed25519 private key, or an encrypted one.
        LogError: the library isn't installed.
    """
    with _library():
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    data = _data(path)
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise BadInput(f"The key in {path} is encrypted. Give one without a passphrase, readable by its owner alone.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{path} holds no private key in PEM. Make one with `errata log key FILE`.") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise BadInput(f"The key in {path} isn't an Ed25519 key. Make one with `errata log key FILE`.")
    return SigningKey(key.private_bytes_raw())


def read_public_key(path: Path) -> bytes:
    """The 32 bytes of the public key in a PEM file.

    Raises:
        BadInput: the file isn't there, or holds no Ed25519 public key.
        LogError: the library isn't installed.
    """
    with _library():
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    data = _data(path)
    if b"PRIVATE KEY" in data:
        raise BadInput(
            f"{path} holds a private key. Give the public one, which `errata log key` printed; keep this one to yourself."
        )
    try:
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm):
        raise BadInput(f"{path} holds no public key in PEM. Give what `errata log key` printed.") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadInput(f"The key in {path} isn't an Ed25519 key. Give what `errata log key` printed.")
    return key.public_bytes_raw()


def sign(key: SigningKey, message: bytes) -> Signature:
    """The message's signature.

    Raises:
        LogError: the library isn't installed.
    """
    with _library():
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    private = Ed25519PrivateKey.from_private_bytes(key.secret)
    return Signature(private.public_key().public_bytes_raw(), private.sign(message))


def signed(signature: Signature, message: bytes) -> bool:
    """Whether this is the message's signature by the key that it names.

    Raises:
        LogError: the library isn't installed.
    """
    with _library():
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    try:
        Ed25519PublicKey.from_public_bytes(signature.public_key).verify(signature.value, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def public_pem(public_key: bytes) -> str:
    """The public key as a PEM file holds it."""
    with _library():
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    key = Ed25519PublicKey.from_public_bytes(public_key)
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


@contextmanager
def _library() -> Iterator[None]:
    try:
        yield
    except ImportError:
        raise LogError("Signatures need the cryptography library. Install it: pip install 'errata[sign]'") from None


def _data(path: Path) -> bytes:
    """The bytes of a key's file; a file too large to be one isn't read."""
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST_FILE_BYTES + 1)
    except OSError as error:
        raise BadInput(f"The key {path} can't be read: {error.strerror or error}. Check the path and its permissions.") from None
    if len(data) > _LARGEST_FILE_BYTES:
        raise BadInput(f"{path} is too large to be a key. Check the path.")
    return data
