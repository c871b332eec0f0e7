"""`errata model`: the models that ship, training one, and the exam that it must pass before it is used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from errata.cli._open import model_at
from errata.cli._options import DEFAULT_MODEL, AsJson, Device, Dtype
from errata.cli._print import percent, say, say_json, table, watched
from errata.cli.model.seeing import seeing

if TYPE_CHECKING:
    from errata.benchmarks.scopeworld.exam import Mark
    from errata.core.model import Model
    from errata.core.progress import Progress
    from errata.core.records import Query

app = typer.Typer(help="List, train and check the models that errata edits.", no_args_is_help=True)

FAILED = 1
"""Exit code of a check that wasn't passed."""

_BATCH = 256


Statements = Annotated[
    float | None,
    typer.Option(
        "--statements", min=0.0, max=0.9, help="Share of what is drawn for a picture that stands behind statements. [0.4]"
    ),
]
Teacher = Annotated[str | None, typer.Option("--teacher", help="A LLaVA to begin with, by name, folder or hub id; much shorter.")]
Layers = Annotated[int | None, typer.Option("--layers", min=1, help="Of a llava with a teacher: how many of its layers stay. [5]")]
Trained = Annotated[
    Literal["llava", "blip2", "minigpt4", "clip", "atlas"],
    typer.Argument(help="A family of models to edit (llava, blip2, minigpt4), a scope's encoders (clip), or the eyes of atlas."),
]


@app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List the models that ship inside the package, and the families that a checkpoint may be of.

    \b
    Examples:
      errata model list
    """
    from errata.models import FAMILIES, load, shipped
    from errata.models._load import PUT_TOGETHER
    from errata.models.clip import SHIPPED as ENCODERS

    models = [load(name) for name in shipped()]
    if as_json:
        for model in models:
            say_json({"name": model.name, "parameters": model.parameters, "digest": model.digest})
        return
    rows = [(model.name, f"{model.parameters:,}", model.digest[:12]) for model in models]
    table(("name", "parameters", "digest"), rows, numbers=("parameters",))
    say(f"put together from another package where they are first used: {', '.join(sorted(PUT_TOGETHER))}")
    say(f"encoders of a scope: {', '.join(ENCODERS)}")
    say(f"families of checkpoint folders and hub ids: {', '.join(sorted(FAMILIES))}")


@app.command()
def train(
    family: Trained,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for the checkpoint; one that is there is gone on from. Left out: out/FAMILY-tiny, or out/llava-smaller.",
        ),
    ] = None,
    looks: Annotated[
        int | None,
        typer.Option("--looks", min=0, help="Steps of the vision tower alone, which come first. 0: to go on from trained weights."),
    ] = None,
    captions: Annotated[
        int | None, typer.Option("--captions", min=0, help="Steps of captions and of lessons in words, which come second.")
    ] = None,
    questions: Annotated[int | None, typer.Option("--questions", min=1, help="Steps of questions.")] = None,
    scenes: Annotated[int | None, typer.Option("--scenes", min=1, help="Pictures in a step.")] = None,
    statements: Statements = None,
    teacher: Teacher = None,
    layers: Layers = None,
    size: Annotated[
        Literal["mini", "tiny", "large"] | None, typer.Option("--size", help="Of clip: which of its sizes. [tiny]")
    ] = None,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Of clip and of atlas: how many.")] = None,
    rate: Annotated[
        float, typer.Option("--rate", min=0.001, max=10.0, help="Learning rates, in usual ones; 0.5 to go on from trained weights.")
    ] = 1.0,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Draws weights, scenes and questions.")] = 0,
    device: Device = "cpu",
) -> None:
    """Train a small model on ScopeWorld and save it as an ordinary checkpoint folder; or the eyes of atlas, on real pictures.

    Run again after it was stopped, it goes on from its last checkpoint. A LLaVA of the default's steps takes some 86 minutes on two
    cores; one that knows nearly all of the exam takes ten on a GPU (the second example). A small CLIP takes some 15 minutes on two
    cores; its vision tower is built upon that of the shipped LLaVA. With --teacher a BLIP-2 or MiniGPT-4 begins with a LLaVA's
    words, tower and language model, and learns from its answers and its states; and a LLaVA is a smaller one, without the layers
    that are missed least, that is taught on: a counterfactual model, if most of its questions stand behind statements.

    \b
    Examples:
      errata model train llava --out out/llava-tiny
      errata model train llava --device cuda --captions 200 --questions 5400 --scenes 256
      errata model train minigpt4 --teacher llava-tiny
      errata model train llava --teacher llava-tiny --layers 5 --statements 0.7 --out out/counterfactual
      errata model train atlas --out out/atlas-eyes
      errata model train blip2 --device cuda --captions 400 --questions 5200 --scenes 128
      errata model train clip --out out/clip-mini --size mini
      errata model train llava --out out/small --looks 100 --captions 300 --questions 700 --seed 1
    """
    way = _OWN.get(family, "school" if teacher is None else "smaller" if family == "llava" else "teacher")
    numbers = {"looks": looks, "captions": captions, "questions": questions, "scenes": scenes, "steps": steps, "layers": layers}
    given = _taken(family, way, {**numbers, "size": size, "teacher": teacher, "statements": statements})
    out = out or Path(f"out/{family}-{_CALLED.get(way, 'tiny')}")
    with watched(f"train {family}") as progress:
        _WAYS[way](family, out, given, rate, seed, progress, device)
    say(f"saved: {out}")
    say(_NEXT.get(way, "check it with: errata model check {out}").format(out=out))


def _taken(family: str, way: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were given.

    Raises:
        BadInput: one that says nothing of this way of training.
    """
    from errata.core.errors import BadInput

    given = {name: value for name, value in options.items() if value is not None}
    for name in given:
        if name not in _SAYS[way]:
            whom = f"a {family} that has a teacher" if way in ("teacher", "smaller") else _WHOM.get(family, f"a {family}")
            raise BadInput(f"The option --{name} says nothing of {whom}. Leave it out.")
    return given


