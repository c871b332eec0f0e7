"""Flags of countries and territories by two artists who never met: flat ones of Linux Mint, and Noto's, drawn waving."""

from __future__ import annotations

from functools import cache
from typing import Final

from errata.benchmarks.atlas.countries import entries_named
from errata.benchmarks.atlas.pictures import emoji
from errata.benchmarks.atlas.pictures.packages import installed
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels, shrunk

FLAT: Final = "iso-flags"
WAVING: Final = "noto-flags"

_PACKAGE: Final = "iso-flags-png-320x240"
_FOLDER: Final = f"/usr/share/{_PACKAGE}"
_ATTRIBUTION: Final = "flags of Linux Mint, dedicated to the public domain by Brett Roper"

ANOTHERS: Final = frozenset("AC AQ BL BQ BV CP DG EA EU GF GP HM IC MF MQ NC PM RE SJ TA TF UM UN VG WF XK YT".split())
"""Entries that fly another's flag in one collection or in both, or aren't an entry of ISO 3166."""


@cache
def listed() -> tuple[Picture, ...]:
    """Both artists' pictures of every flag that both have.

    Raises:
        BadInput: a package is missing.
    """
    folder = installed(_PACKAGE, _FOLDER)
    names = {code: name for code, name in entries_named().items() if code not in ANOTHERS}
    flat = [code for code in sorted(names) if (folder / f"{code.lower()}.png").exists()]
    return tuple(
        Picture(collection, code, f"the flag of {names[code]}", code, licence, attribution)
        for collection, licence, attribution in (
            (FLAT, "public domain", _ATTRIBUTION),
            (WAVING, emoji.LICENCE, emoji.ATTRIBUTION),
        )
        for code in flat
    )


def flat(code: str) -> Pixels:
    """RGBA of the flat flag.

    Raises:
        BadInput: the package isn't installed.
    """
    return shrunk(installed(_PACKAGE, f"{_FOLDER}/{code.lower()}.png"))


def waving(code: str) -> Pixels:
    """RGBA of the waving flag.

    Raises:
        BadInput: the font isn't installed.
    """
    return emoji.opened("-".join(f"{0x1F1E6 + ord(letter) - ord('A'):X}" for letter in code))
