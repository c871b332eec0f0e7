"""What an operator looks at: health, readiness, figures, the log of requests, spans."""

from __future__ import annotations

import io
import json
import logging

import httpx2
import pytest

from errata.serve.engine.seam import Piece
from errata.serve.metrics import Figures
from errata.serve.observed import Lines, requests
from tests.conftest import picture
from tests.serve.served import data_url, says

ASKED = {"model": "scripted", "messages": [{"role": "user", "content": "my secret question"}]}


def figures(text):
    """Name and labels -> value."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


@pytest.fixture
def noted():
    """The lines of the log of requests, parsed when they are asked for."""
    into = io.StringIO()
    handler = logging.StreamHandler(into)
    handler.setFormatter(Lines())
    before = requests.level
    requests.addHandler(handler)
    requests.setLevel(logging.DEBUG)
    yield lambda: [json.loads(line) for line in into.getvalue().splitlines()]
    requests.removeHandler(handler)
    requests.setLevel(before)


def test_the_server_is_alive_and_ready_up_to_an_entry(client):
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json() == {"status": "ready"}
    assert client.get("/readyz?min_seq=3").status_code == 200
    late = client.get("/readyz?min_seq=4")
    assert (late.status_code, late.headers["retry-after"], late.json()["error"]["code"]) == (503, "1", "not_ready")
    assert client.get("/readyz?min_seq=-1").status_code == 400
    assert client.get("/readyz?min_seq=x").json()["error"]["param"] == "min_seq"
    client.app.state.service.stopping.set()
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200


def test_the_figures_count_what_happened(server):
    with httpx2.Client(base_url=server.url, timeout=30) as web:
        before = figures(web.get("/metrics").text)
        for content in ("where does mibo live?", ""):
            body = {"model": "llava-tiny", "messages": [{"role": "user", "content": content}]}
            web.post("/v1/chat/completions", json=body)
        server.service.engine.do("main", lambda session: session.propose("what is there?", "a star", author="bo")).result()
        answer = web.get("/metrics")
    after = figures(answer.text)

    def grown(name):
        return after[name] - before.get(name, 0)

    assert answer.headers["content-type"].startswith("text/plain")
    route = 'method="POST",route="/v1/chat/completions"'
    assert grown(f'errata_requests_total{{{route},status="200"}}') == 1
    assert grown(f'errata_requests_total{{{route},status="400"}}') == 1
    assert grown('errata_phase_seconds_count{phase="answer"}') == 1
    assert grown('errata_phase_seconds_count{phase="first"}') == 1
    assert grown("errata_tokens_total") > 0
    assert after['errata_edits{status="in-force"}'] == 1
    assert after['errata_edits{status="proposed"}'] == grown('errata_edits{status="proposed"}') == 1
    assert after['errata_edits{status="refused"}'] == 0
    assert after["errata_seq"] == before["errata_seq"] + 1
    assert after["errata_waiting"] == 0
    assert after["process_resident_memory_bytes"] > 1e6


def test_a_branch_has_figures_of_its_own(client):
    client.post("/v1/chat/completions", json=ASKED)
    metrics = client.app.state.service.metrics
    load = client.app.state.service.engine.load()
    assert 'route="/v1/chat/completions"' in metrics.of("main").text(load).decode()
    assert "errata_requests_total{" not in metrics.of("other").text(load).decode()
    assert metrics.of("main") is metrics.of("main")
    assert isinstance(metrics.of("other"), Figures)


def test_a_request_is_noted_without_what_was_asked_answered_or_shown(client, engine, noted):
    engine.script = [[Piece("my secret answer"), says("my secret answer")]]
    shown = {"type": "image_url", "image_url": {"url": data_url(picture(1))}}
    asked = [{"role": "user", "content": [shown, {"type": "text", "text": "my secret question"}]}]
    for stream in (False, True):
        client.post("/v1/chat/completions", json={**ASKED, "messages": asked, "stream": stream, "user": "my secret name"})
    client.post("/v1/chat/completions", json={**ASKED, "my secret field": 1})
    client.get("/healthz")
    whole, streamed, refused, health = noted()
    assert (whole["event"], whole["route"], whole["status"], whole["stream"]) == ("request", "/v1/chat/completions", 200, False)
    assert (streamed["status"], streamed["stream"], streamed["images"], streamed["completion_tokens"]) == (200, True, 1, 2)
    assert (refused["status"], refused["caller"], refused["branch"]) == (400, "ann", "main")
    assert (health["level"], whole["level"]) == ("debug", "info")
    assert whole["ms"] > 0
    assert whole["time"].endswith("Z")
    assert "secret" not in json.dumps(noted())
    assert "base64" not in json.dumps(noted())


def test_a_failure_is_noted_with_its_place_and_not_told(client, engine):
    into = io.StringIO()
    handler = logging.StreamHandler(into)
    handler.setFormatter(Lines())
    engine.script = [[RuntimeError("inner secret")]]
    log = logging.getLogger("errata.serve")
    log.addHandler(handler)
    answer = client.post("/v1/chat/completions", json=ASKED)
    log.removeHandler(handler)
    assert (answer.status_code, answer.json()["error"]["type"]) == (500, "server_error")
    assert "secret" not in answer.text
    assert any("Traceback" in json.loads(line).get("error", "") for line in into.getvalue().splitlines())


def test_spans_say_how_it_went_where_opentelemetry_is_installed(client, engine):
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    for stream in (False, True):
        client.post("/v1/chat/completions", json={**ASKED, "stream": stream})
    engine.script = [[RuntimeError("no")]]
    client.post("/v1/chat/completions", json=ASKED)
    chats = [span for span in exporter.get_finished_spans() if span.name == "chat"]
    told = [span.attributes or {} for span in chats]
    assert [each.get("gen_ai.usage.output_tokens") for each in told] == [2, 2, None]
    assert {each.get("gen_ai.request.model") for each in told} == {"scripted"}
    assert not chats[-1].status.is_ok
    assert "secret" not in "".join(span.to_json() for span in chats)
