"""`errata bench cost`, `memory` and `store`: what editors, a memory of many edits, and the log take on this machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from errata.cli import _print
from errata.cli._open import model_at, tools_at
from errata.cli._options import DEFAULT_EDITOR, DEFAULT_MODEL, AsJson, Device, Dtype, DtypeName
from errata.cli._print import say, say_json, watched
from errata.core.counted import counted
from errata.core.errors import BadInput, quoted
from errata.log import is_url, shown

if TYPE_CHECKING:
    from errata.core.canonical import JSON
    from errata.core.model import Model
    from errata.log.speed import Appends, Opening
    from errata.measure.cost import Costs

_RANDOM = ("random-5m", "random-346m", "random-3b", "random-7b")
"""LLaVAs that are made on the spot, by how many parameters they have; only times mean anything of them."""


def cost(
    model: Annotated[
        str,
        typer.Option("--model", help=f"A shipped name, a checkpoint folder, a hub id, or {' or '.join(_RANDOM)}: random weights."),
    ] = DEFAULT_MODEL,
    editor: Annotated[
        str, typer.Option("--editor", help="The editor that writes: NAME, NAME:FIELD=VALUE,... or FILE.py:CLASS.")
    ] = DEFAULT_EDITOR,
    benchmark: Annotated[
        Literal["scopeworld-stream", "atlas-stream", "atlas-words"],
        typer.Option("--benchmark", help="Whose edits are written; atlas-words for a model without eyes."),
    ] = "scopeworld-stream",
    edits: Annotated[int, typer.Option("--edits", min=1, help="How many edits are written.")] = 12,
    pool: Annotated[int, typer.Option("--pool", min=0, help="Ordinary queries that the editor measures at the start.")] = 16,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws edits, scenes and wordings.")] = 7,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """What a write and a read of an editor cost: a write in full passes of its own input, a read in unedited answers.

    The last tenth of the edits is the first tenth again, put to the model loaded anew, so that late writes can be held against
    early ones. Nothing is kept.

    \b
    Examples:
      errata bench cost --editor scopeedit --edits 100
      errata bench cost --model random-346m --editor codebook:chatter=16 --edits 10
      errata bench cost --model smollm2 --benchmark atlas-words --editor scopeedit
    """
    from errata.measure.cost import costs
    from errata.session import registry
    from errata.session.ready import equipped

    made, stream = registry.editor(editor), registry.benchmark(benchmark, seed=seed, edits=edits)
    with _loading(model, device, dtype) as load, watched("cost") as progress:
        found = costs(load, equipped(made, tools_at(device=device, dtype=dtype)), stream, pool=pool, progress=progress)
    if as_json:
        say_json({"model": model, "editor": editor, "edits": edits, "seed": seed, **_costs_json(found)})
        return
    say(f"{model}, {found.parameters / 1e6:.0f} million parameters, {editor}, {counted(edits, 'edit')}, seed {seed}")
    rows = [
        ("a full pass, ms (median)", f"{median(found.pass_ms):.0f}"),
        ("a write, in passes (median)", f"{found.write:.2f}"),
        ("the last tenth of the writes over the first, in passes", f"{found.late_over_early:.3f}"),
        ("state after the first edit, MB", f"{found.state_bytes[0] / 1e6:.1f}"),
        ("state after the last, MB", f"{found.state_bytes[-1] / 1e6:.1f}"),
        ("a read over an unedited answer", f"{found.read_over_base:.3f}"),
    ]
    if found.merged is not None:
        rows.append(("the same with the edits merged", f"{found.merged.read_over_base:.3f}"))
        rows.append(("answers that merging leaves alike", f"{found.merged.agree} of {found.merged.asked}"))
    _print.table(("", "figure"), rows, numbers=("figure",))


def _costs_json(found: Costs) -> dict[str, JSON]:
    return {
        "parameters": found.parameters,
        "pass_ms": list(found.pass_ms),
        "write_over_pass": list(found.write_over_pass),
        "write_over_pass_median": found.write,
        "late_over_early": found.late_over_early,
        "state_bytes": [found.state_bytes[0], found.state_bytes[-1]],
        "read_over_base": found.read_over_base,
        "read_over_base_merged": None if found.merged is None else found.merged.read_over_base,
        "merged_agree": None if found.merged is None else [found.merged.agree, found.merged.asked],
    }


@contextmanager
def _loading(name: str, device: str, dtype: DtypeName) -> Iterator[Callable[[], Model]]:
    """What loads the model, each time anew; a random one is made first, and is gone afterwards."""
    if name not in _RANDOM:
        yield partial(model_at, name, device=device, dtype=dtype)
        return
    import torch

    from errata.models.small.build import LlavaSizes, build_llava
    from errata.school.school import texts

    eyes = {"vision_width": 1024, "vision_layers": 24, "vision_ffn": 4096}  # CLIP's ViT-L, as LLaVA-1.5 has it
    large = LlavaSizes(width=1024, layers=20, ffn=2816, vision_width=768, vision_layers=12, vision_ffn=3072)
    sizes, kept = {
        "random-5m": (LlavaSizes(), torch.float32),
        "random-346m": (large, torch.float32),
        "random-3b": (LlavaSizes(width=2560, layers=32, ffn=6912, **eyes), torch.bfloat16),  # half the memory while it is made
        "random-7b": (LlavaSizes(width=4096, layers=32, ffn=11008, **eyes), torch.bfloat16),
    }[name]
    with TemporaryDirectory() as folder:
        build_llava(Path(folder), texts=texts(count=300), sizes=sizes, dtype=kept)
        yield partial(model_at, folder, device=device, dtype=dtype)


def memory(
    edits: Annotated[int, typer.Option("--edits", min=1, help="How many edits are in memory.")] = 1_000_000,
    width: Annotated[int, typer.Option("--width", min=1, help="Numbers in a key.")] = 128,
    queries: Annotated[int, typer.Option("--queries", min=1, help="How many questions are decided.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws keys and questions.")] = 101,
    as_json: AsJson = False,
) -> None:
    """A memory of many edits behind a scope: is the nearest one found, and what do a decision, an edit more and an edit less cost?

    Keys are drawn around cluster centres, and each question lies near one of them. With the extra "faiss" a large memory is asked
    through an index; recall is held against a look at every key.

    \b
    Examples:
      errata bench memory
      errata bench memory --edits 50000 --width 512 --json
    """
    from errata.measure.memory import measured

    model = model_at(DEFAULT_MODEL, device="cpu", dtype="auto")
    with watched("memory") as progress:
        found = measured(model, edits=edits, width=width, queries=queries, seed=seed, progress=progress)
    if as_json:
        say_json({"edits": edits, "width": width, "queries": queries, "seed": seed, **asdict(found)})
        return
    how = "through an index" if found.indexed else "by every key"
    say(f"{counted(edits, 'edit')}, {width} wide, asked {how}; made ready for the first question in {found.ready_s:.1f} s")
    say(
        f"recall@1 {found.recall:.4f} over {queries:,} questions; {found.memory_mb:,.0f} MB more than the process had before (peak)"
    )
    took = {"a decision": found.decision, "an edit more": found.more, "an edit less": found.less}
    columns = ("median, ms", "99th percentile, ms", "most, ms")
    rows = [(name, *(f"{value:.2f}" for value in (each.median, each.p99, each.most))) for name, each in took.items()]
    _print.table(("", *columns), rows, numbers=columns)


def store(
    places: Annotated[
        list[str] | None,
        typer.Option("--store", metavar="URL", help="A postgresql:// URL to measure too; a branch is added to the store there."),
    ] = None,
    appends: Annotated[int, typer.Option("--appends", min=1, help="Entries that are appended to each store.")] = 1000,
    processes: Annotated[int, typer.Option("--processes", min=1, max=64, help="Processes that append at once, to one branch.")] = 4,
    long: Annotated[int, typer.Option("--long", min=1, help="Entries of the long log that is opened.")] = 100_000,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="Where the SQLite files go for a while. Not given: where temporary files go.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How fast a log is written and read: several processes that append to one branch at once, and the opening of a long log.

    Every append makes the checks that it always makes, and afterwards the branch is verified.

    \b
    Examples:
      errata bench store
      errata bench store --store postgresql://localhost/errata --processes 8
    """
    from errata.log import speed

    for place in places or ():
        if not is_url(place):
            raise BadInput(
                f"--store takes a postgresql:// URL, not {quoted(place)}. SQLite is measured in files of its own; see --folder."
            )
    show = [sys.executable, "-m", "errata", "log", "show", "--store"]
    written: list[tuple[str, Appends]] = []
    with TemporaryDirectory(dir=folder) as made, watched("store") as progress:
        stores = [("sqlite", str(Path(made) / "writing.db")), *((shown(place), place) for place in places or ())]
        for done, (name, place) in enumerate(stores):
            progress(f"appending to {name}", done, len(stores) + 1)
            written.append((name, speed.appends(place, processes=processes, total=appends)))
            if as_json:
                say_json({"measured": "appends", "store": name, **_appends_json(written[-1][1]), "load": _load()})
        progress("opening a long log", len(stores), len(stores) + 1)
        path = Path(made) / "long.db"
        read = speed.opening(path, entries=long, show=[*show, str(path)])
    if as_json:
        say_json({"measured": "opening", **_opening_json(read), "load": _load()})
        return
    rows = [
        (f"appends, {processes} at once", name, f"{each.count:,}", f"{each.seconds:.3f}", f"{each.per_s:,.0f}")
        for name, each in written
    ]
    rows.append(("a long log, folded", "sqlite", f"{read.entries:,}", f"{read.fold_s:.2f}", f"{read.entries / read.fold_s:,.0f}"))
    rows.append(("its last page, shown", "sqlite", f"{read.entries:,}", f"{read.show_s:.2f}", "-"))
    _print.table(("", "store", "entries", "seconds", "a second"), rows, numbers=("entries", "seconds", "a second"))


def _appends_json(found: Appends) -> dict[str, JSON]:
    return {
        "processes": found.processes,
        "appends": found.count,
        "seconds": round(found.seconds, 3),
        "appends_per_s": round(found.per_s),
        "verified": True,  # else it had failed
    }


def _opening_json(found: Opening) -> dict[str, JSON]:
    return {"entries": found.entries, "fold_s": round(found.fold_s, 2), "show_last_page_s": round(found.show_s, 2)}


def _load() -> float:
    """How busy the machine was in the last minute."""
    return round(os.getloadavg()[0], 1)
