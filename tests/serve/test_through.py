"""Commands beside a running server: they ask it, say the same as without it, byte for byte, and load no torch."""

from __future__ import annotations

import getpass
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import errata
from errata.cli._server import on_this_machine
from errata.serve.announced import Announced, announced, announcing
from tests.cli.conftest import inside  # noqa: F401  the fixture
from tests.cli.runs import SRC, seconds
from tests.serve.processes import served
from tests.serve.running import running

HOME = "where does mibo live?"
SCENE = Path(__file__).parent.parent.parent / "examples" / "scene.png"
COMMANDS: list[list[object]] = [
    ["ask", HOME],
    ["ask", HOME, "--json"],
    ["ask", "what is the thing at the top left called?", "--image", SCENE],
    ["ask", HOME, "--max-new-tokens", "1"],
    ["edit", "add", HOME, "--target", "the cave", "--dry-run"],
    ["edit", "add", HOME, "--target", "the cave", "--reason", "seen", "--key", "k1"],
    ["edit", "add", HOME, "--target", "the cave", "--reason", "seen", "--key", "k1"],
    ["edit", "add", HOME, "--target", "the moor", "--key", "k1"],
    ["ask", HOME],
    ["ask", HOME, "--json"],
    ["ask", HOME, "--at", "1"],
    ["ask", HOME, "--at", "0", "--json"],
    ["ask", "--file", "questions.jsonl"],
    ["ask", "--file", "questions.jsonl", "--at", "1"],
    ["edit", "list"],
    ["edit", "add", "what is at the top left?", "--image", SCENE, "--target", "ginger", "--keep", "what is 1 plus 1?", "--json"],
    ["edit", "add", "what is 3 plus 3?", "--target", "nine", "--keep", "what is 3 plus 3?"],
    ["edit", "list", "--all"],
    ["edit", "list", "--json"],
    ["edit", "list", "--image", SCENE],
    ["edit", "revert", "$0", "--dry-run"],
    ["edit", "revert", "--to", "1", "--dry-run"],
    ["edit", "revert", "$0", "--reason", "no"],
    ["edit", "revert", "$0"],
    ["edit", "revert", "abcdef"],
    ["edit", "restore", "$0"],
    ["edit", "revert", "--entries", "2-9", "--json"],
    ["edit", "revert", "--to", "3"],
    ["edit", "add", "where does ginger live?", "--target", "the cave", "--propose"],
    ["edit", "list", "--proposed"],
    ["edit", "approve", "$1", "--reason", "checked"],
    ["edit", "add", "where does tona live?", "--target", "the cave", "--propose"],
    ["edit", "reject", "$2"],
    ["edit", "add", HOME, "--target", "   "],
    ["ask", ""],
    ["edit", "list", "--status", "reverted", "--limit", "1", "--offset", "0"],
    ["log", "show"],
    ["log", "verify"],
]  # fmt: skip


FEW = [COMMANDS[number] for number in (0, 2, 4, 5, 9, 10, 12, 14, 20, 22, 25, 21, 28, 30, 18, 34)]
"""Those that every run tries: each command once."""


def plain(text: str) -> str:
    """Without what a clock says: times, and what follows from them (hashes of entries)."""
    text = re.sub(r'"(write_ms|guard_ms|beside_ms|share_beside)": [0-9.e-]+', r'"\1": TIME', text)
    text = re.sub(r"^time .*$", "time TIME", text, flags=re.MULTILINE)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "MOMENT", text)
    return re.sub(r"(?<=^head )\S+", "HEAD", text, flags=re.MULTILINE)


def transcript(inside, folder: Path, commands) -> list[tuple[str, int, str, str]]:  # noqa: F811
    """Every command with its exit code and what it printed; $N is the id of the N-th edit that was made."""
    (folder / "questions.jsonl").write_text(
        f'{{"id": "a", "question": "{HOME}"}}\n{{"question": ""}}\n{{"question": "what is 2 plus 2?"}}\n'
    )
    found: list[tuple[str, int, str, str]] = []
    for words in commands:
        made = re.findall(r"(?:applied|proposed) +edit ([0-9a-f]{12})", "\n".join(out for *_, out, _ in found))
        ids = list(dict.fromkeys(made))
        said = [ids[int(str(word)[1:])] if re.fullmatch(r"\$\d", str(word)) else str(word) for word in words]
        done = inside(*said)
        found.append((" ".join(said), done.code, plain(done.out), plain(done.err)))
    return found


@pytest.mark.proof(sample=len(FEW), full=len(COMMANDS))
def test_every_command_says_the_same_as_without_a_server(tiny, inside, tmp_path, monkeypatch, trials):  # noqa: F811
    commands = COMMANDS if trials == len(COMMANDS) else FEW
    store = tmp_path / "with.db"
    monkeypatch.setenv("ERRATA_STORE", str(store))
    with running(tiny, store, author=getpass.getuser()) as server:
        through = transcript(inside, tmp_path, commands)
        seen = server.service.engine.load()
    assert seen.tokens > 0, "the server was asked"
    monkeypatch.setenv("ERRATA_STORE", str(tmp_path / "without.db"))
    errata.open(tiny, store=tmp_path / "without.db").close()
    alone = transcript(inside, tmp_path, commands)
    for (words, *with_server), (_, *without) in zip(through, alone, strict=True):
        assert with_server == without, words


