"""Clients as they come: curl, and the requests that Open WebUI sends to a server that it is connected to."""

from __future__ import annotations

import json
import shutil
import subprocess

import httpx2
import pytest

from tests.conftest import picture
from tests.serve.served import data_url

HOME = "where does mibo live?"
NOW = "the cave"


def curl(*arguments, given=None):
    found = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "30", *arguments],
        input=given,
        capture_output=True,
        check=True,
        timeout=60,
    )
    return found.stdout.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl isn't installed")
def test_curl_asks_shows_and_streams(server, tmp_path):
    url, header = f"{server.v1}/chat/completions", ("--header", "Content-Type: application/json")
    asked = {"model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]}
    answer = json.loads(curl(url, *header, "--data", json.dumps(asked)))
    assert answer["choices"][0]["message"]["content"] == NOW
    file = tmp_path / "asked.json"
    shown = [{"type": "text", "text": "what is there?"}, {"type": "image_url", "image_url": {"url": data_url(picture(1))}}]
    file.write_text(json.dumps({**asked, "messages": [{"role": "user", "content": shown}]}))
    assert json.loads(curl(url, *header, "--data", f"@{file}"))["object"] == "chat.completion"
    events = curl("--no-buffer", url, *header, "--data-binary", "@-", given=json.dumps({**asked, "stream": True}).encode())
    assert events.endswith("data: [DONE]\n\n")
    assert "".join(json.loads(event[6:])["choices"][0]["delta"].get("content", "") for event in events.split("\n\n")[:-2]) == NOW
    assert curl("--output", "/dev/null", "--write-out", "%{http_code}", url, *header, "--data", "{}") == "400"
    assert curl("--request", "POST", "--output", "/dev/null", "--write-out", "%{http_code}", url, "--data", "{}") == "400"


# What Open WebUI sends, by its own code (backend/open_webui/main.py and routers/openai.py, read in November 2026). The page posts
# many more fields (chat_id, session_id, id, features, variables, tool_ids, files, background_tasks, model_item, params); its server
# takes each of them out, with `metadata`, before the request goes on. What is left are the model, the messages, `stream`, the
# options of streams, and the parameters that a user set, as their own fields.
HEADERS = {
    "Authorization": "Bearer sk-none",
    "Content-Type": "application/json",
    "Accept": "*/*",
    "User-Agent": "Python/3.11 aiohttp/3.12",
    "X-OpenWebUI-User-Name": "Ann",
    "X-OpenWebUI-User-Id": "5f0c",
    "X-OpenWebUI-User-Email": "ann@example.org",
    "X-OpenWebUI-User-Role": "admin",
    "X-OpenWebUI-Chat-Id": "c1",
}
CHAT = {"stream": True, "model": "llava-tiny", "messages": [{"role": "user", "content": HOME}]}
TITLE = {
    "model": "llava-tiny",
    "messages": [{"role": "user", "content": "what is this about? where does mibo live?"}],
    "stream": False,
    "max_completion_tokens": 100,
}
"""A task in the background: the title of a chat, asked of the same model. Its own wording has signs that the tiny model, whose
vocabulary is a few hundred words, can't read; the fields are these."""


def streamed(answer):
    """What its page shows of a stream: it reads line by line, passes what doesn't begin with "data:", and stops at [DONE]."""
    words, usage = "", None
    for line in answer.text.splitlines():
        if not line.startswith("data:") or line == "data: [DONE]":
            continue
        chunk = json.loads(line.removeprefix("data:").strip())
        usage = chunk.get("usage") or usage
        for choice in chunk.get("choices", []):
            words += choice.get("delta", {}).get("content") or ""
    return words, usage


def test_open_webui_lists_models_chats_with_pictures_and_names_its_chats(server):
    with httpx2.Client(base_url=server.v1, headers=HEADERS, timeout=30) as web:
        models = web.get("/models").json()
        assert [model["id"] for model in models["data"]][:2] == ["llava-tiny", "llava-tiny@base"]
        assert all({"id", "object", "owned_by"} <= set(model) for model in models["data"])

        words, usage = streamed(web.post("/chat/completions", json={**CHAT, "stream_options": {"include_usage": True}}))
        assert words == NOW
        assert usage["total_tokens"] > 0

        shown = [{"type": "text", "text": "what is there?"}, {"type": "image_url", "image_url": {"url": data_url(picture(1))}}]
        conversation = [
            {"role": "system", "content": "be brief."},
            {"role": "user", "content": HOME},
            {"role": "assistant", "content": NOW},
            {"role": "user", "content": shown},
        ]
        settled = {"temperature": 0.8, "top_p": 0.9, "seed": 7, "stop": ["\n"], "max_tokens": 20, "frequency_penalty": 0}
        answer = web.post("/chat/completions", json={**CHAT, **settled, "messages": conversation})
        assert answer.status_code == 200
        assert streamed(answer)[0]

        title = web.post("/chat/completions", json=TITLE).json()
        assert title["choices"][0]["message"]["content"]
        missing = web.post("/chat/completions", json={**CHAT, "model": "gone"})
        assert (missing.status_code, missing.json()["error"]["code"]) == (404, "model_not_found")
