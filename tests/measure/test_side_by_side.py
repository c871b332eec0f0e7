"""Pieces of work in processes side by side: all are done, each opens its things once, and what goes wrong is said at once."""

from __future__ import annotations

import multiprocessing
import os
import time

import pytest
import torch

from errata.core.errors import BadInput
from errata.measure.side_by_side import jobs_for, side_by_side
from tests.measure.works import not_opened, opened, work


def run(pieces, jobs=2, seen=None, opened=opened):
    def progress(what, done, total):
        if seen is not None:
            seen.append((what, done, total))

    return side_by_side(pieces, opened=opened, work=work, jobs=jobs, progress=progress)


def none_is_left():
    return not [process for process in multiprocessing.active_children() if process.is_alive()]


def test_all_pieces_are_done_elsewhere_and_a_process_keeps_what_it_opened():
    seen: list[tuple[str, int, int]] = []
    found = dict(run(["a", "b", "c", "d"], seen=seen))
    assert {piece: result[2]["piece"] for piece, result in found.items()} == {piece: piece for piece in "abcd"}
    processes = {process for process, _, _ in found.values()}
    assert len(processes) <= 2
    assert os.getpid() not in processes
    for process in processes:
        own = [done for of, done, _ in found.values() if of == process]
        assert max(map(len, own)) == len(own)
    assert {what for what, _, _ in seen} == {f"{piece}, {at}" for piece in "abcd" for at in ("half", "all")}
    assert [done for _, done, _ in seen] == sorted(done for _, done, _ in seen)
    assert seen[-1][1:] == (400, 400)
    assert none_is_left()


@pytest.mark.parametrize(
    ("piece", "error", "said"),
    [
        ("wrong", BadInput, "There is no editor named 'wrong'"),
        ("killed", BadInput, r"The process of killed was ended from outside \(exit code 9\)"),
        ("odd", RuntimeError, "(?s)odd:.*Odd: onetwo"),
        ("unsendable", RuntimeError, "unsendable:"),
    ],
)
def test_what_goes_wrong_is_said_with_what_was_done_before_and_ends_the_others(piece, error, said):
    coming, started = run(["a", piece, "long", "never"]), time.monotonic()
    done = []
    with pytest.raises(error, match=said):
        done += [name for name, _ in coming]
    assert set(done) <= {"a"}
    assert time.monotonic() - started < 120
    assert none_is_left()


def test_things_that_cannot_be_opened_are_said():
    with pytest.raises(BadInput, match="There is no model named 'nobody'"):
        list(run(["a"], jobs=1, opened=not_opened))


def test_whoever_asks_for_no_more_ends_all_of_it():
    coming = run(["a", "long", "never"])
    assert next(coming)[0] == "a"
    coming.close()
    assert none_is_left()


def test_a_gpu_takes_one_at_a_time_and_cores_that_threads_are_meant_for_are_not_given_twice():
    before, cores = torch.get_num_threads(), len(os.sched_getaffinity(0))
    try:
        torch.set_num_threads(1)
        assert (jobs_for("cuda:0"), jobs_for("cpu")) == (1, cores)
        torch.set_num_threads(2 * cores)
        assert jobs_for("cpu") == 1
    finally:
        torch.set_num_threads(before)
