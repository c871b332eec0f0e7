"""`errata bench keys`: where a correction and its probes look alike to the model, module by module."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli import _print
from errata.cli._open import model_at
from errata.cli._options import DEFAULT_MODEL, AsJson, Device, Dtype, ModelName
from errata.cli._print import say, say_json
from errata.core.counted import counted

if TYPE_CHECKING:
    from errata.measure.keys import Kind


def keys(
    model: ModelName = DEFAULT_MODEL,
    edits: Annotated[int, typer.Option("--edits", min=1, help="How many edits are looked at, each with its probes.")] = 60,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws edits, scenes and wordings.")] = 3,
    layers: Annotated[int, typer.Option("--layers", min=1, help="How many, from the last.")] = 3,
    weight: Annotated[
        float, typer.Option("--weight", help="How much a metric takes out what ordinary questions share, >= 0.")
    ] = 3000.0,
    kept: Annotated[float, typer.Option("--kept", help="Share of the probes that must stay that the reach keeps silent.")] = 0.95,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Where a correction's question and its probes look alike to the model: cosines of what goes into each module.

    Each cell is the mean cosine of the probes of one kind with their own correction's question, and the share of them (%) that a
    read by the nearest key gets right. Metrics: raw inputs; less what prompts without sense (chatter) share; less what ordinary
    questions (pool) share.

    \b
    Examples:
      errata bench keys
      errata bench keys --model minigpt4-tiny --edits 20 --layers 6 --json
    """
    from errata.benchmarks.scopeworld.stream import ScopeWorldStream
    from errata.measure.keys import KINDS, alike

    stream = ScopeWorldStream(seed=seed, edits=edits)
    rows = []
    for each in alike(model_at(model, device=device, dtype=dtype), stream, layers=layers, weight=weight, kept=kept):
        if as_json:
            kinds = {kind: {"cosine": value.cosine, "right": value.right} for kind, value in each.kinds.items()}
            say_json({"module": each.module, "metric": each.metric, "reach": each.reach, "inside": each.inside, "kinds": kinds})
        cells = (_cell(each.kinds[kind]) if kind in each.kinds else "-" for kind in KINDS)
        module = each.module.removeprefix("model.language_model.")
        rows.append((module, each.metric, f"{each.reach:.2f}", f"{100 * each.inside:.0f}", *cells))
    if not as_json:
        say(
            f"{model}, {counted(edits, 'edit')}, seed {seed}: mean cosine, and % right by the nearest key; "
            "in: of all probes in scope"
        )
        _print.table(("module", "metric", "reach", "in", *KINDS), rows, numbers=("reach", "in", *KINDS))


def _cell(kind: Kind) -> str:
    return f"{kind.cosine:.2f} {100 * kind.right:3.0f}"
