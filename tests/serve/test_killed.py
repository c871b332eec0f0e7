"""A server that is killed loses nothing that it acknowledged, and another one on the same store goes on."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from errata.log import LEASE_S
from tests.log.servers import database
from tests.serve.processes import served
from tests.serve.running import running

HOME = "where does mibo live?"
ENOUGH = 6
"""Edits that are acknowledged before the server is killed."""

PLACES = ("the cave", "the moor", "the old pier", "the north beach", "the harbor")


def chat(client: httpx.Client, question: str, **more) -> httpx.Response:
    body = {"model": "llava-tiny", "messages": [{"role": "user", "content": question}], **more}
    return client.post("/v1/chat/completions", json=body)


@pytest.mark.proof(sample=1, full=1)
def test_one_of_two_servers_is_killed_and_the_other_goes_on(tiny, tmp_path, record):
    place = database()
    with served(place, cwd=tmp_path) as first, running(tiny, place) as second:
        ours, theirs = httpx.Client(base_url=first.url, timeout=60), second.client()
        with ours:
            made = ours.post("/v1/edits", json={"question": HOME, "answer": "the cave"}).json()
            assert made["status"] == "applied"
            seen = chat(theirs, HOME, min_seq=made["seq"]).json()
            assert seen["choices"][0]["message"]["content"] == "the cave", "acknowledged there, seen here"
            passed = theirs.post("/v1/edits", json={"question": "where does tona live?", "answer": "the pier"})
            assert (passed.status_code, passed.json()["status"]) == (200, "applied"), "passed on to the one that writes"
            proposed = theirs.post("/v1/edits", json={"question": "where does tona live?", "answer": "the moor", "mode": "propose"})
            assert proposed.json()["status"] == "proposed", "a proposal needs no lease"
            assert ours.get(f"/v1/edits/{proposed.json()['id']}").json()["status"] == "proposed"
            first.kill()
        since = time.monotonic()
        while (answer := theirs.post("/v1/edits", json={"question": HOME, "answer": "the moor"})).status_code == 409:
            assert time.monotonic() - since < LEASE_S + 5, answer.text
            time.sleep(0.2)
        record["seconds_until_written"] = round(time.monotonic() - since, 2)
        assert answer.json()["status"] == "applied"
        assert answer.json()["supersedes"] == [made["id"]]
        assert chat(theirs, HOME).json()["choices"][0]["message"]["content"] == "the moor"
        assert theirs.get("/v1/log/verify").json()["verified"] is True


def write(url: str, name: str, acknowledged: list[dict], enough: threading.Event) -> None:
    """Correct one question again and again until the server is gone."""
    with httpx.Client(base_url=url, timeout=60) as client:
        for number in range(1000):
            body = {"question": f"where does {name} live?", "answer": PLACES[number % len(PLACES)]}
            try:
                answer = client.post("/v1/edits", json=body)
            except httpx.HTTPError:
                return
            if answer.status_code == 200:
                acknowledged.append(answer.json())
            if len(acknowledged) >= ENOUGH:
                enough.set()


@pytest.mark.proof(sample=1, full=8)
def test_what_was_acknowledged_outlives_a_kill_under_load(tiny, tmp_path, trials, record):
    lost = told = 0
    for round_ in range(trials):
        folder = tmp_path / str(round_)
        folder.mkdir()
        store = str(folder / "errata.db")
        acknowledged: list[dict] = []
        with served(store, cwd=folder) as server:
            enough = threading.Event()

            with ThreadPoolExecutor(2) as pool:
                both = [pool.submit(write, server.url, name, acknowledged, enough) for name in ("mibo", "tona")]
                assert enough.wait(60)
                server.kill()
                for one in both:
                    one.result(60)
        with running(tiny, store) as again:
            client = again.client()
            log = {one["seq"]: one for one in client.get("/v1/log", params={"limit": 1000}).json()["data"]}
            told += len(acknowledged)
            lost += sum(
                receipt["seq"] not in log
                or (log[receipt["seq"]]["kind"], log[receipt["seq"]]["body"]["edit_id"]) != (receipt["status"], receipt["id"])
                for receipt in acknowledged
            )
            assert client.get("/v1/log/verify").json()["verified"] is True
            begun = time.monotonic()
            assert chat(client, HOME).status_code == 200
            assert time.monotonic() - begun < 10
    record.update(acknowledged=told, lost=lost)
    assert told >= ENOUGH * trials
    assert lost == 0
