"""Checkpoints and proofs at the command line: what an auditor is given, and that each forgery gets a sentence and an exit code."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
import stat
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from errata.log import EditLog, MemoryStore, SqliteStore
from errata.log.checkpoint import Checkpoint, Consistency, Inclusion
from errata.log.entry import hash_of
from errata.log.signing import make_key, read_key
from errata.log.survey import Survey, checkpoint
from tests.cli.runs import errata
from tests.log.worlds import BY, filled

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "prove-the-log.md"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with eleven entries."""
    with SqliteStore(tmp_path / "errata.db") as store:
        filled(store)
    return tmp_path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with eleven entries and a signed checkpoint over them, the keys, and files for an auditor; to be copied."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("key", "other"):
        (folder / f"{name}.pub").write_text(make_key(folder / f"{name}.pem"))
    with SqliteStore(folder / "errata.db") as store:
        kept = checkpoint(filled(store), BY, key=read_key(folder / "key.pem")).checkpoint
        survey = Survey.of(EditLog(store))
        files: dict[str, Checkpoint | Inclusion | Consistency] = {
            "kept.json": kept,
            "entry.json": survey.inclusion(4, kept),
            "at-8.json": survey.inclusion(4, survey.head(8)),
            "growth.json": survey.consistency(survey.head(5), kept),
        }
    for name, found in files.items():
        (folder / name).write_text(json.dumps(found.to_json()))
    return folder


