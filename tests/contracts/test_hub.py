"""What holds for every family of the zoo: its checkpoint, as the hub has it, opened, asked, corrected and left as it was.

Every family is asked here; what is slow is done to a few of them, and to all in the proof (`make proof`).
"""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.core.errors import BadInput
from errata.core.records import Message, Query
from errata.models import load
from errata.models._files import Weights, check_room
from tests.conftest import picture
from tests.zoo import Zoo, families, folder_of
from tests.zoo.checks import CHECKS, SHORT, TARGET, Beside, Trial

UNOPENED = {"blip2_t5": "with a language model of the type 't5'; llama or opt is known"}
"""Families that errata refuses, and with which words."""

QUICK = 4
"""The first checks are made of every family each time."""

SAMPLE = ("gpt2", "qwen2_5_vl", "gemma3")
"""Of these every check is made each time."""

ZOO = families()
OPENED = [name for name in ZOO if name not in UNOPENED]
_TRIALS: dict[str, Trial] = {}


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


def trial_of(name: str, root: Path) -> Trial:
    if name not in _TRIALS:
        _TRIALS[name] = Trial(ZOO[name], folder_of(ZOO[name], root))
    return _TRIALS[name]


@pytest.mark.timeout(3600)
@pytest.mark.proof(sample=QUICK, full=len(CHECKS))
@pytest.mark.parametrize("name", OPENED)
def test_a_family_of_the_hub_does_what_it_must(name: str, root: Path, trials: int, record: dict[str, Any]):
    for what, check in list(CHECKS.items())[:trials]:
        try:
            check(trial_of(name, root))
            record[what] = "yes"
        except Beside as beside:
            record[what] = str(beside)
        except AssertionError as error:
            raise AssertionError(f"{what}: {error}") from error


@pytest.mark.timeout(3600)
@pytest.mark.proof(sample=12, full=75)
@pytest.mark.parametrize("name", OPENED)
def test_no_text_made_of_control_tokens_and_their_pieces_parses_into_another_conversation(
    name: str, root: Path, trials: int, record: dict[str, Any]
):
    """In the proof 75 texts a family, some 2,000 in all: refused, or the very control tokens of a plain question and no other."""
    trial = trial_of(name, root)
    tokenizer: Any = trial.asked.processor.tokenizer if trial.asked.eyes else trial.asked.processor
    template = str(trial.asked.processor.chat_template)
    added = {id_: t.content for id_, t in tokenizer.added_tokens_decoder.items() if t.special or t.content.strip("\n ") in template}
    controls = sorted({*tokenizer.all_special_tokens, *(content for content in added.values() if content.strip())})
    ids = {*tokenizer.all_special_ids, *added}

    def told(text: str) -> list[int]:
        return [id_ for id_ in trial.model.front.row(Query.ask(text), None).ids if id_ in ids]

    plain, draw, refused, taken = told(SHORT), random.Random(name), 0, 0
    for _ in range(trials):
        control = draw.choice(controls)
        near = (control[:-1], control[1:], f"{control[:2]} {control[2:]}")
        pieces = [control, *near, "user\n", "assistant", "\n\n", SHORT, "system"]
        text = "".join(draw.choices(pieces, k=draw.randint(1, 5))) or "a"
        try:
            trial.model.check(Query.ask(text))
            trial.model.check_read(Query.ask(text))
        except BadInput:
            refused += 1
            continue
        taken += 1
        assert told(text) == plain, repr(text)
    record.update(refused=refused, taken=taken)
    assert refused + taken == trials
    assert (refused and taken) or trials < 50


@pytest.mark.parametrize("what", list(CHECKS)[QUICK:])
@pytest.mark.parametrize("name", SAMPLE)
def test_a_few_families_do_all_of_it(name: str, what: str, root: Path):
    try:
        CHECKS[what](trial_of(name, root))
    except Beside as beside:
        pytest.skip(str(beside))


@pytest.mark.parametrize("name", ["llava", "llava_next", "minigpt4", "blip2_opt"])
def test_a_turn_in_plain_words_is_refused(name: str, root: Path):
    assert trial_of(name, root).model.front.turn.marks
    CHECKS["no forged turns"](trial_of(name, root))


@pytest.mark.parametrize("name", ["llama", "smollm2", "gemma2", "qwen2_5_vl", "idefics3"])
def test_a_target_stands_where_the_template_writes_an_answer(name: str, root: Path):
    trial = trial_of(name, root)
    said = [{"role": "user", "content": [{"type": "text", "text": SHORT}]}]
    said.append({"role": "assistant", "content": [{"type": "text", "text": TARGET}]})
    if not trial.asked.eyes:
        said = [{**turn, "content": turn["content"][0]["text"]} for turn in said]  # type: ignore[index]
    text = trial.asked.processor.apply_chat_template(said, tokenize=False)
    tokenizer: Any = trial.asked.processor.tokenizer if trial.asked.eyes else trial.asked.processor
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    row = trial.model.front.row(Query.ask(SHORT), TARGET)
    assert ids[: len(row.ids) + 1] == [*row.ids, trial.model.front.end]


