"""`errata model`: the models that ship, training one, and the exam that it must pass before it is used."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from errata.cli._open import model_at
from errata.cli._options import DEFAULT_MODEL, AsJson, Device, Dtype
from errata.cli._print import percent, say, say_json, table, watched

if TYPE_CHECKING:
    from errata.benchmarks.scopeworld.exam import Mark
    from errata.core.model import Model
    from errata.core.records import Query

app = typer.Typer(help="List, train and check the models that errata edits.", no_args_is_help=True)

FAILED = 1
"""Exit code of a check that wasn't passed."""

_BATCH = 256


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that ship inside the package, and the families that a checkpoint may be of.

    \b
    Examples:
      errata model list
    """
    from errata.models import FAMILIES, load, shipped

    models = [load(name) for name in shipped()]
    if as_json:
        for model in models:
            say_json({"name": model.name, "parameters": model.parameters, "digest": model.digest})
        return
    rows = [(model.name, f"{model.parameters:,}", model.digest[:12]) for model in models]
    table(("name", "parameters", "digest"), rows, numbers=("parameters",))
    say(f"families of checkpoint folders and hub ids: {', '.join(sorted(FAMILIES))}")


@app.command()
def train(
    family: Annotated[
        Literal["llava", "blip2", "minigpt4", "clip"],
        typer.Argument(help="Which family: a model to edit (llava, blip2, minigpt4), or a scope's encoders (clip)."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder for the checkpoint; one that is there is gone on from. Left out: out/FAMILY-tiny."),
    ] = None,
    looks: Annotated[int | None, typer.Option("--looks", min=1, help="Steps of the vision tower alone, which come first.")] = None,
    captions: Annotated[int | None, typer.Option("--captions", min=0, help="Steps of captions, which come second.")] = None,
    questions: Annotated[int | None, typer.Option("--questions", min=1, help="Steps of questions.")] = None,
    scenes: Annotated[int | None, typer.Option("--scenes", min=1, help="Pictures in a step.")] = None,
    size: Annotated[Literal["small", "large"] | None, typer.Option("--size", help="Of clip: which of its sizes. [small]")] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Of clip: how many.")] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.001, max=10.0, help="Learning rates, in usual ones; 0.5 to go on from trained weights.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws weights, scenes and questions.")] = 0,
    device: Device = "cpu",
) -> None:
    """Train a small model on ScopeWorld and save it as an ordinary checkpoint folder.

    Run again after it was stopped, it goes on from its last checkpoint. A LLaVA takes some 80 minutes on two cores, a small
    CLIP some 15; the small CLIP's vision tower is built upon that of the shipped LLaVA.

    \b
    Examples:
      errata model train llava --out out/llava-tiny
      errata model train minigpt4
      errata model train clip --out out/clip-tiny --size small
      errata model train llava --out out/small --looks 100 --captions 300 --questions 700 --seed 1
    """
    from dataclasses import replace

    from errata.core.errors import BadInput
    from errata.engine.school import Curriculum, train_model

    others = {"looks": looks, "captions": captions, "questions": questions} if family == "clip" else {"size": size, "steps": steps}
    for name, value in others.items():
        if value is not None:
            raise BadInput(f"The option --{name} says nothing of a {family}. Leave it out.")
    out = out or Path(f"out/{family}-tiny")
    if family == "clip":
        _train_clip(out, size or "small", steps, scenes, rate=rate, seed=seed, device=device)
        return
    plan = Curriculum(seed=seed)
    plan = replace(
        plan,
        looks=plan.looks if looks is None else looks,
        captions=plan.captions if captions is None else captions,
        questions=plan.questions if questions is None else questions,
        scenes=plan.scenes if scenes is None else scenes,
        learning_rate=plan.learning_rate * rate,
        matrix_rate=plan.matrix_rate * rate,
    )
    with watched(f"train {family}") as progress:
        train_model(family, out, curriculum=plan, progress=progress, device=device)
    say(f"saved: {out}")
    say(f"check it with: errata model check {out}")


def _train_clip(
    out: Path, size: Literal["small", "large"], steps: int | None, scenes: int | None, *, rate: float, seed: int, device: str
) -> None:
    """Train a scope's encoders."""
    from dataclasses import replace

    from errata.engine.clip_school import ClipPlan, train_clip
    from errata.models.clip import LARGE, SMALL

    plan = ClipPlan(seed=seed) if size == "small" else ClipPlan(seed=seed, tower=None)
    plan = replace(
        plan,
        steps=plan.steps if steps is None else steps,
        pictures=plan.pictures if scenes is None else scenes,
        learning_rate=plan.learning_rate * rate,
        matrix_rate=plan.matrix_rate * rate,
    )
    with watched("train clip") as progress:
        train_clip(out, sizes=SMALL if size == "small" else LARGE, plan=plan, progress=progress, device=device)
    say(f"saved: {out}")
    say(f"train a scope that sees with it: --encoders {out}")


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="The shipped name, a checkpoint folder or a hub id.")] = DEFAULT_MODEL,
    each: Annotated[int, typer.Option("--each", min=1, help="Questions of each topic and column.")] = 100,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Put a model through the exam of ScopeWorld, by generation and exact match; exits with 1 where it isn't passed.

    Columns: held-out scenes, wordings and handwriting, the blind control (an empty picture), statements inside the question.

    \b
    Examples:
      errata model check
      errata model check out/llava-tiny --each 200
    """
    from errata.benchmarks.scopeworld.exam import exam, grade

    taken = model_at(model, device=device, dtype=dtype)
    items = exam(each=each)
    marks = grade(items, _answers(taken, [item.query for item in items]))
    passed = all(mark.passed for mark in marks)
    if as_json:
        for mark in marks:
            say_json(
                {
                    "column": mark.column,
                    "topic": mark.topic,
                    "right": mark.right,
                    "n": mark.n,
                    "needed": _needed(mark),
                    "passed": mark.passed,
                }
            )
    else:
        rows = [(m.column, m.topic, percent(m.share), str(m.n), _asks(m), "yes" if m.passed else "NO") for m in marks]
        table(("column", "topic", "right, %", "n", "needed, %", "passed"), rows, numbers=("right, %", "n"))
        say(f"{taken.name}: {'passed' if passed else 'not passed'}, {sum(mark.passed for mark in marks)} of {len(marks)} lines")
    if not passed:
        raise typer.Exit(FAILED)


def _answers(model: Model, queries: Sequence[Query]) -> list[str]:
    """Unedited answers, in batches that let the progress be seen."""
    from errata.nn.patches import NoPatch

    found: list[str] = []
    with watched("exam") as progress:
        for start in range(0, len(queries), _BATCH):
            some = queries[start : start + _BATCH]
            found += model.answers(some, [NoPatch()] * len(some))
            progress("answers", len(found), len(queries))
    return found


def _needed(mark: Mark) -> float:
    """The bound of a line: a floor, or for the blind control a ceiling."""
    from errata.benchmarks.scopeworld.exam import NEEDED

    return mark.best_guess + NEEDED["blind"] if mark.column == "blind" else NEEDED[mark.column]


def _asks(mark: Mark) -> str:
    return f"{'at most' if mark.column == 'blind' else 'at least'} {percent(_needed(mark))}"
