"""The page of a table over seeds."""

from pathlib import Path

import pytest

from errata.core.errors import BadInput
from errata.measure.trials import Trial, against
from errata.report.trials import write_trials_report
from tests.report.test_run import parsed


def trial(name: str, proper: tuple[float, ...], kept: float = 1.0) -> Trial:
    seeds = len(proper)
    given = tuple(each / 2 for each in proper)
    figures = {"proper": proper, "strict": (0.0,) * seeds, "reliability": given, "text_locality": (kept,) * seeds}
    return Trial(name, {**figures, "write_over_pass": (1.5,) * seeds})


ROWS = (
    trial("paper", (0.2, 0.3, 0.4)),
    trial("paper + one", (0.4, 0.5, 0.6)),
    trial("paper + <b>", (0.1, 0.3, 0.5)),
    trial("default", (0.6, 0.7, 0.8), kept=0.9),
    trial("default - one", (0.5, 0.6, 0.7)),
)


def written(folder: Path, rows: tuple[Trial, ...] = ROWS) -> str:
    return write_trials_report(folder / "deep" / "report.html", rows, name="tried", facts={"Edits": "3"}).read_text(
        encoding="utf-8"
    )


def test_every_row_is_held_against_its_own() -> None:
    assert [against(each, ROWS).name for each in ROWS] == ["paper", "paper", "paper", "paper", "default"]
    assert against(ROWS[4], ROWS[:2]).name == "paper"


def test_the_page_is_whole_and_says_which_differences_count(tmp_path: Path) -> None:
    page = written(tmp_path)
    seen = parsed(page)
    words = " ".join(seen.words)
    assert "Most proper edits: default, 70 of 100; it gives 35% of what should change and keeps 90% of what should stay." in words
    assert "count, the largest first: default by +40, paper + one by +20 and default - one by -10." in words
    assert "paper + <b>" in words
    assert {"b", "script"} & seen.tags.keys() == {"b"}
    assert page.count(" unlike default") == 3 + 3  # proper, what is given and what is kept, in both tables
    assert "1.5 ± 0.0" in words
    assert "http:" not in page
    assert written(tmp_path / "again") == page


def test_fewer_than_three_seeds_are_no_difference(tmp_path: Path) -> None:
    page = written(tmp_path, (trial("none", (0.0,)), trial("all", (1.0,))))
    assert "1 seed: no difference counts." in page
    assert " unlike " not in page


def test_no_row_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing to report"):
        written(tmp_path, ())


def test_a_row_without_a_figure_on_some_seed_is_shown_without_it(tmp_path: Path) -> None:
    holed = trial("holed", (0.9, float("nan"), 0.9))
    bare = Trial("bare", {"reliability": (0.1, 0.2, 0.3), "write_over_pass": (1.0, 1.0, 1.0)})
    page = written(tmp_path, (ROWS[0], holed, bare))
    assert "nan" not in page
    assert "Most proper edits: paper, 30 of 100" in page
    assert "There is no second editor" in written(tmp_path, (trial("alone", (0.1, 0.2, 0.3)),))
    assert "No editor was asked both" in written(tmp_path, (bare,))
