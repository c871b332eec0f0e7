"""What `errata train` trains, by name: opened for a model or encoders, put to a benchmark's training seeds, written to a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from errata.benchmarks.asked.pairs import NAME as ASKED
from errata.benchmarks.asked.shown import NAME as SHOWN
from errata.benchmarks.atlas.pairs import NAME as ATLAS
from errata.benchmarks.atlas.pictures.shots import NAME as PICTURES
from errata.benchmarks.atlas.pictures.shots import VIEWS
from errata.benchmarks.scopeworld import fgv, stream
from errata.core.benchmark import Pair
from errata.core.counted import counted
from errata.core.editor import Tools
from errata.core.errors import BadInput, Unknown
from errata.core.progress import Progress
from errata.editors import (
    FusionSizes,
    MendPlan,
    MendTraining,
    MultimodalScope,
    RerankScope,
    RerankSizes,
    ScopeTraining,
    SightSizes,
    StateSizes,
    StatesScope,
    TextScope,
    TextSizes,
    fitted_sight,
    made,
)
from errata.school.fit import Fitted, faster_in_bfloat16, settled_half
from errata.school.learn import EDITS, Course, learn
from errata.school.scopes import Lessons, split, train_scope
from errata.session import registry

PAIRED = 2000
"""Edits whose pairs a scope is trained on, where no number is given."""

STATES = 800
"""The same of a scope over a model's states, which have to be read first."""

_STEPS, _BATCH, _RATE = 700, 256, 2e-3
"""What that is taught by, where nothing else is said: it learns in few and large steps."""

_FOUND_EDITS, _FOUND_STEPS, _FOUND_BATCH = 800, 900, 256
"""What finds the nearest corrections of a scope that reranks: edits whose pairs it is taught with, at most, its steps, and pairs in
each. Every question of these has to be read."""

_FOUND_WATCHED = 1024
"""Pairs that a look takes of it."""

_READ_EDITS, _READ_STEPS, _READ_BATCH, _WATCHED = 1400, 800, 32, 256
"""What reads them: edits, steps, pairs in each, and pairs that a look takes."""

_THINGS: Final = 700
"""Whose views a sight is learned from, at most."""

_MINED: Final = 1
"""To a question about one correction: others that were found near it, at most, of which it learns that they aren't meant."""


@dataclass(frozen=True)
class Wanted:
    """What a training was asked for; None leaves it to what is trained."""

    out: Path
    model: str
    encoders: str = ""
    benchmark: str | None = None
    edits: int | None = None
    """Whose pairs a scope is trained on."""

    steps: int | None = None
    batch: int | None = None
    """Edits, or of a scope pairs, in a step."""

    rate: float | None = None
    validation: int | None = None
    """Edits that a look takes."""

    every: int | None = None
    patience: int | None = None
    seed: int = 0
    without: tuple[str, ...] = ()
    """Kinds of probe that an editor isn't trained on."""


class Done(NamedTuple):
    """How a training went."""

    fitted: Fitted | None
    """None: nothing of it went by steps."""

    told: str
    """What else there is to say of it, or nothing."""

    use: str | None = None
    """The field that is given its folder, behind its editor's name; None: the checkpoint of the editor of its own name."""

    @property
    def course(self) -> str:
        """How long it took."""
        one = self.fitted
        return "at once" if one is None else f"{counted(one.steps, 'step')}, best after {one.best_step}: {one.best_loss:.4f}"


Training = Callable[[Tools, Progress], Done]
"""A training that is ready to run; everything that can be checked without a model has been."""


class Opened(NamedTuple):
    """A scope that is ready to be taught."""

    scope: ScopeTraining
    besides: Sequence[Pair] = ()
    """Pairs that it learns from beside its benchmark's."""


class Learner(NamedTuple):
    """Something that `errata train` trains."""

    plan: type
    """A frozen dataclass: what is settled before training, each field with a default."""

    benchmark: str
    """Where its examples are from, where none is named."""

    drawn: Callable[..., object]
    """How they are drawn, of (the benchmark's name, seed=, edits=)."""

    ready: Callable[[Any, Wanted, str], Training]
    """(plan, what is wanted, the benchmark's name) -> its training."""


