"""Training what can be trained: which cases it sees, that it learns, and that a killed run ends where an unbroken one ends."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from errata.benchmarks.scopeworld.fgv import ScopeWorldFGV, split_of
from errata.core.benchmark import UNCHANGED
from errata.core.errors import BadInput, Unknown
from errata.editors import MendPlan, MendTraining, _checkpoints
from errata.models import load
from errata.models.small.build import LlavaSizes, build_llava
from errata.school.learn import EDITS, TRAINING_SEEDS, Course, Stock, _drawn, learn
from errata.school.school import texts
from errata.session import registry

SHORT = Course(steps=6, cases=1, same=2, apart=1, validation=2, every=2, patience=9)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """It can be put every question of ScopeWorld; its linear maps keep the size of what passes, so that a write tells."""
    folder: Path = tmp_path_factory.mktemp("models") / "random"
    sizes = LlavaSizes(width=32, layers=2, ffn=32, vision_width=32, vision_layers=1, vision_ffn=32)
    build_llava(folder, texts=texts(count=400), sizes=sizes, seed=0)
    made, generator = load(folder), torch.Generator().manual_seed(3)
    for module in made.net.modules():
        if isinstance(module, torch.nn.Linear):
            module.weight.normal_(std=module.in_features**-0.5, generator=generator)
        if isinstance(module, torch.nn.Embedding):
            module.weight.normal_(generator=generator)
    made.save(folder)  # so that its digest is that of what it computes with
    return load(folder)


def stream(seed):
    return registry.benchmark("scopeworld-stream", seed=seed, edits=EDITS)


def run(model, folder, *, course=SHORT, stop_at=None, plan=None):
    def progress(what, done, total):
        if done == stop_at:
            raise KeyboardInterrupt

    opened = MendTraining(plan or MendPlan(layers=1, rank=4, edit_rate=0.01), model)
    return learn(opened, benchmark=stream, course=course, run="a test", folder=folder, progress=progress)


def learned(folder):
    return _checkpoints.read(folder, kind="mend").digest


def test_training_and_validation_share_no_seed_and_neither_reaches_100():
    asked: list[int] = []

    def noted(seed):
        asked.append(seed)
        return stream(seed)

    stock = Stock(noted)
    for number in range(0, 2 * TRAINING_SEEDS * EDITS, EDITS):
        stock.training(number)
    training = set(asked)
    asked.clear()
    for number in range(30):
        stock.validation(number)
    assert training == set(range(90))
    assert set(asked) == set(range(90, 100))


def test_validation_cases_are_all_different():
    stock = Stock(stream)
    assert len({stock.validation(number).edit.id for number in range(25)}) == 25


def test_a_case_keeps_as_many_probes_of_each_sort_as_wanted_and_all_others():
    case, course = Stock(stream).training(3), Course(same=2, apart=3)
    drawn, again, other = (_drawn(case, course, number) for number in (5, 5, 6))
    assert drawn == again
    assert drawn.probes != other.probes
    assert sum(probe.expect == case.edit.target for probe in drawn.probes) == 2
    assert sum(probe.expect is UNCHANGED for probe in drawn.probes) == 3
    rest = [probe for probe in case.probes if probe.expect not in (case.edit.target, UNCHANGED)]
    assert rest
    assert all(probe in drawn.probes for probe in rest)
    none = _drawn(case, replace(course, same=0, apart=99), 5)
    assert [probe for probe in none.probes if probe.expect is UNCHANGED] == [p for p in case.probes if p.expect is UNCHANGED]


def test_a_kind_that_is_left_out_is_neither_trained_nor_validated_on(model, tmp_path):
    case, course = Stock(stream).training(3), Course(same=99, apart=99)
    kinds = {probe.kind for probe in case.probes}
    without = {probe.kind for probe in _drawn(case, replace(course, without=("near_locality",)), 5).probes}
    assert (kinds - without, without - kinds) == ({"near_locality"}, set())
    with pytest.raises(Unknown, match="no kind of probe named 'near'"):
        run(model, tmp_path / "none", course=replace(SHORT, without=("near",)))
    assert not (tmp_path / "none").exists()


def test_a_killed_training_ends_where_an_unbroken_one_ends(model, tmp_path):
    whole = run(model, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(model, tmp_path / "killed", stop_at=5)
    assert not (tmp_path / "killed" / "learned.safetensors").exists()
    again = run(model, tmp_path / "killed")
    assert (again.steps, again.best_step, again.best_loss) == (whole.steps, whole.best_step, whole.best_loss)
    assert learned(tmp_path / "killed") == learned(tmp_path / "whole")
    lines = (tmp_path / "whole" / "validation.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["0", "2", "4", "6"]


def test_training_lowers_the_validation_loss_and_leaves_the_model_as_found(model, tmp_path):
    before = {name: tensor.clone() for name, tensor in model.net.state_dict().items()}
    plan, losses = MendPlan(layers=1, edit_rate=0.1, edit_weight=1.0), []
    for rate in (1e-9, 1e-2):  # the first learns its statistics alone
        folder = tmp_path / str(rate)
        fitted = run(model, folder, course=replace(SHORT, steps=40, every=20, learning_rate=rate), plan=plan)
        losses.append([float(line.split("\t")[1]) for line in (folder / "validation.tsv").read_text().splitlines()])
        assert fitted.best_loss == pytest.approx(min(losses[-1]), abs=1e-4)
    assert losses[0][0] == losses[1][0]
    assert losses[1][-1] < 0.97 * losses[0][-1]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.net.state_dict().items())
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in model.net.parameters())


def test_a_folder_of_another_training_is_refused(model, tmp_path):
    run(model, tmp_path)
    with pytest.raises(BadInput, match="is of another run"):
        run(model, tmp_path, course=replace(SHORT, seed=5))


def test_what_is_trained_on_is_of_a_split_that_no_figure_is_of():
    name = "scopeworld-fgv"
    cases, figures = registry.training_cases(name, seed=3, edits=2), registry.benchmark(name, seed=3, edits=2)
    pairs = list(registry.training_pairs(name, seed=3, edits=2))
    trained = [cases[i].edit.id for i in range(2)]
    assert list(dict.fromkeys(pair.edit.id for pair in pairs)) == trained
    assert set(trained).isdisjoint(figures[i].edit.id for i in range(2))
    assert isinstance(cases, ScopeWorldFGV)
    assert [split_of(cases.correction(i).scene) for i in range(2)] == ["train", "train"]


def test_a_stream_that_labels_nothing_gives_pairs_by_what_its_cases_expect():
    cases = registry.training_cases("scopeworld-stream", seed=3, edits=2)
    pairs = list(registry.training_pairs("scopeworld-stream", seed=3, edits=2))
    for case in (cases[0], cases[1]):
        own = [pair for pair in pairs if pair.edit == case.edit]
        must = {probe.query.digest: probe.expect is not UNCHANGED for probe in case.probes if probe.kind != "cross_edit"}
        assert {pair.query.digest: pair.in_scope for pair in own} == must | {case.edit.query.digest: True}


@pytest.mark.parametrize(
    "fields", [{"steps": 0}, {"cases": 0}, {"patience": 0}, {"learning_rate": 0.0}, {"clip": -1.0}, {"apart": -1}]
)
def test_a_course_out_of_range_is_refused_with_a_sentence(fields):
    with pytest.raises(BadInput, match=r"A training's .*\."):
        Course(**fields)
