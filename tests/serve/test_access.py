"""Who may do what: without a key nothing, with one what its role holds, on its own branch alone, and never in another's name."""

from __future__ import annotations

import base64
import re

import pytest

from errata.core.errors import BadInput, Unknown
from errata.log import is_url
from errata.serve.access.stored import RateLimits
from errata.serve.addresses import Allowed
from errata.serve.events.hooks import Hook
from errata.serve.keys.opening import open_keys
from errata.serve.keys.rates import Rates
from errata.serve.keys.stored import BEGINS, Kept, Key, StoredKeys
from tests.core.test_images import encoded
from tests.log.servers import database
from tests.serve.running import running

HOME = "where does mibo live?"
EDIT = {"question": HOME, "answer": "the cave"}
SECRET = b"a secret of the webhook, long enough"
ONE = "0123456789ab"

READS = (
    "/v1/me", "/v1/edits", f"/v1/edits/{ONE}", "/v1/log", "/v1/log/checkpoint", "/v1/log/verify", "/v1/recent", "/v1/queue",
    "/v1/events", "/v1/keys", f"/v1/images/{'0' * 64}",
)  # fmt: skip
WRITES = {
    "/v1/ask": {"questions": [{"question": HOME}]},
    "/v1/edits": EDIT,
    f"/v1/edits/{ONE}/approve": {},
    f"/v1/edits/{ONE}/reject": {},
    f"/v1/edits/{ONE}/revert": {},
    f"/v1/edits/{ONE}/restore": {},
    f"/v1/edits/{ONE}/questions": {},
    "/v1/reverts": {"edits": [ONE]},
    "/v1/audit": {},
    "/v1/recent/chatcmpl-1/flag": {},
    "/v1/keys": {"name": "mallory", "role": "admin"},
}


def error(answer) -> tuple[int, str]:
    """The status and the type of a refusal, which has OpenAI's shape."""
    told = answer.json()["error"]
    assert set(told) == {"message", "type", "param", "code"}
    assert told["message"]
    return answer.status_code, told["type"]


def test_without_a_key_nothing_is_answered_once_one_was_made(people):
    for client in (people.anyone, people.server.client(BEGINS + "A" * 43), people.server.client("x")):
        for path in READS:
            assert error(client.get(path)) == (401, "authentication_error")
        for path, body in WRITES.items():
            assert error(client.post(path, json=body)) == (401, "authentication_error")
    assert people.anyone.get("/v1/edits").headers["www-authenticate"] == "Bearer"


def test_each_role_may_what_those_before_it_may_and_no_more(people):
    asks, proposes, approves, admin = people.asks, people.proposes, people.approves, people.admin
    assert asks.get("/v1/me").json()["role"] == "ask"
    for path in READS[1:]:
        assert error(asks.get(path)) == (403, "permission_error")
    assert error(asks.post("/v1/edits", json={**EDIT, "mode": "dry_run"})) == (403, "permission_error")
    assert proposes.post("/v1/edits", json={**EDIT, "mode": "dry_run"}).status_code == 200
    assert error(proposes.post("/v1/edits", json=EDIT)) == (403, "permission_error")
    for verb in ("approve", "reject", "revert", "restore"):
        assert error(proposes.post(f"/v1/edits/{ONE}/{verb}", json={})) == (403, "permission_error")
    assert error(proposes.post("/v1/reverts", json={"edits": [ONE]})) == (403, "permission_error")
    assert error(approves.get("/v1/keys")) == (403, "permission_error")
    assert error(approves.post("/v1/keys", json={"name": "x", "role": "admin"})) == (403, "permission_error")
    assert error(approves.delete(f"/v1/keys/{ONE}")) == (403, "permission_error")
    assert admin.get("/v1/keys").status_code == 200


