"""Files that hold corrections, read as streams and written whole: one module to a format. No torch, and no file is read at once.

A reader turns bytes into a `Line` for each correction: the edit with who made it, or the sentence that says what is wrong with it.
So one bad record never stops the rest.
"""

from errata.log.formats.files import (
    EXPORTABLE,
    FORMATS,
    Exportable,
    Format,
    Options,
    Written,
    digest_of_file,
    guess,
    read,
    settled,
    write,
    written_as,
)
from errata.log.formats.records import MAX_RECORD_BYTES, Exported, Line

__all__ = [
    "EXPORTABLE",
    "FORMATS",
    "MAX_RECORD_BYTES",
    "Exportable",
    "Exported",
    "Format",
    "Line",
    "Options",
    "Written",
    "digest_of_file",
    "guess",
    "read",
    "settled",
    "write",
    "written_as",
]