_OWN: Mapping[str, str] = MappingProxyType({"clip": "clip", "atlas": "eyes"})
"""Families that have a way of training of their own."""

_WHOM: Mapping[str, str] = MappingProxyType({"atlas": "the eyes of atlas"})
"""What is trained, in a sentence, where that isn't a model of the family."""

_CALLED: Mapping[str, str] = MappingProxyType({"smaller": "smaller", "eyes": "eyes"})
"""A way of training -> what its folder's name ends with, where that isn't "tiny"."""

_NEXT: Mapping[str, str] = MappingProxyType(
    {
        "clip": "train a scope that sees with it: --encoders {out}",
        "eyes": "put it together with: errata model build atlas --eyes {out}/eyes.safetensors",
    }
)
"""A way of training -> what to do with what it leaves."""

_SAYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "clip": ("looks", "steps", "scenes", "size"),
        "eyes": ("steps", "scenes"),
        "teacher": ("looks", "questions", "scenes", "teacher"),
        "smaller": ("questions", "scenes", "statements", "teacher", "layers"),
        "school": ("looks", "captions", "questions", "scenes", "statements"),
    }
)
"""A way of training -> the options that it takes."""


def _at_school(family: Any, out: Path, given: Any, rate: float, seed: int, progress: Progress, device: str) -> None:
    """Train a model from its start."""
    from errata.school.curriculum import Curriculum
    from errata.school.school import train_model

    train_model(family, out, curriculum=_planned(Curriculum(**given, seed=seed), rate), progress=progress, device=device)


def _with_a_teacher(family: Any, out: Path, given: Any, rate: float, seed: int, progress: Progress, device: str) -> None:
    """Train a model after another."""
    from dataclasses import replace

    from errata.school.apprentice import PLANS, train_apprentice

    teacher = given.pop("teacher")
    plan = _planned(replace(PLANS[family], **given, seed=seed), rate)
    train_apprentice(family, out, teacher=teacher, plan=plan, progress=progress, device=device)


