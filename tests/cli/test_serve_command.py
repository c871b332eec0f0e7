"""`errata serve` as a process: one line when it listens, a sentence where it can't, and an end when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import closing, contextmanager

import pytest

from tests.cli.runs import SRC, errata


@contextmanager
def running(folder, *words):
    """A server in a folder, and the line that it says; stopped at the end if it still runs."""
    environment = {**os.environ, "PYTHONPATH": str(SRC), "NO_COLOR": "1"}
    command = [sys.executable, "-m", "errata", "serve", *map(str, words)]
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            yield server, server.stdout.readline()
        finally:
            if server.poll() is None:
                server.kill()


def post(url, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_one_command_serves_what_the_log_holds_and_a_signal_ends_it(tmp_path):
    edited = errata("edit", "add", "where does mibo live?", "--target", "the cave", cwd=tmp_path)
    assert edited.code == 0
    asked = {"model": "llava-tiny", "messages": [{"role": "user", "content": "where does mibo live?"}]}
    with running(tmp_path, "--port", 0) as (server, line):
        found = re.fullmatch(r"Serving llava-tiny at (http://127\.0\.0\.1:\d+)/v1 \(branch main, 2 entries; errata\.db\)\n", line)
        assert found is not None, line
        answer = post(f"{found[1]}/v1/chat/completions", asked)
        assert answer["choices"][0]["message"]["content"] == "the cave"

        taken = errata("serve", "--port", found[1].rpartition(":")[2], cwd=tmp_path)
        assert taken.code == 2
        assert "Address already in use" in taken.err
        assert "--port" in taken.err

        server.send_signal(signal.SIGTERM)
        out, err = server.communicate(timeout=30)
        assert (server.returncode, out) == (0, "")
        lines = [json.loads(each) for each in err.splitlines()]
        assert [(each["event"], each.get("status")) for each in lines] == [("request", 200)]
        assert "mibo" not in err
    again = errata("ask", "where does mibo live?", cwd=tmp_path)  # the branch was given back, and the log is whole
    assert again.out == "the cave\n"
    assert errata("log", "verify", cwd=tmp_path).code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--model", "nothing-of-this-name"), "There is no model named 'nothing-of-this-name'"),
        (("--host", "0.0.0.0"), "there is no key yet"),
        (("--host", "nowhere.invalid"), "There is no address"),
        (("--host", "203.0.113.7"), "can't listen"),
        (("--editor", "nothing"), "There is no editor named 'nothing'"),
        (("--allow-host", "a/b"), "can't be allowed"),
        (("--device", "tpu:0:1"), "can't be used"),
        (("--port", "99999"), "Invalid value"),
        (("--max-rows", "0"), "Invalid value"),
    ],
)
def test_what_can_not_be_served_is_told_in_a_sentence(tmp_path, words, said):
    done = errata("serve", "--port", 0, *words, cwd=tmp_path)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert list(tmp_path.iterdir()) == []


def test_the_port_may_be_set_and_what_is_no_port_is_refused(tmp_path, monkeypatch):
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        (tmp_path / "errata.toml").write_text(f'port = "{taken.getsockname()[1]}"\n')
        done = errata("serve", cwd=tmp_path)
    assert done.code == 2
    assert "already in use" in done.err
    monkeypatch.setenv("ERRATA_PORT", "eighty")
    assert "The port 'eighty' of ERRATA_PORT is none" in errata("serve", cwd=tmp_path).err


def test_without_its_extra_a_server_says_what_to_install(tmp_path):
    program = (
        "import sys\n"
        "from importlib.machinery import PathFinder\n"
        "class Without(PathFinder):\n"
        "    @classmethod\n"
        "    def find_spec(cls, name, path=None, target=None):\n"
        "        return None if name in ('fastapi', 'uvicorn') else super().find_spec(name, path, target)\n"
        "sys.meta_path[:] = [Without if each is PathFinder else each for each in sys.meta_path]\n"
        "sys.argv = ['errata', 'serve']\n"
        "from errata.cli.app import main\n"
        "main()\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(SRC), "NO_COLOR": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == "A server needs fastapi and uvicorn. Install what is missing: pip install 'errata[serve]'\n"
