"""Settings: a variable stands before the nearest file, the file before the default; and each says where it came from."""

import pytest

from errata.core.errors import BadInput, Unknown
from errata.core.settings import FILE, VARIABLES, settings, user


def write(folder, text):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(text, encoding="utf-8")


def test_without_anything_the_defaults_stand_and_the_author_is_whoever_runs_it(tmp_path):
    found = settings({}, tmp_path)
    assert {name: one.value for name, one in found.items()} == {
        "store": "errata.db", "model": "llava-tiny", "editor": "codebook", "author": user(), "host": "127.0.0.1", "port": "8319",
        "server": "",
    }  # fmt: skip
    assert {one.source for one in found.values()} == {"default"}
    assert not any(one.chosen for one in found.values())


def test_a_variable_stands_before_the_file_and_the_file_before_the_default(tmp_path):
    write(tmp_path, 'store = "own.db"\neditor = "scopeedit"\n')
    found = settings({"ERRATA_EDITOR": "told", "ERRATA_MODEL": "", "ERRATA_AUTHOR": " ann "}, tmp_path)
    assert (found["editor"].value, found["editor"].source) == ("told", "ERRATA_EDITOR")
    assert (found["store"].value, found["store"].source) == (str(tmp_path / "own.db"), str(tmp_path / FILE))
    assert (found["model"].value, found["model"].source) == ("llava-tiny", "default")
    assert found["author"].value == "ann"


def test_the_nearest_file_upwards_counts_and_its_paths_begin_where_it_lies(tmp_path):
    write(tmp_path, 'store = "far.db"\nauthor = "far"\n')
    write(tmp_path / "a", 'store = "near.db"\nmodel = "./llava"\n')
    (tmp_path / "a" / "b").mkdir()
    found = settings({}, tmp_path / "a" / "b")
    assert found["store"].value == str(tmp_path / "a" / "near.db")
    assert found["model"].value == str(tmp_path / "a" / "llava")
    assert found["author"].source == "default"


@pytest.mark.parametrize(
    ("name", "value"), [("store", "postgresql://host/errata"), ("model", "llava-tiny"), ("model", "owner/name")]
)
def test_what_is_no_path_stays_as_it_is(tmp_path, name, value):
    write(tmp_path, f'{name} = "{value}"\n')
    assert settings({}, tmp_path)[name].value == value


@pytest.mark.parametrize(
    ("text", "error", "said"),
    [
        ('stroe = "x"', Unknown, "Did you mean 'store'"),
        ("store = 3", BadInput, "must be text, not 3"),
        ('store = ""', BadInput, "must be text"),
        ("store = x", BadInput, "aren't TOML"),
        ("[errata]\nstore = 'x'", Unknown, "setting in"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_is_wrong(tmp_path, text, error, said):
    write(tmp_path, text)
    with pytest.raises(error, match=said) as raised:
        settings({}, tmp_path)
    assert str(tmp_path / FILE) in str(raised.value)


def test_a_file_that_is_no_text_is_told_so(tmp_path):
    (tmp_path / FILE).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadInput, match="UTF-8"):
        settings({}, tmp_path)


def test_every_setting_has_a_variable():
    assert set(VARIABLES) == set(settings({}))