def _cut_down(family: Any, out: Path, given: Any, rate: float, seed: int, progress: Progress, device: str) -> None:
    """Train a smaller model from another's weights."""
    from errata.school.curriculum import Curriculum
    from errata.school.smaller import LAYERS, QUESTIONS, RATES, SCENES, train_smaller

    teacher, layers = given.pop("teacher"), given.pop("layers", LAYERS)
    curriculum = Curriculum(**{"questions": QUESTIONS, "scenes": SCENES, **RATES, **given}, looks=0, captions=0, seed=seed)
    train_smaller(out, teacher=teacher, layers=layers, curriculum=_planned(curriculum, rate), progress=progress, device=device)


def _encoders(family: Any, out: Path, given: Any, rate: float, seed: int, progress: Progress, device: str) -> None:
    """Train a scope's encoders."""
    from errata.models.clip import SIZES
    from errata.school.clip_school import ClipPlan, train_clip

    size = given.pop("size", "tiny")
    own = {"pictures" if name == "scenes" else name: value for name, value in given.items()}
    if size == "large":  # no LLaVA has a tower of its width
        own["tower"] = None
    plan = _planned(ClipPlan(**own, seed=seed), rate)
    train_clip(out, sizes=SIZES[size], plan=plan, progress=progress, device=device)


def _eyes(family: Any, out: Path, given: Any, rate: float, seed: int, progress: Progress, device: str) -> None:
    """Train the eyes of atlas.

    Raises:
        BadInput: a device other than the CPU.
    """
    from errata.core.errors import BadInput
    from errata.school.eyes import EyesPlan, train_eyes
    from errata.school.lexicon import LexiconPlan, name_what_is_seen

    if device != "cpu":
        raise BadInput(f"The eyes of atlas are trained on a CPU, and --device is {device}. Leave it out.")
    own = {"pictures" if name == "scenes" else name: value for name, value in given.items()}
    plan = EyesPlan(**own, seed=seed)
    naming = LexiconPlan(pictures=plan.pictures, seed=seed).times(plan.steps / EyesPlan().steps)
    seeing = train_eyes(out, plan=_planned(plan, rate), progress=progress)
    name_what_is_seen(out, seeing, plan=_planned(naming, rate), progress=progress)


def _planned(plan: Any, rate: float) -> Any:
    """With its learning rates times a rate."""
    from dataclasses import replace

    return replace(plan, learning_rate=plan.learning_rate * rate, matrix_rate=plan.matrix_rate * rate)


_WAYS: Mapping[str, Callable[[Any, Path, Any, float, int, Progress, str], None]] = MappingProxyType(
    {"clip": _encoders, "eyes": _eyes, "teacher": _with_a_teacher, "smaller": _cut_down, "school": _at_school}
)


@app.command()
def check(
    model: Annotated[str, typer.Argument(help="The shipped name, a checkpoint folder or a hub id.")] = DEFAULT_MODEL,
    each: Annotated[int, typer.Option("--each", min=1, help="Questions of each topic and column.")] = 100,
    of: Annotated[
        Literal["scopeworld", "atlas"] | None,
        typer.Option("--exam", help="What it must know: ScopeWorld, or Atlas. Left out: that which it was made for."),
    ] = None,
    device: Device = "cpu",
    dtype: Dtype = "auto",
    as_json: AsJson = False,
) -> None:
    """Put a model through its exam, by generation; exits with 1 where it isn't passed.

    ScopeWorld's columns: held-out scenes, wordings and handwriting, the blind control (an empty picture), statements inside the
    question; by exact match. Those of Atlas: flags and things in views that were taught, drawn anew, and aslant, which never were;
    words, beside the language model alone; facts on pictures, beside the same in words; the blind control.

    \b
    Examples:
      errata model check
      errata model check atlas --each 50
      errata model check out/llava-tiny --each 200
    """
    from errata.benchmarks.scopeworld.exam import exam, grade

    taken = model_at(model, device=device, dtype=dtype)
    if (of or _made_for(model)) == "atlas":
        if not seeing(taken, partial(model_at, device=device, dtype=dtype), each=each, answers=_answers, as_json=as_json):
            raise typer.Exit(FAILED)
        return
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


def _made_for(model: str) -> str:
    from errata.models.atlas.whole import ATLAS

    return "atlas" if Path(model).name.split("-")[0] == ATLAS else "scopeworld"


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
