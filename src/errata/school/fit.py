"""The only training loop: the parts of a loss for each step go in, a warm-up-then-cosine schedule moves the weights.

The parts of a step are worked on side by side, each by one thread: on small models two threads that share one product are
slower than two that have one each (bench/train.py; docs/how-to/train.md). They are summed in their order, whoever was first.
A run is a pure function of its seed: what a step trains on is drawn from (seed, step), so a run that was killed and resumed
from its last checkpoint ends where an unbroken one ends.

Given a validation, a run keeps the weights that did best on it and stops once they stay the best for too long.
"""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from errata.core.errors import BadInput
from errata.core.progress import Progress
from errata.nn.muon import Muon

Part = Callable[[], Tensor]
"""Works out one part of a step's loss, a scalar tensor."""


@dataclass(frozen=True)
class Schedule:
    """How a run of `fit` moves the weights."""

    steps: int
    learning_rate: float = 2e-3
    """Peak of the schedule, for AdamW."""

    matrix_rate: float | None = None
    """Peak for the matrices inside the network, which Muon then moves; None: AdamW moves everything."""

    final_share: float = 0.02
    """The last learning rate, as a share of the peak."""

    warmup: int = 100
    """Steps from zero to the peak."""

    weight_decay: float = 0.05
    clip: float = 1.0
    """Largest gradient norm."""

    checkpoint_every: int = 200
    """Steps between checkpoints."""

    bfloat16: bool = False
    """Compute the loss under bfloat16 autocast."""

    together: bool = False
    """All threads work on one part after another: what pays where products are large, as a language model's are."""

    def share(self, step: int) -> float:
        """The learning rate at a step, as a share of its peak."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.final_share + (1 - self.final_share) * 0.5 * (1 + math.cos(math.pi * done))


@dataclass(frozen=True)
class Validation:
    """Held-out cases on which a run is watched."""

    loss: Callable[[], float]
    """Their loss with the weights as they stand; lower is better. Called without a graph, the module out of training mode."""

    every: int
    """Steps between looks, >= 1; the first is before any step, the last after the last."""

    patience: int
    """Looks without a new best after which the run stops, >= 1."""

    each: Callable[[int, float], None] = lambda step, loss: None
    """Told each look: how many steps were done, and the loss."""


@dataclass
class Fitted:
    """How a run went on its validation; without one there is nothing here but the steps."""

    steps: int = 0
    """Steps done."""

    best_step: int = 0
    best_loss: float = math.inf
    waited: int = 0
    """Looks since the best one."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    """The module's state at the best look."""