def test_another_branch_is_not_there(people):
    made = people.approves.post("/v1/edits", json={**EDIT, "question": "what is 3 plus 3?", "answer": "nine"}).json()
    assert made["status"] == "applied"
    eve = people.elsewhere
    for path in (f"/v1/edits/{made['id']}", f"/v1/edits/{made['id'][:8]}"):
        assert error(eve.get(path)) == (404, "not_found_error")
    for verb in ("approve", "reject", "revert", "restore", "questions"):
        answer = eve.post(f"/v1/edits/{made['id']}/{verb}", json={})
        assert error(answer) == (404, "not_found_error")
        assert "nine" not in answer.text
    assert error(eve.post("/v1/reverts", json={"edits": [made["id"]]})) == (404, "not_found_error")
    assert eve.get("/v1/edits", params={"all": True}).json()["total"] == 0
    assert eve.get("/v1/me").json()["seq"] == 1
    assert [one["kind"] for one in eve.get("/v1/log").json()["data"]] == ["begun"]
    assert {one["branch"] for one in eve.get("/v1/keys").json()["data"]} == {"other"}
    ours = people.admin.get("/v1/keys").json()["data"][0]["id"]
    assert error(eve.delete(f"/v1/keys/{ours}")) == (404, "not_found_error")
    assert people.admin.get("/v1/me").status_code == 200


def test_a_picture_of_another_branch_is_not_there(people):
    data = encoded()
    shown = "data:image/png;base64," + base64.b64encode(data).decode()
    body = {"question": "what is there?", "image": shown, "answer": "a cat", "mode": "propose"}
    made = people.proposes.post("/v1/edits", json=body).json()
    (path,) = people.proposes.get(f"/v1/edits/{made['id']}").json()["images"]
    answer = people.proposes.get(path)
    assert (answer.content, answer.headers["content-type"]) == (data, "image/png")
    assert "nosniff" in answer.headers["x-content-type-options"]
    assert error(people.elsewhere.get(path)) == (404, "not_found_error")


def test_an_author_cannot_be_forged(people):
    for field in ("author", "by", "provenance"):
        assert error(people.approves.post("/v1/edits", json={**EDIT, field: "the queen"})) == (400, "invalid_request_error")
    made = people.proposes.post("/v1/edits", json={**EDIT, "answer": "the moor", "mode": "propose", "reason": "seen there"}).json()
    told = people.proposes.get(f"/v1/edits/{made['id']}").json()
    assert (told["author"], told["reason"]) == ("pat", "seen there")


def test_who_proposed_cannot_approve_where_two_are_asked_for(tiny, tmp_path):
    with running(tiny, tmp_path / "errata.db") as server:
        server.service.engine.do("main", lambda session: session.ask_for_two(author="boss")).result(60)
        ann, bo = server.key("ann", "approve"), server.key("bo", "approve")
        assert ann.get("/v1/me").json()["two_people"] is True
        made = ann.post("/v1/edits", json={**EDIT, "mode": "propose"}).json()
        path = f"/v1/edits/{made['id']}"
        assert error(ann.post(f"{path}/approve", json={})) == (403, "permission_error")
        assert error(ann.post(f"{path}/approve", json={"dry_run": True})) == (403, "permission_error")
        assert error(ann.post("/v1/edits", json=EDIT)) == (403, "permission_error")
        assert error(bo.post("/v1/edits", json={**EDIT, "answer": "the pier"})) == (403, "permission_error")
        assert ann.get(path).json()["status"] == "proposed"
        assert bo.post(f"{path}/approve", json={}).json()["status"] == "applied"
        told = bo.get(path).json()
        assert [(one["kind"], one["body"]["by"]["author"]) for one in told["history"]] == [
            ("proposed", "ann"), ("approved", "bo"), ("applied", "bo"),
        ]  # fmt: skip


def test_too_many_requests_are_told_when_to_come_again(tiny, tmp_path):
    clock = [0.0]
    with running(tiny, tmp_path / "errata.db", limits=RateLimits(Rates(2, 3, clock=lambda: clock[0]))) as server:
        ann, bo = server.key("ann", "ask"), server.key("bo", "ask")
        assert [ann.get("/v1/me").status_code for _ in range(4)] == [200, 200, 200, 429]
        answer = ann.get("/v1/me")
        assert error(answer) == (429, "rate_limit_error")
        assert int(answer.headers["retry-after"]) >= 1
        assert bo.get("/v1/me").status_code == 200, "another key has its own"
        clock[0] += 0.5
        assert [ann.get("/v1/me").status_code for _ in range(2)] == [200, 429]


