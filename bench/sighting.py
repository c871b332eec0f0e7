"""Whether a sight knows a thing again in another picture of it, and takes none for another: of Atlas's pictures, view by view.

    python -m bench.sighting --model atlas --each 100

A correction sees a thing in some view; it is asked about on another artist's picture of it, in the kinds of view that a sight
learns from, in one that nobody learns from ("photo"), and beside another thing. Things that the shipped sight learned from are told
apart from those that it has never met. Printed: the share alike, and of pictures of the other things the share taken for this one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bench._given import options
from errata.benchmarks.atlas.pictures.picture import Picture, Pixels
from errata.benchmarks.atlas.pictures.shots import met, pictured
from errata.benchmarks.atlas.pictures.views import VIEWS, View, beside, view
from errata.core.images import Image
from errata.core.model import Model
from errata.core.records import Query
from errata.editors import RerankScope, Sight, parse
from errata.editors.scoped.scoped import Remembers
from errata.models import load
from errata.session.ready import equipped


def main() -> None:
    parser = options(__doc__, seed=101)
    parser.add_argument("--model", default="atlas")
    parser.add_argument("--editor", default="rerank:reader=smollm2,sight=atlas")
    parser.add_argument("--each", type=int, default=100, help="things of each row, at most")
    given = parser.parse_args()
    model = load(given.model)
    editor: object = equipped(parse(given.editor))
    scope = editor.decider() if isinstance(editor, Remembers) else None
    if not isinstance(scope, RerankScope) or scope.sight is None:
        raise SystemExit(f"{given.editor} has no sight. Name rerank with one.")
    scope.check(model)
    rng = np.random.default_rng(given.seed)
    things = pictured()
    for title, flags in (("flags", True), ("things", False)):
        for learned in (True, False):
            of = [own for name, own in things.items() if (len(own) > 1) == flags and met(name) == learned]
            chosen = [of[place] for place in rng.permutation(len(of))[: given.each]]
            _row(f"{title}, {'learned from' if learned else 'never met'}", model, scope.sight, chosen, rng)


def _row(title: str, model: Model, sight: Sight, things: Sequence[Sequence[Picture]], rng: np.random.Generator) -> None:
    def sights(drawn: Sequence[Pixels]) -> Tensor:
        return torch.stack([sight.of(model, Query.ask("?", Image.drawn(pixels))) for pixels in drawn])

    def any_view() -> View:
        return VIEWS[int(rng.integers(len(VIEWS) - 1))]

    own_TS = sights([view(pictures[0], any_view(), rng) for pictures in things])
    asked = {kind: [view(pictures[0], kind, rng) for pictures in things] for kind in VIEWS}
    if all(len(pictures) > 1 for pictures in things):
        asked = {"the other artist's": [view(pictures[1], "plain", rng) for pictures in things], **asked}
    others = [things[place - 1][0] for place in range(len(things))]
    asked["beside"] = [beside(own[0], other, any_view(), rng) for own, other in zip(things, others, strict=True)]
    for kind, drawn in asked.items():
        alike_TT = sights(drawn) @ own_TS.T >= sight.least
        own, count = alike_TT.diagonal(), len(things)
        mistaken = (alike_TT.sum() - own.sum()) / max(1, count * (count - 1))
        print(
            f"{title}: {kind} {100 * float(own.float().mean()):.1f} % of {count}, others {100 * float(mistaken):.2f} %", flush=True
        )


if __name__ == "__main__":
    main()
