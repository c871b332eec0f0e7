"""Which of the packages that pictures are read from are here; what needs one that is missing is skipped, with the command."""

from __future__ import annotations

from pathlib import Path

import pytest

from errata.benchmarks.atlas.pictures import photographs, stamps
from errata.benchmarks.atlas.pictures.packages import INSTALL, PHOTOGRAPHS, install
from errata.benchmarks.atlas.pictures.packages import STAMPS as PACKAGE

FLAGS = Path("/usr/share/iso-flags-png-320x240").exists() and Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf").exists()
GCOMPRIS = photographs.there()
STAMPS = stamps.there()

needed = pytest.mark.skipif(not FLAGS, reason=f"the pictures of Atlas aren't installed: {INSTALL}")
needs_photographs = pytest.mark.skipif(not GCOMPRIS, reason=f"the photographs aren't installed: {install(PHOTOGRAPHS)}")
needs_stamps = pytest.mark.skipif(not STAMPS, reason=f"the stamps aren't installed: {install(PACKAGE)}")


def or_skip() -> None:
    """Skip what is running where the pictures of Atlas aren't installed."""
    if not FLAGS:
        pytest.skip(needed.kwargs["reason"])
