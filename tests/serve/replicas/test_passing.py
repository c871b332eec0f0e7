"""A change that reaches a server without the lease is made by the one that has it, under the caller's key, and only by that one."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from errata.core.errors import Held
from errata.log import open_store
from errata.log.processes import leading, new_token
from errata.models import load
from errata.serve.replicas.passing import PASSED_ON
from tests.conftest import picture
from tests.log.servers import ask, database
from tests.serve.running import Running, running
from tests.serve.served import data_url

HOME, TONA = "where does mibo live?", "where does tona live?"


@pytest.fixture(scope="module")
def two(tiny) -> Iterator[tuple[Running, Running]]:
    """The server that writes, and another on the same store."""
    place = database()
    with running(tiny, place) as writer, running(load("llava-tiny"), place) as other:
        yield writer, other


def said(answer) -> str:
    return answer.json()["choices"][0]["message"]["content"]


def chat(client, question: str, **more):
    body = {"model": "llava-tiny", "messages": [{"role": "user", "content": question}], **more}
    return client.post("/v1/chat/completions", json=body)


def entries(client) -> list[dict]:
    return client.get("/v1/log", params={"limit": 1000}).json()["data"]


def test_a_change_is_passed_on_and_seen_here_at_once(two):
    writer, other = two
    client = other.client()
    made = client.post("/v1/edits", json={"question": HOME, "answer": "the cave"})
    assert (made.status_code, made.json()["status"]) == (200, "applied")
    assert other.service.engine.seq("main") >= made.json()["seq"], "folded before it was answered"
    assert said(chat(client, HOME)) == "the cave"
    assert said(chat(writer.client(), HOME)) == "the cave"
    back = client.post(f"/v1/edits/{made.json()['id']}/revert", json={"reason": "a trial"})
    assert (back.status_code, back.json()["status"]) == (200, "reverted")
    assert said(chat(client, HOME)) != "the cave"
    again = client.post("/v1/reverts", json={"to": str(made.json()["seq"])})
    assert again.status_code == 200
    assert said(chat(client, HOME)) == "the cave"


def test_what_is_refused_there_is_refused_here_in_the_same_words(two):
    writer, other = two
    body = {"question": HOME, "answer": ""}
    assert other.client().post("/v1/edits", json=body).json() == writer.client().post("/v1/edits", json=body).json()
    unknown = other.client().post("/v1/edits/abcdef012345/revert", json={})
    assert unknown.status_code == 404


def test_a_request_that_comes_to_two_servers_is_done_once(two):
    writer, other = two
    body, once = {"question": TONA, "answer": "the moor"}, {"Idempotency-Key": "tona-1"}
    first = other.client().post("/v1/edits", json=body, headers=once).json()
    count = len(entries(writer.client()))
    assert other.client().post("/v1/edits", json=body, headers=once).json()["seq"] == first["seq"]
    assert writer.client().post("/v1/edits", json=body, headers=once).json()["seq"] == first["seq"]
    assert len(entries(writer.client())) == count


def test_a_completion_that_only_this_server_remembers_is_corrected(two):
    writer, other = two
    shown, client = picture(5), other.client()
    content = [{"type": "text", "text": "what is this?"}, {"type": "image_url", "image_url": {"url": data_url(shown)}}]
    body = {"model": "llava-tiny", "messages": [{"role": "user", "content": content}]}
    asked = client.post("/v1/chat/completions", json=body).json()
    made = client.post("/v1/edits", json={"completion": asked["id"], "answer": "a fog", "also": ["what do you see?"]})
    assert made.json()["status"] == "applied", made.text
    assert said(writer.client().post("/v1/chat/completions", json=body)) == "a fog"
    whole = writer.client().get(f"/v1/edits/{made.json()['id']}").json()
    assert whole["images"] == [f"/v1/images/{shown.digest}"]
    assert whole["also"] == ["what do you see?"]


def test_what_was_passed_on_is_not_passed_on_again(two):
    _, other = two
    answer = other.client().post("/v1/edits", json={"question": HOME, "answer": "the pier"}, headers={PASSED_ON: "1"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "branch_held")
    assert int(answer.headers["retry-after"]) >= 1


def test_two_that_take_each_other_for_the_writer_end_in_an_answer(tiny):
    place = database()
    with running(tiny, place), running(load("llava-tiny"), place) as other:
        ask(f"UPDATE errata.leases SET url = '{other.url}'", url=place)
        answer = other.client().post("/v1/edits", json={"question": HOME, "answer": "the pier"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "branch_held")
        ask("UPDATE errata.leases SET url = ''", url=place)
        assert other.client().post("/v1/edits", json={"question": HOME, "answer": "the pier"}).status_code == 409


def test_the_key_is_checked_at_either_end(tiny):
    place = database()
    with running(tiny, place) as writer, running(load("llava-tiny"), place) as other:
        pat, ann = other.key("pat", "propose"), other.key("ann", "approve")
        body = {"question": HOME, "answer": "the cave"}
        assert other.client().post("/v1/edits", json=body).status_code == 401
        assert pat.post("/v1/edits", json=body).status_code == 403
        assert writer.service.engine.seq("main") == 1, "nothing came through"
        made = ann.post("/v1/edits", json=body)
        assert made.json()["status"] == "applied"
        whole = writer.client(ann.headers["authorization"].removeprefix("Bearer ")).get(f"/v1/edits/{made.json()['id']}")
        assert whole.json()["author"] == "ann", "the owner of the key, also there"
        past = writer.client().post("/v1/edits", json=body, headers={PASSED_ON: "1"})
        assert past.status_code == 401, "the header lets nobody in"


def test_a_writer_that_cannot_be_reached_is_a_sentence_with_a_time(tiny):
    place = database()
    with running(tiny, place, advertised="http://127.0.0.1:9"), running(load("llava-tiny"), place) as other:
        answer = other.client().post("/v1/edits", json={"question": HOME, "answer": "the cave"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "writer_unreachable")
    assert "Nothing was changed" in answer.json()["error"]["message"]
    assert 1 <= int(answer.headers["retry-after"]) <= 30


@contextmanager
def behind(respond) -> Iterator[str]:
    """A server of another kind at an address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            respond(self)

        def log_message(self, *_):
            pass

    at = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=at.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{at.server_port}"
    finally:
        at.shutdown()
        at.server_close()