def training(text: str, wanted: Wanted) -> Training:
    """The training of what `name` or `name:field=value,...` describes.

    Raises:
        Unknown: nothing of that name can be trained, it has no such field, or there is no such benchmark.
        BadInput: a value that the field or the training can't take.
    """
    name, _, rest = text.strip().partition(":")
    if name not in LEARNERS:
        raise Unknown("editor to train", name, LEARNERS)
    found = LEARNERS[name]
    benchmark = wanted.benchmark or found.benchmark
    found.drawn(benchmark, seed=0, edits=1)  # a wrong name is told at once
    return found.ready(made(found.plan, name, rest), wanted, benchmark)


def _mend(plan: MendPlan, wanted: Wanted, benchmark: str) -> Training:
    if wanted.edits is not None:
        raise BadInput("MEND is trained on every edit of the training seeds. Leave the number of edits out.")
    course = Course(**_course(wanted, cases=wanted.batch, validation=wanted.validation), without=wanted.without)

    def run(tools: Tools, progress: Progress) -> Done:
        model = tools.model(wanted.model)
        fitted = learn(
            MendTraining(plan, model),
            benchmark=lambda seed: registry.training_cases(benchmark, seed=seed, edits=EDITS),
            course=course,
            run=f"{plan} for {model.digest} on {benchmark}",
            folder=wanted.out,
            progress=progress,
        )
        return Done(fitted, "")

    return run


def _serac(plan: TextSizes, wanted: Wanted, benchmark: str) -> Training:
    return _scope(lambda tools, progress: Opened(TextScope(plan, seed=wanted.seed)), wanted, benchmark)


def _mscke(plan: FusionSizes, wanted: Wanted, benchmark: str) -> Training:
    if not wanted.encoders:
        raise BadInput("MSCKE's scope sees with the encoders of a CLIP: name their folder or hub id with --encoders.")
    return _scope(
        lambda tools, progress: Opened(MultimodalScope(tools.encoder(wanted.encoders), plan, seed=wanted.seed)), wanted, benchmark
    )


def _states(plan: StateSizes, wanted: Wanted, benchmark: str) -> Training:
    """A scope over a model's states: everything is read once, before the first step."""
    edits = wanted.edits or STATES
    wanted = replace(wanted, edits=edits, steps=wanted.steps or _STEPS, batch=wanted.batch or _BATCH, rate=wanted.rate or _RATE)

    def opened(tools: Tools, progress: Progress) -> Opened:
        scope = StatesScope.of(tools.model(wanted.model), plan, seed=wanted.seed)
        drawn = registry.training_pairs(benchmark, seed=wanted.seed, edits=edits)
        scope.look(asked for pair in drawn for asked in ((pair.edit.query, pair.edit.target), (pair.query, None)))
        return Opened(scope)

    return _scope(opened, wanted, benchmark)


def _rerank(plan: RerankSizes, wanted: Wanted, benchmark: str) -> Training:
    """A scope that reranks: what finds the nearest is trained first, then what reads them beside a question."""
    edits = wanted.edits or _READ_EDITS
    given = replace(wanted, edits=edits, steps=wanted.steps or _READ_STEPS, batch=wanted.batch or _READ_BATCH)
    finding = Lessons(
        steps=min(_FOUND_STEPS, wanted.steps or _FOUND_STEPS),
        batch=_FOUND_BATCH,
        learning_rate=_RATE,
        watched=_FOUND_WATCHED,
        seed=wanted.seed,
        large=True,
    )

    def opened(tools: Tools, progress: Progress) -> Opened:
        scope = RerankScope.of(tools.model(wanted.model), plan, seed=wanted.seed)
        nearness, few = scope.nearness(), min(edits, _FOUND_EDITS)
        drawn = [list(registry.training_pairs(name.strip(), seed=wanted.seed, edits=few)) for name in benchmark.split("+")]
        pairs = list(chain.from_iterable(drawn))
        progress("reading every question once", 0, finding.steps)
        nearness.look(pairs, bfloat16=_half(wanted.out))
        train_scope(
            nearness,
            pairs,
            wanted.out / "nearness",
            lessons=finding,
            run=f"{benchmark}, {edits}, nearness, for {scope.base_digest}",
            progress=progress,
        )
        nearness.settle(split(pairs, finding).validation)
        # Of one benchmark at a time: two may correct the same fact. And of what is kept back by itself, so that it stays so.
        sides = [side for some in drawn for side in split(some, finding)]
        return Opened(scope, [pair for side in sides for pair in nearness.mined(side, each=_MINED)])

    return _scope(opened, given, benchmark, large=True, watched=_WATCHED)


