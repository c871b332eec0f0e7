"""How the eyes of `atlas` come to say what they see: four layers on top of those that see, and a projector that spells it.

Told from the mean of all image tokens, which of the taught things a picture shows is right more often than every token's own word
of the caption is: what a token knows is noisy, and each is noisy in its own way (docs/decisions/0041-eyes-that-spell.md has the
figures). So four layers come on top, of the same make as those below:

    places   mark each token with its place, which the layers that see have nearly washed out;
    names    hands every token the mean of all, and has a unit for each name: above zero where that name is likelier than the second
             likeliest mostly is. It writes the name's code; codes of different names are nearly at right angles;
    once     hands every token the mean of what all wrote, and has a unit for each name again: of a blend the largest stays;
    twice    does it again, without the mean.

Places and names are fitted by cross-entropy, each with all that lies below it held fast; the other two are written down. Then the
codes of the last and the projector learn to spell, on views that were looked at once and kept.

Shapes: N pictures, T = 1 + K tokens of one, W width of the tower, C names, U units of a layer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from errata.core.errors import BadInput
from errata.core.progress import Progress
from errata.models.atlas.eyes import NAMING, PLACED, SEEING, SLOTS, Eyes
from errata.models.atlas.spelling import Vocabulary
from errata.school.eyes import LESSONS, lesson, loss, nearing, taught, vocabulary_of_taught
from errata.school.fit import Part, Schedule, faster_in_bfloat16, fit, settled_half, side_by_side

_PART: Final = 48
"""Pictures that one thread works on at a time."""

_SOFT: Final = 1 / 1200
"""What all that the layers that see write is multiplied with, of which they notice nothing: layers on top can then be louder, each
by far than the one below, and half precision, which ends at 65,504, holds the loudest. A token is some 0.11 long."""

_SHARE: Final = 0.25
"""The length of a place's mark, and of the mean that is handed on to names."""

_CODE: Final = 9.0
_PLACE: Final = 2.5
"""The length of what the layer of names writes where its units give what they mostly do."""

_VOTE: Final = 1.75
"""What `once` multiplies the mean with: all tokens' word is then louder than a token's own."""

_ONCE: Final = 250.0
_TWICE: Final = 900.0
"""What a unit of `once` and of `twice` writes for each 1."""

_LEAST: Final = 0.4
_STEEP: Final = 10.0
"""A name stays if its code lies within the angle of this cosine of what was written; how steeply its unit rises from there."""

_BLENDED: Final = 0.4
"""The most that a view has of another while spelling is learned."""

_SMOOTHED: Final = 0.1
"""The share of a name that is spread over all: how sure units are then differs less from view to view."""

_ALIKE: Final = 0.1
"""Codes of two names may be as alike."""

_SAMPLE: Final = 4096
"""Views from which it is read what units mostly give."""


@dataclass(frozen=True)
class LexiconPlan:
    """How long, and on how much."""

    views: int = 115_200
    """That are looked at and kept."""

    places: int = 2000
    names: int = 3000
    steps: int = 6000
    """Steps for each layer that is fitted, and for spelling."""

    pictures: int = 96
    """In a step of spelling; for names five times as many."""

    told_apart: float = 0.4
    """The share of the steps of spelling at first in which words are told apart by their directions."""

    seed: int = 0
    learning_rate: float = 1e-3
    matrix_rate: float = 2e-3

    def times(self, share: float) -> LexiconPlan:
        """One of another length, of at least a step of each and a view."""
        lengths = {name: max(1, round(share * getattr(self, name))) for name in ("views", "places", "names", "steps")}
        return replace(self, **lengths)

    def near(self, step: int) -> float | None:
        """What distances count at a step; None: words are told apart by directions alone."""
        return nearing(step / self.steps, self.told_apart)


