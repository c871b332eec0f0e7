"""Corrections over HTTP: tried, applied, taken back, brought back; once each; flagged, queued and told to whoever listens."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

import errata
from errata.serve.addresses import Allowed
from errata.serve.events.hooks import Deliveries, Hook, posting
from tests.serve.running import Told, running

HOME = "where does mibo live?"
EDIT = {"question": HOME, "answer": "the cave", "reason": "seen there", "ticket": "T-1"}
SCENE = Path(__file__).parent.parent.parent / "examples" / "scene.png"
CHAT = "/v1/chat/completions"


@pytest.fixture
def server(tiny, tmp_path):
    with running(tiny, tmp_path / "errata.db") as started:
        yield started


@pytest.fixture
def client(server):
    return server.client()


def asked(client: httpx.Client, question: str = HOME) -> dict:
    """One answer of `/v1/ask`."""
    (answer,) = client.post("/v1/ask", json={"questions": [{"question": question}]}).json()["data"]
    return answer


def kinds(client: httpx.Client) -> list[str]:
    return [one["kind"] for one in client.get("/v1/log").json()["data"]]


def test_a_dry_run_changes_nothing_and_foretells_the_receipt(client):
    tried = client.post("/v1/edits", json={**EDIT, "mode": "dry_run"}).json()
    assert (tried["status"], tried["seq"], tried["before"], tried["after"]) == ("would apply", 0, "the north beach", "the cave")
    assert kinds(client) == ["begun"]
    assert client.get("/v1/edits", params={"all": True}).json()["data"] == []
    assert asked(client)["answer"] == "the north beach"
    done = client.post("/v1/edits", json=EDIT).json()
    times = {"write_ms", "guard_ms", "beside_ms", "status", "seq"}
    assert {name: value for name, value in done.items() if name not in times} == {
        name: value for name, value in tried.items() if name not in times
    }


def test_apply_ask_revert_ask_restore_ask(client):
    before = asked(client)
    made = client.post("/v1/edits", json=EDIT).json()
    assert (made["object"], made["status"], made["seq"]) == ("edit", "applied", 2)
    now = asked(client)
    assert (now["answer"], now["edits"], now["exact"], now["needed"]) == ("the cave", [made["id"]], True, [made["id"]])
    foretold = client.post(f"/v1/edits/{made['id'][:8]}/revert", json={"dry_run": True}).json()
    assert (foretold["status"], foretold["after"]) == ("would revert", before["answer"])
    assert asked(client) == now
    gone = client.post(f"/v1/edits/{made['id'][:8]}/revert", json={"reason": "no"}).json()
    assert (gone["status"], gone["before"], gone["after"]) == ("reverted", "the cave", before["answer"])
    assert asked(client) == before
    again = client.post(f"/v1/edits/{made['id']}/revert", json={})
    assert (again.status_code, again.json()["error"]["type"]) == (409, "conflict_error")
    assert client.post(f"/v1/edits/{made['id']}/restore", json={"dry_run": True}).json()["status"] == "would apply"
    assert client.post(f"/v1/edits/{made['id']}/restore", json={}).json()["status"] == "applied"
    assert asked(client) == now
    assert client.post(f"/v1/edits/{made['id']}/restore", json={}).status_code == 409
    assert kinds(client) == ["begun", "applied", "reverted", "applied"]


def test_one_edit_is_told_as_the_log_has_it(server, client, tmp_path):
    shown = "data:image/png;base64," + base64.b64encode(SCENE.read_bytes()).decode()
    body = {
        "question": "what is the thing at the top left called?", "image": shown, "answer": "ginger",
        "also": ["name the thing at the top left."], "keep": ["what is 2 plus 2?"], "reach": "image",
        "subject": "red star", "valid_until": "2099-01-01", "reason": "seen",
    }  # fmt: skip
    made = client.post("/v1/edits", json=body).json()
    told = client.get(f"/v1/edits/{made['id'][:6]}").json()
    with errata.open(server.service.engine.model_name, store=tmp_path / "errata.db", read_only=True) as session:
        edit = session.inner.log.edit(made["id"])
        history = [json.loads(json.dumps(entry.to_json())) for entry in session.history(made["id"])]
    assert told["history"] == history
    assert (edit.target, edit.reach, edit.subject, edit.valid_until) == ("ginger", "image", "red star", "2099-01-01T00:00:00Z")
    assert [query.text for query in edit.also] == body["also"] == told["also"]
    assert edit.also[0].images == edit.keep[0].images == edit.query.images
    assert told["images"] == [f"/v1/images/{hashlib.sha256(SCENE.read_bytes()).hexdigest()}"]
    assert client.get(told["images"][0]).content == SCENE.read_bytes()
    assert told["receipt"]["status"] == made["status"]
    assert told["telemetry"] == made["telemetry"]
    assert told["author"] == "owner"


def test_a_refused_edit_is_a_receipt_and_not_an_error(client):
    answer = client.post("/v1/edits", json={**EDIT, "keep": [HOME]})
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "refused"
    assert told["why"]
    assert asked(client)["answer"] == "the north beach"
    (listed,) = client.get("/v1/edits", params={"status": "refused"}).json()["data"]
    assert (listed["id"], listed["question"]) == (told["id"], HOME)


@pytest.mark.parametrize(
    "body",
    [
        {"answer": "x"}, {"question": HOME}, {"question": "", "answer": "x"}, {"question": " ", "answer": "x"},
        {**EDIT, "answer": " "},
        {**EDIT, "messages": [{"role": "user", "content": HOME}]}, {**EDIT, "image": "data:,x", "images": ["data:,x"]},
        {**EDIT, "image": "data:image/png;base64,AAAA"}, {**EDIT, "image": "/etc/passwd"},
        {**EDIT, "image": "http://127.0.0.1/x.png"},
        {**EDIT, "reach": "moon"}, {**EDIT, "valid_until": "soon"}, {**EDIT, "valid_until": "2001-01-01"},
        {**EDIT, "mode": "force"},
        {**EDIT, "recent": True}, {**EDIT, "mode": "propose", "supersede": ["abcdef"]}, {**EDIT, "question": "\ud800"},
        {**EDIT, "question": HOME * 300}, {"messages": [], "answer": "x"},
        {"messages": [{"role": "tool", "content": "x"}], "answer": "x"}, [], "x", None,
    ],
)  # fmt: skip
def test_what_cannot_be_a_correction_is_refused(people, body):
    answer = people.admin.post("/v1/edits", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_a_request_that_comes_twice_at_once_is_one_entry(client):
    barrier = threading.Barrier(6)

    def send(number: int) -> dict:
        barrier.wait()
        return client.post("/v1/edits", json=EDIT, headers={"Idempotency-Key": "k-1"}).json()

    with ThreadPoolExecutor(6) as pool:
        receipts = list(pool.map(send, range(6)))
    assert {receipt["seq"] for receipt in receipts} == {2}
    assert {receipt["status"] for receipt in receipts} == {"applied"}
    assert kinds(client) == ["begun", "applied"]
    other = client.post("/v1/edits", json={**EDIT, "answer": "the moor"}, headers={"Idempotency-Key": "k-1"})
    assert other.status_code == 400
    assert kinds(client) == ["begun", "applied"]


def test_pages_of_edits_meet_without_gap_or_overlap(client):
    names = ["mibo", "ginger", "tona", "luvi", "sero"]
    made = [
        client.post("/v1/edits", json={"question": f"where does {name} live?", "answer": "the cave", "mode": "propose"}).json()
        for name in names
    ]
    assert all(one["status"] == "proposed" for one in made)
    seen, after = [], ""
    while True:
        page = client.get("/v1/edits", params={"status": "proposed", "limit": 2, "after": after}).json()
        seen += [one["id"] for one in page["data"]]
        assert (page["found"], page["total"]) == (5 - len(seen) + len(page["data"]), 5) or page["total"] == 5
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == [one["id"] for one in reversed(made)]
    (one,) = client.get("/v1/edits", params={"status": "proposed", "text": "GINGER"}).json()["data"]
    assert one["id"] == made[1]["id"]
    assert client.get("/v1/edits", params={"status": "proposed", "author": "Owner"}).json()["found"] == 5
    assert client.get("/v1/edits", params={"status": "proposed", "since": made[2]["seq"]}).json()["found"] == 2


def test_a_flagged_answer_is_in_the_queue_until_it_is_corrected(client):
    body = {"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]}
    said = client.post(CHAT, json=body).json()
    (recent,) = client.get("/v1/recent").json()["data"]
    assert (recent["id"], recent["question"], recent["answer"], recent["flagged"]) == (said["id"], HOME, "the north beach", False)
    assert client.get("/v1/queue").json()["data"] == []
    client.post(f"/v1/recent/{said['id']}/flag", json={"note": "it moved"})
    (waiting,) = client.get("/v1/queue").json()["data"]
    assert (waiting["kind"], waiting["id"], waiting["note"], waiting["answered"]["flagged"]) == (
        "flagged",
        said["id"],
        "it moved",
        True,
    )
    made = client.post("/v1/edits", json={"completion": said["id"], "answer": "the cave"}).json()
    assert made["status"] == "applied"
    assert client.get(f"/v1/edits/{made['id']}").json()["question"] == HOME
    assert client.post(CHAT, json=body).json()["choices"][0]["message"]["content"] == "the cave"
    client.post(f"/v1/recent/{said['id']}/flag", json={"flag": False})
    assert client.get("/v1/queue").json()["data"] == []
    assert client.post("/v1/edits", json={"completion": "chatcmpl-none", "answer": "x"}).status_code == 404


def test_the_most_suspect_come_first(client):
    client.post("/v1/edits", json={"question": "where does ginger live?", "answer": "the cave", "mode": "propose"})
    said = client.post(CHAT, json={"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]}).json()
    client.post(f"/v1/recent/{said['id']}/flag", json={})
    assert [one["kind"] for one in client.get("/v1/queue").json()["data"]] == ["flagged", "proposed"]
    scores = [one["score"] for one in client.get("/v1/queue").json()["data"]]
    assert scores == sorted(scores, reverse=True)


def test_a_dry_run_asks_recent_questions_and_says_which_move(client):
    client.post(CHAT, json={"model": "llava-tiny", "messages": [{"role": "user", "content": "what is 2 plus 2?"}]})
    client.post(CHAT, json={"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]})
    tried = client.post("/v1/edits", json={**EDIT, "mode": "dry_run", "recent": True}).json()
    assert tried["asked"] == 1, "its own question isn't another one"
    assert client.post("/v1/edits", json={**EDIT, "mode": "dry_run"}).json()["asked"] == 0


def test_several_are_taken_back_at_once_and_a_point_is_gone_back_to(client):
    made = [
        client.post("/v1/edits", json={"question": question, "answer": answer}).json()
        for question, answer in ((HOME, "the cave"), ("what is 3 plus 3?", "nine"))
    ]
    assert [one["status"] for one in made] == ["applied", "applied"]
    foretold = client.post("/v1/reverts", json={"to": "1", "dry_run": True}).json()
    assert (foretold["object"], foretold["done"], foretold["reverted"]) == (
        "returned",
        False,
        [one["id"] for one in reversed(made)],
    )
    gone = client.post("/v1/reverts", json={"edits": [one["id"] for one in made]}).json()
    assert [one["status"] for one in gone["data"]] == ["reverted", "reverted"]
    back = client.post("/v1/reverts", json={"to": "3"}).json()
    assert (back["done"], back["applied"]) == (True, [one["id"] for one in made])
    assert asked(client)["answer"] == "the cave"
    by_entries = client.post("/v1/reverts", json={"entries": "1-99", "dry_run": True}).json()
    assert len(by_entries["data"]) == 2


def test_events_come_in_order_and_go_on_where_they_stopped(server, client):
    listening = Told(client)
    made = client.post("/v1/edits", json=EDIT).json()
    client.post(f"/v1/edits/{made['id']}/revert", json={"reason": "no"})
    client.post(f"/v1/edits/{made['id']}/restore", json={})
    other = client.post("/v1/edits", json={"question": "where does ginger live?", "answer": "the cave", "mode": "propose"}).json()
    client.post(f"/v1/edits/{other['id']}/reject", json={"reason": "unsure"})
    client.post("/v1/edits", json={**EDIT, "question": "what is 3 plus 3?", "answer": "nine", "keep": ["what is 3 plus 3?"]})
    found = [listening.next() for _ in range(6)]
    listening.close()
    assert [(seq, name) for seq, name, _ in found] == [
        (2, "applied"), (3, "reverted"), (4, "restored"), (5, "proposed"), (6, "rejected"), (7, "refused"),
    ]  # fmt: skip
    assert [told["edit"] for _, _, told in found[:3]] == [made["id"]] * 3
    assert found[1][2]["reason"] == "no"
    assert (found[0][2]["question"], found[0][2]["answer"], found[0][2]["before"]) == (HOME, "the cave", "the north beach")
    resumed = Told(client, headers={"Last-Event-ID": "4"})
    assert [resumed.next()[:2] for _ in range(3)] == [(5, "proposed"), (6, "rejected"), (7, "refused")]
    resumed.close()
    first = Told(client, params={"after": 0})
    assert first.next()[:2] == (2, "applied")
    first.close()


def test_events_that_another_process_made_come_too_and_another_branchs_do_not(server, client):
    listening = Told(client)
    other = server.service.engine.do("other", lambda session: session.edit(HOME, "the moor", author="eve")).result(60)
    assert other.status == "applied"
    server.service.engine.do("main", lambda session: session.edit(HOME, "the cave", author="ann")).result(60)
    seq, name, told = listening.next()
    listening.close()
    assert (seq, name, told["author"], told["branch"], told["answer"]) == (2, "applied", "ann", "main", "the cave")


def test_a_revoked_key_hears_no_more(server):
    admin = server.key("root", "admin")
    made = admin.post("/v1/keys", json={"name": "gone", "role": "propose"}).json()
    listening = Told(server.client(made["secret"]))
    admin.delete(f"/v1/keys/{made['id']}")
    admin.post("/v1/edits", json=EDIT)
    with pytest.raises(KeyError):  # the stream ended without an event
        listening.next()
    listening.close()


class Receiver(BaseHTTPRequestHandler):
    """Keeps what is posted to it; says 500 as often as it was told to."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        owner: Receiving = self.server  # type: ignore[assignment]
        status = 500 if owner.failures else 204
        owner.failures = max(0, owner.failures - 1)
        owner.got.append((dict(self.headers), body, status))
        self.send_response(status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed."""


class Receiving(ThreadingHTTPServer):
    failures = 0

    def __init__(self, port: int = 0) -> None:
        self.got: list[tuple[dict[str, str], bytes, int]] = []
        super().__init__(("127.0.0.1", port), Receiver)


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiving]:
    server = Receiving(port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def until(there, within_s: float = 20.0) -> None:
    deadline = time.monotonic() + within_s
    while not there():
        assert time.monotonic() < deadline, "it didn't come"
        time.sleep(0.02)


SECRET = b"a secret of the webhook, long enough"


def hook_to(port: int) -> Hook:
    return Hook.of(f"http://127.0.0.1:{port}/hook?x=1", SECRET, [Allowed.of(f"127.0.0.1:{port}")])


def test_a_webhook_is_signed_and_tells_what_happened_in_order(server, client):
    with receiving() as receiver, posting(server.service, hook_to(receiver.server_port)):
        made = client.post("/v1/edits", json=EDIT).json()
        client.post(f"/v1/edits/{made['id']}/revert", json={})
        until(lambda: len(receiver.got) == 2)
    for headers, body, _ in receiver.got:
        stamp, value = (part.split("=", 1)[1] for part in headers["Errata-Signature"].split(","))
        assert hmac.compare_digest(hmac.new(SECRET, stamp.encode() + b"." + body, hashlib.sha256).hexdigest(), value)
        assert abs(time.time() - int(stamp)) < 60
    events = [json.loads(body) for _, body, _ in receiver.got]
    assert [(one["seq"], one["event"], one["edit"]) for one in events] == [(2, "applied", made["id"]), (3, "reverted", made["id"])]
    assert [headers["Errata-Event"] for headers, _, _ in receiver.got] == ["main:2", "main:3"]


def test_a_receiver_that_is_down_is_tried_again_and_nothing_overtakes(server, client):
    with receiving() as receiver:
        port = receiver.server_port  # free again after the block
    log = server.service.engine.do("main", lambda session: session.inner.log).result()
    deliveries = Deliveries(hook_to(port), lambda: {"main": log}, first_s=0.05)
    deliveries.start()
    made = client.post("/v1/edits", json=EDIT).json()
    client.post(f"/v1/edits/{made['id']}/revert", json={})
    deliveries.nudge()
    time.sleep(0.3)
    assert deliveries.waiting() == 2
    with receiving(port) as receiver:
        receiver.failures = 2
        until(lambda: deliveries.waiting() == 0)
        assert [status for _, _, status in receiver.got] == [500, 500, 204, 204]
        assert [headers["Errata-Event"] for headers, _, _ in receiver.got] == ["main:2"] * 3 + ["main:3"]
    deliveries.stop()


def test_a_redirect_is_not_followed(server, client):
    class Elsewhere(Receiver):
        def do_POST(self) -> None:
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()

    with receiving() as receiver:
        receiver.RequestHandlerClass = Elsewhere
        log = server.service.engine.do("main", lambda session: session.inner.log).result()
        client.post("/v1/edits", json=EDIT)
        from errata.serve.events.happened import Firsts, happened

        ((_, event),) = [one for one in happened(log, 1, Firsts())]
        assert event is not None
        assert hook_to(receiver.server_port).post(event) == "it answered 302"


def test_scores_are_of_the_named_edit_alone(tiny, tmp_path):
    from errata.serve.engine.thread import Threaded

    engine = Threaded.open(tiny, editor="ike", store=tmp_path / "errata.db")
    try:
        first = engine.do("main", lambda session: session.edit(HOME, "the cave")).result(120)
        engine.do("main", lambda session: session.edit("what is 3 plus 3?", "nine")).result(120)
        from errata.core.records import Query
        from errata.serve.corrections import scores

        asked = [Query.ask(HOME), Query.ask("what is 3 plus 3?")]
        found = engine.do("main", lambda session: scores(first.edit, asked, session)).result(120)
        assert found[0] is not None
        assert found[1] is not None
        assert {one.edit for one in found if one is not None} == {first.edit}
        assert found[0].inside
        assert found[0].score > found[1].score
    finally:
        engine.close()