def fit(
    module: nn.Module,
    *,
    objective: Callable[[int], Sequence[Part]],
    schedule: Schedule,
    checkpoint: Path,
    run: str = "",
    inner: Callable[[str], bool] = lambda name: True,
    progress: Progress,
    each: Callable[[int, float], None] = lambda step, loss: None,
    validation: Validation | None = None,
) -> Fitted:
    """Train every parameter of `module` that wants a gradient.

    Args:
        objective: the parts of a step's loss, which is their sum.
        schedule: how many steps, how large.
        checkpoint: a file; where it exists the run goes on from it.
        run: what the run is of, in any words; a checkpoint of another is refused.
        inner: whether the matrix of this name lies inside the network, for Muon.
        progress: shown to whoever waits.
        each: told each step's loss.
        validation: watch the run on this; the module ends with the weights that did best on it.

    Raises:
        BadInput: the checkpoint is of another run.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    optimizers = _optimizers(module, schedule, inner)
    fitted = Fitted()
    start = _resume(checkpoint, module, optimizers, schedule, run, fitted)
    device = parameters[0].device.type
    with side_by_side(device) as (workers, together):
        if validation is not None and start == 0:
            _look(validation, module, 0, fitted, looking=lambda: _looking(schedule, device, together))
        for step in range(start, schedule.steps):
            if validation is not None and fitted.waited >= validation.patience:
                break
            for optimizer, peak in optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = peak * schedule.share(step)
            with together() if schedule.together else nullcontext():
                loss = _gradients(parameters, objective(step), workers, device, schedule)
            with together():
                nn.utils.clip_grad_norm_(parameters, schedule.clip)
                for optimizer, _ in optimizers:
                    optimizer.step()
            each(step, loss)
            progress(f"loss {loss:.3f}", step + 1, schedule.steps)
            fitted.steps, last = step + 1, step + 1 == schedule.steps
            if validation is not None and (last or (step + 1) % validation.every == 0):
                _look(validation, module, step + 1, fitted, looking=lambda: _looking(schedule, device, together))
                last = last or fitted.waited >= validation.patience
            if last or (step + 1) % schedule.checkpoint_every == 0:
                _save(checkpoint, module, optimizers, schedule, run, fitted)
    if fitted.weights:
        module.load_state_dict(fitted.weights)
    return fitted


@contextmanager
def _looking(schedule: Schedule, device: str, together: Callable[[], AbstractContextManager[None]]) -> Iterator[None]:
    """As steps are computed, so are looks."""
    with together() if schedule.together else nullcontext(), _precision(device, schedule):
        yield


def _look(
    validation: Validation,
    module: nn.Module,
    step: int,
    fitted: Fitted,
    *,
    looking: Callable[[], AbstractContextManager[None]],
) -> None:
    """A loss that is no number is never the best."""
    training = module.training
    module.train(False)
    with torch.no_grad(), looking():
        loss = validation.loss()
    module.train(training)
    validation.each(step, loss)
    fitted.waited += 1
    if loss < fitted.best_loss:
        fitted.best_loss, fitted.best_step, fitted.waited = loss, step, 0
        fitted.weights = copy.deepcopy(module.state_dict())


_Optimizers = Sequence[tuple[torch.optim.Optimizer, float]]
"""Each with the peak of its learning rate."""


def _optimizers(module: nn.Module, schedule: Schedule, inner: Callable[[str], bool]) -> _Optimizers:
    named = [(name, parameter) for name, parameter in module.named_parameters() if parameter.requires_grad]
    matrices = [p for name, p in named if schedule.matrix_rate is not None and p.ndim == 2 and inner(name)]
    taken = {id(p) for p in matrices}
    others = [p for _, p in named if id(p) not in taken]
    groups = [
        {"params": [p for p in others if p.ndim >= 2], "weight_decay": schedule.weight_decay},
        {"params": [p for p in others if p.ndim < 2], "weight_decay": 0.0},
    ]
    found: list[tuple[torch.optim.Optimizer, float]] = []
    if others:
        adam = torch.optim.AdamW([group for group in groups if group["params"]], betas=(0.9, 0.98))
        found.append((adam, schedule.learning_rate))
    if matrices and schedule.matrix_rate is not None:
        found.append((Muon(matrices, weight_decay=schedule.weight_decay, bfloat16=schedule.bfloat16), schedule.matrix_rate))
    return found


def _gradients(
    parameters: Sequence[nn.Parameter], parts: Sequence[Part], workers: Executor, device: str, schedule: Schedule
) -> float:
    """Put the gradient of the sum of the parts on the parameters; the sum."""

    def work(part: Part) -> tuple[float, tuple[Tensor | None, ...]]:
        with _precision(device, schedule):
            loss = part()
        return float(loss.detach()), torch.autograd.grad(loss, parameters, allow_unused=True)

    total = 0.0
    for parameter in parameters:
        parameter.grad = None
    for loss, gradients in map(work, parts) if schedule.together else workers.map(work, parts):
        total += loss
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
    return total


@contextmanager
def side_by_side(device: str) -> Iterator[tuple[Executor, Callable[[], AbstractContextManager[None]]]]:
    """As many workers as torch may use threads, each of one thread; and a `with` block in which all threads work together."""
    threads = torch.get_num_threads()
    count = threads if device == "cpu" else 1

    @contextmanager
    def together() -> Iterator[None]:
        torch.set_num_threads(threads)
        yield
        torch.set_num_threads(1)

    with ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,)) as workers:
        torch.set_num_threads(1)
        try:
            yield workers, together
        finally:
            torch.set_num_threads(threads)


def _precision(device: str, schedule: Schedule) -> AbstractContextManager[object]:
    return torch.autocast(device, torch.bfloat16) if schedule.bfloat16 else nullcontext()


def faster_in_bfloat16(device: str) -> bool:
    """Whether a product of training's size is clearly faster in bfloat16 here: on GPUs, and on CPUs with instructions for it."""
    if torch.device(device).type != "cpu":
        return True
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        a, b = torch.ones(4096, 192, dtype=dtype), torch.ones(192, 768, dtype=dtype)
        rounds = []
        for _ in range(9):
            started = time.perf_counter()
            a @ b
            rounds.append(time.perf_counter() - started)
        seconds[dtype] = sorted(rounds)[4]
    return seconds[torch.bfloat16] < 0.8 * seconds[torch.float32]


def settled_half(folder: Path, half: Callable[[], bool], checkpoints: Sequence[str]) -> bool:
    """Whether a run multiplies in bfloat16: decided once and kept in its folder, so that a resumed one goes on as it began.

    Args:
        half: asked where no run has begun.
        checkpoints: files in the folder that say that one has.
    """
    kept = folder / "precision.txt"
    if not kept.exists() or not any((folder / name).exists() for name in checkpoints):
        folder.mkdir(parents=True, exist_ok=True)
        kept.write_text("bfloat16" if half() else "float32")
    return kept.read_text() == "bfloat16"


def _save(path: Path, module: nn.Module, optimizers: _Optimizers, schedule: Schedule, run: str, fitted: Fitted) -> None:
    """Write whole or not at all: a kill in the middle leaves the checkpoint before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    states = [optimizer.state_dict() for optimizer, _ in optimizers]
    watched = {"step": fitted.best_step, "loss": fitted.best_loss, "waited": fitted.waited, "module": fitted.weights}
    saved = {"step": fitted.steps, "steps": schedule.steps, "run": run, "module": module.state_dict(), "optimizers": states}
    torch.save(saved | ({"best": watched} if fitted.weights or fitted.waited else {}), temporary)
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def _resume(path: Path, module: nn.Module, optimizers: _Optimizers, schedule: Schedule, run: str, fitted: Fitted) -> int:
    if not path.exists():
        return 0
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        if saved["steps"] != schedule.steps:
            raise BadInput(
                f"The checkpoint {path} is of a run of {saved['steps']} steps, this one has {schedule.steps}. "
                "Delete it to start afresh."
            )
        if saved["run"] != run:
            raise BadInput(f"The checkpoint {path} is of another run: {saved['run']}. Delete it to start afresh.")
        module.load_state_dict(saved["module"])
        for (optimizer, _), state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        fitted.steps = int(saved["step"])
        if "best" in saved:
            best = saved["best"]
            fitted.best_step, fitted.best_loss, fitted.waited = int(best["step"]), float(best["loss"]), int(best["waited"])
            fitted.weights = best["module"]
        return fitted.steps
    except BadInput:
        raise
    except (KeyError, RuntimeError, EOFError, OSError, ValueError, UnpicklingError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"The checkpoint {path} can't be resumed from ({why}). Delete it to start afresh.") from None
