"""One test, two sizes: a small seeded sample in every test run, the long proof with saved results under `--proof-out`.

A test marked `@pytest.mark.proof(sample=20, full=2000)` takes the fixture `trials` (how many to run) and may take `record`, a
mapping that it fills with what it found. `make proof` runs the marked tests alone, at full size, and saves an entry for each.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

Record = dict[str, float | int | str | bool | None]
"""What one proof found."""

_saved: pytest.StashKey[dict[str, Record]] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--proof-out", type=Path, default=None, help="run proofs at full size and save what they found in this JSON file"
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "proof(sample, full): a proof of `sample` trials, or of `full` with --proof-out")
    config.stash[_saved] = {}


@pytest.fixture
def trials(request: pytest.FixtureRequest) -> int:
    """How many trials this run of a proof makes."""
    marker = request.node.get_closest_marker("proof")
    assert marker is not None, "only a test marked proof(sample=..., full=...) has trials"
    sizes: dict[str, int] = marker.kwargs
    return sizes["full"] if request.config.getoption("--proof-out") else sizes["sample"]


@pytest.fixture
def record(request: pytest.FixtureRequest, trials: int) -> Iterator[Record]:
    """What this proof found, saved with the others when the run ends."""
    found: Record = {"trials": trials}
    yield found
    request.config.stash[_saved][request.node.nodeid] = found


def pytest_sessionfinish(session: pytest.Session) -> None:
    out: Path | None = session.config.getoption("--proof-out")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(session.config.stash[_saved], indent=2, sort_keys=True) + "\n", encoding="utf-8")
