"""In front of a real server, as processes, with the official client: correct, ask, revert, restore."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from errata import open as open_model
from errata.benchmarks.scopeworld.stream import pool_questions
from errata.core.errors import BadInput
from errata.log import EditLog, open_store
from tests.cli.runs import SRC, errata
from tests.serve.processes import started
from tests.serve.served import data_url

QUESTION, WAS, RIGHT = "where does mibo live?", "the north beach", "the cave"
OTHER, STAYS = "where does tovo live?", "the castle"
NEAR = "tell me where mibo lives"
LLAVA = SRC / "errata/assets/llava-tiny"


def parts(question, *seeds):
    shown = [{"type": "image_url", "image_url": {"url": data_url(scenes()[seed])}} for seed in seeds]
    return [*shown, {"type": "text", "text": question}] if shown else question


class Client:
    """The official client, unmodified, and what it is told."""

    def __init__(self, url: str, model: str, key: str = "none") -> None:
        self.url, self.model = url, model
        self.openai = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0)
        self.http = httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {key}"} if key != "none" else {})

    def ask(self, question, *seeds, **more) -> tuple[str, str]:
        """The words and the way."""
        answer = self.openai.chat.completions.create(
            model=self.model, messages=[{"role": "user", "content": parts(question, *seeds)}], temperature=0, **more
        )
        return answer.choices[0].message.content, answer.errata["way"]

    def stream(self, question, *seeds):
        """The same of a stream; how many pieces there were is no secret."""
        words, ways = "", []
        for chunk in self.openai.chat.completions.create(
            model=self.model, messages=[{"role": "user", "content": parts(question, *seeds)}], temperature=0, stream=True
        ):
            words += "".join(choice.delta.content or "" for choice in chunk.choices)
            ways += [(chunk.model_extra or {})["errata"]["way"]] if "errata" in (chunk.model_extra or {}) else []
        (way,) = ways
        return words, way

    def post(self, path, **body):
        return self.http.post(path, json=body).json()

    def correct(self, question, answer, *seeds):
        made = self.post("/v1/edits", question=question, answer=answer, images=[data_url(scenes()[seed]) for seed in seeds])
        assert (made.get("status"), made.get("after")) == ("applied", answer), made
        return made["id"]

    def close(self):
        self.openai.close()
        self.http.close()


def loop(client: Client, *, way: str, was: str, right: str, stays: str, pictured: bool = True) -> None:
    """Correct, ask, revert, restore: what anybody does."""
    assert client.ask(QUESTION) == client.stream(QUESTION) == (was, "passed")
    edit = client.correct(QUESTION, right)
    assert client.ask(QUESTION) == client.stream(QUESTION) == (right, way)
    assert client.ask("Where does  mibo live")[1] == way
    assert client.ask(NEAR)[1] == way
    assert client.ask(OTHER) == client.stream(OTHER) == (stays, "passed")
    assert client.post(f"/v1/edits/{edit}/revert", reason="a mistake")["status"] == "reverted"
    assert client.ask(QUESTION) == client.stream(QUESTION) == (was, "passed")
    assert client.post(f"/v1/edits/{edit}/restore")["status"] == "applied"
    assert client.ask(QUESTION) == (right, way)
    if pictured:
        before = client.ask("what is it?", 0)
        client.correct("what is it?", "a drawing of noise", 1)
        assert client.ask("what is it?", 1) == client.stream("what is it?", 1) == ("a drawing of noise", "pinned")
        assert client.ask("what is it?", 0) == before
    assert client.post("/v1/audit")["clean"] is True


@cache
def scenes():
    """Two pictures that an encoder tells apart."""
    return [each.query.images[0] for each in islice((one for one in pool_questions(seed=0) if one.query.images), 2)]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The model as it is, behind `errata serve`."""
    words = ("--model", "llava-tiny", "--editor", "none", "--store", ":memory:")
    with started("serve", *words, cwd=tmp_path_factory.mktemp("served")) as found:
        yield found


@contextmanager
def fronted(upstream: str, *options: str, cwd: Path, model: str = "llava-tiny") -> Iterator[Client]:
    words = ("--upstream", f"{upstream}/v1", "--model", model, "--store", "errata.db", *options)
    with started("proxy", *words, cwd=cwd) as found, closing(Client(found.url, model)) as client:
        yield client