@pytest.fixture
def kept(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path


def rewrite(folder: Path) -> None:
    """Change entry 4 and make everything after it fit, with the note of the last entry."""
    path = folder / "errata.db"
    with SqliteStore(path) as store:
        rows = list(store.rows("main"))
    previous = ""
    with closing(sqlite3.connect(path)) as database, database:
        for row in rows[:11]:  # the checkpoint in the log is dropped
            body = row.body.replace(b"ada", b"eve") if row.seq == 4 else row.body
            fit = replace(row, body=body, previous=previous)
            previous = hash_of(fit)
            database.execute(
                "UPDATE entries SET body = ?, previous = ?, hash = ? WHERE seq = ?",
                (body.decode(), fit.previous, previous, row.seq),
            )
        database.execute("DELETE FROM entries WHERE seq > 11")
        database.execute("UPDATE branches SET seq = 11, hash = ?", (previous,))


def blurred(text: str) -> str:
    """What is printed, with what differs from run to run made the same."""
    text = re.sub(r"\b[0-9a-f]{12,}…?", "HASH", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def test_every_command_of_the_page_prints_what_the_page_says(tmp_path, inside):
    with SqliteStore(tmp_path / "errata.db") as store:
        filled(store).append("imported", None, BY)
    ran = 0
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
        for typed, said in re.findall(r"^\$ errata (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            command, _, file = typed.partition(" > ")
            done = inside(*shlex.split(command))
            assert done.code == 0, (typed, done.err)
            if file:
                (tmp_path / file).write_text(done.out)
            else:
                assert blurred(done.out) == blurred(said), typed
            ran += 1
    assert ran == 10


def test_everything_is_checked_without_the_store(kept, inside):
    for file in (*kept.glob("errata.db*"), kept / "key.pem"):
        file.rename(file.with_name(f"away-{file.name}"))
    for words in (
        ("entry.json",),
        ("entry.json", "--checkpoint", "kept.json"),
        ("entry.json", "--public-key", "key.pub"),
        ("growth.json", "--checkpoint", "kept.json", "--public-key", "key.pub"),
        ("kept.json", "--public-key", "key.pub"),
        ("at-8.json",),
    ):
        done = inside("log", "check-proof", *words)
        assert (done.code, f"{words[0]} holds." in done.out) == (0, True), (words, done.err)
    assert "Only a checkpoint that you kept" in inside("log", "check-proof", "at-8.json").err


def test_a_checkpoint_is_an_entry_by_whoever_made_it(folder, inside):
    done = inside("log", "checkpoint", "--author", "night job", "--ticket", "T-9", "--json")
    made = json.loads(done.out)
    assert (made["size"], "signature" in made, "entry 12" in done.err) == (11, False, True)
    with SqliteStore(folder / "errata.db") as store:
        head = EditLog(store).head
    assert head is not None
    assert (head.kind, head.by.author, head.by.ticket, head.details["root"]) == ("checkpointed", "night job", "T-9", made["root"])


def test_json_and_the_file_are_the_same(kept, inside):
    proof = json.loads(inside("log", "prove", 4, "--json").out)
    assert proof == json.loads((kept / "entry.json").read_text())
    growth = json.loads(inside("log", "consistent", 5, "kept.json", "--json").out)
    assert growth == json.loads((kept / "growth.json").read_text())


def test_a_key_is_readable_by_its_owner_alone_and_is_not_printed(kept, inside):
    assert stat.S_IMODE((kept / "key.pem").stat().st_mode) == 0o600
    assert "PRIVATE" not in (kept / "key.pub").read_text()
    before = (kept / "key.pem").read_bytes()
    done = inside("log", "key", "key.pem")
    assert (done.code, "never overwritten" in done.err, (kept / "key.pem").read_bytes() == before) == (2, True, True)


@pytest.mark.parametrize("signed_by", [("--public-key", "key.pub"), ()])
def test_verify_finds_a_rewritten_log_by_the_kept_checkpoint_only(kept, inside, signed_by):
    whole = inside("log", "verify", "--checkpoint", "kept.json", *signed_by)
    assert (whole.code, "The first 11 entries are those of kept.json." in whole.out) == (0, True)
    rewrite(kept)
    assert inside("log", "verify").code == 0
    done = inside("log", "verify", "--checkpoint", "kept.json", *signed_by)
    assert (done.code, done.out) == (2, "")
    assert "Entry 11 of the log doesn't verify" in done.err
    assert "one of them was rewritten" in done.err


def test_a_log_cut_short_is_named_with_the_first_entry_that_is_gone(kept, inside):
    with closing(sqlite3.connect(kept / "errata.db")) as database, database:
        database.execute("DELETE FROM entries WHERE seq > 8")
        database.execute("UPDATE branches SET seq = 8, hash = (SELECT hash FROM entries WHERE seq = 8)")
    assert inside("log", "verify").code == 0
    done = inside("log", "verify", "--checkpoint", "kept.json")
    assert (done.code, "Entry 9 of the log doesn't verify" in done.err, "cut off" in done.err) == (2, True, True)
    done = inside("log", "consistent", "kept.json", "8")
    assert (done.code, done.out, "Not proven: kept.json isn't a head of this log" in done.err) == (1, "", True)


def test_a_checkpoint_in_the_log_with_a_false_root_or_signature_is_found_by_verify(kept, inside):
    signed = json.loads((kept / "kept.json").read_text())
    with SqliteStore(kept / "errata.db") as store:
        true = Survey.of(EditLog(store)).head().to_json()
    for name, details, why in (
        ("root.db", signed | {"size": 12}, "its checkpoint isn't that of the entries before it"),
        ("signature.db", signed | true, "signature isn't that of its size and root"),
    ):
        shutil.copy(kept / "errata.db", kept / name)
        shutil.copytree(kept / "errata.db.blobs", kept / f"{name}.blobs")
        with SqliteStore(kept / name) as store:
            EditLog(store).append("checkpointed", None, BY, details=details)
        done = inside("log", "verify", "--store", name)
        assert (done.code, "Entry 13 of the log doesn't verify" in done.err, why in done.err) == (2, True, True)


def changed(folder: Path, name: str, *path: str | int, to: object) -> str:
    """A copy of a file with one value in it changed."""
    value = json.loads((folder / name).read_text())
    *way, last = path
    inner = value
    for step in way:
        inner = inner[step]
    inner[last] = to
    (folder / "changed.json").write_text(json.dumps(value))
    return "changed.json"


@pytest.mark.parametrize(
    ("name", "path", "to", "more", "said"),
    [
        ("entry.json", ("path", 0), "00" * 32, (), "doesn't lead to the checkpoint's root"),
        ("entry.json", ("entry", "body", "by", "author"), "eve", (), "doesn't have the hash"),
        ("entry.json", ("checkpoint", "root"), "00" * 32, (), "doesn't lead to"),
        ("entry.json", ("checkpoint", "signature"), "00" * 64, (), "signature isn't that of"),
        ("entry.json", ("path", 0), "00" * 32, ("--checkpoint", "kept.json"), "doesn't lead to"),
        ("growth.json", ("path", 0), "00" * 32, (), "nothing shows"),
        ("growth.json", ("first", "root"), "00" * 32, (), "nothing shows"),
        ("growth.json", ("first", "size"), 6, (), "nothing shows"),
        ("kept.json", ("size",), 12, (), "signature isn't that of"),
        ("kept.json", ("root",), "00" * 32, ("--checkpoint", "kept.json"), "isn't that of the kept checkpoint"),
    ],
)
def test_a_proof_that_does_not_hold_gets_a_sentence_and_exit_code_1(kept, inside, name, path, to, more, said):
    done = inside("log", "check-proof", changed(kept, name, *path, to=to), *more)
    assert (done.code, done.out) == (1, "")
    assert said in done.err


def test_a_signature_must_be_there_and_by_the_key(kept, inside):
    for words, said in (
        (("check-proof", "entry.json", "--public-key", "other.pub"), "not by"),
        (("check-proof", "at-8.json", "--public-key", "key.pub"), "isn't signed"),
        (("verify", "--public-key", "other.pub"), "no checkpoint is signed by that key"),
        (("verify", "--checkpoint", "kept.json", "--public-key", "other.pub"), "no checkpoint is signed by that key"),
    ):
        done = inside("log", *words)
        assert (done.code, said in done.err) == (1, True), words


def test_a_checkpoint_of_another_log_is_no_head_of_this_one(kept, inside):
    other = MemoryStore()
    EditLog(other).append("imported", None, BY)
    with SqliteStore(kept / "other.db") as store:
        filled(store)
    assert inside("log", "checkpoint", "--store", "other.db", "--out", "other.json").code == 0
    done = inside("log", "consistent", "5", "other.json")
    assert (done.code, "other.json isn't a head of this log: it isn't the first entry" in done.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("prove", "99"), "Entry 99 isn't among the 12"),
        (("prove", "0"), "not in the range x>=1"),
        (("prove", "four"), "not a valid int"),
        (("prove", "4", "--at", "99"), "There is no head over 99 entries"),
        (("prove", "9", "--at", "8"), "Entry 9 isn't among the 8"),
        (("prove", "12", "--checkpoint", "kept.json"), "Entry 12 isn't among the 11"),
        (("prove", "4", "--at", "8", "--checkpoint", "kept.json"), "Give one of them"),
        (("prove", "4", "--checkpoint", "entry.json"), "is a proof, not a checkpoint"),
        (("prove", "4", "--out", "kept.json"), "isn't overwritten"),
        (("prove", "4", "--out", "none/x.json"), "there is no folder none"),
        (("prove", "4", "--store", "none.db"), "There is no store at none.db"),
        (("checkpoint", "--sign", "none.pem"), "can't be read"),
        (("checkpoint", "--sign", "key.pub"), "holds no private key"),
        (("checkpoint", "--out", "kept.json"), "isn't overwritten"),
        (("checkpoint", "--branch", "trial"), "There is no branch named 'trial'"),
        (("consistent", "8", "5"), "Give the older one first"),
        (("consistent", "0", "5"), "There is no head over 0 entries"),
        (("consistent", "5", "none.json"), "none.json can't be read"),
        (("consistent", "growth.json", "12"), "is a proof, not a checkpoint"),
        (("check-proof", "none.json"), "can't be read"),
        (("check-proof", "."), "can't be read"),
        (("check-proof", "broken.json"), "isn't JSON"),
        (("check-proof", "deep.json"), "isn't JSON"),
        (("check-proof", "list.json"), "neither a checkpoint nor a proof"),
        (("check-proof", "errata.db"), "isn't JSON"),
        (("check-proof", "at-8.json", "--checkpoint", "kept.json"), "covers 11 entries"),
        (("check-proof", "entry.json", "--checkpoint", "broken.json"), "isn't JSON"),
        (("check-proof", "entry.json", "--public-key", "key.pem"), "holds a private key"),
        (("check-proof", "entry.json", "--public-key", "broken.json"), "holds no public key"),
        (("verify", "--checkpoint", "none.json"), "can't be read"),
        (("verify", "--public-key", "none.pub"), "can't be read"),
        (("key", "none/key.pem"), "No such file"),
    ],
)
def test_bad_input_gets_a_sentence_and_exit_code_2_and_changes_nothing(kept, inside, words, said):
    (kept / "broken.json").write_text('{"format": "errata-')
    (kept / "deep.json").write_text("[" * 100_000)
    (kept / "list.json").write_text("[]")
    before = {path: path.read_bytes() for path in kept.iterdir() if path.is_file()}
    done = inside("log", *words)
    assert (done.code, done.out) == (2, "")
    assert said in " ".join(done.err.split())
    assert {path: path.read_bytes() for path in kept.iterdir() if path.is_file()} == before


def test_an_unsigned_checkpoint_alone_proves_nothing(folder, inside):
    assert inside("log", "checkpoint", "--out", "kept.json").code == 0
    done = inside("log", "check-proof", "kept.json")
    assert (done.code, "isn't signed, so there is nothing in it to check" in done.err) == (1, True)


def test_a_proof_is_made_and_checked_in_a_process_of_its_own(folder):
    assert errata("log", "prove", 4, "--out", "entry.json", cwd=folder).code == 0
    done = errata("log", "check-proof", "entry.json", cwd=folder)
    assert (done.code, "entry.json holds." in done.out) == (0, True)
