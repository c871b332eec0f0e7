"""Benchmarks and editors by name, as the command line gives them; and what editors name: encoders and models, each loaded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, final

from errata.benchmarks.scopeworld import fgv, stream
from errata.core.benchmark import Benchmark, Pair, Stream
from errata.core.editor import Editor, Equips, Tools
from errata.core.encoder import Encoder
from errata.core.errors import Unknown
from errata.core.images import NEWEST
from errata.core.model import Model
from errata.editors import pairs, parse
from errata.models import load
from errata.models.clip import load_encoder


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


def training_cases(name: str, *, seed: int, edits: int) -> Benchmark:
    """The cases of a name and seed that may be trained on: of a benchmark with splits, those of the other split.

    Raises:
        Unknown, BadInput: see `benchmark`.
    """
    if name == fgv.NAME:
        return fgv.ScopeWorldFGV(seed=seed, edits=edits, split="train")
    return benchmark(name, seed=seed, edits=edits)


def training_pairs(name: str, *, seed: int, edits: int) -> Iterator[Pair]:
    """What a scope may learn from, drawn as it is asked for: labelled by the benchmark, or by what its cases expect.

    Raises:
        Unknown, BadInput: see `benchmark`.
    """
    if name == fgv.NAME:
        return fgv.training_pairs(seed=seed, edits=edits)
    cases = benchmark(name, seed=seed, edits=edits)
    return (pair for index in range(len(cases)) for pair in pairs(cases[index]))


def editor(text: str) -> Editor[Any]:
    """The editor that `text` describes; see `errata.editors.parse`. What it names must still be handed to it: `equipped`."""
    return parse(text)


@final
@dataclass(frozen=True)
class Loader:
    """See `errata.core.editor.Tools`."""

    device: str = "cpu"
    dtype: str | None = None
    """Of models; encoders are read in float32."""

    decoder: int = NEWEST
    """The version of how pictures are decoded for them."""

    _encoders: dict[str, Encoder] = field(default_factory=dict)
    _models: dict[str, Model] = field(default_factory=dict)

    def encoder(self, name: str) -> Encoder:
        """The encoders of a checkpoint folder or hub id."""
        if name not in self._encoders:
            self._encoders[name] = load_encoder(name, device=self.device, decoder=self.decoder)
        return self._encoders[name]

    def model(self, name: str) -> Model:
        """A model, as `errata.models.load` finds it."""
        if name not in self._models:
            self._models[name] = load(name, device=self.device, dtype=self.dtype).seeing(self.decoder)
        return self._models[name]


def equipped(editor: Editor[Any], tools: Tools | None = None) -> Editor[Any]:
    """The editor with the encoders and the model that it names, if it names any.

    Raises:
        Unknown, BadInput: what it names isn't there, or doesn't fit.
    """
    return editor.equipped(tools or Loader()) if isinstance(editor, Equips) else editor
