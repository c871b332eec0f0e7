"""What outlasts a server: answers that people flagged, and how far a webhook has come."""

from __future__ import annotations

import json

import pytest

from errata.core.errors import BadInput, LogError
from errata.core.given import picture
from errata.core.images import Image
from errata.core.model import Decision
from errata.core.records import EditId, Query
from errata.serve.beside.kept import InMemory
from errata.serve.beside.opening import open_beside
from errata.serve.engine.seam import Said
from errata.serve.events.hooks import Deliveries, posting
from errata.serve.recent import Completion, Recent, forget_pictures
from tests.log.servers import database
from tests.serve.running import running
from tests.serve.test_edits import CHAT, EDIT, HOME, SCENE, hook_to, receiving, until


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def beside(request, tmp_path):
    place = database() if request.param == "postgres" else tmp_path / "errata.db"
    kept = InMemory() if request.param == "memory" else open_beside(place)
    yield kept
    kept.close()


def test_values_are_kept_by_kind_branch_and_name_in_the_order_in_which_they_came(beside):
    assert beside.all("flagged", None) == []
    assert beside.get("flagged", "main", "a") is None
    assert not beside.drop("flagged", "main", "a")
    for branch, name, value in (("main", "b", b"1"), ("main", "a", b"2"), ("side", "a", b"3"), ("main", "b", b"\x00\xff")):
        beside.put("flagged", branch, name, value)
    beside.put("posted", "main", "b", b"17")
    assert beside.all("flagged", "main") == [("main", "b", b"\x00\xff"), ("main", "a", b"2")]
    assert [name for _, name, _ in beside.all("flagged", None)] == ["b", "a", "a"]
    assert beside.get("posted", "main", "b") == b"17"
    assert beside.drop("flagged", "main", "a")
    assert beside.get("flagged", "main", "a") is None
    assert beside.get("flagged", "side", "a") == b"3"


def test_the_file_is_its_owners_alone_is_made_when_something_is_kept_and_a_bad_one_is_named(tmp_path):
    kept, path = open_beside(tmp_path / "errata.db"), tmp_path / "errata.db.served"
    assert kept.all("flagged", None) == []
    assert not path.exists()
    kept.put("posted", "main", "hook", b"1")
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"no database" * 100)
    with pytest.raises(LogError, match=r"The flags in .*errata\.db\.served can't be used"):
        kept.all("flagged", None)
    with pytest.raises(LogError, match="There is no folder"):
        open_beside(tmp_path / "nowhere" / "errata.db").put("posted", "main", "hook", b"1")


def completion(name: str, created: int = 1, *images: Image) -> Completion:
    decision = Decision(EditId("e" * 64), 0.25, False)
    said = Said("the beach", "stop", (EditId("a" * 64),), True, decision, 3, "f" * 64, 7, 2)
    return Completion(name, created, "llava-tiny@3", Query.ask(HOME, *images), said, "ann", "u-1", {"page": "2"})


def test_a_flagged_answer_comes_back_as_it_was_and_is_let_go_of_with_its_picture(beside):
    shown = picture(SCENE)
    first, again = Recent(10, beside), Recent(10, beside)
    for one in (completion("c-1", 1, shown), completion("c-2", 2), completion("c-3", 3)):
        first.remember("main", one)
    first.flag("main", "c-1", flagged=True, note="it moved")
    first.flag("main", "c-2", flagged=True)
    held = again.find("main", "c-1")
    assert held is not None
    assert (held.flagged, held.note, held.query.images[0].data) == (True, "it moved", shown.data)
    assert held.said == completion("c-1").said
    assert (held.user, dict(held.metadata), held.model) == ("u-1", {"page": "2"}, "llava-tiny@3")
    assert [one.id for one in again.flagged("main")] == ["c-2", "c-1"]
    assert [(one.id, one.flagged) for one in first.newest("main", 10)] == [("c-3", False), ("c-2", True), ("c-1", True)]
    assert next(one for one in again.newest("main", 10) if one.id == "c-1").query.images[0].data == shown.data
    assert again.picture("main", shown.digest) == shown.data
    assert again.picture("side", shown.digest) is None
    assert again.find("side", "c-1") is None
    assert forget_pictures(beside, [shown.digest], "side") == 0
    assert forget_pictures(beside, [shown.digest]) == 1
    assert [one.id for one in again.flagged("main")] == ["c-2"]
    assert again.picture("main", shown.digest) is None
    assert first.picture("main", shown.digest) == shown.data, "in memory, where it was asked"
    again.flag("main", "c-2", flagged=False)
    assert first.flagged("main") == []
    assert (again.find("main", "c-2") or completion("none")).flagged is False


