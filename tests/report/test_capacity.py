"""The room that is left along the stream, and how far each editor carried it."""

from dataclasses import replace
from pathlib import Path

from errata.measure.results import Run
from errata.report.capacity import left, of_capacity
from errata.report.run import write_report
from errata.report.view import view
from tests.report.test_run import four_runs


def filling() -> list[Run]:
    """The last of four editors says that each edit takes a hundredth of its room; its third edit was refused."""
    runs = four_runs()
    judged = tuple(
        replace(each, telemetry={"free": 1 - (each.position + 1) / 100}, committed=each.position != 2) for each in runs[-1].judged
    )
    return [*runs[:-1], replace(runs[-1], judged=judged)]


def test_the_room_is_told_after_each_edit_that_was_kept() -> None:
    seen = view(filling(), seed=7)
    rooms = dict(left(seen.shown[-1]))
    assert rooms[1] == 0.99
    assert rooms[40] == 0.6
    assert 3 not in rooms
    assert left(seen.shown[1]) == ()


def test_the_words_say_what_is_left_and_up_to_where_the_stream_was_carried() -> None:
    said = of_capacity(view(filling(), seed=7))
    assert said.startswith("After 40 edits scopeedit:preset=default has 60% of its room left.")
    assert "none under finetune" in said
    assert "40 under scopeedit:preset=default" in said


def test_an_editor_that_held_at_first_is_said_to_have_carried_that_far() -> None:
    runs = filling()
    last = runs[-1].horizons[-1]
    rates = {**last.rates, "reliability": replace(last.rates["reliability"], hits=0.5 * last.rates["reliability"].n)}
    gave_way = replace(runs[-1], horizons=(*runs[-1].horizons[:-1], replace(last, rates=rates)))
    assert "20 under scopeedit:preset=default." in of_capacity(view([*runs[:-1], gave_way], seed=7))


def test_the_page_draws_the_room_of_an_editor_that_tells_it_and_nothing_without(tmp_path: Path) -> None:
    told = write_report(tmp_path / "told.html", filling(), seed=7).read_text(encoding="utf-8")
    silent = write_report(tmp_path / "silent.html", four_runs(), seed=7).read_text(encoding="utf-8")
    assert told.count("Room left.") == 1
    assert "60 at 40" in told
    assert "Room left." not in silent


def test_a_run_that_begins_anew_every_few_edits_has_no_room_to_draw(tmp_path: Path) -> None:
    runs = [replace(run, protocol={**run.protocol, "memory": 10}) for run in filling()]
    assert "Room left." not in write_report(tmp_path / "fine.html", runs, seed=7).read_text(encoding="utf-8")
