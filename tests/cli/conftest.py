"""The program run inside the tests' own process, where torch is loaded once."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from errata.cli.app import main
from tests.cli.runs import Done


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path) -> Callable[..., Done]:
    """Run `errata WORDS` in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["errata", *map(str, words)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        printed = capsys.readouterr()
        return Done(int(stopped.value.code or 0), printed.out, printed.err)

    return run
