"""The description of the API is true, and nothing that is made from it brings the server down."""

from __future__ import annotations

import base64
import json
from collections import Counter
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks
from starlette.testclient import TestClient

from errata.serve.app import create_app
from tests.conftest import picture

CHECKS = [checks.content_type_conformance, checks.response_schema_conformance, checks.status_code_conformance]
ENDLESS = ("/v1/events",)
"""Streams without an end."""

OWN = ("/v1/chat/completions", "/v1/models", "/v1/models/{model}", "/healthz", "/readyz", "/metrics")


def test_every_operation_is_described_with_its_errors(client):
    described = client.get("/openapi.json").json()
    assert set(OWN) <= set(described["paths"])
    for path in OWN:
        for operation in described["paths"][path].values():
            assert operation["summary"]
            assert operation["description"]
            assert {"200", "4XX", "5XX"} <= set(operation["responses"])
            assert "422" not in operation["responses"]
    schemas = described["components"]["schemas"]
    assert "HTTPValidationError" not in schemas
    asked = schemas["ChatRequest"]
    assert asked["additionalProperties"] is False
    assert asked["required"] == ["model", "messages"]
    assert asked["properties"]["tools"]["enum"] == [None, []]
    json.dumps(described)


def test_no_page_of_the_server_loads_anything_from_elsewhere(client):
    assert client.get("/docs").status_code == 404
    assert client.get("/redoc").status_code == 404


def app_of(server):
    return TestClient(create_app(server.service), base_url="http://127.0.0.1", raise_server_exceptions=False)


def quiet(examples):
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.mark.proof(sample=20, full=2000)
@pytest.mark.timeout(3600)
def test_whatever_is_made_from_the_description_is_answered_as_it_is_described(server, trials, record):
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(server.service))
    found = [each for each in schema.get_all_operations() if isinstance(each, Ok)]
    operations = [each.ok() for each in found if each.ok().path not in ENDLESS]
    seen: Counter[str] = Counter()
    for operation in operations:

        @given(case=operation.as_strategy(), named=st.booleans())
        @quiet(trials if operation.path == "/v1/chat/completions" else 1 + trials // 20)
        def play(case, named):
            if named and isinstance(case.body, dict) and "model" in case.body:
                case.body["model"] = "llava-tiny"
            answer = case.call(base_url="http://127.0.0.1")
            seen[f"{case.path} {answer.status_code}"] += 1
            assert answer.status_code < 500 or (case.path, answer.status_code) == ("/readyz", 503)
            case.validate_response(answer, checks=CHECKS)

        play()
    record["answers"] = dict(sorted(seen.items()))
    assert {path.partition(" ")[0] for path in seen} >= set(OWN)
    assert seen.total() >= trials


KNOWN = ("where", "does", "mibo", "live", "what", "is", "the", "red", "star", "called", "?")
ODD = ("<", "<s>", "<image>", "\N{LATIN SMALL LETTER E WITH ACUTE}", "\N{GRINNING FACE}", "\0", "\ud800")
WORDS = st.lists(st.sampled_from(KNOWN * 8 + ODD), max_size=6).map(" ".join)
NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans(), st.none(), st.sampled_from([0, 1, -1, 2**31, 2**63, 10**400]))
ANY = st.recursive(
    NUMBERS | WORDS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
SETTINGS = (
    ("max_tokens", "temperature", "top_p", "seed", "n", "top_logprobs", "logprobs", "stream", "stop", "stream_options", "store")
    + ("metadata", "user", "min_seq", "tools", "logit_bias", "frequency_penalty", "response_format", "other")
)  # fmt: skip


@st.composite
def addresses(draw):
    """The address of a picture: its bytes with some of them changed, cut or doubled, in base64 or not."""
    data = bytearray(picture(draw(st.integers(0, 2))).data)
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    cut = bytes(data[: draw(st.integers(0, len(data)))]) if draw(st.integers(0, 3)) == 0 else bytes(data)
    written = base64.b64encode(cut).decode() if draw(st.booleans()) else quote(cut)
    heads = ["data:image/png;base64,"] * 3 + ["data:,", "data:image/png,", "http://127.0.0.1/", "", "data:image/png;base64"]
    head = draw(st.sampled_from(heads))
    return head + written


@st.composite
def bodies(draw):
    """A request, right for the most part."""
    text = WORDS.map(lambda words: {"type": "text", "text": words})
    shown = addresses().map(lambda url: {"type": "image_url", "image_url": {"url": url}})
    right = st.one_of(WORDS, WORDS, st.lists(st.one_of(text, text, shown), min_size=1, max_size=3))
    content = st.integers(0, 9).flatmap(lambda odds: right if odds else st.one_of(ANY, st.lists(ANY, max_size=2)))
    message = st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "user", "system", "assistant", "tool", ""]), "content": content}
    )
    last = st.fixed_dictionaries({"role": st.just("user"), "content": content})
    messages = [*draw(st.lists(message, max_size=2)), draw(last)]
    chosen = draw(st.lists(st.sampled_from(SETTINGS), max_size=draw(st.sampled_from([0, 0, 1, 2])), unique=True))
    small = st.one_of(st.none(), st.integers(1, 3), st.floats(0, 1), st.booleans(), ANY)
    return {"model": "llava-tiny", "messages": messages, **{name: draw(small) for name in chosen}}


@pytest.mark.proof(sample=60, full=2000)
@pytest.mark.timeout(3600)
def test_no_request_and_no_picture_brings_the_server_down(server, trials, record):
    client, seen = app_of(server), Counter[int]()

    @given(body=bodies())
    @quiet(trials)
    def play(body):
        content = json.dumps(body).encode()
        answer = client.post("/v1/chat/completions", content=content, headers={"content-type": "application/json"})
        seen[answer.status_code] += 1
        assert answer.status_code < 500, answer.text
        if answer.status_code != 200:
            assert set(answer.json()["error"]) == {"message", "type", "param", "code"}

    play()
    record["answers"] = {str(status): count for status, count in sorted(seen.items())}
    assert seen.total() >= trials
    assert seen[200] > trials / 20
    assert seen[400] > trials / 20
    assert client.get("/readyz").status_code == 200
