"""A server that is behind: what asks for an entry waits, then is told; one that can't go on isn't ready; where it is reached."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import closing

import pytest

from errata.core.errors import BadInput
from errata.log import Row, open_store
from errata.serve.ports import bound
from errata.serve.replicas.advertised import advertised
from tests.serve.running import running

HOME = "where does mibo live?"


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 20
    while not true() and time.monotonic() < deadline:
        time.sleep(0.02)
    return true()


def test_what_asks_for_an_entry_that_does_not_come_is_told_so_with_a_time(tiny, tmp_path):
    with running(tiny, tmp_path / "errata.db") as server:
        client = server.client()
        seq = client.post("/v1/edits", json={"question": HOME, "answer": "the cave"}).json()["seq"]
        body = {"questions": [{"question": HOME}], "min_seq": seq}
        assert client.post("/v1/ask", json=body).json()["data"][0]["answer"] == "the cave"
        chat = {"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}], "min_seq": seq + 1}
        for path, asked in (("/v1/ask", {**body, "min_seq": seq + 1}), ("/v1/chat/completions", chat)):
            begun = time.monotonic()
            late = client.post(path, json=asked)
            assert (late.status_code, late.json()["error"]["code"]) == (503, "not_folded")
            assert f"Entry {seq + 1} " in late.json()["error"]["message"]
            assert late.headers["retry-after"] == "1"
            assert 4 < time.monotonic() - begun < 20


def test_one_that_cannot_fold_an_entry_is_not_ready_and_answers_on(tiny, tmp_path):
    place = tmp_path / "errata.db"
    with running(tiny, place) as server, closing(open_store(place)) as store:
        client = server.client()
        assert client.get("/readyz").status_code == 200
        tip = store.branches()["main"]
        store.append(Row(tip.seq + 1, "main", "applied", "2026-01-01T00:00:00Z", b"{}", tip.hash, "cd" * 32))
        assert until(lambda: client.get("/readyz").status_code == 503)
        assert "can't be folded" in client.get("/readyz").json()["error"]["message"]
        assert client.get("/healthz").status_code == 200
        asked = {"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]}
        assert client.post("/v1/chat/completions", json=asked).status_code == 200


def test_a_server_is_reached_where_it_listens_unless_that_is_everywhere():
    with closing(bound("127.0.0.1", 0)) as at:
        port = at.getsockname()[1]
        assert advertised(None, at) == f"http://127.0.0.1:{port}"
        assert advertised("https://errata.example.org/one/", at) == "https://errata.example.org/one"
        assert advertised("http://10.0.0.5:8319/v1", at) == "http://10.0.0.5:8319"
    with closing(bound("0.0.0.0", 0)) as everywhere:
        assert advertised(None, everywhere) == ""
    if socket.has_ipv6:
        with closing(bound("::", 0)) as everywhere:
            assert advertised(None, everywhere) == ""


@pytest.mark.parametrize(
    "said",
    ["", "10.0.0.5:8319", "ftp://10.0.0.5", "http://", "http://ann:secret@10.0.0.5", "http://10.0.0.5:0", "http://10.0.0.5:99999",
     "http://10.0.0.5/?a=b", "http://10.0.0.5/#a", "http://10.0.0.5/ b", "http://[::1", "http://10.0.0.5\r\nHost: x"],
)  # fmt: skip
def test_what_is_no_address_is_refused_with_how_to_write_one(said: str):
    with closing(bound("127.0.0.1", 0)) as at, pytest.raises(BadInput, match="--advertise http://"):
        advertised(said, at)