def test_in_front_of_errata_serve_a_pinned_answer_goes_and_comes(served, tmp_path):
    with fronted(served.url, "--near", "clip-tiny", "--threshold", "0.9", cwd=tmp_path) as client:
        loop(client, way="pinned", was=WAS, right=RIGHT, stays=STAYS)
        added = errata("edit", "add", OTHER, "--target", "the pier", cwd=tmp_path)  # finds the proxy that has the store open
        assert added.code == 0, added.err
        assert client.ask(OTHER) == ("the pier", "pinned")
    with closing(open_store(tmp_path / "errata.db", create=False)) as store:
        EditLog(store).verify()


def test_in_front_of_errata_serve_a_model_is_told_and_the_upstream_was_never_edited(served, tmp_path):
    with fronted(served.url, "--way", "told", "--near", "clip-tiny", "--threshold", "0.9", cwd=tmp_path) as client:
        loop(client, way="told", was=WAS, right=RIGHT, stays=STAYS, pictured=False)
    with closing(Client(served.url, "llava-tiny")) as behind:
        answer: Any = behind.openai.chat.completions.create(model="llava-tiny", messages=[{"role": "user", "content": QUESTION}])
        assert (answer.choices[0].message.content, answer.errata["seq"]) == (WAS, 1)


def test_python_and_commands_work_on_the_same_log_without_the_proxy(served, tmp_path, monkeypatch):
    place = tmp_path / "errata.db"
    monkeypatch.setenv("ERRATA_UPSTREAM", f"{served.url}/v1")
    with open_model("upstream:llava-tiny", store=place, editor="pinned") as model:
        made = model.edit(QUESTION, RIGHT)
        assert (made.status, made.before, made.after) == ("applied", WAS, RIGHT)
        assert model.ask(QUESTION).text == RIGHT
        assert model.audit().clean
        taken = model.revert(made.edit)
        assert (taken.status, taken.before, taken.after) == ("reverted", RIGHT, WAS)
        model.edit(OTHER, "the pier")
    assert errata("ask", OTHER, cwd=tmp_path).out == "the pier\n"
    with pytest.raises(BadInput, match="The editor codebook needs a model's weights"):
        open_model("upstream:llava-tiny", store=tmp_path / "other.db", editor="codebook")
    assert not (tmp_path / "other.db").exists()
    monkeypatch.delenv("ERRATA_UPSTREAM")
    with pytest.raises(BadInput, match="ERRATA_UPSTREAM doesn't say where"):
        open_model("upstream:llava-tiny", store=place)


@contextmanager
def transformers_serve(folder: Path) -> Iterator[str]:
    """`transformers serve` with one model, until the end of the block."""
    program = shutil.which("transformers", path=str(Path(sys.executable).parent))
    assert program is not None
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [program, "serve", "llava-tiny", "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with (folder / "transformers.log").open("w") as log:
        process = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log, env={**os.environ, "HF_HOME": str(folder / "hub")})
    url = f"http://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while True:
            assert process.poll() is None, (folder / "transformers.log").read_text()
            assert time.monotonic() < until, "it didn't start"
            try:
                urllib.request.urlopen(f"{url}/health", timeout=5).close()
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
            else:
                break
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.mark.proof(sample=1, full=2)
@pytest.mark.skipif(
    importlib.util.find_spec("transformers.cli.serve") is None or importlib.util.find_spec("fastapi") is None,
    reason="this transformers has no serve: pip install 'transformers[serving]'",
)
def test_in_front_of_transformers_serve(tmp_path, trials, record):
    (tmp_path / "llava-tiny").symlink_to(LLAVA)
    with transformers_serve(tmp_path) as url:
        for trial, way in zip(range(trials), cycle(("pinned", "told"))):
            folder = tmp_path / f"{way}{trial}"
            folder.mkdir()
            with fronted(url, "--way", way, "--near", "clip-tiny", "--threshold", "0.9", cwd=folder) as client:
                loop(client, way=way, was=WAS, right=RIGHT, stays=STAYS, pictured=way == "pinned")
    record["loops"] = trials
