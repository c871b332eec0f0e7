"""Two people, proposals beside a writer, waiting for one's turn, points in time: at the command line."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from errata.cli.app import _sentence
from errata.log import EditLog, holding, open_store
from errata.log.stores import places
from tests.cli.test_edit_commands import add, world  # noqa: F401  the fixture of the same small world
from tests.log.test_moments import grown
from tests.log.worlds import BY

PROPOSE = ("--propose", "--author", "ann")


def proposed(world) -> str:  # noqa: F811
    return str(json.loads(add(world, *PROPOSE, "--json").out)["edit"])


def test_where_the_branch_asks_for_two_people_the_proposer_cannot_approve(world, inside):  # noqa: F811
    edit = proposed(world)
    assert inside("log", "rule").out == "two-people: off\n"
    assert inside("log", "rule", "two-people", "--author", "cy").code == 0
    assert inside("log", "rule").out == "two-people: on\n"
    assert "already" in inside("log", "rule", "two-people").out
    for author in ("ann", "ANN"):
        refused = world("edit", "approve", edit[:8], "--author", author)
        assert (refused.code, "asks for two people" in refused.err) == (2, True)
    alone = add(world, "--author", "bo")
    assert (alone.code, "--propose" in alone.err) == (2, True)
    assert world("edit", "approve", edit[:8], "--author", "bo").code == 0
    assert "two people: on" in inside("log", "show").out
    assert inside("log", "rule", "two-people", "--off", "--author", "cy").out.startswith("two-people: off")


@pytest.mark.parametrize(
    ("words", "said"),
    [(("two-peple",), "Did you mean 'two-people'?"), (("--off",), "--off ends a rule"), (("two-people",), "There is no store")],
)
def test_a_rule_that_cannot_be_set_gets_a_sentence(inside, words, said):
    done = inside("log", "rule", *words)
    assert (done.code, said in done.err) == (2, True)


def test_a_proposal_is_made_while_another_process_holds_the_branch(world, tmp_path: Path):  # noqa: F811
    assert add(world).code == 0
    with closing(open_store(tmp_path / "errata.db")) as store, holding(store, "main", holder="ada"):
        refused = world("edit", "add", "what is the ring called?", "--target", "neken")
        assert (refused.code, "--wait SECONDS" in refused.err) == (2, True)
        done = world("edit", "add", "what is the ring called?", "--target", "neken", *PROPOSE)
        assert (done.code, "proposed" in done.out) == (0, True), done.err
        assert len(EditLog(store).proposed()) == 1


def test_a_command_that_writes_waits_for_its_turn(world, inside, tmp_path: Path):  # noqa: F811
    assert add(world).code == 0
    held = threading.Event()

    def hold() -> None:
        with closing(open_store(tmp_path / "errata.db")) as store, holding(store, "main", holder="ada"):
            held.set()
            time.sleep(1.5)

    other = threading.Thread(target=hold)
    other.start()
    held.wait()
    assert inside("log", "alias", "now", "--wait", "0.1").code == 2
    done = inside("log", "alias", "now", "--wait", "60")
    other.join()
    assert (done.code, done.err) == (0, "Waiting for ada, who writes to main.\n")


def test_a_time_names_the_same_entry_after_others_were_appended_behind_it(inside, tmp_path: Path):
    path = tmp_path / "errata.db"
    with closing(open_store(path)) as store:
        for clock in ("10:00", "12:00", "11:00"):  # put back after the second
            grown(store, f"2099-11-29T{clock}:00.000Z")
    named = []
    for number in range(5):
        for clock in ("11:30", "12:00"):
            name = f"at-{clock[:2]}-{number}"
            assert inside("log", "alias", name, f"2099-11-29T{clock}:00Z").code == 0
            with closing(open_store(path, create=False)) as store:
                named.append(EditLog(store).aliases()[name])
    assert named == [1, 2] * 5


def test_a_store_on_a_network_file_system_is_warned_of_on_standard_error(inside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    listed = tmp_path / "mounts"
    listed.write_text(f"host {tmp_path} nfs4 rw 0 0\n", encoding="utf-8")
    with closing(open_store(tmp_path / "errata.db")) as store:
        EditLog(store).append("imported", None, BY)
    monkeypatch.setattr(places, "MOUNTS", listed)
    monkeypatch.setattr(places, "_told", set())
    with pytest.warns(places.FarAway, match=r"network file system \(nfs4\)"):
        assert inside("log", "show").code == 0
    assert _sentence(places.FarAway("Said so."), places.FarAway, "place.py", 7) == "Said so.\n"
    assert "place.py:7" in _sentence(UserWarning("Other."), UserWarning, "place.py", 7)