def test_a_bucket_fills_to_its_brim_and_not_beyond():
    clock = [0.0]
    rates = Rates(10, 5, clock=lambda: clock[0])
    assert [rates.take("a") for _ in range(6)] == [0.0] * 5 + [0.1]
    clock[0] = 100.0
    assert [rates.take("a") for _ in range(6)] == [0.0] * 5 + [0.1]
    assert not any(Rates(0, 1).take("a") for _ in range(100)), "0: no limit"


def test_a_revoked_key_is_nobodys_at_once(people):
    made = people.admin.post("/v1/keys", json={"name": "gone", "role": "ask"}).json()
    client = people.server.client(made["secret"])
    assert client.get("/v1/me").json()["name"] == "gone"
    listed = people.admin.get("/v1/keys").json()["data"]
    assert made["id"] in [one["id"] for one in listed]
    assert all("secret" not in one for one in listed)
    assert people.admin.delete(f"/v1/keys/{made['id']}").json() == {"object": "key", "id": made["id"], "deleted": True}
    assert error(client.get("/v1/me")) == (401, "authentication_error")
    assert error(people.admin.delete(f"/v1/keys/{made['id']}")) == (404, "not_found_error")


@pytest.mark.parametrize(
    "rubbish",
    [
        "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/x", "x", "0" * 65, "%00", "0123456789ab%00", "'; drop table--",
        "A" * 12, "é" * 8, "*", "-1",
    ],
)  # fmt: skip
def test_rubbish_in_an_id_is_refused(people, rubbish):
    admin = people.admin
    paths = [f"/v1/edits/{rubbish}", f"/v1/images/{rubbish}"]
    posts = [f"/v1/edits/{rubbish}/{verb}" for verb in ("approve", "reject", "revert", "restore", "questions")]
    answers = [
        *(admin.get(path) for path in paths),
        *(admin.post(path, json={}) for path in (*posts, f"/v1/recent/{rubbish}/flag")),
        admin.delete(f"/v1/keys/{rubbish}"),
        admin.post("/v1/reverts", json={"edits": [rubbish]}),
        admin.post("/v1/edits", json={**EDIT, "supersede": [rubbish]}),
        admin.post("/v1/edits", json={"completion": rubbish, "answer": "x"}),
    ]
    for answer in answers:
        assert answer.status_code in (400, 404, 405), answer.text
        assert answer.json()["error"]["message"]
        assert "root:" not in answer.text


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "99999"}, {"since": "nonsense"}, {"after": "abcdef12"}, {"image": "../x"}, {"limit": "0"}, {"limit": "x"},
        {"status": "lost"}, {"status": "proposed", "all": "true"},
    ],
)  # fmt: skip
def test_rubbish_in_what_is_looked_for_is_refused(people, asked):
    assert people.admin.get("/v1/edits", params=asked).status_code in (400, 404)


def test_what_cannot_be_an_event_or_an_entry_is_refused(people):
    admin = people.admin
    for value in ("x", "-1", "99999", "1e3"):
        assert error(admin.get("/v1/events", headers={"Last-Event-ID": value})) == (400, "invalid_request_error")
    for path in ("/v1/log?after=-1", "/v1/log?limit=5000", "/v1/log/verify?head=zz"):
        assert error(admin.get(path)) == (400, "invalid_request_error")
    for body in ({"to": "99999"}, {"to": "nonsense"}, {"entries": "x"}, {"entries": "90-99"}, {}, {"to": "1", "entries": "1"}):
        assert error(admin.post("/v1/reverts", json=body)) == (400, "invalid_request_error")
    assert error(admin.post("/v1/ask", json={"questions": [{"question": HOME}], "at": "99999"})) == (400, "invalid_request_error")


