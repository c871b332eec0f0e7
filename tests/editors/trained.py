"""What was really trained, small: scopes on cases of a toy world (coloured squares, and what is asked of them), and MENDs."""

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import torch

from errata.core.benchmark import UNCHANGED, Case, Probe
from errata.core.model import Model
from errata.core.records import Edit, Query
from errata.editors import (
    FusionSizes,
    MendPlan,
    MendTraining,
    MultimodalScope,
    StateSizes,
    StatesScope,
    TextScope,
    TextSizes,
    pairs,
)
from errata.models.clip import ClipSizes, build_clip, load_encoder
from errata.school.scopes import Lessons, train_scope
from tests.editors.samples import EDITS, PICTURED, SECOND, picture

WORDS = ("star", "ring", "moon", "cross", "heart", "arrow", "square", "tree")
TINY_CLIP = ClipSizes(
    width=64, layers=1, ffn=64, text_width=64, text_layers=1, text_ffn=64, image=32, patch=16, length=32, vocabulary=300
)
TINY_TEXT = TextSizes(buckets=256, width=32, layers=1, ffn=64)


def cases():
    """An edit about each thing, and about each sample; in scope its other wording, out of it what is asked of another."""
    found = []
    for place, word in enumerate(WORDS):
        other = WORDS[(place + 3) % len(WORDS)]
        image = picture(30 * place, 250 - 30 * place, 90)
        edit = Edit(Query.ask(f"what is the {word} called?", image), f"mibo {place}")
        inside = (Query.ask(f"tell me the name of the {word}.", image), Query.ask(f"how is the {word} called?", image))
        outside = (
            Query.ask(f"what is the {other} called?", image),
            Query.ask(f"who made the {word}?", image),
            Query.ask("what is 1 plus 1?"),
        )
        found.append(case(edit, inside, outside))
    far = [Query.ask("two plums and salt, or 35"), Query.ask("what is 1 plus 1?"), Query.ask("who made the star?")]
    found += [case(edit, (edit.query,), [*far, *(other.query for other in EDITS if other is not edit)]) for edit in EDITS]
    return found


def case(edit, inside, outside):
    return Case(
        edit,
        (*(Probe("text_generality", query, edit.target) for query in inside), *(Probe("out", q, UNCHANGED) for q in outside)),
    )


LESSONS = Lessons(steps=250, batch=16, learning_rate=3e-3, validation=0.2, every=50, patience=9, seed=1)


def labelled():
    """The pairs of `cases`."""
    return [pair for each in cases() for pair in pairs(each)]


def quiet(what, done, total):
    pass


@cache
def clip() -> Path:
    """A CLIP with random weights."""
    folder = Path(mkdtemp(prefix="errata-clip-"))
    build_clip(folder, texts=[f"what is the {word} called? who made it? mibo" for word in WORDS] * 6, sizes=TINY_CLIP, seed=2)
    return folder


@cache
def text_scope() -> Path:
    """SERAC's scope, trained."""
    folder = Path(mkdtemp(prefix="errata-text-"))
    train_scope(TextScope(TINY_TEXT), labelled(), folder, lessons=LESSONS, progress=quiet)
    return folder


@cache
def multimodal_scope() -> Path:
    """MSCKE's scope, trained on the CLIP of `clip`."""
    folder = Path(mkdtemp(prefix="errata-multimodal-"))
    scope = MultimodalScope(load_encoder(clip()), FusionSizes("dot", "cosine", 32))
    train_scope(scope, labelled(), folder, lessons=LESSONS, progress=quiet)
    return folder


def taught_mend(model: Model, folder: Path, plan: MendPlan, *, steps: int) -> Path:
    """A MEND that has learned a few edits of the model by heart, in `folder`; no step leaves it untrained."""
    training = MendTraining(plan, model)
    network = training.trainee()
    network.train(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=3e-3)
    edits = (PICTURED,) if plan.where == "vision" else (PICTURED, SECOND)
    for step in range(steps):
        optimiser.zero_grad()
        training.objective([Case(edits[step % len(edits)], ())]).backward()
        optimiser.step()
    training.learnt().write(folder)
    return folder


TAUGHT = {
    "{mend}": (MendPlan(edit_rate=0.03, edit_weight=1.0), 60),
    "{mend-vision}": (MendPlan(where="vision", edit_rate=0.01, edit_weight=1.0), 150),
}
"""Plan and steps of the MENDs that stand in an editor's words."""

_MENDS: dict[tuple[str, str], Path] = {}


def _mend(name: str, model: Model) -> Path:
    if (name, model.digest) not in _MENDS:
        plan, steps = TAUGHT[name]
        _MENDS[name, model.digest] = taught_mend(model, Path(mkdtemp(prefix="errata-mend-")), plan, steps=steps)
    return _MENDS[name, model.digest]


_STATES: dict[str, Path] = {}


def _states(model: Model) -> Path:
    """A scope over a model's states that knows no more than an edit's own question: which is what every scope knows."""
    if model.digest not in _STATES:
        folder = Path(mkdtemp(prefix="errata-states-"))
        scope = StatesScope.of(model, StateSizes(depths=2, width=8, length=24, answer=4, summary=8, hidden=8))
        last = scope.net.judge[-1]
        assert isinstance(last, torch.nn.Linear)
        with torch.no_grad():
            last.bias[-1] += 6  # whatever isn't the very question is apart
        scope.learnt().write(folder)
        _STATES[model.digest] = folder
    return _STATES[model.digest]


def filled_in(text: str, model: Model | None = None) -> str:
    """An editor's words with the folders of what was trained; a MEND is of a model."""
    for name, folder in (("{text}", text_scope), ("{multimodal}", multimodal_scope)):
        if name in text:
            text = text.replace(name, str(folder()))
    if "{states}" in text:
        assert model is not None, "a scope over states is trained for a model"
        text = text.replace("{states}", str(_states(model)))
    for name in TAUGHT:
        if name in text:
            assert model is not None, "a MEND is trained for a model"
            text = text.replace(name, str(_mend(name, model)))
    return text
