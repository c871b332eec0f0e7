"""What near questions of a proxy reach in plain English: Atlas's probes by kind, for an encoder and thresholds.

    python -m bench.near --encoder clip-tiny --thresholds 0.85,0.95,0.99

A probe is reached where the scope `alike` says 0.5 or more of it and its own correction, as if no other were in force. Nothing is
asked of a model, so what is printed is true before any. Wordings and subjects are those of the seeds for reports; nothing of the
scope was tuned on them.
"""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, Final

from bench._given import numbers, options
from errata.benchmarks.atlas.stream import AtlasWords
from errata.core.images import NEWEST
from errata.editors.scoped.scopes.alike import Alike
from errata.models.clip import load_encoder

_MODEL: Final[Any] = SimpleNamespace(decoder=NEWEST)
"""All that the scope looks at in a model."""


def main() -> None:
    parser = options(__doc__, edits=20)
    parser.add_argument("--encoder", default="clip-tiny", help="a CLIP: a folder, a hub id or a shipped name")
    parser.add_argument("--thresholds", default="0.85,0.95,0.99")
    parser.add_argument("--seeds", type=numbers, default=[101, 102, 103])
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    for threshold in map(float, given.thresholds.split(",")):
        reached, asked = _reached(Alike(threshold, encoder), given.seeds, given.edits)
        rates = ", ".join(f"{kind} {100 * reached[kind] / count:.0f} of 100 ({count})" for kind, count in asked.items())
        print(f"{given.encoder}, {threshold:g}: {rates}")


def _reached(scope: Alike, seeds: list[int], edits: int) -> tuple[Counter[str], Counter[str]]:
    """How many probes of each kind are reached, and how many there are."""
    reached, asked = Counter[str](), Counter[str]()
    for seed in seeds:
        for case in AtlasWords(seed=seed, edits=edits):
            key = scope.key(_MODEL, case.edit.query)
            for probe in case.probes:
                asked[probe.kind] += 1
                reached[probe.kind] += float(scope.rho(scope.key(_MODEL, probe.query), key[None])[0]) >= 0.5
    return reached, asked


if __name__ == "__main__":
    main()
