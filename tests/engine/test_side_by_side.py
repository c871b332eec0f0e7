"""Pieces of work in processes side by side: all are done, each process opens its things once, and what goes wrong is said."""

from __future__ import annotations

import os

import pytest
import torch

from errata.core.errors import BadInput
from errata.engine.side_by_side import jobs_for, side_by_side
from tests.engine.works import opened, work


def run(pieces, jobs=2, seen=None):
    def progress(what, done, total):
        if seen is not None:
            seen.append((what, done, total))

    return dict(side_by_side(pieces, opened=opened, work=work, jobs=jobs, progress=progress))


def test_all_pieces_are_done_elsewhere_and_a_process_keeps_what_it_opened():
    seen: list[tuple[str, int, int]] = []
    found = run(["a", "b", "c", "d"], seen=seen)
    assert {piece: result[2]["piece"] for piece, result in found.items()} == {piece: piece for piece in "abcd"}
    processes = {process for process, _, _ in found.values()}
    assert len(processes) <= 2
    assert os.getpid() not in processes
    for process in processes:
        assert max(len(done) for of, done, _ in found.values() if of == process) == sum(
            of == process for of, _, _ in found.values()
        )
    assert {what for what, _, _ in seen} == {f"{piece}, {at}" for piece in "abcd" for at in ("half", "all")}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1:] == (400, 400)


def test_what_errata_says_of_a_piece_is_said_and_what_was_done_before_is_there():
    coming = side_by_side(["a", "wrong"], opened=opened, work=work, jobs=1, progress=lambda *_: None)
    assert next(coming)[0] == "a"
    with pytest.raises(BadInput, match="There is no editor named 'wrong'"):
        next(coming)


def test_a_process_that_is_killed_gets_a_sentence():
    with pytest.raises(BadInput, match="ended before its work was done"):
        run(["killed"], jobs=1)


def test_a_gpu_takes_one_at_a_time_and_cores_that_threads_are_meant_for_are_not_given_twice():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert (jobs_for("cuda:0"), jobs_for("cpu")) == (1, os.cpu_count())
        torch.set_num_threads(2 * (os.cpu_count() or 1))
        assert jobs_for("cpu") == 1
    finally:
        torch.set_num_threads(before)
