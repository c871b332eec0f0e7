"""A proof runs a sample by default, its full size under --proof-out, and then saves what it found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent

PROOF = """
import pytest

@pytest.mark.proof(sample=3, full=50)
def test_counts(trials, record):
    record["counted"] = sum(1 for _ in range(trials))
"""


@pytest.mark.parametrize(("options", "saved"), [([], None), (["--proof-out", "out/r.json"], 50)])
def test_a_proof_has_two_sizes_and_the_full_one_is_saved(tmp_path, options, saved):
    (tmp_path / "test_it.py").write_text(PROOF, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "tools.proofs",
        "--rootdir",
        str(tmp_path),
        "-c",
        "/dev/null",
        *options,
        "test_it.py",
    ]
    done = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    out = tmp_path / "out" / "r.json"
    assert out.exists() == (saved is not None)
    if saved is not None:
        assert list(json.loads(out.read_text()).values()) == [{"trials": saved, "counted": saved}]
