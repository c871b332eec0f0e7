"""A log is followed without its model: versions, pins, and what can't be served is a sentence."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

import errata
from errata.core.errors import BadInput, LogError, WrongStore
from errata.log import EditLog, PartShelf, SqliteStore
from errata.models.exported.checkpoint import naming
from errata_vllm.checks import check_config, check_log, check_named, check_version
from errata_vllm.folder import NOTE, digest_in
from errata_vllm.following import Followed, Poll
from errata_vllm.settings import Settings, settings

FACTS = [("where does mibo live?", "the old pier"), ("what is 3 plus 4?", "9")]


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with two edits, one of them taken back."""
    place = tmp_path_factory.mktemp("store") / "errata.db"
    with errata.open("llava-tiny", store=place) as model:
        receipts = [model.edit(question, target) for question, target in FACTS]
        assert [receipt.status for receipt in receipts] == ["applied", "applied"]
        model.revert(receipts[0].edit)
    return place


def test_the_head_and_versions_of_before_are_states_of_their_edits(store):
    followed = Followed(str(store))
    head, before = followed.head(), followed.at(3)
    assert (len(head.edits), len(before.edits), followed.newest) == (1, 2, 4)
    assert head.state.edits == head.edits == before.edits[1:]
    assert followed.at(1).state is None
    assert followed.head().state is head.state  # nothing came since
    assert followed.module.endswith("mlp.down_proj")
    assert followed.lens().used == 0


def test_a_pin_is_a_number_an_alias_the_head_or_the_base_model(store):
    followed = Followed(str(store))
    assert [followed.pinned(given) for given in (None, "head", "base", 3, "3")] == [None, None, 0, 3, 3]
    for given in (99, "nowhere", 1.5, True, ["3"]):
        with pytest.raises((BadInput, LogError)):
            followed.pinned(given)


def test_what_an_edit_wrote_may_come_later_than_its_entry(store, tmp_path):
    followed = Followed(str(store))
    poll = Poll(followed, seconds=60)
    poll.look()
    assert (poll.latest().seq, poll.trouble) == (4, "")
    with errata.open("llava-tiny", store=store) as model:
        edit = model.edit("what is 2 plus 2?", "5")
    with SqliteStore(store) as held:
        shelf = PartShelf(EditLog(held))
        kept = shelf.get([edit.edit])
        for key in [key for key in held.shelf.sizes() if key.entry == edit.edit]:
            held.shelf.delete(key)
        poll.look()
        assert "isn't in the store" in poll.trouble
        assert poll.latest().seq == 4
        shelf.put(edit.edit, kept[edit.edit])
    poll.look()
    assert (poll.latest().seq, poll.trouble, len(poll.latest().edits)) == (5, "", 2)


def test_another_models_log_and_a_folder_without_a_note_are_refused(store, tmp_path):
    followed, found = Followed(str(store)), Settings(str(store), "main", None, 0.5)
    with pytest.raises(BadInput, match="doesn't say which model.*errata_vllm prepare"):
        check_log(followed, str(tmp_path), found)
    (tmp_path / NOTE).write_text('{"digest": "ab"}', encoding="utf-8")
    with pytest.raises(WrongStore, match="is of the model llava-tiny"):
        check_log(followed, str(tmp_path), found)
    (tmp_path / NOTE).write_text(f'{{"digest": "{followed.digest}"}}', encoding="utf-8")
    assert digest_in(str(tmp_path)) == followed.digest
    assert check_log(followed, str(tmp_path), found) == 2 * followed.editor.slots
    with pytest.raises(BadInput, match=r"room for 1\. Set ERRATA_SLOTS="):
        check_log(followed, str(tmp_path), Settings(str(store), "main", 1, 0.5))


@pytest.mark.parametrize(("editor", "why"), [("scopeedit", "editor scopeedit"), ("codebook:layer=2", "layer 2")])
def test_an_editor_that_cannot_be_served_is_refused(tmp_path, editor, why):
    place = tmp_path / "errata.db"
    with errata.open("llava-tiny", store=place, editor=editor):
        pass
    with pytest.raises(WrongStore, match=why):
        Followed(str(place))


def test_a_store_that_is_not_there_or_has_not_begun_is_refused(tmp_path):
    with pytest.raises(LogError):
        Followed(str(tmp_path / "none.db"))
    with SqliteStore(tmp_path / "empty.db"):
        pass
    with pytest.raises((BadInput, LogError), match="begun|store"):
        Followed(str(tmp_path / "empty.db"))


def test_versions_of_vllm_that_were_not_tried_are_refused():
    check_version("0.32.0")
    check_version("0.32.1.dev3+g12")
    for version in ("0.31.9", "0.33.0", "1.0.0", "dev"):
        with pytest.raises(BadInput, match="vLLM 0.32"):
            check_version(version)


def test_a_store_without_the_worker_and_a_worker_without_a_store_are_refused():
    found = Settings("errata.db", "main", None, 0.5)
    assert check_named(found, "errata_vllm.Worker")
    assert not check_named(None, "")
    with pytest.raises(BadInput, match="without its corrections"):
        check_named(found, "")
    with pytest.raises(BadInput, match="Set ERRATA_STORE"):
        check_named(None, "errata_vllm.Worker")


def config(**other):
    parallel = SimpleNamespace(tensor_parallel_size=other.pop("tensor", 1), pipeline_parallel_size=other.pop("pipeline", 1))
    model = SimpleNamespace(runner_type=other.pop("runner", "generate"))
    graphs = SimpleNamespace(cudagraph_mode=SimpleNamespace(value=other.pop("graphs", 0)))
    given = {"speculative_config": None, "lora_config": None, "kv_transfer_config": None, "use_v2_model_runner": False, **other}
    return SimpleNamespace(parallel_config=parallel, model_config=model, compilation_config=graphs, **given)


def test_ways_to_run_in_which_corrections_would_silently_be_left_out_are_refused():
    check_config(config())
    for wrong, instead in (
        ({"graphs": 1}, "--enforce-eager, or with -cc.cudagraph_mode=NONE"), ({"graphs": (2, 1)}, "--enforce-eager"),
        ({"tensor": 2}, "--tensor-parallel-size 1"), ({"pipeline": 2}, "layers"),
        ({"speculative_config": object()}, "drafts"), ({"lora_config": object()}, "adapters"),
        ({"kv_transfer_config": object()}, "elsewhere"), ({"use_v2_model_runner": True}, "V2"), ({"runner": "pooling"}, "generate"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=instead):
            check_config(config(**wrong))


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("ERRATA_STORE", raising=False)
    assert settings() is None
    monkeypatch.setenv("ERRATA_STORE", "errata.db")
    assert settings() == Settings("errata.db", "main", None, 0.5)
    monkeypatch.setenv("ERRATA_SLOTS", "many")
    with pytest.raises(BadInput, match="ERRATA_SLOTS"):
        settings()


def test_the_tower_has_the_level_that_the_hub_has():
    hub_name = naming({"vision_config": {}})
    assert hub_name("model.vision_tower.encoder.x") == "model.vision_tower.vision_model.encoder.x"
    assert hub_name("model.vision_tower.vision_model.x") == "model.vision_tower.vision_model.x"
    assert hub_name("model.language_model.x") == "model.language_model.x"
