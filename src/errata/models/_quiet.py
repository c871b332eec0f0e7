"""Silence around what transformers opens and saves."""

from __future__ import annotations

import logging as plainly
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from warnings import catch_warnings, filterwarnings

from transformers.utils import logging

_TALKERS: Final = ("accelerate", "torchao", "torch.utils._pytree")
"""What is loaded to spread a model or to hold it in 8 bits, and says how it fared."""


@contextmanager
def calm() -> Iterator[None]:
    """What is loaded beside transformers, once it is installed, says nothing of how it fared."""
    levels = {name: plainly.getLogger(name).level for name in _TALKERS}
    for name in _TALKERS:
        plainly.getLogger(name).setLevel(plainly.ERROR)
    try:
        yield
    finally:
        for name, level in levels.items():
            plainly.getLogger(name).setLevel(level)


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and no advice while a model is opened or saved: what matters is checked and said in a sentence."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        with calm(), catch_warnings():
            filterwarnings("ignore", "The following device_map keys do not match", UserWarning)  # parameters in no module
            yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]
