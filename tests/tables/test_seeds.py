"""The files of a comparison over seeds: each figure with its interval and its worst seed."""

from __future__ import annotations

import csv
import io
import math

from errata.measure.intervals import Interval
from errata.measure.trials import Trial
from errata.tables.seeds import as_csv, as_markdown

SURE = Trial(
    "sure",
    {"reliability": (1.0, 0.9), "near_locality": (0.5, math.nan), "proper": (0.5, 0.7), "write_over_pass": (2.0, 3.0)},
    {"reliability": Interval(0.95, 0.91, 0.99, 0.9, 102)},
)
BARE = Trial("bare", {"reliability": (0.2, 0.4), "write_over_pass": (1.0, 1.0)})


def test_a_cell_has_the_mean_the_interval_and_the_worst_seed_and_nothing_that_is_not_there():
    assert as_markdown([SURE, BARE]).splitlines() == [
        "| | sure | bare |",
        "|---|---:|---:|",
        "| reliability | 95 (91 to 99), 90 | 30, 20 |",
        "| near_locality | - | - |",
        "| *proper* | 60, 50 | - |",
    ]


def test_the_csv_has_a_row_for_each_editor_and_figure_that_every_seed_has():
    rows = list(csv.DictReader(io.StringIO(as_csv([SURE, BARE]))))
    assert [(row["editor"], row["figure"]) for row in rows] == [
        ("sure", "reliability"), ("sure", "proper"), ("bare", "reliability"),
    ]  # fmt: skip
    assert {key: rows[0][key] for key in ("seeds", "mean", "low", "high", "worst", "worst_seed")} == {
        "seeds": "2", "mean": "0.95", "low": "0.91", "high": "0.99", "worst": "0.9", "worst_seed": "102",
    }  # fmt: skip
    assert (rows[2]["low"], rows[2]["worst_seed"]) == ("", "")
