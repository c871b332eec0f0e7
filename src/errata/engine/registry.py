"""Benchmarks and editors by name, as the command line gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from errata.benchmarks.scopeworld import fgv, stream
from errata.core.benchmark import Stream
from errata.core.editor import Editor
from errata.core.errors import Unknown
from errata.editors import parse
from errata.engine.tools import equipped


def _scopeworld_stream(seed: int, edits: int) -> Stream:
    return stream.ScopeWorldStream(seed=seed, edits=edits)


def _scopeworld_fgv(seed: int, edits: int) -> Stream:
    return fgv.ScopeWorldFGV(seed=seed, edits=edits)


STREAMS: Mapping[str, Callable[[int, int], Stream]] = MappingProxyType({stream.NAME: _scopeworld_stream, fgv.NAME: _scopeworld_fgv})
"""Name -> how a stream of that name is made from (seed, edits)."""


def benchmark(name: str, *, seed: int, edits: int) -> Stream:
    """The stream of a name.

    Raises:
        Unknown: there is none.
        BadInput: fewer than one edit, or a negative seed.
    """
    if name not in STREAMS:
        raise Unknown("benchmark", name, STREAMS)
    return STREAMS[name](seed, edits)


def editor(text: str) -> Editor[Any]:
    """The editor that `text` describes, with the encoders and the model that it names; see `errata.editors.parse`."""
    return equipped(parse(text))
