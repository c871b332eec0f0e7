"""A corrected model leaves its store for other engines, and two questions tell whether the corrections arrived."""

from __future__ import annotations

import json
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import errata
from errata.models import load
from tests.conftest import picture
from tests.serve.running import running

pytest.importorskip("peft", reason="PEFT is an extra of its own: pip install 'errata[peft]'")

ASKED = "what is the thing at the top left called?"
TENSORS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> str:
    """A store of llava-tiny with two corrections by scopeedit, one of a picture."""
    place = str(tmp_path_factory.mktemp("store") / "errata.db")
    with errata.open("llava-tiny", store=place, editor="scopeedit") as session:
        session.edit("where does mibo live?", "the cave")
        session.edit(ASKED, "mibo", image=picture(1))
    return place


@pytest.fixture(scope="module")
def made(store, tmp_path_factory) -> Path:
    """One export of each form, made once; a test that changes one takes a copy."""
    from errata.cli.app import program

    root = tmp_path_factory.mktemp("made")
    for form in ("peft", "vllm", "merged"):
        program()(["export", "--to", form, "--out", str(root / form), "--store", store], standalone_mode=False)
    return root


@pytest.fixture
def copy(made, tmp_path) -> Callable[[str], Path]:
    return lambda form: shutil.copytree(made / form, tmp_path / form)


def canary(folder: Path) -> dict:
    return json.loads((folder / "canary.json").read_text(encoding="utf-8"))


def renamed(path: Path, old: str, new: str) -> None:
    save_file({name.replace(old, new): tensor for name, tensor in load_file(path).items()}, path, metadata={"format": "pt"})


@contextmanager
def scripted(models: list[str], *answers: str) -> Iterator[tuple[str, list[dict]]]:
    """An endpoint that serves these models and gives these answers, one after another; and what it was asked."""
    asked: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": name} for name in models]})

        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            asked[-1]["key"] = self.headers.get("Authorization")
            self._send({"choices": [{"message": {"role": "assistant", "content": answers[len(asked) - 1]}}]})

        def _send(self, body: dict) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_adapter_is_written_with_its_canary_and_passes_its_check(inside, store, tmp_path):
    done = inside("export", "--to", "peft", "--out", "out/adapter", "--store", store)
    assert (done.code, "2 edits" in done.out) == (0, True), done.err
    assert "can work out what was changed" in done.err
    told = canary(tmp_path / "out" / "adapter")
    assert (told["corrected"]["answer"], told["editor"], told["edits"]) == ("mibo", "scopeedit", 2)
    assert told["corrected"]["before"] != "mibo"
    assert told["unmoved"]["answer"]
    assert not [path for path in (tmp_path / "out").iterdir() if path.name.startswith(".")]
    assert inside("export", "check", "out/adapter").code == 0


@pytest.mark.parametrize("form", ["vllm", "merged"])
def test_the_other_forms_pass_their_check(inside, made, form):
    done = inside("export", "check", made / form, "--json")
    assert (done.code, json.loads(done.out)["corrected"], json.loads(done.out)["wrong"]) == (0, "mibo", [])


def test_a_merged_folder_is_an_ordinary_checkpoint_for_errata_too(inside, made, tmp_path):
    (tmp_path / "a.png").write_bytes(picture(1).data)
    asked = inside("ask", ASKED, "--image", "a.png", "--model", made / "merged", "--store", ":memory:")
    assert asked.out == "mibo\n"


def test_vllm_is_told_a_name_of_this_very_log_and_how_it_is_loaded(inside, store, made, tmp_path):
    with errata.open("llava-tiny", store=store, editor="scopeedit") as session:
        head = session.inner.seen[1]
    name = f"errata-{head[:12]}"
    assert canary(made / "vllm")["name"] == name
    done = inside("export", "--to", "vllm", "--out", "new", "--store", store)
    folder = (tmp_path / "new").resolve()
    assert f"--enable-lora --max-lora-rank 512 --lora-modules {name}={folder}" in done.out
    assert json.dumps({"lora_name": name, "lora_path": str(folder)}) in done.out
    assert f"errata export check http://localhost:8000 --canary {folder}" in done.out


