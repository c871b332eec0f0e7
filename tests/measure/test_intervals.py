"""Intervals by bootstrap over seeds and edits: against what is known exactly, and the worst seed beside the mean."""

from __future__ import annotations

import math

import pytest

from errata.measure.intervals import intervals


def edit(label: str | None = "proper", **met: str) -> dict[str, object]:
    return {"position": 0, "committed": True, "label": label, "met": met}


def result(seed: int, *edits: dict[str, object]) -> dict[str, object]:
    return {"benchmark": {"seed": seed}, "judged": list(edits)}


def coins(seed: int, heads: int, of: int) -> dict[str, object]:
    """A seed of so many edits, of which so many are given and proper."""
    return result(seed, *(edit("proper" if n < heads else "over", reliability=str(int(n < heads))) for n in range(of)))


def test_the_mean_is_over_seeds_and_the_worst_seed_is_named():
    found = intervals([coins(101, 9, 10), coins(102, 6, 10), coins(103, 9, 10)], ["reliability", "proper"])
    assert found["reliability"] == found["proper"]
    one = found["reliability"]
    assert one.seed == 102
    assert [one.mean, one.worst] == pytest.approx([0.8, 0.6])
    assert one.low < 0.8 < one.high


def test_of_one_seed_the_interval_is_that_of_a_share_of_its_edits():
    (one,) = intervals([coins(7, 50, 100)], ["proper"]).values()
    half = 1.96 * math.sqrt(0.5 * 0.5 / 100)
    assert [one.low, one.high] == pytest.approx([0.5 - half, 0.5 + half], abs=0.015)


def test_it_is_wide_where_seeds_differ_though_each_has_many_edits():
    (alike,) = intervals([coins(seed, 500, 1000) for seed in range(4)], ["proper"]).values()
    (apart,) = intervals([coins(seed, 350 + 100 * seed, 1000) for seed in range(4)], ["proper"]).values()
    assert alike.high - alike.low < 0.04
    assert 0.18 < apart.high - apart.low < 0.3
    assert alike.mean == apart.mean == 0.5


def test_an_edit_is_drawn_with_all_its_probes():
    """Twenty probes of four edits aren't twenty findings."""
    whole = [edit(image_locality="11111"), edit(image_locality="00000")] * 2
    mixed = [edit(image_locality="10101"), edit(image_locality="01010")] * 10
    (wide,) = intervals([result(1, *whole)], ["image_locality"]).values()
    (narrow,) = intervals([result(1, *mixed)], ["image_locality"]).values()
    assert (wide.low, wide.high) == (0, 1)
    assert narrow.high - narrow.low < 0.1


def test_an_edit_that_a_later_one_corrected_counts_nowhere_and_a_composite_is_the_mean_of_its_halves():
    seed = result(1, edit(specificity_in="0", specificity_out="1111"), edit(None))
    assert intervals([seed], ["proper"])["proper"].mean == 1
    assert intervals([seed], ["specificity"])["specificity"].mean == 0.5


def test_strict_asks_for_what_is_entailed_too():
    seed = result(1, edit(cross_modal="11", portability="1"), edit(cross_modal="10"), edit("over", cross_modal="11"), edit())
    assert intervals([seed], ["strict"])["strict"].mean == 0.5


def test_without_edits_or_probes_there_is_no_interval():
    assert intervals([{"benchmark": {"seed": 1}}], ["proper"]) == {}
    assert intervals([result(1, edit(None))], ["proper"]) == {}
    assert list(intervals([result(1, edit(reliability="1")), result(2, edit())], ["proper", "reliability"])) == ["proper"]


def test_draws_without_any_of_the_probes_tell_nothing_and_complain_of_nothing():
    (one,) = intervals([result(1, edit(portability="1"), edit(), edit())], ["portability"]).values()
    assert (one.mean, one.low, one.high) == (1, 1, 1)


def test_the_same_results_give_the_same_interval():
    seeds = [coins(101, 9, 10), coins(102, 6, 10)]
    assert intervals(seeds, ["proper"]) == intervals(seeds, ["proper"])
