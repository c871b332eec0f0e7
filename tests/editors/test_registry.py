"""From a line of text to an editor, and a sentence for whatever can be wrong with the line."""

import importlib
from pathlib import Path
from typing import Any

import pytest

import errata.editors
from errata.core.errors import BadInput, Unknown
from errata.editors import EDITORS, parse
from errata.editors.finetune import FineTune
from errata.editors.none import Nothing
from errata.editors.scopeedit.editor import PRESETS, ScopeEdit


def read(text) -> Any:
    """The editor, whose fields a test looks into."""
    return parse(text)


EXAMPLE = Path(__file__).with_name("example_editor.py")


def test_the_room_is_the_registry():
    room = Path(errata.editors.__file__).parent
    assert set(EDITORS) == {file.stem for file in room.glob("[a-z]*.py")} | {file.parent.name for file in room.glob("*/editor.py")}
    assert (EDITORS["none"], EDITORS["finetune"], EDITORS["scopeedit"]) == (Nothing, FineTune, ScopeEdit)


def test_fields_are_read_in_their_own_types():
    editor = parse(" scopeedit: steps=3 , eta_local=1e-2, centre=false, top_k=none, stop_nats=0.5, evidence=shared ")
    assert editor == ScopeEdit(steps=3, eta_local=0.01, centre=False, top_k=None, stop_nats=0.5, evidence="shared")


def test_a_preset_is_where_the_other_fields_start():
    assert parse("scopeedit:preset=paper") == PRESETS["paper"]
    assert read("scopeedit:steps=3,preset=paper").steps == 3
    assert read("scopeedit:steps=3,preset=paper").key_positions == "own"


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ("scopedit", Unknown, "Did you mean 'scopeedit'"),
        ("", Unknown, "There is no editor named ''"),
        ("scopeedit:stepz=3", Unknown, "Did you mean 'steps'"),
        ("scopeedit:pool=3", Unknown, "no field of scopeedit named 'pool'"),
        ("scopeedit:preset=pap", Unknown, "Did you mean 'paper'"),
        ("scopeedit:steps=many", BadInput, "takes a whole number, not 'many'"),
        ("scopeedit:steps=1.5", BadInput, "takes a whole number"),
        ("scopeedit:top_k=x", BadInput, "takes a whole number or none"),
        ("scopeedit:centre=yes", BadInput, "takes true or false"),
        ("finetune:where=sideways", BadInput, "takes 'text' or 'vision'"),
        ("finetune:steps=-3", BadInput, "at least 1"),
        ("finetune:lr", BadInput, "isn't a field of finetune with a value"),
        ("none:preset=paper", Unknown, "no field of none"),
        ("nowhere.py:Mine", BadInput, "can't be read"),
        ("nowhere.py", BadInput, "Say which class"),
        (f"{EXAMPLE}:Nudg", Unknown, "Did you mean 'Nudge'"),
        (f"{EXAMPLE}:State", BadInput, "is no editor"),
        (f"{EXAMPLE}:Nudge:steps=x", BadInput, "takes a whole number"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(text, error, said):
    with pytest.raises(error) as refused:
        parse(text)
    assert said in str(refused.value)
    assert str(refused.value).endswith(".")


def test_a_file_is_loaded_once_and_its_class_stays_the_same():
    assert type(parse(f"{EXAMPLE}:Nudge")) is type(parse(f"{EXAMPLE}:Nudge:steps=2"))
    assert read(f"{EXAMPLE}:Nudge:steps=2").steps == 2


def test_a_changed_file_is_another_editor(tmp_path):
    copy = tmp_path / "mine.py"
    copy.write_bytes(EXAMPLE.read_bytes())
    before = read(f"{copy}:Nudge")
    copy.write_bytes(EXAMPLE.read_bytes().replace(b"lr: float = 20.0", b"lr: float = 7.0"))
    assert (before.lr, read(f"{copy}:Nudge").lr) == (20.0, 7.0)


def test_a_file_that_does_not_run_is_named_with_its_error(tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nowhere_at_all\n")
    with pytest.raises(BadInput, match="ModuleNotFoundError: No module named 'nowhere_at_all'"):
        parse(f"{broken}:Mine")


def test_an_installed_package_can_announce_an_editor(tmp_path, monkeypatch):
    (tmp_path / "plugged.py").write_bytes(EXAMPLE.read_bytes())
    announced = tmp_path / "plugged-1.0.dist-info"
    announced.mkdir()
    (announced / "METADATA").write_text("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n")
    (announced / "entry_points.txt").write_text(
        "[errata.editors]\nnudge = plugged:Nudge\nlost = plugged:Lost\nstate = plugged:State\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert read("nudge:steps=4").steps == 4
    with pytest.raises(BadInput, match="can't be loaded"):
        parse("lost")
    with pytest.raises(BadInput, match="is no editor"):
        parse("state")