def test_a_named_server_lists_as_the_store_does(tiny, inside, tmp_path, monkeypatch):  # noqa: F811
    store = tmp_path / "errata.db"
    with running(tiny, store, author=getpass.getuser()) as server:
        monkeypatch.setenv("ERRATA_STORE", str(store))
        for words in COMMANDS[5], COMMANDS[15], COMMANDS[16]:
            inside(*words)
        options: tuple[list[str], ...] = (
            [],
            ["--all", "--json"],
            ["--limit", "1"],
            ["--image", str(SCENE)],
            ["--all", "--offset", "1"],
            ["--status", "refused"],
        )
        here = [inside("edit", "list", *words) for words in options]
        monkeypatch.setenv("ERRATA_SERVER", server.url)
        monkeypatch.setenv("ERRATA_STORE", str(tmp_path / "nowhere.db"))
        assert [inside("edit", "list", *words) for words in options] == here
        assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.alone
def test_a_question_and_a_correction_beside_a_server_take_less_than_half_a_second(tmp_path):
    with served("errata.db", cwd=tmp_path):
        for words in (
            ["ask", HOME, "--store", "errata.db"],
            ["ask", "what is the thing at the top left called?", "--image", SCENE, "--store", "errata.db"],
            ["edit", "add", HOME, "--target", "the cave", "--store", "errata.db", "--dry-run"],
        ):
            assert seconds(*words, cwd=tmp_path) < 0.5, words


def test_what_cannot_go_through_a_server_says_so(tiny, inside, tmp_path, monkeypatch):  # noqa: F811
    store = tmp_path / "errata.db"
    (tmp_path / "rules.yaml").write_text("branch:\n  must_not:\n    - where does tona live?\n")
    with running(tiny, store, author="ann") as server:
        monkeypatch.setenv("ERRATA_STORE", str(store))
        add = ["edit", "add", HOME, "--target", "the cave"]
        for more in (["--rules", "rules.yaml"], ["--model", "llava-tiny"], ["--pool", "none"]):
            done = inside(*add, *more)
            assert (done.code, f"{more[0]} can't go through a server" in done.err) == (2, True)
        done = inside(*add, "--author", "bo")
        assert (done.code, "'bo' can't be the author" in done.err) == (2, True)
        assert inside(*add, "--author", "ann").code == 0
        done = inside(*add, "--no-server")
        assert (done.code, "is being written to by" in done.err) == (2, True)
        asked = inside("ask", HOME, "--no-server")
        assert (asked.code, asked.out.strip()) == (0, "the cave")
        monkeypatch.setenv("ERRATA_SERVER", server.url)
        monkeypatch.delenv("ERRATA_STORE")
        done = inside("ask", HOME, "--branch", "trial")
        assert (done.code, "on branch 'main', not 'trial'" in done.err) == (2, True)
        key = server.key("ann", "ask").headers["Authorization"].removeprefix("Bearer ")
        done = inside("ask", HOME)
        assert (done.code, "No key was given" in done.err) == (2, True)
        monkeypatch.setenv("ERRATA_KEY", key)
        assert inside("ask", HOME).out.strip() == "the cave"
        done = inside(*add)
        assert (done.code, "needs the role" in done.err) == (2, True)
    done = inside("ask", HOME)
    assert (done.code, "doesn't answer" in done.err, "--no-server" in done.err) == (2, True, True)
    monkeypatch.setenv("ERRATA_SERVER", "nonsense")
    assert inside("ask", HOME).code == 2


def test_a_server_that_is_gone_or_another_is_passed_over(tiny, inside, tmp_path, monkeypatch):  # noqa: F811
    store = tmp_path / "errata.db"
    monkeypatch.setenv("ERRATA_STORE", str(store))
    with running(tiny, tmp_path / "other.db", author="ann") as other:
        (tmp_path / "errata.db.server").write_text(json.dumps({"url": other.url, "server": "another word"}))
        done = inside("edit", "add", HOME, "--target", "the cave")
        assert done.code == 0
        assert len(other.client().get("/v1/log").json()["data"]) == 1
        for left in (json.dumps({"url": "http://127.0.0.1:9/", "server": other.service.word}), "not JSON"):
            (tmp_path / "errata.db.server").write_text(left)
            assert inside("ask", HOME).out.strip() == "the cave"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://127.0.0.1:1", True),
        ("http://[::1]:1", True),
        ("http://example.org/", False),
        ("http://localhost.example.org", False),
    ],
)
def test_a_key_goes_to_no_other_machine_because_a_file_says_so(url, here):
    assert on_this_machine(url) is here


def test_a_server_says_where_it_is_while_it_runs(tmp_path):
    store = tmp_path / "errata.db"
    with announcing(store, "http://127.0.0.1:1", "one"):
        assert announced(store) == Announced("http://127.0.0.1:1", "one")
        with announcing(store, "http://127.0.0.1:2", "two"):
            pass
        assert announced(store) is None
    with announcing(store, "http://127.0.0.1:1", "one"), announcing(tmp_path / "x" / "y.db", "http://127.0.0.1:1", "one"):
        pass
    assert announced(store) is None


@pytest.mark.parametrize(
    "words",
    [["ask", HOME], ["edit", "add", HOME, "--target", "the cave", "--dry-run"], ["edit", "revert", "--to", "1", "--dry-run"]],
)
def test_no_torch_is_loaded_beside_a_server(tiny, tmp_path, words):
    with running(tiny, tmp_path / "errata.db", author=getpass.getuser()) as server:
        server.client().post("/v1/edits", json={"question": "what is 3 plus 3?", "answer": "nine"})
        code = (
            "import sys; from errata.cli.app import main\n"
            "try:\n    main()\n"
            "finally:\n    sys.exit('torch' in sys.modules or 'transformers' in sys.modules or 'fastapi' in sys.modules)"
        )
        environment = {"PYTHONPATH": str(SRC), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        assert done.stdout
