"""A file's bytes as UTF-8 with line ends that every reader knows, whatever the program that wrote it chose."""

from __future__ import annotations

import codecs
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from errata.core.errors import BadInput, shortened

_CHUNK: Final = 64 * 1024
_IN_MEMORY_BYTES: Final = 1024 * 1024
"""A larger file that is written anew is written to a temporary file."""

_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """A file as UTF-8. One in UTF-16 or UTF-32 (Excel's "Unicode text"), or with the line ends of old Macs, is written anew.

    Raises:
        BadInput: the file can't be read.
    """
    with raw(path) as file:
        head = file.read(_CHUNK)
        file.seek(0)
        encoding = _encoding(head)
        if encoding is None and (b"\r" not in head or b"\n" in head):
            yield file
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as anew:
            try:
                for data in _anew(file, encoding):
                    anew.write(data)
            except UnicodeError:
                raise BadInput(
                    f"The file {shortened(path)} begins as {str(encoding).upper()} does and breaks off or goes on as something "
                    "else. Save it as UTF-8."
                ) from None
            anew.seek(0)
            yield anew  # type: ignore[misc]  # it has every method of a binary file that is read


def _anew(file: BinaryIO, encoding: str | None) -> Iterator[bytes]:
    """The bytes in UTF-8; None: they are, and only their line ends are others."""
    chunks = iter(lambda: file.read(_CHUNK), b"")
    if encoding is None:
        yield from (chunk.replace(b"\r", b"\n") for chunk in chunks)
    else:
        for words in codecs.iterdecode(chunks, encoding, errors="surrogatepass"):
            yield words.encode("utf-8", errors="surrogatepass")


@contextmanager
def raw(path: Path) -> Iterator[BinaryIO]:
    """A file's bytes as they are.

    Raises:
        BadInput: the file can't be read.
    """
    try:
        file = path.open("rb") if path.is_file() or not path.exists() else None
    except (OSError, ValueError) as error:
        why = (error.strerror or error) if isinstance(error, OSError) else error
        raise BadInput(f"The file {shortened(path)} can't be read: {why}. Check the path.") from None
    if file is None:
        raise BadInput(f"The file {shortened(path)} can't be read: it is a folder, a pipe or a device. Give a file.")
    with file:
        yield file


def _encoding(head: bytes) -> str | None:
    """What a file is written in, by its mark, or by the zeros between its letters; None for UTF-8."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    if len(head) >= 4 and head[1] == head[3] == 0 and head[0] and head[2]:
        return "utf-16-le"
    if len(head) >= 4 and head[0] == head[2] == 0 and head[1] and head[3]:
        return "utf-16-be"
    return None