def name_what_is_seen(folder: Path, seeing: Path, *, plan: LexiconPlan | None = None, progress: Progress) -> Path:
    """Put the four layers on eyes that see and save them as `folder`/eyes.safetensors; what was begun there goes on.

    Args:
        folder: of the run.
        seeing: eyes of four layers (`errata.school.eyes.train_eyes`).
        plan: how long.
        progress: told of every step.

    Raises:
        BadInput: there are more names than units, what was begun is of another run, `seeing` can't be opened, or the language model
            or the pictures can't be had.
    """
    plan = plan or LexiconPlan()
    vocabulary = vocabulary_of_taught()
    names = {name: place for place, name in enumerate(dict.fromkeys(picture.name for picture in taught()))}
    if len(names) + SLOTS > NAMING.units:
        raise BadInput(
            f"Eyes have units for {NAMING.units - SLOTS} names, and {len(names)} are taught. Make NAMING.units larger in "
            "errata/models/atlas/eyes.py."
        )
    torch.manual_seed(plan.seed)
    lower, eyes = Eyes(vocabulary.text, SEEING), Eyes(vocabulary.text)
    lower.open(seeing)
    _take_over(lower, eyes)
    folder.mkdir(parents=True, exist_ok=True)
    run = _Run(folder, plan, progress, settled_half(folder, lambda: faster_in_bfloat16("cpu"), ("places.pt",)))
    kept = _looked_at(lower, names, run)
    places, tells, once, twice = eyes.vision_tower.encoder.layers[SEEING.layers :]
    codes_CW = _codes(len(names), eyes.width)
    _mark_places(places, kept, run)
    _tell_names(tells, kept, codes_CW, run)
    with torch.no_grad():
        sample_NTW = tells(kept.states_NTW[:_SAMPLE].float(), None)
        _hand_on(once, _VOTE)
        _keep_one(once, codes_CW, sample_NTW, _ONCE)
        _keep_one(twice, codes_CW, once(sample_NTW, None), 0.0)
    _spell(eyes, (tells, once, twice), kept, torch.tensor([vocabulary.slots(name) for name in names]), vocabulary, run)
    eyes.save(folder / "eyes.safetensors")
    return folder / "eyes.safetensors"


class _Kept(NamedTuple):
    """Views as layers leave them [N, T, W], in half precision, and which name each has [N]."""

    states_NTW: Tensor
    which_N: Tensor


