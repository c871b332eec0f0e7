"""The only training loop: a loss for each step goes in, AdamW and a warm-up-then-cosine schedule move the weights.

A run is a pure function of its seed: what a step trains on is drawn from (seed, step), so a run that was killed and resumed
from its last checkpoint ends where an unbroken one ends.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor, nn

from errata.core.errors import BadInput

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much is done and how much there is."""


@dataclass(frozen=True)
class Schedule:
    """How a run of `fit` moves the weights."""

    steps: int
    learning_rate: float = 2e-3
    """Peak of the schedule."""

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

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        if step < self.warmup:
            return self.learning_rate * (step + 1) / self.warmup
        done = (step - self.warmup) / max(1, self.steps - self.warmup)
        return self.learning_rate * (self.final_share + (1 - self.final_share) * 0.5 * (1 + math.cos(math.pi * done)))


def fit(
    module: nn.Module,
    *,
    objective: Callable[[int], Tensor],
    schedule: Schedule,
    checkpoint: Path,
    run: str = "",
    progress: Progress,
    each: Callable[[int, float], None] = lambda step, loss: None,
) -> None:
    """Train every parameter of `module` that wants a gradient.

    Args:
        objective: the loss (a scalar tensor) of a step.
        schedule: how many steps, how large.
        checkpoint: a file; where it exists the run goes on from it.
        run: what the run is of, in any words; a checkpoint of another is refused.
        progress: shown to whoever waits.
        each: told each step's loss.

    Raises:
        BadInput: the checkpoint is of another run.
    """
    parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]
    decayed = [p for p in parameters if p.ndim >= 2]
    plain = [p for p in parameters if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": schedule.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=schedule.learning_rate,
        betas=(0.9, 0.98),
    )
    start = _resume(checkpoint, module, optimizer, schedule, run)
    device = parameters[0].device.type
    for step in range(start, schedule.steps):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        with _precision(device, schedule):
            loss = objective(step)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(parameters, schedule.clip)
        optimizer.step()
        each(step, float(loss.detach()))
        progress(f"loss {float(loss.detach()):.3f}", step + 1, schedule.steps)
        if (step + 1) % schedule.checkpoint_every == 0 or step + 1 == schedule.steps:
            _save(checkpoint, module, optimizer, schedule, run, step + 1)


def _precision(device: str, schedule: Schedule) -> AbstractContextManager[object]:
    return torch.autocast(device, torch.bfloat16) if schedule.bfloat16 else nullcontext()


def _save(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule, run: str, step: int) -> None:
    """Write whole or not at all: a kill in the middle leaves the checkpoint before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    torch.save(
        {"step": step, "steps": schedule.steps, "run": run, "module": module.state_dict(), "optimizer": optimizer.state_dict()},
        temporary,
    )
    with temporary.open("rb") as written:
        os.fsync(written.fileno())
    temporary.replace(path)


def _resume(path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, schedule: Schedule, run: str) -> int:
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
        optimizer.load_state_dict(saved["optimizer"])
        return int(saved["step"])
    except BadInput:
        raise
    except (KeyError, RuntimeError, EOFError, OSError, ValueError, UnpicklingError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"The checkpoint {path} can't be resumed from ({why}). Delete it to start afresh.") from None
