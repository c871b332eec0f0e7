"""`errata table atlas-words` and `atlas-stream`: editors over several seeds, in words that people use."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from errata.cli._options import DEFAULT_MODEL, Device, Dtype, ModelName
from errata.cli.bench.atlas import STREAM, WORDS, Corrections, CorrectionsSeen, check_sees, check_told, drawn
from errata.cli.bench.stream import editors_named
from errata.cli.table.editors import DEFAULT_SEEDS, Asked, Benchmark, Edits, Out, Rows, Seeds, compare, seeds_in

if TYPE_CHECKING:
    from errata.core.model import Model
    from errata.measure.trials import Drawing

_CHANGES: Final = ("reliability", "near_wording", "far_wording")
_ENTAILED: Final = ("reverse", "yes_new", "no_old", "one_hop")
_STAYS: Final = ("same_wording", "same_old_value", "other_relation", "unrelated")
_SEEN: Final = ("other_artist", "other_view", "in_words")


def atlas_words(
    editor: Rows,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 20,
    seeds: Seeds = DEFAULT_SEEDS,
    corrections: Corrections = "both",
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Stream the corrections of `errata bench atlas-words` through many editors over several seeds and print one table.

    Each figure with its standard error; a star marks a difference from the first row of more than two standard errors over at least
    three seeds. seeds.csv and seeds.md hold every kind of probe, report.html shows them. The facts: pip install 'errata[atlas]'.

    \b
    Examples:
      errata table atlas-words --model smollm2 --editor none --editor codebook --editor told --seeds 101,102,103 --edits 10
    """
    asked = Asked(model, edits, seeds_in(seeds), out or Path("out") / WORDS, device, dtype)
    _compare(WORDS, (*_CHANGES, *_ENTAILED, *_STAYS), editor, corrections, asked)


def atlas_stream(
    editor: Rows,
    model: ModelName = DEFAULT_MODEL,
    edits: Edits = 20,
    seeds: Seeds = DEFAULT_SEEDS,
    corrections: CorrectionsSeen = "both",
    out: Out = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
) -> None:
    """Stream the corrections of `errata bench atlas-stream`, half of them on pictures, through many editors over several seeds.

    Prints and writes what `errata table atlas-words` does. The model must see; the pictures are read from Debian's packages
    iso-flags-png-320x240 and fonts-noto-color-emoji.

    \b
    Examples:
      errata table atlas-stream --model atlas --editor none --editor codebook --seeds 101,102,103 --edits 10
    """
    asked = Asked(model, edits, seeds_in(seeds), out or Path("out") / STREAM, device, dtype)
    _compare(STREAM, (*_CHANGES, *_SEEN, *_ENTAILED, *_STAYS), editor, corrections, asked)


def _compare(name: str, figures: tuple[str, ...], editors: list[str], corrections: str, asked: Asked) -> None:
    rows = editors_named(editors)
    check_told(name, corrections, seed=asked.seeds[0])

    def draws(model: Model, edits: int) -> Drawing:
        check_sees(name, model)
        return partial(drawn, name, corrections, edits)

    compare(name, Benchmark(name, ("proper", *figures), draws), rows, asked)