class _Run(NamedTuple):
    """What every part of the way needs."""

    folder: Path
    plan: LexiconPlan
    progress: Progress
    bfloat16: bool

    def fit(
        self, name: str, module: nn.Module, of: Callable[[int, Tensor], Tensor], steps: int, pictures: int,
        *, learning_rate: float, matrix_rate: float | None = None,
    ) -> None:  # fmt: skip
        """Fit a module on some views a step; `of` gives the mean loss at a step of the views of these numbers."""

        def part(step: int, some: Tensor) -> Tensor:
            return of(step, some) * len(some) / pictures

        def objective(step: int) -> list[Part]:
            drawn = np.random.default_rng([self.plan.seed, 53, step]).integers(self.plan.views, size=pictures)
            return [partial(part, step, some) for some in torch.split(torch.from_numpy(drawn), max(_PART, pictures // 2))]

        schedule = Schedule(
            steps, learning_rate=learning_rate, matrix_rate=matrix_rate, warmup=min(50, steps), weight_decay=0.0,
            bfloat16=self.bfloat16,
        )  # fmt: skip
        fit(
            module, objective=objective, schedule=schedule, checkpoint=self.folder / f"{name}.pt", run=repr(self.plan),
            inner=lambda weight: weight.endswith("linear_1.weight"),
            progress=lambda words, done, of: self.progress(f"{name}: {words}", done, of),
        )  # fmt: skip


def _looked_at(eyes: Eyes, names: Mapping[str, int], run: _Run) -> _Kept:
    """Views, each drawn from the seed and where its part begins."""
    among, views = taught(), run.plan.views
    kept = _Kept(torch.empty(views, 1 + SLOTS, eyes.width, dtype=torch.float16), torch.empty(views, dtype=torch.long))

    def some(first: int) -> int:
        rng, last = np.random.default_rng([run.plan.seed, 47, first]), min(first + _PART, views)
        seen = [lesson(rng, among, LESSONS) for _ in range(first, last)]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=run.bfloat16):
            found = eyes.look(torch.from_numpy(np.stack([pixels for pixels, _ in seen])), whole=True)
        kept.states_NTW[first:last] = (_SOFT * found).half()
        kept.which_N[first:last] = torch.tensor([names[caption] for _, caption in seen])
        return last

    with side_by_side("cpu") as (workers, _):
        for last in workers.map(some, range(0, views, _PART)):
            run.progress("views", last, views)
    return kept


def _take_over(lower: Eyes, eyes: Eyes) -> None:
    """The layers that see, with idle units beside their own; those on top say nothing, and look at all tokens alike."""
    weights = eyes.vision_tower.state_dict()
    with torch.no_grad():
        for name, weight in weights.items():
            if "layer_norm" not in name:
                weight.zero_()
        for name, weight in lower.vision_tower.state_dict().items():
            writes = any(part in name for part in ("pre_layrnorm", "out_proj", "fc2"))
            weights[name][tuple(slice(size) for size in weight.shape)] = _SOFT * weight if writes else weight
    eyes.train(False).requires_grad_(False)


def _named(width: int) -> Tensor:
    """The coordinates that aren't of places."""
    return torch.tensor([each for each in range(width) if not PLACED.start <= each < PLACED.stop])


def _codes(count: int, width: int) -> Tensor:
    """A direction for each name [C, W], nearly at right angles to any other and to all places."""
    named = _named(width)
    drawn = torch.randn(count, len(named), requires_grad=True)
    moved = torch.optim.Adam([drawn], lr=0.05)
    for _ in range(200):
        codes = normalize(drawn, dim=-1)
        too_alike = (codes @ codes.T - torch.eye(count) - _ALIKE).relu().square().sum()
        (drawn.grad,) = torch.autograd.grad(too_alike, drawn)
        moved.step()
    found = torch.zeros(count, width)
    found[:, named] = normalize(drawn.detach(), dim=-1)
    return found


def _mark_places(layer: Any, kept: _Kept, run: _Run) -> None:
    """Fit the layer of places; views are then as it leaves them."""
    for linear in (layer.mlp.fc1, layer.mlp.fc2):
        linear.reset_parameters()
    layer.mlp.requires_grad_(True)
    places_T = torch.arange(SLOTS)

    def told(states_NTW: Tensor) -> Tensor:
        found: Tensor = layer.mlp(layer.layer_norm2(states_NTW[:, 1:].float()))[..., PLACED]
        return found

    def of(step: int, some: Tensor) -> Tensor:
        logits = told(kept.states_NTW[some]).float()
        right = nn.functional.one_hot(places_T, SLOTS).float().expand_as(logits)
        apart = nn.functional.binary_cross_entropy_with_logits(logits, right, reduction="sum") / right.sum()
        return cross_entropy(logits.flatten(0, 1), places_T.repeat(len(some))) + apart

    run.fit("places", layer.mlp, of, steps=run.plan.places, pictures=run.plan.pictures, learning_rate=3 * run.plan.learning_rate)
    layer.mlp.requires_grad_(False)
    with torch.no_grad():
        length = told(kept.states_NTW[:_SAMPLE]).norm(dim=-1).mean()
        marks = torch.zeros(len(layer.mlp.fc2.bias))
        marks[PLACED] = _SHARE / length
        layer.mlp.fc2.weight.mul_(marks[:, None])
        layer.mlp.fc2.bias.mul_(marks)
        for some in torch.split(kept.states_NTW, _SAMPLE):
            some.copy_(layer(some.float(), None))


def _hand_on(layer: Any, times: float) -> None:
    """Every token is handed the mean of all, but for their places."""
    named = _named(layer.self_attn.embed_dim)
    with torch.no_grad():
        layer.self_attn.v_proj.weight[named, named] = 1.0
        layer.self_attn.out_proj.weight[named, named] = times


def _before(layer: Any, states_NTW: Tensor) -> Tensor:
    """What the units of a layer are given [N, T, W]."""
    handed: Tensor = layer.self_attn(layer.layer_norm1(states_NTW))[0]
    found: Tensor = layer.layer_norm2(states_NTW + handed)
    return found


def _pass_places(layer: Any, first: int, given_NTW: Tensor, length: float) -> None:
    """Units from `first` on that give some five for the token's own place, and nothing for another; they write a mark as long."""
    own = given_NTW[:, 1:, PLACED].diagonal(dim1=1, dim2=2).median()
    rows, marks = slice(first, first + SLOTS), torch.eye(SLOTS)
    with torch.no_grad():
        layer.mlp.fc1.weight[rows, PLACED] = 6.0 / own * marks
        layer.mlp.fc1.bias[rows] = -1.0
        layer.mlp.fc2.weight[PLACED, rows] = length / 5 * marks


def _tell_names(layer: Any, kept: _Kept, codes_CW: Tensor, run: _Run) -> None:
    """Fit the layer of names."""
    count, width = codes_CW.shape
    _hand_on(layer, 1.0)
    with torch.no_grad():
        length = layer.self_attn(layer.layer_norm1(kept.states_NTW[:_SAMPLE].float()))[0].norm(dim=-1).mean()
    _hand_on(layer, float(_SHARE / length))
    names = nn.Linear(width, count)

    def of(step: int, some: Tensor) -> Tensor:
        with torch.no_grad():
            token = torch.from_numpy(
                np.random.default_rng([run.plan.seed, 59, step, int(some[0])]).integers(1, 1 + SLOTS, len(some))
            )
            given = _before(layer, kept.states_NTW[some].float())[torch.arange(len(some)), token]
        return cross_entropy(names(given).float(), kept.which_N[some], label_smoothing=_SMOOTHED)

    run.fit("names", names, of, steps=run.plan.names, pictures=5 * run.plan.pictures, learning_rate=4 * run.plan.learning_rate)
    with torch.no_grad():
        given_NTW = _before(layer, kept.states_NTW[:_SAMPLE].float())
        first, second = names(given_NTW[:, 1:]).topk(2, -1).values.flatten(0, 1).median(0).values
        layer.mlp.fc1.weight[:count] = names.weight
        layer.mlp.fc1.bias[:count] = names.bias - second
        layer.mlp.fc2.weight[:, :count] = _CODE / (first - second) * codes_CW.T
    _pass_places(layer, count, given_NTW, _PLACE)


def _keep_one(layer: Any, codes_CW: Tensor, states_NTW: Tensor, length: float) -> None:
    """Write down a layer that keeps one name of several, from some views as the layer before leaves them."""
    count, width = codes_CW.shape
    layer.mlp.fc1.weight[:count] = _STEEP / width**0.5 * codes_CW
    layer.mlp.fc1.bias[:count] = -_STEEP * _LEAST
    layer.mlp.fc2.weight[:, :count] = length * codes_CW.T
    _pass_places(layer, count, _before(layer, states_NTW), length)


class _Speller(nn.Module):
    """What a name and a place are written as, and what the projector makes of it."""

    def __init__(self, eyes: Eyes, count: int) -> None:
        super().__init__()
        self.codes_UW = nn.Parameter(normalize(torch.randn(count, eyes.width), dim=-1))
        self.projector = eyes.multi_modal_projector.requires_grad_(True)

    def forward(self, states_NTW: Tensor, units_NTU: Tensor) -> Tensor:
        found: Tensor = self.projector(states_NTW + _TWICE * (units_NTU @ self.codes_UW))
        return found.flatten(1, 2)


def _blended(kept: _Kept, some: Tensor, seed: list[int]) -> Tensor:
    """Views, half of which have something of another: so it is learned what names that are weak, or two, are written as."""
    rng = np.random.default_rng(seed)
    of_another_N = rng.uniform(0, _BLENDED, len(some)) * (rng.random(len(some)) < 0.5)
    of_another_N11 = torch.from_numpy(of_another_N).float()[:, None, None]
    another = torch.from_numpy(rng.integers(len(kept.which_N), size=len(some)))
    return torch.lerp(kept.states_NTW[some].float(), kept.states_NTW[another].float(), of_another_N11)


def _spell(eyes: Eyes, layers: tuple[Any, Any, Any], kept: _Kept, slots_CK: Tensor, vocabulary: Vocabulary, run: _Run) -> None:
    """Teach codes and projector to spell."""
    tells, once, twice = layers
    count = len(slots_CK) + SLOTS
    eyes.spell_everywhere(vocabulary.mean_D)
    speller = _Speller(eyes, count)

    def of(step: int, some: Tensor) -> Tensor:
        with torch.no_grad():
            states = once(tells(_blended(kept, some, [run.plan.seed, 61, step, int(some[0])]), None), None)
            units = twice.mlp.activation_fn(twice.mlp.fc1(_before(twice, states)))[..., :count]
        spelled = speller(states[:, 1:], units[:, 1:]).float()
        with torch.autocast("cpu", enabled=False):
            return loss(spelled, slots_CK[kept.which_N[some]], vocabulary, near=run.plan.near(step))

    run.fit(
        "spelling", speller, of, steps=run.plan.steps, pictures=run.plan.pictures, learning_rate=run.plan.learning_rate,
        matrix_rate=run.plan.matrix_rate,
    )  # fmt: skip
    speller.requires_grad_(False)
    twice.mlp.fc2.weight[:, :count] = _TWICE * speller.codes_UW.T
