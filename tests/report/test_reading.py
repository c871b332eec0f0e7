"""The report of a benchmark says how it is read: what a row means, where an axis is cut, what scale it has, what is folded."""

from __future__ import annotations

from pathlib import Path

from errata.report.charts import WHOLE, Axis, axis_for
from tests.report.test_run import Habits, four_runs, made_run, page_of, parsed


def words_of(page: str) -> str:
    return " ".join(" ".join(parsed(page).words).split())


def test_axes_use_the_room_that_they_have_and_say_so() -> None:
    assert axis_for([98, 100, 95.5]) == Axis(80, 100, 5)
    assert axis_for([0, 2.4]) == Axis(0, 20, 5)
    assert axis_for([33, 46]) == Axis(30, 50, 5)
    assert axis_for([52, 99]) == Axis(50, 100, 10)
    assert axis_for([0, 51]) == axis_for([]) == WHOLE
    assert (WHOLE.said, axis_for([99]).said) == ("", "axis 80 to 100")


def test_a_chart_says_that_its_axis_is_cut_or_its_scale_logarithmic(tmp_path: Path) -> None:
    steady = [made_run("a", Habits(1, 1, 1, 10), horizons=(1, 2, 40)), made_run("b", Habits(1, 1, 0.97, 12), horizons=(1, 2, 40))]
    said = words_of(page_of(tmp_path, steady))
    assert "must stay as before; axis 80 to 100" in said
    assert "Only the part that the paths take is drawn: across, axis" in said
    assert "edits so far (logarithmic)" in said
    few = words_of(page_of(tmp_path, [made_run("a", Habits(1, 1, 1, 10), horizons=(2, 6))]))
    assert ("edits so far" in few, "logarithmic" in few) == (True, False)


def test_no_curve_goes_through_a_horizon_of_one_edit(tmp_path: Path) -> None:
    made = [made_run(name, Habits(0.7, 0.7, 0.9, 10), horizons=(1, 5, 40)) for name in ("a", "b")]
    page = page_of(tmp_path, made)
    curves = [value for tag, name, value in parsed(page).attributes if (tag, name) == ("svg", "aria-label") and value]
    course = [label for label in curves if "edits so far" in label]
    assert course
    assert not any(" at 1," in label or " at 1;" in label for label in course)
    assert "Reliability between 5 and 40 edits" in words_of(page)
    assert "after 1" in words_of(page)  # the table behind the curves keeps it


def test_each_row_says_what_it_means_and_doing_nothing_earns_no_bar(tmp_path: Path) -> None:
    page = page_of(tmp_path, four_runs())
    table = page.partition('<table class="rates kinds">')[2].partition("</table>")[0]
    rows = {row.partition(">")[2].partition("<")[0]: row for row in table.split('<th scope="row"')[1:]}
    assert "the edit&#x27;s own image and wording: must give the target" in rows["Reliability"]
    assert "unrelated questions without an image: must stay as before" in rows["Text locality"]
    nothing, *others = rows["Specificity"].split("<td")[1:]
    assert ("by doing nothing" in nothing, "--r:" in nothing) == (True, False)
    assert len(others) == 3
    assert all("--r:" in cell and "by doing nothing" not in cell for cell in others)


def test_wide_tables_say_that_they_scroll_and_the_gallery_is_folded(tmp_path: Path) -> None:
    page = page_of(tmp_path, four_runs())
    assert page.count('<p class="hint"') >= 4
    head, _, rest = page.partition('<table class="rates kinds">')
    assert head.rstrip().endswith('aria-label="table, scrolls sideways">')
    assert 'class="hint"' in head[-400:]
    gallery = page.partition('<section id="gallery"')[2].partition("</section>")[0]
    assert gallery.count("<details>") >= 3
    assert "<details open" not in page