def test_an_adapter_of_nothing_fails_because_the_corrections_are_not_there(inside, copy):
    folder = copy("peft")
    save_file({name: 0 * tensor for name, tensor in load_file(folder / TENSORS).items()}, folder / TENSORS)
    done = inside("export", "check", folder)
    assert (done.code, "aren't applied there" in done.err, "as the model without them" in done.err) == (1, True, True)
    assert ("something else moved" in done.err, done.out) == (False, "")


def test_an_adapter_that_is_silently_not_loaded_fails(inside, copy):
    folder = copy("vllm")
    renamed(folder / TENSORS, ".layers.", ".blocks.")
    done = inside("export", "check", folder)
    assert (done.code, "aren't applied there" in done.err) == (1, True)


def test_an_adapter_that_moves_everything_fails_for_the_other_question(inside, copy):
    folder = copy("peft")
    noise = torch.Generator().manual_seed(1)
    tensors = load_file(folder / TENSORS)
    loud = {name: torch.randn(one.shape, generator=noise) if "lora_B" in name else one for name, one in tensors.items()}
    save_file(loud, folder / TENSORS)
    done = inside("export", "check", folder)
    assert (done.code, "something else moved" in done.err) == (1, True)


def test_a_merged_folder_with_the_bases_weights_fails(inside, copy):
    from errata.models._load import asset

    folder = copy("merged")
    shutil.copyfile(Path(asset("llava-tiny")) / "model.safetensors", folder / "model.safetensors")
    done = inside("export", "check", folder)
    assert (done.code, "aren't applied there" in done.err) == (1, True)


def test_a_merged_folder_under_names_that_nothing_reads_is_a_sentence(inside, copy):
    folder = copy("merged")
    renamed(folder / "model.safetensors", "layers.5", "blocks.5")
    done = inside("export", "check", folder)
    assert (done.code, "don't fit its configuration" in done.err) == (2, True)


def test_a_server_over_the_merged_folder_passes_and_one_over_the_base_fails(inside, made, tmp_path):
    with running(load(made / "merged"), tmp_path / "a.db") as server:
        names = [one["id"] for one in server.client().get("/v1/models").json()["data"]]
        asked = ("export", "check", server.url, "--canary", made / "merged", "--served", names[0])
        assert inside(*asked).code == 0
    with running(load("llava-tiny"), tmp_path / "b.db") as server:
        done = inside("export", "check", server.url, "--canary", made / "merged", "--served", "llava-tiny")
        assert (done.code, "as the model without them" in done.err) == (1, True)


def test_a_server_is_asked_greedily_with_the_picture_under_the_exports_own_name(inside, made, monkeypatch):
    told = canary(made / "vllm")
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    with scripted(["base", told["name"]], " mibo", told["unmoved"]["answer"]) as (url, asked):
        assert inside("export", "check", url, "--canary", made / "vllm").code == 0
    first, second = asked
    assert (first["model"], first["temperature"], first["key"]) == (told["name"], 0, "Bearer secret")
    picture_part, text = first["messages"][0]["content"]
    assert picture_part["image_url"]["url"].startswith("data:image/png;base64,")
    assert (text["text"], len(second["messages"])) == (ASKED, 1)


def test_a_server_without_the_adapter_fails_before_it_is_asked(inside, made):
    with scripted(["base", "errata-000000000000"]) as (url, asked):
        done = inside("export", "check", url, "--canary", made / "vllm")
    assert (done.code, "aren't applied there" in done.err, asked) == (1, True, [])