def test_no_more_are_flagged_than_anybody_goes_through(beside):
    recent = Recent(2, beside)
    for name in ("c-1", "c-2", "c-3"):
        recent.remember("main", completion(name))
        if name != "c-3":
            recent.flag("main", name, flagged=True)
    assert recent.find("main", "c-1") is not None, "a flagged answer is kept, however many come after it"
    with pytest.raises(BadInput, match="2 answers are flagged"):
        recent.flag("main", "c-3", flagged=True)
    assert recent.flag("main", "c-1", flagged=True, note="again") is not None


def test_a_flag_is_there_after_a_restart_and_the_answer_can_still_be_corrected_by_its_id(tiny, tmp_path):
    body = {"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]}
    with running(tiny, tmp_path / "errata.db") as server:
        client = server.client()
        said = client.post(CHAT, json=body).json()
        client.post(f"/v1/recent/{said['id']}/flag", json={"note": "it moved"}).raise_for_status()
    with running(tiny, tmp_path / "errata.db") as server:
        client = server.client()
        (waiting,) = client.get("/v1/queue").json()["data"]
        assert (waiting["kind"], waiting["question"], waiting["note"]) == ("flagged", HOME, "it moved")
        assert client.post("/v1/edits", json={"completion": said["id"], "answer": "the cave"}).json()["status"] == "applied"
        client.post(f"/v1/recent/{said['id']}/flag", json={"flag": False}).raise_for_status()
        assert client.get("/v1/queue").json()["data"] == []


def test_a_webhook_goes_on_where_it_stopped_when_the_server_is_started_again(tiny, tmp_path):
    store = tmp_path / "errata.db"
    with receiving() as receiver:
        port = receiver.server_port
        with running(tiny, store) as server:
            client = server.client()
            client.post("/v1/edits", json={**EDIT, "question": "what is 4 plus 4?", "answer": "nine"}).raise_for_status()
            with posting(server.service, hook_to(port)):
                made = client.post("/v1/edits", json=EDIT).json()
                until(lambda: len(receiver.got) == 1)
            client.post(f"/v1/edits/{made['id']}/revert", json={}).raise_for_status()  # nobody posts
        with running(tiny, store) as server, posting(server.service, hook_to(port)):
            until(lambda: len(receiver.got) == 2)
    assert [headers["Errata-Event"] for headers, _, _ in receiver.got] == ["main:3", "main:4"]
    assert [json.loads(body)["event"] for _, body, _ in receiver.got] == ["applied", "reverted"]
    assert store.with_name("errata.db.served").exists()


def test_what_one_server_posted_another_on_the_store_does_not(tiny, tmp_path):
    with receiving() as receiver, running(tiny, tmp_path / "errata.db") as server:
        log = server.service.engine.do("main", lambda session: session.inner.log).result()
        slower = Deliveries(hook_to(receiver.server_port), lambda: {"main": log}, beside=server.service.beside)
        slower.start()
        with posting(server.service, hook_to(receiver.server_port)):
            server.client().post("/v1/edits", json=EDIT).raise_for_status()  # told at once; the slower looks each second
            until(lambda: len(receiver.got) == 1)
            until(lambda: slower.waiting() == 0)
        slower.stop()
        assert len(receiver.got) == 1


def test_a_picture_stays_as_long_as_a_flagged_answer_shows_it(beside):
    recent, shown = Recent(10, beside), picture(SCENE)
    for name in ("c-1", "c-2"):
        recent.remember("main", completion(name, 1, shown))
        recent.flag("main", name, flagged=True)
    recent.flag("main", "c-1", flagged=False)
    assert Recent(10, beside).picture("main", shown.digest) == shown.data
    recent.flag("main", "c-2", flagged=False)
    assert beside.all("shown", None) == []
