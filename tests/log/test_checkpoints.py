"""A checkpoint that a third party keeps finds out every rewriting; a proof is checked without the store."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from errata.core.canonical import canonical
from errata.core.errors import BadInput, LogError, Tampered
from errata.log import EditLog, MemoryStore, SqliteStore
from errata.log.checkpoint import Checkpoint, Consistency, Inclusion, from_json, leaf_of
from errata.log.entry import hash_of
from errata.log.merkle import Tree, leaf_hash, node_hash
from errata.log.signing import SigningKey, make_key, read_key, read_public_key, sign
from errata.log.survey import Survey, checkpoint
from tests.log.worlds import BY, filled, words

KEY = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(range(1, 33)))


@pytest.fixture
def log() -> EditLog:
    """Eleven entries."""
    return filled(MemoryStore())


def rewritten(log: EditLog, seq: int, old: bytes, new: bytes) -> EditLog:
    """The log with one body changed and every hash after it made to fit."""
    store, previous = MemoryStore(), ""
    for row in log.store.rows(log.branch):
        body = row.body.replace(old, new) if row.seq == seq else row.body
        row = replace(row, body=body, previous=previous)
        row = replace(row, hash=hash_of(row))
        store.append(row)
        previous = row.hash
    for blob in {digest for entry in log.entries() for digest in entry.image_digests()}:
        store.blobs.put(log.image(blob).data)
    return EditLog(store, log.branch)


def test_a_checkpoint_covers_every_entry_before_its_own_and_is_made_of_their_canonical_json(log):
    leaves = [leaf_hash(canonical(entry.to_json())) for entry in log.entries(1, 4)]
    short = filled(MemoryStore(), 0)
    made = checkpoint(short, BY)
    assert (made.entry.seq, made.entry.kind, made.checkpoint.size) == (2, "checkpointed", 1)
    assert made.checkpoint.root == leaf_hash(canonical(next(short.entries()).to_json()))
    assert Survey.of(log).head(3).root == node_hash(node_hash(leaves[0], leaves[1]), leaves[2])


def test_a_checkpoint_says_its_log_size_and_root_in_three_lines(log):
    (first, *_) = log.entries()
    made = checkpoint(log, BY, key=KEY).checkpoint
    origin, size, root = made.note.decode().removesuffix("\n").split("\n")
    assert (origin, size, len(root)) == (f"errata/main/{first.hash}", "11", 44)
    public = Ed25519PrivateKey.from_private_bytes(KEY.secret).public_key()
    assert made.signature is not None
    public.verify(made.signature.value, made.note)  # by the library alone
    assert made.signature.public_key == public.public_bytes_raw()


def test_checkpoints_in_the_log_are_checked_whenever_it_is_surveyed(log):
    for _ in range(3):
        checkpoint(log, BY, key=KEY)
        log.append("imported", None, BY)
    survey = Survey.of(log)
    assert list(survey.recorded) == [11, 13, 15]
    survey.check_signatures()
    assert log.verify() == 17


@pytest.mark.parametrize(
    ("seq", "named", "why"), [(1, 1, "isn't the first entry"), (5, 11, "was rewritten"), (11, 11, "was rewritten")]
)
def test_a_log_rewritten_with_all_hashes_made_to_fit_is_found_by_the_checkpoint_in_it_and_by_a_kept_one(log, seq, named, why):
    kept = checkpoint(log, BY).checkpoint
    forged = rewritten(log, seq, b"ada", b"eve")
    assert forged.verify() == 12  # every hash fits
    with pytest.raises(Tampered, match="checkpoint isn't that of the entries before it") as error:
        Survey.of(forged)
    assert error.value.seq == 12
    with pytest.raises(Tampered, match=why) as error:
        Survey.of(forged.at(11)).check(kept)
    assert error.value.seq == named


def test_a_log_cut_short_is_found_against_a_kept_checkpoint_and_a_grown_one_is_not(log):
    kept = checkpoint(log, BY).checkpoint
    log.append("imported", None, BY)
    Survey.of(log).check(kept)
    with pytest.raises(Tampered, match="ends at entry 8, and the kept checkpoint covers 11") as error:
        Survey.of(log.at(8)).check(kept)
    assert error.value.seq == 9
    trial = EditLog(log.store, "trial")
    trial.append("imported", None, BY)
    with pytest.raises(BadInput, match="--branch"):
        Survey.of(trial).check(kept)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"size": 9}, "covers 9 entries, but 11 are before it"),
        ({"root": "00" * 32}, "isn't that of the entries before it"),
        ({"origin": f"errata/main/{'0' * 64}"}, "isn't that of the entries before it"),
        ({"root": "none"}, "can't be read"),
        ({"signature": "00" * 64, "public_key": sign(KEY, b"").public_key.hex()}, "signature isn't that of"),
    ],
)
def test_a_false_checkpoint_in_the_log_is_found_with_its_entry(log, change, why):
    log.append("checkpointed", None, BY, details={**Survey.of(log).head().to_json(), **change})
    with pytest.raises(Tampered, match=why) as error:
        Survey.of(log).check_signatures()
    assert error.value.seq == 12


def test_checkpoints_made_at_once_by_several_writers_are_each_true(tmp_path: Path):
    with SqliteStore(tmp_path / "errata.db") as store:
        filled(store)
        start = Barrier(4)

        def write(number: int) -> None:
            log = EditLog(store)
            start.wait()
            for _ in range(5):
                log.append("imported", None, BY) if number % 2 else checkpoint(log, BY)

        with ThreadPoolExecutor(4) as threads:
            list(threads.map(write, range(4)))
        survey = Survey.of(EditLog(store))
        assert (survey.tree.size, len(survey.recorded)) == (31, 10)


def test_an_empty_log_has_nothing_to_prove():
    with pytest.raises(BadInput, match="no entry yet"):
        checkpoint(EditLog(MemoryStore()), BY)


def test_every_entry_is_proved_for_every_head_and_checked_from_the_json_alone(log):
    checkpoint(log, BY)
    survey = Survey.of(log)
    for size in range(1, 13):
        for seq in range(1, size + 1):
            proof = from_json(json.loads(json.dumps(survey.inclusion(seq, survey.head(size)).to_json())))
            assert isinstance(proof, Inclusion)
            assert (proof.fault(), proof.entry.seq) == ("", seq)
        for first in range(1, size + 1):
            growth = from_json(json.loads(json.dumps(survey.consistency(survey.head(first), survey.head(size)).to_json())))
            assert isinstance(growth, Consistency)
            assert growth.fault() == ""


def test_the_newest_checkpoint_that_covers_an_entry_is_taken_with_its_signature(log):
    old = checkpoint(log, BY, key=KEY).checkpoint
    survey = Survey.of(log)
    assert survey.newest(4) == survey.head(11) == old
    assert survey.newest(12).size == 12
    assert survey.newest(12).signature is None


def flip(value: str) -> str:
    return value[:-1] + ("0" if value[-1] != "0" else "1")


TAMPERED: dict[str, Callable[[dict[str, Any]], object]] = {
    "author": lambda proof: proof["entry"]["body"]["by"].update(author="eve"),
    "time": lambda proof: proof["entry"].update(time=flip(proof["entry"]["time"])),
    "kind": lambda proof: proof["entry"].update(kind="refused"),
    "hash": lambda proof: proof["entry"].update(hash=flip(proof["entry"]["hash"])),
    "previous": lambda proof: proof["entry"].update(previous=flip(proof["entry"]["previous"])),
    "branch": lambda proof: proof["entry"].update(branch="trial"),
    "checkpoint's branch": lambda proof: proof["checkpoint"].update(origin=proof["checkpoint"]["origin"].replace("main", "trial")),
    "number": lambda proof: (proof["entry"].update(seq=5), proof.update(index=4)),
    "beyond": lambda proof: (proof["entry"].update(seq=12), proof.update(index=11)),
    "path": lambda proof: proof["path"].__setitem__(1, flip(proof["path"][1])),
    "path cut": lambda proof: proof["path"].pop(),
    "path longer": lambda proof: proof["path"].append("00" * 32),
    "root": lambda proof: proof["checkpoint"].update(root=flip(proof["checkpoint"]["root"])),
    "not a number": lambda proof: proof["entry"]["body"]["details"].update(x=float("nan")),
    "half a character": lambda proof: proof["entry"]["body"]["by"].update(author="\ud800"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_a_tampered_proof_of_inclusion_does_not_hold(log, what):
    survey = Survey.of(log)
    proof = survey.inclusion(4, survey.head()).to_json()
    changed = json.loads(json.dumps(proof))
    TAMPERED[what](changed)
    assert changed != proof
    assert Inclusion.from_json(changed).fault() != ""


def test_a_rewritten_entry_with_its_hash_made_to_fit_is_not_proved_by_the_old_path(log):
    survey = Survey.of(log)
    forged = Survey.of(rewritten(log, 4, b"ada", b"eve"))
    proof = replace(forged.inclusion(4, forged.head()), path=survey.inclusion(4, survey.head()).path)
    assert "doesn't lead to" in replace(proof, checkpoint=survey.head()).fault()


def test_an_entry_that_does_not_have_the_hash_it_carries_is_not_proved_even_by_a_tree_made_over_it(log):
    forged = [replace(entry, hash="0" * 64) if entry.seq == 4 else entry for entry in log.entries()]
    tree = Tree()
    for entry in forged:
        tree.add(leaf_of(entry))
    made = replace(Survey.of(log).head(), root=tree.root())
    assert "doesn't have the hash" in Inclusion(made, forged[3], tree.path(3, 11)).fault()
    assert Inclusion(made, forged[5], tree.path(5, 11)).fault() == ""


def test_heads_of_two_logs_or_of_a_rewritten_one_are_not_consistent(log):
    survey, forged = Survey.of(log), Survey.of(rewritten(log, 4, b"ada", b"eve"))
    path = survey.consistency(survey.head(5), survey.head()).path
    assert Consistency(survey.head(5), survey.head(), path).fault() == ""
    for first, second in ((forged.head(5), survey.head()), (survey.head(5), forged.head()), (survey.head(), survey.head(5))):
        assert "nothing shows" in Consistency(first, second, path).fault()
    assert Consistency(survey.head(3), forged.head(3), ()).fault() == ""  # entry 4 was not yet there
    other = Survey.of(filled(MemoryStore()))
    other.log.append("applied", words(1), BY)
    moved = replace(other.head(5), origin=f"errata/main/{'0' * 64}")
    assert "two logs" in Consistency(moved, survey.head(), path).fault()
    with pytest.raises(BadInput, match="older one first"):
        survey.consistency(survey.head(), survey.head(5))


def test_a_signature_holds_for_its_key_and_its_checkpoint_only(log):
    made = checkpoint(log, BY, key=KEY).checkpoint
    mine, other = sign(KEY, b"").public_key, sign(OTHER, b"").public_key
    assert made.signature_fault() == made.signature_fault(mine) == ""
    assert "not by" in made.signature_fault(other)
    assert "isn't signed" in replace(made, signature=None).signature_fault(mine)
    for changed in (replace(made, size=10), replace(made, root=bytes(32)), replace(made, origin=f"errata/main/{'0' * 64}")):
        assert "isn't that of" in changed.signature_fault()
    assert made.signature is not None
    assert "isn't that of" in replace(made, signature=replace(made.signature, public_key=other)).signature_fault()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": "errata-checkpoint-9"}, "neither"),
        ({"format": ["errata-checkpoint-1"]}, "neither"),
        ({"format": "errata-inclusion-1"}, "entry"),
        ({"format": "errata-consistency-1"}, "a checkpoint"),
        ({"origin": "main"}, "origin"),
        ({"origin": None}, "origin"),
        ({"size": 0}, "size"),
        ({"size": True}, "size"),
        ({"size": 1 << 63}, "size"),
        ({"size": "11"}, "size"),
        ({"root": "00"}, "root"),
        ({"root": "G" * 64}, "root"),
        ({"signature": "00" * 64}, "public_key"),
        ({"public_key": "00" * 32}, "signature"),
    ],
)
def test_json_that_is_no_checkpoint_is_refused_with_a_sentence(log, change, said):
    with pytest.raises(BadInput, match=said):
        from_json({**Survey.of(log).head().to_json(), **change})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"index": 4}, "index"),
        ({"path": "00"}, "path"),
        ({"path": ["00"]}, "path"),
        ({"path": ["00" * 32] * 129}, "path"),
        ({"entry": {}}, "entry"),
        ({"entry": None}, "entry"),
        ({"checkpoint": {}}, "checkpoint"),
    ],
)
def test_json_that_is_no_proof_is_refused_with_a_sentence(log, change, said):
    survey = Survey.of(log)
    with pytest.raises(BadInput, match=said):
        from_json({**survey.inclusion(4, survey.head()).to_json(), **change})


@pytest.mark.parametrize("value", [None, [], "errata-checkpoint-1", 7])
def test_json_that_is_no_object_is_refused_with_a_sentence(value):
    for read in (from_json, Checkpoint.from_json, Inclusion.from_json, Consistency.from_json):
        with pytest.raises(BadInput):
            read(value)


def test_an_entry_of_a_later_version_is_not_called_tampering(log):
    survey = Survey.of(log)
    proof: dict[str, Any] = survey.inclusion(4, survey.head()).to_json()
    with pytest.raises(LogError, match="Upgrade errata"):
        from_json({**proof, "entry": {**proof["entry"], "kind": "transcended"}})


def test_a_key_is_its_owners_alone_is_read_back_and_is_never_overwritten(tmp_path: Path):
    file = tmp_path / "key.pem"
    public = make_key(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    (tmp_path / "key.pub").write_text(public)
    key = read_key(file)
    assert sign(key, b"x").public_key == read_public_key(tmp_path / "key.pub")
    assert key.secret.hex() not in repr(key)
    before = file.read_bytes()
    with pytest.raises(BadInput, match="never overwritten"):
        make_key(file)
    assert file.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        make_key(tmp_path / "nowhere" / "key.pem")


def pem(private: Any, *, password: bytes | None = None) -> bytes:
    how = serialization.NoEncryption() if password is None else serialization.BestAvailableEncryption(password)
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def public_pem(private: Any) -> bytes:
    return private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("data", "said", "said_of_public"),
    [
        (b"", "no private key", "no public key"),
        (b"not a key at all", "no private key", "no public key"),
        (b"\xff" * 100, "no private key", "no public key"),
        (b"x" * (1 << 17), "too large", "too large"),
        (pem(generate_private_key(SECP256R1())), "isn't an Ed25519 key", "holds a private key"),
        (public_pem(generate_private_key(SECP256R1())), "no private key", "isn't an Ed25519 key"),
        (pem(Ed25519PrivateKey.generate(), password=b"x"), "encrypted", "holds a private key"),
        (None, "can't be read", "can't be read"),
    ],
    ids=("empty", "words", "bytes", "large", "another kind", "another kind of public key", "encrypted", "missing"),
)
def test_a_file_that_holds_no_key_is_refused_with_a_sentence(tmp_path: Path, data: bytes | None, said: str, said_of_public: str):
    file = tmp_path / "key.pem"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(BadInput, match=said):
        read_key(file)
    with pytest.raises(BadInput, match=said_of_public):
        read_public_key(file)


def test_a_third_party_can_check_everything_with_a_hash_function_and_the_public_key(log):
    """Written out once without a line of errata's own: what the page for auditors promises."""
    made = checkpoint(log, BY, key=KEY).checkpoint
    survey = Survey.of(log)
    proof = json.loads(json.dumps(survey.inclusion(4, made).to_json()))
    entry = json.dumps(proof["entry"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    node, last, found = proof["index"], proof["checkpoint"]["size"] - 1, sha256(b"\x00" + entry).digest()
    for beside in map(bytes.fromhex, proof["path"]):
        if node % 2 or node == last:
            found = sha256(b"\x01" + beside + found).digest()
            while node % 2 == 0 and node:
                node, last = node // 2, last // 2
        else:
            found = sha256(b"\x01" + found + beside).digest()
        node, last = node // 2, last // 2
    assert found.hex() == proof["checkpoint"]["root"]
    signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(proof["checkpoint"]["public_key"]))
    signer.verify(bytes.fromhex(proof["checkpoint"]["signature"]), made.note)
