"""Benchmarks and editors by name, as the command line gives them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any, Final

from errata.core.benchmark import Benchmark, Pair, Stream
from errata.core.editor import Editor
from errata.core.errors import Unknown
from errata.core.images import Image
from errata.editors import pairs, parse

# A benchmark's world is loaded when it is drawn from: whoever opens a model to correct it has no use for one.


def _scopeworld_stream(seed: int, edits: int) -> Stream:
    from errata.benchmarks.scopeworld.stream import ScopeWorldStream

    return ScopeWorldStream(seed=seed, edits=edits)


def _scopeworld_fgv(seed: int, edits: int) -> Stream:
    from errata.benchmarks.scopeworld.fgv import ScopeWorldFGV

    return ScopeWorldFGV(seed=seed, edits=edits)


def _atlas_words(seed: int, edits: int) -> Stream:
    from errata.benchmarks.atlas.stream import AtlasWords

    return AtlasWords(seed=seed, edits=edits)


def _atlas_stream(seed: int, edits: int) -> Stream:
    from errata.benchmarks.atlas.stream import AtlasStream

    return AtlasStream(seed=seed, edits=edits)


_FGV: Final = "scopeworld-fgv"
_ATLAS_WORDS: Final = "atlas-words"
_ASKED: Final = "asked"
_ASKED_SHOWN: Final = "asked-shown"
"""Pairs alone: nothing is measured on them."""

STREAMS: Mapping[str, Callable[[int, int], Stream]] = MappingProxyType(
    {
        "scopeworld-stream": _scopeworld_stream,
        _FGV: _scopeworld_fgv,
        "atlas-stream": _atlas_stream,
        _ATLAS_WORDS: _atlas_words,
    }
)
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


def training_cases(name: str, *, seed: int, edits: int) -> Benchmark:
    """The cases of a name and seed that may be trained on: of a benchmark with splits, those of the other split.

    Raises:
        Unknown, BadInput: see `benchmark`.
    """
    if name == _FGV:
        from errata.benchmarks.scopeworld.fgv import ScopeWorldFGV

        return ScopeWorldFGV(seed=seed, edits=edits, split="train")
    return benchmark(name, seed=seed, edits=edits)


def training_pairs(name: str, *, seed: int, edits: int) -> Iterator[Pair]:
    """What a scope may learn from, drawn as it is asked for: labelled by the benchmark, or by what its cases expect.

    Args:
        name: of a benchmark, or of several with a + between them, each with that many edits.

    Raises:
        Unknown, BadInput: see `benchmark`.
    """
    if "+" in name:
        parts = [training_pairs(each.strip(), seed=seed, edits=edits) for each in name.split("+")]  # a wrong name is told at once
        return chain.from_iterable(parts)
    if name == _FGV:
        from errata.benchmarks.scopeworld import fgv

        return fgv.training_pairs(seed=seed, edits=edits)
    if name == _ASKED:
        from errata.benchmarks.asked.pairs import pairs as asked

        return asked(seed=seed, edits=edits)
    if name == _ASKED_SHOWN:
        from errata.benchmarks.asked.shown import pairs as on_pictures

        return on_pictures(seed=seed, edits=edits)
    if name == _ATLAS_WORDS:
        from errata.benchmarks.atlas.pairs import pairs as of_atlas

        return of_atlas(seed=seed, edits=edits)
    cases = benchmark(name, seed=seed, edits=edits)
    return (pair for index in range(len(cases)) for pair in pairs(cases[index]))


def training_views(name: str, *, seed: int, edits: int) -> Iterator[tuple[str, Image]]:
    """Views of things that a sight may learn from: (thing, a view of it), several of each.

    Args:
        name: "atlas-pictures", or a folder of pictures.
        edits: things, at most.

    Raises:
        BadInput: a package is missing, or the folder, or there is no picture in it.
    """
    from errata.benchmarks.atlas.pictures.shots import shots

    return shots(name, seed=seed, things=edits)


def editor(text: str) -> Editor[Any]:
    """The editor that `text` describes; see `errata.editors.parse`. What it names must still be handed to it: `equipped`."""
    return parse(text)
