"""What drawing the probes of one correction needs at hand: pictures, ways to refer and wordings, from one source of chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from errata.benchmarks.scopeworld.corrections import FactCorrection
from errata.benchmarks.scopeworld.knowledge import EDITABLE_KINDS, Kind
from errata.benchmarks.scopeworld.questions import WORDINGS, Question, Ref, View
from errata.benchmarks.scopeworld.scenes import Scene, picture, random_scene
from errata.core.images import Image
from errata.core.records import Query


@dataclass(frozen=True)
class Asked:
    """A probe before its expectation is known: the question as a structure, and as it is put."""

    kind: str
    question: Question
    view: View | None
    query: Query


@dataclass(frozen=True)
class Desk:
    """A correction, and what its probes are drawn with."""

    correction: FactCorrection
    rng: np.random.Generator

    def scene(self, *must: Kind, count: int | None = None, without: bool = False) -> Scene:
        among = tuple(kind for kind in EDITABLE_KINDS if not (without and kind == self.correction.kind))
        return random_scene(self.rng, must=must, among=among, count=count)

    def image(self, scene: Scene) -> Image:
        return picture(scene, self.rng, hand="held_out")

    def one(self, refs: Sequence[Ref]) -> Ref:
        return refs[int(self.rng.integers(len(refs)))]

    def wording(self, start: int = 0, stop: int = WORDINGS) -> int:
        return int(self.rng.integers(start, stop))

    def asked(self, kind: str, question: Question, *, wording: int, view: View | None = None, image: Image | None = None) -> Asked:
        return Asked(kind, question, view, Query.ask(question.ask(wording), *((image,) if image else ())))
