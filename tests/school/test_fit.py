"""The training loop watched on a validation: it keeps the best weights, stops when they stay the best, and resumes as it was."""

from __future__ import annotations

import math
import threading

import pytest
import torch
from torch import nn

from errata.core.errors import BadInput
from errata.school.fit import Schedule, Validation, fit

SCHEDULE = Schedule(12, learning_rate=0.1, warmup=2, checkpoint_every=2)


def world(folder, *, losses=None, every=2, patience=100, stop_at=None, watched=True, schedule=SCHEDULE):
    """Fit a line to a step's number; validation losses are the given ones in turn, or the distance of the weight from -0.16."""
    torch.manual_seed(0)
    module = nn.Linear(1, 1)
    looks: list[tuple[int, float]] = []

    def objective(step):
        return [lambda: (module(torch.ones(1, 1)) - 0.1 * step).square().sum()]

    def loss():
        return abs(float(module.weight.detach()) + 0.16) if losses is None else losses[len(looks)]

    def progress(what, done, total):
        if done == stop_at:
            raise KeyboardInterrupt

    fitted = fit(
        module,
        objective=objective,
        schedule=schedule,
        checkpoint=folder / "training.pt",
        progress=progress,
        validation=Validation(loss, every, patience, lambda step, value: looks.append((step, value))) if watched else None,
    )
    return module, fitted, looks


def weights(module):
    return {name: tensor.tolist() for name, tensor in module.state_dict().items()}


def test_it_looks_before_the_first_step_at_every_so_many_and_after_the_last(tmp_path):
    _, fitted, looks = world(tmp_path, every=5)
    assert [step for step, _ in looks] == [0, 5, 10, 12]
    assert fitted.steps == 12


def test_it_stops_after_so_many_looks_without_a_new_best_and_ends_with_the_best_weights(tmp_path):
    module, fitted, looks = world(tmp_path / "a", losses=[9, 5, 7, 6, 5, 1, 1], patience=3)
    assert ([step for step, _ in looks], fitted.steps) == ([0, 2, 4, 6, 8], 8)
    assert (fitted.best_step, fitted.best_loss) == (2, 5)
    short, _, _ = world(tmp_path / "b", watched=False, schedule=SCHEDULE)
    assert weights(module) != weights(short)
    with pytest.raises(KeyboardInterrupt):
        world(tmp_path / "c", watched=False, stop_at=3)  # the checkpoint is of step 2
    assert torch.equal(module.weight, torch.load(tmp_path / "c" / "training.pt")["module"]["weight"])


def test_a_loss_that_is_no_number_is_never_the_best(tmp_path):
    _, fitted, _ = world(tmp_path, losses=[math.nan, 3, math.nan, math.nan, math.nan], patience=3)
    assert (fitted.best_step, fitted.best_loss, fitted.steps) == (2, 3, 8)


def test_a_killed_run_that_has_no_best_yet_still_counts_its_looks(tmp_path):
    nothing = [math.nan] * 9
    with pytest.raises(KeyboardInterrupt):
        world(tmp_path, losses=nothing, patience=3, stop_at=3)
    _, fitted, looks = world(tmp_path, losses=nothing, patience=3)
    assert ([step for step, _ in looks], fitted.steps) == ([4], 4)


def test_a_look_is_taken_out_of_training_mode_and_without_a_graph(tmp_path):
    module, seen = nn.Linear(1, 1), []

    def loss():
        seen.append((module.training, torch.is_grad_enabled()))
        return 1.0

    fit(
        module,
        objective=lambda step: [lambda: module.weight.sum()],
        schedule=Schedule(4),
        checkpoint=tmp_path / "training.pt",
        progress=lambda what, done, total: None,
        validation=Validation(loss, 2, 9),
    )
    assert (seen, module.training) == ([(False, False)] * 3, True)


def test_watching_changes_nothing_of_what_is_computed(tmp_path):
    plain, _, _ = world(tmp_path / "plain", watched=False)
    watched, fitted, _ = world(tmp_path / "watched", losses=list(range(20, 0, -1)))
    assert fitted.best_step == 12
    assert weights(plain) == weights(watched)
    assert "best" not in torch.load(tmp_path / "plain" / "training.pt")


@pytest.mark.parametrize("stop_at", [1, 3, 7, 12])
def test_a_watched_run_that_was_killed_ends_where_an_unbroken_one_ends(tmp_path, stop_at):
    whole, fitted, looks = world(tmp_path / "whole", patience=3)
    assert 0 < fitted.best_step < fitted.steps
    if stop_at <= fitted.steps:
        with pytest.raises(KeyboardInterrupt):
            world(tmp_path / "killed", patience=3, stop_at=stop_at)
    again, resumed, later = world(tmp_path / "killed", patience=3)
    assert weights(again) == weights(whole)
    assert (resumed.steps, resumed.best_step, resumed.best_loss) == (fitted.steps, fitted.best_step, fitted.best_loss)
    assert later == looks[len(looks) - len(later) :]


def test_a_run_that_was_over_isnt_gone_on_with(tmp_path):
    first, fitted, _ = world(tmp_path, losses=[1, 2, 3, 4, 5], patience=2)
    again, resumed, looks = world(tmp_path, losses=[1, 2, 3, 4, 5], patience=2)
    assert (looks, resumed.steps, weights(again)) == ([], fitted.steps, weights(first))


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    world(tmp_path)
    with pytest.raises(BadInput, match="is of a run of 12 steps"):
        world(tmp_path, schedule=Schedule(13))


@pytest.mark.parametrize("together", [False, True])
def test_threads_that_work_together_take_turns_with_the_parts(tmp_path, together):
    module, threads = nn.Linear(1, 1), torch.get_num_threads()
    seen: list[tuple[str, bool, int]] = []

    def part(name: str) -> torch.Tensor:
        seen.append((name, threading.current_thread() is threading.main_thread(), torch.get_num_threads()))
        return module.weight.sum()

    fit(
        module,
        objective=lambda step: [lambda: part("a"), lambda: part("b")],
        schedule=Schedule(1, together=together),
        checkpoint=tmp_path / "training.pt",
        progress=lambda what, done, total: None,
    )
    assert sorted(name for name, *_ in seen) == ["a", "b"]
    assert {main for _, main, _ in seen} == {together}
    assert {count for *_, count in seen} == ({threads} if together else {1})
    assert torch.get_num_threads() == threads