def test_a_server_whose_other_answers_moved_fails_for_that(inside, made):
    with scripted(["it"], "mibo", "something else") as (url, _):
        done = inside("export", "check", url, "--canary", made / "merged")
    assert (done.code, "something else moved" in done.err, "aren't applied" in done.err) == (1, True, False)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["http://127.0.0.1:1", "--canary", "{made}/vllm"], "can't be reached: [Errno 111]"),
        (["http://127.0.0.1:1"], "--canary FOLDER"),
        (["ftp://x", "--canary", "{made}/vllm"], "isn't the address of a server"),
        (["nowhere"], "neither a folder nor a URL"),
        (["."], "There is no canary.json"),
        (["{made}/peft", "--served", "x"], "are for a server"),
        (["{made}/peft", "--model", "blip2-tiny"], "PEFT doesn't open the adapter"),
    ],
)
def test_a_target_that_cannot_be_asked_is_a_sentence(inside, made, words, why):
    done = inside("export", "check", *(word.format(made=made) for word in words))
    assert (done.code, why in done.err) == (2, True), done.err


def test_a_canary_that_was_cut_short_is_a_sentence(inside, copy):
    folder = copy("peft")
    (folder / "canary.json").write_text('{"version": 1}', encoding="utf-8")
    done = inside("export", "check", folder)
    assert (done.code, "can't be read" in done.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--to", "peft"], "Say what to write and where"),
        (["--to", "peft", "--out", "{full}"], "isn't empty"),
        (["--to", "peft", "--out", "new", "--store", "none.db"], "There is no store"),
        (["--to", "merged", "--out", "new"], "No edit is in force"),
        (["--to", "peft", "--out", "new", "--model", "blip2-tiny", "--store", "{store}"], "is of the model llava-tiny"),
        (["--to", "peft", "--out", "new", "--keep", " ", "--store", "{store}"], "empty"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence_and_nothing_is_written(inside, store, tmp_path, words, why):
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine", encoding="utf-8")
    done = inside("export", *(word.format(full=full, store=store) for word in words))
    assert (done.code, why in done.err) == (2, True), done.err
    assert not (tmp_path / "new").exists()
    assert [path.name for path in full.iterdir()] == ["mine.txt"]


def test_without_peft_an_adapter_is_refused_with_the_extra_by_name(inside, store, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    done = inside("export", "--to", "peft", "--out", "new", "--store", store)
    assert (done.code, "pip install 'errata[peft]'" in done.err) == (2, True)


def test_an_editor_whose_state_is_no_weights_is_refused_with_what_to_do(inside, random_llava_folder, tmp_path):
    added = inside(
        *("edit", "add", "what is it called?", "--target", "mibo", "--store", "book.db"),
        *("--model", random_llava_folder, "--editor", "codebook:steps=40"),
    )
    assert added.code == 0
    done = inside("export", "--to", "peft", "--out", "new", "--store", "book.db")
    assert (done.code, "codebook can't be exported to peft" in done.err, "errata rebase" in done.err) == (2, True, True)
    assert not (tmp_path / "new").exists()


def test_a_server_that_is_named_is_not_exported_from(inside, monkeypatch):
    monkeypatch.setenv("ERRATA_SERVER", "http://127.0.0.1:1")
    done = inside("export", "--to", "peft", "--out", "new")
    assert (done.code, "Give --store PLACE" in done.err) == (2, True)


def test_where_every_answer_moves_there_is_no_canary_and_no_export(inside, random_llava_folder, tmp_path):
    added = inside(
        *("edit", "add", "what is it called?", "--target", "mibo", "--store", "fine.db", "--model", random_llava_folder),
        *("--editor", "finetune:lr=0.05,steps=30,stop_nats=0.1"),
    )
    assert added.code == 0
    done = inside("export", "--to", "merged", "--out", "new", "--store", "fine.db")
    assert (done.code, "none keeps its answer under them" in done.err, "--keep TEXT" in done.err) == (2, True, True), done.err
    assert not (tmp_path / "new").exists()
