"""Settings and quick refusals at the program: what is set is taken, and what can't be is told before torch is loaded."""

import json
import subprocess
import sys
from contextlib import closing

import pytest

from errata.core.records import Provenance
from errata.log import EditLog, Kind, holding, open_store

APPLIED: tuple[Kind, ...] = ("applied",)
WORDS = ("what is 3 plus 3?", "--target", "nine")


def test_config_shows_each_value_and_where_it_came_from(inside, monkeypatch, tmp_path):
    monkeypatch.setenv("ERRATA_AUTHOR", "ann")
    (tmp_path / "errata.toml").write_text('store = "own.db"\n')
    done = inside("config", "--json")
    found = json.loads(done.out)
    assert found["author"] == {"value": "ann", "source": "ERRATA_AUTHOR"}
    assert found["store"] == {"value": str(tmp_path / "own.db"), "source": str(tmp_path / "errata.toml")}
    assert found["editor"] == {"value": "codebook", "source": "default"}
    assert "own.db" in inside("config").out


def test_config_hides_the_password_of_a_store(inside, monkeypatch):
    monkeypatch.setenv("ERRATA_STORE", "postgresql://ann:secret@host/errata")
    done = inside("config")
    assert done.code == 0
    assert "secret" not in done.out + done.err


def test_the_program_says_its_version(inside):
    done = inside("--version")
    assert (done.code, done.out.split()[0]) == (0, "errata")


def test_store_author_and_editor_are_taken_as_set_and_a_flag_stands_before(inside, monkeypatch, tmp_path):
    (tmp_path / "errata.toml").write_text('store = "own.db"\nauthor = "file"\neditor = "codebook:slots=64"\n')
    assert inside("edit", "add", *WORDS).code == 0
    monkeypatch.setenv("ERRATA_AUTHOR", "variable")
    assert inside("edit", "add", "what is 2 plus 2?", "--target", "five", "--author", "flag").code == 0
    assert inside("edit", "add", "what is 1 plus 1?", "--target", "three").code == 0
    with closing(open_store(tmp_path / "own.db", create=False)) as store:
        log = EditLog(store)
        assert [entry.by.author for entry in log.find(kinds=APPLIED)] == ["file", "flag", "variable"]
        assert next(log.entries(1, 2)).details["asked"] == "codebook:slots=64"
    monkeypatch.setenv("ERRATA_EDITOR", "told")  # a log that has begun keeps its own
    assert inside("ask", "what is 3 plus 3?").out.strip() == "nine"


def test_a_store_that_was_named_and_is_not_there_is_an_error_for_ask_too(inside, monkeypatch):
    assert inside("ask", "what is 3 plus 3?", "--store", "nope.db").code == 2
    monkeypatch.setenv("ERRATA_STORE", "nope.db")
    done = inside("ask", "what is 3 plus 3?")
    assert (done.code, "There is no store at nope.db" in done.err) == (2, True)


def test_an_edit_is_restored_after_the_one_that_took_its_place(inside):
    first = json.loads(inside("edit", "add", *WORDS, "--json").out)["edit"]
    second = json.loads(inside("edit", "add", WORDS[0], "--target", "seven", "--json").out)["edit"]
    assert f"errata edit restore {first[:12]}" in inside("edit", "revert", second).out
    assert inside("edit", "restore", first, "--author", "bo").code == 0
    assert inside("ask", WORDS[0]).out.strip() == "nine"
    again = inside("edit", "restore", first)
    assert (again.code, "nothing to restore" in again.err) == (2, True)
    assert inside("edit", "restore", "abcdef12").code == 2


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A folder with a store of one entry, made without a model."""
    folder = tmp_path_factory.mktemp("begun")
    with closing(open_store(folder / "errata.db")) as store:
        EditLog(store).append("begun", None, Provenance(), details={"model": {"name": "llava-tiny"}, "asked": "codebook"}, after="")
    return folder


EARLY = [
    (("ask", "a?", "--at", "99"), "99"),
    (("ask", "a?", "--at", "never"), "never"),
    (("ask", "a?", "--editor", "scopdit"), "Did you mean 'scopeedit'"),
    (("ask", "a?", "--editor", "codebook:reech=1"), "Did you mean 'reach'"),
    (("ask", "a?", "--device", "gpu!"), "device"),
    (("ask", "a?", "--store", "nope.db"), "no store"),
    (("edit", "add", "a?", "--target", "b", "--until", "soon"), "soon"),
    (("edit", "add", "a?", "--target", "b", "--rules", "nope.yaml"), "nope.yaml"),
    (("edit", "revert", "abcdef12"), "abcdef12"),
    (("audit", "--rules", "nope.yaml"), "nope.yaml"),
]


def ran(words, folder):
    """The exit code of the program, what it told, and whether torch was loaded."""
    program = (
        "import atexit, sys; atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr));"
        f"sys.argv = ['errata', *{list(words)!r}]; from errata.cli.app import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=False)
    told, _, loaded = done.stderr.rstrip().rpartition("\n")
    return done.returncode, told, loaded == "True"


@pytest.mark.parametrize(("words", "said"), EARLY, ids=[" ".join(words) for words, _ in EARLY])
def test_what_can_be_refused_without_the_model_is_refused_before_torch_is_loaded(begun, words, said):
    code, told, loaded = ran(words, begun)
    assert (code, loaded) == (2, False), told
    assert said in told


def test_a_branch_that_somebody_else_writes_to_is_told_before_torch_is_loaded(begun):
    with closing(open_store(begun / "errata.db")) as store, holding(store, "main"):
        code, told, loaded = ran(("edit", "add", *WORDS), begun)
    assert (code, loaded) == (2, False)
    assert "is being written to by" in told


@pytest.mark.parametrize("words", [("edit", "list"), ("log", "show"), ("config",), ("--version",)], ids=" ".join)
def test_what_only_reads_loads_no_torch(begun, words):
    code, told, loaded = ran(words, begun)
    assert (code, loaded) == (0, False), told


def test_a_model_is_asked_without_any_store_where_that_is_said(inside):
    assert inside("edit", "add", *WORDS).code == 0
    done = inside("ask", WORDS[0], "--store", ":memory:")
    assert (done.code, done.out.strip(), "without edits" in done.err) == (0, "6", True)
    refused = inside("edit", "add", *WORDS, "--store", ":memory:")
    assert (refused.code, "needs a store" in refused.err) == (2, True)


def test_a_correction_that_would_take_another_away_is_refused_unless_that_is_named(inside):
    first = json.loads(inside("edit", "add", "what is 4 plus 4?", "--target", "9", "--json").out)["edit"]
    refused = inside("edit", "add", "what is 4 plus 5?", "--target", "nine")
    assert refused.code == 1
    assert f"--supersede {first[:12]}" in refused.out
    assert inside("ask", "what is 4 plus 4?").out.strip() == "9"
    taken = inside("edit", "add", "what is 4 plus 5?", "--target", "nine", "--supersede", first[:12])
    assert taken.code == 0, taken.out
    assert first[:12] in taken.out
    assert inside("edit", "add", "a?", "--target", "b", "--propose", "--supersede", first).code == 2
