"""Clients that go away, streams that are held, and a server that stops: rows are freed, and what was begun is answered."""

from __future__ import annotations

import json
import socket
import threading
import time

import httpx2
import pytest

from errata.serve.engine.seam import Piece
from tests.serve.served import LONG_S, Scripted, listening, says

ASKED = {"model": "scripted", "messages": [{"role": "user", "content": "what?"}]}


@pytest.fixture
def held():
    """A server whose answers come when a test delivers them."""
    engine = Scripted(script=())
    with listening(engine) as server:
        yield server, engine


def begun(port, **asked):
    """A connection on which a request was sent, and nothing read."""
    body = json.dumps({**ASKED, **asked}).encode()
    made = socket.create_connection(("127.0.0.1", port), 10)
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    made.sendall(f"{head}\r\n\r\n".encode() + body)
    return made


def test_a_client_that_goes_away_while_it_waits_frees_its_row(held):
    server, engine = held
    for stream in (False, True):
        connection = begun(server.port, stream=stream)
        row = engine.row()
        assert not row.cancelled.is_set()
        connection.close()
        assert row.cancelled.wait(10), stream


def test_a_client_that_leaves_a_stream_frees_its_rows(held):
    server, engine = held
    connection = begun(server.port, stream=True, n=2)
    engine.row()
    engine.row()
    engine.came[0].deliver(Piece("a"))
    assert b"200 OK" in connection.recv(65536)
    connection.close()
    assert all(row.cancelled.wait(10) for row in engine.came)


def test_a_piece_is_there_before_the_next_one_is_made(held):
    server, engine = held
    got: list[str] = []
    first = threading.Event()

    def read():
        asked = {**ASKED, "stream": True}
        with httpx2.stream("POST", f"{server.v1}/chat/completions", json=asked, timeout=LONG_S) as answer:
            for line in answer.iter_lines():
                if '"content":"a"' in line:
                    first.set()
                got.append(line)

    reader = threading.Thread(target=read)
    reader.start()
    row = engine.row()
    row.deliver(Piece("a"))
    assert first.wait(10)
    assert not any('"content":"b"' in line for line in got)
    row.deliver(Piece("b"))
    row.deliver(says("ab"))
    reader.join(10)
    assert [line for line in got if line][-1] == "data: [DONE]"


def test_a_server_that_is_told_to_stop_ends_what_was_begun():
    engine = Scripted(script=())
    answers = []
    with listening(engine) as server:
        asked = threading.Thread(
            target=lambda: answers.append(httpx2.post(f"{server.v1}/chat/completions", json=ASKED, timeout=LONG_S).json())
        )
        asked.start()
        row = engine.row()
        later = threading.Timer(0.5, lambda: row.deliver(says("late")))
        later.start()
        begun_at = time.monotonic()
    assert time.monotonic() - begun_at < 9
    asked.join(10)
    assert answers[0]["choices"][0]["message"]["content"] == "late"
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.url}/healthz")
