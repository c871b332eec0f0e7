"""The packages that pictures are read from, and what to do where one is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from errata.core.errors import BadInput

NEEDED: Final = ("iso-flags-png-320x240", "fonts-noto-color-emoji")
"""Debian's packages that Atlas cannot do without."""

PHOTOGRAPHS: Final = "gcompris-qt-data"
STAMPS: Final = "tuxpaint-stamps-default"
FURTHER: Final = (PHOTOGRAPHS, STAMPS)
"""Packages with more pictures."""


def install(*packages: str) -> str:
    """The command that installs packages."""
    return f"sudo apt-get install --no-install-recommends {' '.join(packages)}"


INSTALL: Final = install(*NEEDED)


def is_installed(path: str) -> bool:
    """Whether a package's file or folder is there."""
    return Path(path).exists()


def installed(package: str, path: str) -> Path:
    """A file or folder of a package, as it is installed.

    Raises:
        BadInput: it isn't there.
    """
    if not is_installed(path):
        command = INSTALL if package in NEEDED else install(package)
        raise BadInput(
            f"The pictures of Atlas are read from Debian's package {package}, which isn't installed ({path} isn't there). "
            f"Run: {command}"
        )
    return Path(path)