def test_an_answer_that_breaks_off_leaves_open_whether_it_was_done(tiny):
    place = database()
    with (
        behind(lambda request: request.connection.close()) as url,
        running(tiny, place, advertised=url),
        running(load("llava-tiny"), place) as other,
    ):
        answer = other.client().post("/v1/edits", json={"question": HOME, "answer": "the cave"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "writer_silent")
    assert "Idempotency-Key" in answer.json()["error"]["message"]


def test_a_redirect_is_not_followed_and_no_cookie_goes_along(tiny):
    place, came = database(), []

    def respond(request) -> None:
        came.append((request.path, dict(request.headers), request.rfile.read(int(request.headers["Content-Length"]))))
        request.send_response(307)
        request.send_header("Location", "http://127.0.0.1:9/elsewhere")
        request.send_header("Content-Length", "0")
        request.end_headers()

    body = json.dumps({"question": HOME, "answer": "the cave"}, indent=3).encode()
    with behind(respond) as url, running(tiny, place, advertised=url), running(load("llava-tiny"), place) as other:
        headers = {"Content-Type": "application/json", "Cookie": "a=b", "Idempotency-Key": "k", "Authorization": "Bearer x"}
        answer = other.client().post("/v1/edits", content=body, headers=headers)
        assert answer.status_code == 307
        assert "location" not in answer.headers
    (path, sent, said_there), *more = came
    assert not more
    assert (path, said_there) == ("/v1/edits", body), "as it came, to the byte"
    assert (sent["Authorization"], sent["Idempotency-Key"], sent[PASSED_ON]) == ("Bearer x", "k", "1")
    assert "Cookie" not in sent


def test_an_address_of_this_machine_leads_nowhere_from_another():
    mine = new_token()
    drawn, _, rest = mine.partition("@")
    theirs = f"{drawn}@{'0' * 8}-{rest[9:]}"
    for url in ("http://127.0.0.1:8319", "http://localhost:8319", "http://[::1]:8319"):
        assert leading(url, mine) == url
        assert leading(url, theirs) == ""
        assert leading(url, drawn) == "", "of which nothing is known"
    assert leading("http://10.0.0.5:8319", theirs) == "http://10.0.0.5:8319"


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_lease_says_where_its_holder_takes_changes(kind: str, tmp_path):
    place = database() if kind == "postgres" else tmp_path / "errata.db"
    ours, theirs = open_store(place), open_store(place)
    lease = ours.leases.take("main", "ada", seconds=60, url="http://10.0.0.5:8319")
    assert ours.leases.renew(lease, seconds=60).url == "http://10.0.0.5:8319"
    with pytest.raises(Held) as found:
        theirs.leases.take("main", "ben", seconds=60)
    assert found.value.url == "http://10.0.0.5:8319"
    ours.leases.release(lease)
    theirs.leases.take("main", "ben", seconds=60)
    with pytest.raises(Held) as found:
        ours.leases.take("main", "ada", seconds=60)
    assert found.value.url == "", "not that of the one before"
    ours.close()
    theirs.close()
