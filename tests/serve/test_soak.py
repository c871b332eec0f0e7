"""A server that is asked and corrected without a pause stays as large as it was, fails nobody, and keeps a log that verifies."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.serve.processes import served

NAMES = ("mibo", "tona", "kelu", "rafi", "sopa")
PLACES = ("the cave", "the moor", "the old pier", "the harbor")
CLIENTS = 4
GROWS_MB = 64
"""At most so much from a third of the time on: what is kept of recent questions, snapshots and pictures has a limit each."""


def resident_mb(process: int) -> float:
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 2**20


def ask(url: str, number: int, until: float, seen: list[int]) -> None:
    """Questions whole and in streams, of the head and of the past, until the time is over."""
    with httpx.Client(base_url=url, timeout=60) as client:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            words = f"where does {NAMES[(number + turn) % len(NAMES)]} live?"
            model = "llava-tiny@base" if turn % 7 == 0 else "llava-tiny"
            body = {"model": model, "messages": [{"role": "user", "content": words}], "stream": turn % 3 == 0}
            answer = client.post("/v1/chat/completions", json=body)
            assert answer.status_code < 500, answer.text
            seen.append(answer.status_code)


def correct(url: str, until: float, seen: list[int]) -> None:
    """Edits that are applied, tried, taken back and brought back."""
    with httpx.Client(base_url=url, timeout=60) as client:
        turn = 0
        while time.monotonic() < until:
            turn += 1
            body = {"question": f"where does {NAMES[turn % len(NAMES)]} live?", "answer": PLACES[turn % len(PLACES)]}
            assert client.post("/v1/edits", json={**body, "mode": "dry_run"}).status_code < 500
            made = client.post("/v1/edits", json=body)
            assert made.status_code < 500, made.text
            seen.append(made.status_code)
            if made.json().get("status") == "applied" and turn % 2:
                for verb in ("revert", "restore", "revert"):
                    assert client.post(f"/v1/edits/{made.json()['id']}/{verb}", json={}).status_code < 500


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="how large another process is, is read from /proc")
@pytest.mark.timeout(1800)
@pytest.mark.proof(sample=9, full=600)
def test_a_server_under_load_grows_no_further(tmp_path, trials, record):
    asked: list[int] = []
    written: list[int] = []
    with served(str(tmp_path / "errata.db"), cwd=tmp_path) as server, ThreadPoolExecutor(CLIENTS + 1) as pool:
        begun = time.monotonic()
        until = begun + trials
        working = [pool.submit(ask, server.url, number, until, asked) for number in range(CLIENTS)]
        working.append(pool.submit(correct, server.url, until, written))
        threading.Event().wait(trials / 3)
        early = resident_mb(server.process.pid)
        for each in working:
            each.result()
        late = resident_mb(server.process.pid)
        verified = httpx.get(f"{server.url}/v1/log/verify", timeout=60).json()
    record |= {"seconds": trials, "questions": len(asked), "edits": len(written), "mb": [round(early), round(late)]}
    assert verified["verified"] is True
    assert asked.count(200) == len(asked) > 0
    assert len(written) > 0
    assert late - early < GROWS_MB
