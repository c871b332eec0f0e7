"""What is drawn ahead by other processes is what each step would have drawn by itself."""

import os

import numpy as np
import pytest

from errata.school.ahead import Ahead, workers_for
from errata.school.curriculum import Curriculum, lessons_of


def made(step):
    return step, os.getpid(), float(np.random.default_rng([7, step]).random())


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_steps_come_in_order_and_are_the_same_whoever_makes_them(workers):
    ahead = Ahead(made, 9, workers)
    for step in (0, 1, 2, 3):
        assert ahead(step)[::2] == made(step)[::2]
    for step in (6, 7, 8):  # a run that goes on from a checkpoint begins somewhere
        assert ahead(step)[::2] == made(step)[::2]


def test_workers_are_other_processes_and_without_them_there_is_none():
    assert Ahead(made, 2, 2)(0)[1] != os.getpid()
    assert Ahead(made, 2, 0)(0)[1] == os.getpid()


def test_nothing_is_drawn_ahead_beside_a_cpu_and_all_cores_but_one_beside_a_gpu():
    assert workers_for("cpu") == 0
    assert workers_for("cuda:0") == min(16, max(1, (os.cpu_count() or 1) - 1))


def test_a_schools_lessons_are_drawn_ahead_too():
    curriculum = Curriculum(captions=2, questions=2, scenes=4, seed=3)
    ahead = Ahead(lambda step: lessons_of(step, curriculum), 4, 2)
    for step in range(4):
        for row, wanted in zip(ahead(step), lessons_of(step, curriculum), strict=True):
            assert row.lessons == wanted.lessons
            assert np.array_equal(row.pixels_HWC, wanted.pixels_HWC)
