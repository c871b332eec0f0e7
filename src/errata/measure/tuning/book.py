"""The codebook on a model: which layer tells wordings from other questions, how near is near, and how strong values must be.

Keys are inputs of a module, whatever is written. So one pass over the questions gives the keys of every layer, cosines say for each
what a reach would do (`reach`), and only the best few layers are written and asked. All share one pass over the prompts without
sense that a codebook's metric is made from.

Shapes: N queries, E edits, I the module's input width.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, final

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from errata.core.canonical import JSON
from errata.core.model import Model
from errata.core.records import Query
from errata.editors.codebook import Codebook, State
from errata.measure.tuning.questions import Half
from errata.measure.tuning.reach import DIGITS, Cosines, Foretold
from errata.measure.tuning.reach import best as best_reach
from errata.measure.tuning.trying import Trials
from errata.nn.codes import coded

NAME: Final = "codebook"
LAYERS: Final = 3
"""So many are written and asked."""

STRICTER: Final = (0.05, 0.1)
"""Added to the reach of the best layer: an answer of the model's own may come near a key halfway, which no distance to a question
foretells."""

GAIN: Final = 2.0
"""Times as strong as found: tried on the best of all, out of the values that are there."""

MORE: Final = 3
"""Times as many steps, where not every correction is given to its own question."""

PLANNED: Final = 1 + LAYERS + len(STRICTER) + 1


@final
@dataclass(frozen=True)
class Layer:
    """What distances foretell of one layer."""

    layer: int
    """From the end, from 1."""

    module: str
    foretold: Foretold

    def to_json(self) -> dict[str, JSON]:
        """As a table shows it."""
        told = self.foretold
        figures: dict[str, JSON] = {"followed": told.followed, "kept": told.kept, "ordinary": told.ordinary, "score": told.score}
        return {"layer": self.layer, "module": self.module, "reach": told.reach, **figures}


@final
class Book:
    """A model's layers, seen once.

    Args:
        model: left as found.
        base: its `layer`, `reach`, `steps` and `gain` are searched, its other fields stay. The last half of the layers is looked
            at, its own too.
    """

    def __init__(self, model: Model, base: Codebook) -> None:
        self.model = model
        self.base = base
        count = len(set(model.groups.values()))
        depths = sorted({*range(1, max(4, (count + 1) // 2) + 1), base.layer})
        self.paths = {depth: replace(base, layer=depth).path(model) for depth in depths if depth <= count or depth == base.layer}
        self._common = model.beginnings(base.senseless(model), tuple(self.paths.values()))

    def begins(self, editor: Codebook) -> State:
        """`editor.begin`, out of the pass that was made."""
        return editor.begun(self.model, self._common[self.paths[editor.layer]])

    def layers(self, half: Half) -> list[Layer]:
        """Each layer with its best reach, in order from the last."""
        groups = [[edit.query for edit in half.rows], [query for _, query in half.follow], half.keep, list(half.ordinary)]
        paths = tuple(self.paths.values())
        inputs = _beginnings(self.model, [query for group in groups for query in group], paths)
        own_F = np.array([row for row, _ in half.follow])
        found = []
        for depth, path in self.paths.items():
            lens_RI = self.begins(replace(self.base, layer=depth, slots=1)).book.lens_RI
            codes = torch.split(coded(inputs[path].to(lens_RI.device), lens_RI), [len(group) for group in groups])
            follow_FE, keep_KE, ordinary_OE = (_cosines(each_NR, codes[0]) for each_NR in codes[1:])
            found.append(Layer(depth, path, best_reach(follow_FE, own_F, keep_KE, ordinary_OE)))
        return found

    def search(self, trials: Trials, layers: Sequence[Layer]) -> None:
        """The base, the layers that promise most, a stricter reach on the best of them, stronger values on the best of all."""
        trials.run(NAME, self.base)
        for layer in sorted(layers, key=lambda each: (-each.foretold.score, each.layer))[:LAYERS]:
            editor = replace(self.base, layer=layer.layer, reach=layer.foretold.reach)
            found = trials.run(NAME, editor)
            if found is not None and found.figures.own.met < found.figures.own.of:
                trials.run(NAME, replace(editor, steps=MORE * editor.steps))
        best: Codebook = trials.best.editor
        for more in STRICTER:
            if best.reach + more <= 1:
                trials.run(NAME, replace(best, reach=round(best.reach + more, DIGITS)))
        best = trials.best.editor
        if trials.clock.has_room():
            state = trials.asking.written(best, self.begins(best))
            trials.run(NAME, replace(best, gain=GAIN * best.gain), lambda _: stronger(state, GAIN))
        else:
            trials.cut = True


def stronger(state: State, times: float) -> State:
    """A state with values so many times as strong: what writes with that gain would have made."""
    return replace(state, book=replace(state.book, values_MO=times * state.book.values_MO))


def _cosines(codes_NR: Float[Tensor, "N R"], keys_ER: Float[Tensor, "E R"]) -> Cosines:
    found: Cosines = (codes_NR @ keys_ER.T).cpu().numpy()
    return found


def _beginnings(model: Model, queries: Sequence[Query], paths: Sequence[str]) -> Mapping[str, Float[Tensor, "N I"]]:
    """`Model.beginnings` with a row for each query: zeros, near nothing, where the model leaves one out."""
    found = model.beginnings(queries, paths)
    if all(len(x_NI) == len(queries) for x_NI in found.values()):
        return found
    single = [model.beginnings([query], paths) for query in queries]
    return {
        path: torch.cat([one[path] if len(one[path]) else found[path].new_zeros(1, found[path].shape[1]) for one in single])
        for path in paths
    }
