"""Loading torch and transformers with less to do: most of what a command takes is their import, which a person waits for.

Only the program does so, never the library: a process of its own trains no detector, which is what transformers needs scipy for.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def lean() -> Iterator[None]:
    """Within the block nothing collects garbage, of which imports make none, and transformers finds no scipy.

    Afterwards garbage is collected as before, but no more among what was loaded.
    """
    hidden = "scipy" not in sys.modules
    if hidden:
        sys.modules["scipy"] = cast(ModuleType, None)  # what the import system takes for "not there"
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if hidden:
            del sys.modules["scipy"]
        gc.freeze()
        if collecting:
            gc.enable()