@pytest.mark.parametrize("name", ["qwen2_5_vl", "gemma3", "llava_next", "idefics3"])
def test_a_write_above_the_tower_looks_once(name: str, root: Path):
    model = trial_of(name, root).model
    tower = model.net.get_submodule(model.front.tower[0])
    inner = next(module for module in tower.modules() if isinstance(module, torch.nn.Linear))
    ran: list[int] = []
    handle = inner.register_forward_hook(lambda module, given, output: ran.append(1))
    speak = model.speaking(Query.ask(SHORT, picture(1)), "mibo", changing=model.writable["text"][-1:])
    speak()
    once = len(ran)
    for _ in range(3):
        speak()
    handle.remove()
    assert once
    assert len(ran) == once


@pytest.mark.parametrize("name", sorted(UNOPENED))
def test_what_is_refused_is_refused_before_its_weights_are_read(name: str, root: Path):
    folder = folder_of(ZOO[name], root)
    for shard in folder.glob("*.safetensors"):
        shard.write_bytes(b"")
    with pytest.raises(BadInput, match=UNOPENED[name]):
        load(folder)


@pytest.mark.parametrize("name", ["blip2_t5", "instructblip"])
def test_a_question_that_is_read_in_an_encoder_is_refused_wherever_it_is_told(name: str, tmp_path: Path):
    ZOO[name].build(tmp_path / name)
    path = tmp_path / name / "config.json"
    config = json.loads(path.read_text())
    text = {**json.loads((folder_of(ZOO["blip2_t5"], tmp_path) / "config.json").read_text())["text_config"]}
    path.write_text(json.dumps({**config, "model_type": "instructblip", "text_config": text}))
    with pytest.raises(BadInput, match="reads its question in an encoder"):
        load(tmp_path / name)


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    ZOO["llama"].build(tmp_path / "llama")
    return tmp_path / "llama"


def test_a_shard_that_was_cut_short_is_refused_by_its_size(llama: Path):
    shard = sorted(llama.glob("model-*.safetensors"))[0]
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(BadInput, match=r"model-00001-of-0000\d.safetensors was cut short.*bytes are there. Download it again"):
        load(llama)


def test_a_shard_that_is_not_there_is_named(llama: Path):
    sorted(llama.glob("model-*.safetensors"))[-1].unlink()
    with pytest.raises(BadInput, match=r"is missing, one of 1 of the \d files that model.safetensors.index.json names"):
        load(llama)


def test_a_tensor_that_the_index_names_and_its_file_lacks_is_named(llama: Path):
    path = llama / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    index["weight_map"]["model.layers.9.mlp.up_proj.weight"] = next(iter(index["weight_map"].values()))
    path.write_text(json.dumps(index))
    with pytest.raises(BadInput, match="says that 'model.layers.9.mlp.up_proj.weight' is in .*, which hasn't got it"):
        load(llama)


def test_a_picture_for_a_model_without_eyes_is_refused(llama: Path):
    with pytest.raises(BadInput, match="is a language model and sees none. Ask in words"):
        load(llama).check(Query.ask("what is this?", picture(1)))


def test_earlier_turns_where_there_is_no_template_are_refused(root: Path):
    model = load(folder_of(ZOO["gpt2"], root))
    told = Query((Message("user", ("mibo?",)), Message("assistant", ("yes",)), Message("user", ("and where?",))))
    with pytest.raises(BadInput, match="has no chat template, so it knows no turns"):
        model.check(told)


def test_a_template_that_fails_is_a_sentence(llama: Path):
    (llama / "chat_template.jinja").unlink(missing_ok=True)
    path = llama / "tokenizer_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "chat_template": "{{ raise_exception('no such conversation') }}"}))
    with pytest.raises(BadInput, match="chat template refuses this conversation: no such conversation"):
        load(llama)


def test_a_folder_whose_layout_is_not_known_is_a_sentence(llama: Path):
    path = llama / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "clip"}))
    with pytest.raises(BadInput, match="is a clip, which transformers doesn't open as one that answers in words"):
        load(llama)


def test_too_little_memory_is_said_before_anything_is_loaded():
    huge = Weights((), parameters=10**13, size=2 * 10**13, dtypes=("BF16",))
    with pytest.raises(BadInput, match=r"takes 40000.0 GB in float32, and .* GB are free on cpu. Use --dtype bfloat16"):
        check_room(huge, name="llama", dtype=torch.float32, place=torch.device("cpu"))


def test_a_new_family_is_there_by_its_file_alone():
    assert len(OPENED) >= 24
    assert all(isinstance(zoo, Zoo) for zoo in ZOO.values())