def test_what_is_too_large_is_refused(people):
    large = people.admin.post("/v1/edits", content=b" " * (33 << 20), headers={"Content-Type": "application/json"})
    assert error(large) == (413, "invalid_request_error")
    shown = "data:image/png;base64," + base64.b64encode(encoded()).decode()
    many = {**EDIT, "also": [{"question": HOME, "images": [shown] * 9}, {"question": "where?", "images": [shown] * 9}]}
    assert error(people.admin.post("/v1/edits", json=many)) == (400, "invalid_request_error")
    assert error(people.admin.post("/v1/edits", json={**EDIT, "also": ["where?"] * 100})) == (400, "invalid_request_error")
    long = {**EDIT, "question": "where " * 400}
    assert error(people.admin.post("/v1/edits", json=long)) == (400, "invalid_request_error")
    for key in ("x" * 300, "a b", "ä"):
        answer = people.admin.post("/v1/edits", json=EDIT, headers={"Idempotency-Key": key.encode()})
        assert error(answer) == (400, "invalid_request_error")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/x", "http://localhost/x", "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/", "http://10.0.0.8/", "http://2130706433/",
        "http://0x7f000001/", "http://169.254.169.254/latest/meta-data", "http://192.168.1.1/", "http://0.0.0.0/", "file:///etc/passwd",
        "ftp://example.org/", "http://user:word@example.org/", "nonsense", "http://", "http://[bad/", "http://no-such-host.invalid/",
    ],
)  # fmt: skip
def test_a_webhook_leads_to_no_private_address(url):
    with pytest.raises(BadInput):
        Hook.of(url, SECRET)


def test_a_webhook_may_lead_where_the_operator_says_and_nowhere_else():
    assert Hook.of("http://127.0.0.1:8123/x", SECRET, [Allowed.of("127.0.0.1:8123")]).url.endswith("/x")
    with pytest.raises(BadInput, match="isn't public"):
        Hook.of("http://127.0.0.1:8123/x", SECRET, [Allowed.of("10.0.0.1")])
    with pytest.raises(BadInput, match="5 characters"):
        Hook.of("http://127.0.0.1:8123/x", b"short", [Allowed.of("127.0.0.1:8123")])


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    return database() if request.param == "postgres" else str(tmp_path / "errata.db")


def test_keys_are_kept_without_their_secrets_and_seen_by_whoever_shares_the_store(place, tmp_path):
    ours, theirs = open_keys(place), open_keys(place)
    assert not theirs.made()
    assert (theirs.check(BEGINS + "A" * 43), theirs.list()) == (None, [])
    secret = ours.add(" ann ", "approve", "trial")
    assert re.fullmatch(r"errata_[A-Za-z0-9_-]{43}", secret)
    key = theirs.check(secret)
    assert key is not None
    assert (key.name, key.role, key.branch) == ("ann", "approve", "trial")
    assert theirs.check(secret[:-1] + ("A" if secret[-1] != "A" else "B")) is None
    assert theirs.list() == ours.list("trial") == [key]
    assert ours.list("main") == []
    if not is_url(place):
        held = (tmp_path / "errata.db.keys").read_bytes()
        assert secret.encode() not in held
        assert secret[len(BEGINS) :].encode() not in held
        assert (tmp_path / "errata.db.keys").stat().st_mode & 0o077 == 0
    with pytest.raises(Unknown):
        theirs.revoke(key.id, branch="main")
    assert theirs.revoke(key.id[:6]) == key
    assert ours.check(secret) is None
    assert ours.made(), "once keys were made one is needed, also where all were revoked"
    for bad in ("", " ", "a\nb", "x" * 65):
        with pytest.raises(BadInput):
            ours.add(bad, "ask")
    with pytest.raises(BadInput):
        ours.add("ann", "ask", "../x")
    ours.close()
    theirs.close()


def test_the_whole_digest_is_compared_and_not_its_beginning_alone():
    class Alike:
        """Has for every id the key of another secret."""

        def find(self, id: str) -> Kept:  # noqa: A002  as in `Records`
            return Kept(Key(id, "ann", "admin", "main", ""), id + "0" * 52)

        def all(self) -> list[Kept]:
            return []

        def add(self, kept: Kept) -> None: ...

        def remove(self, id: str) -> bool:  # noqa: A002  as above
            return False

        def made(self) -> bool:
            return True

        def close(self) -> None: ...

    assert StoredKeys(Alike()).check(BEGINS + "A" * 43) is None
