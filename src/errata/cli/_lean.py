"""Loading torch and transformers with less to do: most of what a command takes is their import, which a person waits for.

Only the program does so, never the library: a process of its own trains no detector, which is what transformers needs scipy for.
"""

from __future__ import annotations

import atexit
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Final

_ASKS: Final = ("transformers.utils", "transformers.utils.import_utils")
_UNUSED: Final = ("is_scipy_available", "is_sklearn_available")


@contextmanager
def lean() -> Iterator[None]:
    """Within the block nothing collects garbage, of which imports make none, and transformers takes scipy and scikit-learn for not
    there. Whoever else imports them finds them.

    Afterwards garbage is collected as before, but no more among what was loaded.
    """
    collecting = gc.isenabled()
    gc.disable()
    answers = [(asks, name, vars(asks)[name]) for asks in map(import_module, _ASKS) for name in _UNUSED]
    for asks, name, _ in answers:
        setattr(asks, name, _no)
    try:
        yield
    finally:
        for asks, name, answer in answers:
            setattr(asks, name, answer)
        gc.freeze()
        if "triton" in sys.modules:  # where its objects are never collected it prints a page about them when the program ends
            atexit.register(gc.unfreeze)
        if collecting:
            gc.enable()


def _no() -> bool:
    return False
