"""The zoo is what it says: checkpoints in the hub's layout that load whole, and a reference that answers every case of theirs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.zoo import Zoo, families, folder_of
from tests.zoo._asked import Asked, reference
from tests.zoo._cases import cases, picture

ZOO = families()
MEGABYTES = 4
TOKENS = 12


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the checkpoints are."""
    return tmp_path_factory.mktemp("zoo")


@pytest.fixture(scope="module", params=sorted(ZOO))
def zoo(request: pytest.FixtureRequest) -> Zoo:
    """Each family in turn."""
    return ZOO[request.param]


@pytest.fixture(scope="module")
def asked(zoo: Zoo, root: Path) -> Asked:
    """The family's checkpoint, opened by plain transformers."""
    return Asked(folder_of(zoo, root))


@pytest.fixture(scope="module")
def answers(asked: Asked, zoo: Zoo) -> dict[str, list[int]]:
    """What plain transformers answers in each case."""
    return {case.name: asked(case.conversation, case.images, TOKENS) for case in cases(zoo)}


def _read(folder: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads((folder / name).read_text(encoding="utf-8"))
    return found


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_family_is_here_by_its_file_alone() -> None:
    here = Path(__file__).parent
    files = {path.stem for room in ("words", "eyes") for path in (here / room).glob("[a-z]*.py")}
    assert set(ZOO) == files
    assert len(ZOO) >= 24


def test_a_checkpoint_has_the_files_of_its_kind(zoo: Zoo, root: Path) -> None:
    folder = folder_of(zoo, root)
    assert _read(folder, "config.json")["model_type"] == zoo.model_type
    assert "eos_token_id" in _read(folder, "generation_config.json")
    assert ("vision_config" in _read(folder, "config.json")) == zoo.eyes
    assert any(folder.glob("*processor_config.json")) == zoo.eyes
    shards = sorted(path.name for path in folder.glob("model-*.safetensors"))
    index = _read(folder, "model.safetensors.index.json")["weight_map"]
    assert isinstance(index, dict)
    assert len(shards) >= 2
    assert sorted(set(index.values())) == shards
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < MEGABYTES * 1e6


def test_a_checkpoint_loads_whole(asked: Asked) -> None:
    assert not any(asked.loaded.values()), {key: sorted(value) for key, value in asked.loaded.items() if value}


def test_the_reference_answers_every_case(asked: Asked, answers: dict[str, list[int]]) -> None:
    known = len(asked.words)
    for name, answer in answers.items():
        assert 1 <= len(answer) <= TOKENS, name
        assert all(0 <= token < known for token in answer), name


def test_answers_differ_from_question_to_question_and_from_picture_to_picture(answers: dict[str, list[int]]) -> None:
    assert len(set(map(tuple, answers.values()))) >= 0.5 * len(answers)


def test_the_same_seed_gives_the_same_bytes(zoo: Zoo, root: Path, tmp_path: Path) -> None:
    zoo.build(tmp_path / "again")
    zoo.build(tmp_path / "other", seed=1)
    first, again, other = _bytes(folder_of(zoo, root)), _bytes(tmp_path / "again"), _bytes(tmp_path / "other")
    assert again == first
    # A shard may hold nothing but norms, which aren't drawn.
    changed = {name for name in first if other[name] != first[name]}
    assert changed
    assert all(name.startswith("model-") for name in changed)


def test_a_context_holds_what_the_tests_ask(asked: Asked, zoo: Zoo) -> None:
    longest = max(asked.inputs(case.conversation, case.images)["input_ids"].shape[1] for case in cases(zoo))
    assert longest <= 384, "a target and its answer must fit behind it in 512"


def test_reference_opens_a_folder_and_answers(root: Path) -> None:
    zoo = ZOO["qwen2_vl"]
    conversation = [
        {"role": "system", "content": [{"type": "text", "text": "answer in one word."}]},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what is this?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "a green moon."}]},
        {"role": "user", "content": [{"type": "text", "text": "and what does it eat?"}]},
    ]
    folder = folder_of(zoo, root)
    assert reference(folder, conversation, [picture(1)], TOKENS) == Asked(folder)(conversation, [picture(1)], TOKENS)
