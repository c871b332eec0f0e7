"""The page on corrections over HTTP is true: each of its requests is made, in order, and says what the page says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from errata.models import load
from errata.serve.events.hooks import signature
from tests.serve.running import running

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "correct-over-http.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")) if found == kind]


def requests() -> list[str]:
    """Each request of the page that ends by itself."""
    text = "\n".join(blocks("sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.startswith("curl -s ")]


@needs_curl
def test_every_request_says_what_the_page_says(tmp_path):
    with running(load("llava-tiny"), tmp_path / "errata.db") as server:
        secret = server.keys.add("ann", "approve")
        environment = {**os.environ, "URL": server.url, "KEY": secret, "no_proxy": "127.0.0.1"}
        told = []
        for line in requests():
            done = subprocess.run(["bash", "-c", line], env=environment, capture_output=True, text=True, check=True)
            told.append(json.loads(done.stdout))
            assert "error" not in told[-1], (line, told[-1])
            if told[-1].get("status") == "applied":
                environment["ID"] = told[-1]["id"][:8]
        events = subprocess.run(
            ["bash", "-c", 'curl -sN --max-time 3 "$URL/v1/events?after=0" -H "Authorization: Bearer $KEY"'],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    tried, applied, answered, listed, foretold, reverted, restored, whole, verified, checkpoint, audit = told
    assert (tried["status"], applied["status"], applied["seq"]) == ("would apply", "applied", 2)
    assert answered["data"][0]["answer"] == "the cave"
    assert [one["id"] for one in listed["data"]] == [applied["id"]]
    assert [one["status"] for one in (foretold, reverted, restored)] == ["would revert", "reverted", "applied"]
    assert [(one["kind"], one["body"]["by"]["author"]) for one in whole["history"]] == [
        ("applied", "ann"), ("reverted", "ann"), ("applied", "ann"),
    ]  # fmt: skip
    assert (verified["verified"], checkpoint["size"], audit["clean"]) == (True, 4, True)
    assert re.findall(r"^event: (\w+)$", events, re.MULTILINE) == ["applied", "reverted", "restored"]


def test_the_receiver_of_the_page_believes_what_is_signed_and_nothing_else():
    (code,) = blocks("python")
    names: dict = {}
    exec(code, names)
    body, secret, now = b'{"seq": 17}', b"a secret of the webhook", int(time.time())
    header = signature(secret, body, now)
    assert names["is_true"](header, body, secret + b"\n")
    assert not names["is_true"](header, body + b" ", secret)
    assert not names["is_true"](header, body, b"another secret of it")
    assert not names["is_true"](signature(secret, body, now - 600), body, secret)
    assert len(code.strip().splitlines()) <= 11