def _sight(plan: SightSizes, wanted: Wanted, things: str) -> Training:
    """What tells whether two pictures show the same. Nothing of it goes by steps."""
    steps = {"steps": wanted.steps, "batch": wanted.batch, "rate": wanted.rate, "every": wanted.every, "patience": wanted.patience}
    given = [f"--{name}" for name, value in {**steps, "validation": wanted.validation}.items() if value is not None]
    if given or wanted.without:
        raise BadInput(f"A sight is learned at once, not by steps. Leave {', '.join(given) or '--without'} out.")
    most = wanted.edits or _THINGS

    def run(tools: Tools, progress: Progress) -> Done:
        model = tools.model(wanted.model)
        found, recognised = fitted_sight(
            model,
            registry.training_views(things, seed=wanted.seed, edits=most),
            plan,
            looked=lambda count: progress("looking at pictures", count, max(count, most * VIEWS)),
        )
        found.learnt().write(wanted.out)
        told = (
            f"of two views of one thing, {100 * recognised.again:.1f} % are alike; of two of different things "
            f"{100 * recognised.mistaken:.2f} % ({recognised.things} that were kept back)"
        )
        return Done(None, told, "rerank:sight")

    return run


def _scope(
    opened: Callable[[Tools, Progress], Opened],
    wanted: Wanted,
    benchmark: str,
    *,
    large: bool = False,
    watched: int | None = None,
) -> Training:
    if wanted.without:
        raise BadInput("A scope learns from labelled pairs of every kind. Leave --without out.")
    edits = wanted.edits or PAIRED
    if wanted.validation is not None and wanted.validation >= edits:
        raise BadInput(f"{counted(wanted.validation, 'edit')} to validate on leave none of {edits} to train on. Give more edits.")
    share = None if wanted.validation is None else wanted.validation / edits
    lessons = Lessons(**_course(wanted, batch=wanted.batch, validation=share), large=large, watched=watched)

    def run(tools: Tools, progress: Progress) -> Done:
        scope, besides = opened(tools, progress)
        progress(f"drawing the pairs of {counted(edits, 'edit')}", 0, lessons.steps)
        pairs = chain(registry.training_pairs(benchmark, seed=wanted.seed, edits=edits), besides)
        where = f"{benchmark}, {counted(edits, 'edit')}, on"
        taught = replace(lessons, bfloat16=large and _half(wanted.out))
        if isinstance(scope, RerankScope | StatesScope):
            where += f" {scope.base_digest}"
        fitted, decided = train_scope(scope, pairs, wanted.out, lessons=taught, run=where, progress=progress)
        inside, outside = decided.n
        return Done(
            fitted,
            f"of the pairs kept back, right in scope: {100 * decided.inside:.1f} % of {inside}, "
            f"out of scope: {100 * decided.outside:.1f} % of {outside}",
        )

    return run


def _half(folder: Path) -> bool:
    """Whether a large scope's training multiplies in bfloat16: as this processor is faster, or as the run in the folder began."""
    return settled_half(folder, lambda: faster_in_bfloat16("cpu"), ("training.pt", "nearness/training.pt"))


def _course(wanted: Wanted, **own: float | None) -> dict[str, Any]:
    """The fields of a course that were asked for."""
    shared = {"steps": wanted.steps, "learning_rate": wanted.rate, "every": wanted.every, "patience": wanted.patience}
    fields = {**shared, **own, "seed": wanted.seed}
    return {name: value for name, value in fields.items() if value is not None}


LEARNERS: Mapping[str, Learner] = MappingProxyType(
    {
        "mend": Learner(MendPlan, stream.NAME, registry.training_cases, _mend),
        "serac": Learner(TextSizes, fgv.NAME, registry.training_pairs, _serac),
        "mscke": Learner(FusionSizes, fgv.NAME, registry.training_pairs, _mscke),
        "states": Learner(StateSizes, ASKED, registry.training_pairs, _states),
        "sight": Learner(SightSizes, PICTURES, registry.training_views, _sight),
        "rerank": Learner(RerankSizes, f"{ASKED}+{SHOWN}+{ATLAS}", registry.training_pairs, _rerank),
    }
)
"""Name -> what can be trained under that name. A new one is a line here."""
