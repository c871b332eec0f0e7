"""`errata model tune`: an editor's fields found for a model that errata has never seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from errata.cli._open import model_at
from errata.cli._options import DEFAULT_EDITOR, AsJson, Device, Dtype
from errata.cli._print import percent, say, say_json, table, watched
from errata.cli.model.inspect import Checkpoint
from errata.core.catalogue import check_named
from errata.core.counted import counted
from errata.core.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from errata.measure.tuning.book import Layer
    from errata.measure.tuning.figures import Figures, Share
    from errata.measure.tuning.questions import Questions
    from errata.measure.tuning.tune import Tuned

_SHARES = ("own, %", "followed, %", "kept, %", "ordinary, %", "score")


def tune(
    path: Checkpoint,
    questions: Annotated[
        Path | None,
        typer.Option(
            "--questions", help="Your own: a file of corrections with 'also' and 'keep', as edit import reads it. Not given: ours."
        ),
    ] = None,
    editor: Annotated[
        str, typer.Option("--editor", help="Where the search begins: codebook or scopeedit, fields too; others of them stay.")
    ] = DEFAULT_EDITOR,
    minutes: Annotated[float, typer.Option("--minutes", min=0.1, max=1440, help="No trial begins that would end later.")] = 15.0,
    out: Annotated[
        Path | None, typer.Option("--out", help="Write the spec there as a line of errata.toml; the file must not be there.")
    ] = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Find an editor's layer, reach, steps and gain for a model, on questions of yours or of errata's own.

    Corrections are written; their other wordings must follow, what they keep and ordinary questions must stay. Fields are chosen
    on one half of the questions; what both the chosen and the first spec do to the other half is printed.

    \b
    Examples:
      errata model tune llava-tiny
      errata model tune smollm2 --out errata.toml
      errata model tune ./Qwen2.5-VL-7B-Instruct --dtype bfloat16 --questions corrections.jsonl --minutes 60
      errata model tune llava-tiny --editor scopeedit --json
    """
    check_named(editor)
    if questions is not None and not questions.is_file():
        raise BadInput(f"There is no file {questions} of questions. Check the path, or leave --questions out.")
    if out is not None and out.exists():
        raise BadInput(f"{out} is there already. Name another file; the line can be copied from it.")
    from errata.session import registry

    parsed = registry.editor(editor)
    from errata.measure.tuning import questions as asked
    from errata.measure.tuning.tune import check_tunable
    from errata.measure.tuning.tune import tune as tuned_for

    check_tunable(parsed, editor)
    model = model_at(path, device=device, dtype=dtype)
    halves = asked.made(model) if questions is None else asked.given(questions, model)
    with watched("tune") as progress:
        found = tuned_for(model, parsed, halves, minutes=minutes, progress=progress)
    if out is not None:
        out.write_text(f"editor = {json.dumps(found.chosen.spec)}\n", encoding="utf-8")
    if as_json:
        say_json({"model": path, "questions": halves.source, **found.to_json()})
        return
    _say(path, halves, found)
    if out is not None:
        say(f"saved: {out}")


def _say(path: str, halves: Questions, found: Tuned) -> None:
    """Tables, sentences, and the command that uses the spec."""
    search, rest = len(halves.search.rows), len(halves.held_out.rows)
    say(f"{path}, {halves.source} questions: {counted(search, 'correction')} to choose by, {rest} held out; {found.seconds:.0f} s")
    if found.layers:
        say("By distance, on the search half:")
        names = ("layer", "module", "reach", "followed, %", "kept, %", "ordinary, %", "score")
        table(names, [_of_layer(layer) for layer in found.layers], numbers=(names[0], *names[2:]))
    say("Written and asked, on the search half:")
    rows = [(one.spec, *_of(one.figures), f"{one.seconds:.0f}") for one in found.tried]
    table(("spec", *_SHARES, "seconds"), rows, numbers=(*_SHARES, "seconds"))
    say("Written and asked, on the held-out half:")
    specs = ((found.tried[0].spec, found.before), (found.chosen.spec, found.after))
    table(("spec", *_SHARES), [(spec, *_of(figures)) for spec, figures in specs], numbers=_SHARES)
    for line in found.said():
        say(line)
    say(f"spec: {found.chosen.spec}")
    say(f"use it: errata edit add --model {path} --editor {found.chosen.spec} ...")


def _of_layer(layer: Layer) -> Sequence[str]:
    told = layer.foretold
    shares = (percent(share) for share in (told.followed, told.kept, told.ordinary))
    return str(layer.layer), layer.module, f"{told.reach:.3f}", *shares, f"{told.score:.3f}"


def _of(figures: Figures) -> Sequence[str]:
    shares: tuple[Share, ...] = (figures.own, figures.followed, figures.kept, figures.ordinary)
    return *(f"{percent(share.rate)} of {share.of}" if share.of else "-" for share in shares), f"{figures.score:.3f}"
