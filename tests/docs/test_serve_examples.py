"""The unit, the container and the pods of examples/serve start a server that exists, with options and settings that it has."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from fastapi.routing import APIRoute

from errata.cli.app import program
from errata.core.settings import VARIABLES
from errata.serve.routes import health
from errata.serve.running import WITHIN_S
from errata.serve.service import MAX_BODY
from tools.commands import commands, complaint

ROOT = Path(__file__).parent.parent.parent
UNIT = ROOT / "examples/serve/errata.service"
CONTAINER = ROOT / "examples/serve/Containerfile"
NGINX = ROOT / "examples/serve/nginx.conf"
KUBERNETES = ROOT / "examples/serve/kubernetes.yaml"
PAGE = ROOT / "docs/how-to/replicas.md"


@pytest.fixture(scope="module")
def known():
    return commands(program())


def service():
    """Key -> values of the unit's service, in their order."""
    found: dict[str, list[str]] = {}
    section = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            section = line
        elif section == "[Service]" and line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def instructions():
    """Instruction -> its arguments, in order; a line that ends with a backslash goes on."""
    text = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", CONTAINER.read_text(), flags=re.MULTILINE))
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def test_the_unit_starts_a_server_with_options_that_it_has(known):
    held = service()
    path, *words = shlex.split(held["ExecStart"][0])
    assert Path(path).name == "errata"
    assert complaint(shlex.join(["errata", *words]), known) is None
    variables = [line.partition("=")[0] for line in held["Environment"]]
    assert [name for name in variables if name.startswith("ERRATA_") and name not in VARIABLES.values()] == []
    assert int(held["TimeoutStopSec"][0]) > 10  # longer than a server takes to end what was begun
    assert held["KillSignal"] == ["SIGTERM"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd isn't here")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path):
    file = tmp_path / "errata.service"
    file.write_text(UNIT.read_text().replace("/usr/local/bin/errata", "/bin/true"))  # the program need not be installed
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(file)], capture_output=True, text=True, check=False)
    if "Failed to initialize manager" in done.stderr or "No such file or directory" in done.stderr:
        pytest.skip("systemd can't look at units here")
    assert (done.returncode, [line for line in done.stderr.splitlines() if "errata.service" in line]) == (0, [])


def test_the_container_starts_a_server_with_options_that_it_has(known):
    found = instructions()
    entry = [json.loads(rest) for name, rest in found if name in ("ENTRYPOINT", "CMD")]
    assert complaint(shlex.join([*entry[0], *entry[1]]), known) is None
    assert {name for name, _ in found} <= {
        "FROM", "RUN", "COPY", "USER", "WORKDIR", "VOLUME", "ENV", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD",
    }  # fmt: skip
    settled = dict(each.split("=", 1) for name, rest in found if name == "ENV" for each in rest.split())
    assert [name for name in settled if name.startswith("ERRATA_") and name not in VARIABLES.values()] == []
    assert next(rest for name, rest in found if name == "USER") != "root"
    assert next(rest for name, rest in found if name == "EXPOSE") in entry[1]
    asked = next(rest for name, rest in found if name == "HEALTHCHECK")
    ast.parse(json.loads(asked[asked.index("[") :])[-1])


def test_every_command_in_their_comments_can_be_typed(known):
    lines = [line.removeprefix("#").strip() for file in (UNIT, CONTAINER) for line in file.read_text().splitlines()]
    assert [line for line in lines if line.startswith("errata ") and complaint(line, known)] == []


def manifest(kind: str) -> dict:
    return next(one for one in yaml.safe_load_all(KUBERNETES.read_text()) if one["kind"] == kind)


def test_the_pods_run_a_server_with_options_and_settings_that_it_has_and_are_asked_at_routes_that_there_are(known):
    (container,) = manifest("Deployment")["spec"]["template"]["spec"]["containers"]
    assert complaint(shlex.join(container["command"]), known) is None
    named = {one["name"] for one in container["env"]}
    assert {name for name in named if name.startswith("ERRATA_")} <= set(VARIABLES.values())
    assert {"POD_IP", "ERRATA_STORE"} <= named
    assert f"http://$(POD_IP):{container['ports'][0]['containerPort']}" in container["command"]
    routes = {route.path for route in health.router.routes if isinstance(route, APIRoute)}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["path"] in routes
        assert asked["port"] == container["ports"][0]["containerPort"]
    assert manifest("Deployment")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > WITHIN_S
    assert manifest("Service")["spec"]["selector"] == manifest("Deployment")["spec"]["selector"]["matchLabels"]
    secret = {one["valueFrom"]["secretKeyRef"]["key"] for one in container["env"] if "secretKeyRef" in one.get("valueFrom", {})}
    assert {f"--from-literal={key}=" in PAGE.read_text() for key in secret} == {True}


def test_the_router_lets_through_what_a_server_takes():
    held = NGINX.read_text()
    assert f"client_max_body_size {MAX_BODY // 2**20}m;" in held
    assert "proxy_buffering off;" in held
    assert "non_idempotent" not in held, "a change that was sent isn't sent again"
    assert held.count("{") == held.count("}")


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx isn't here")
def test_nginx_finds_nothing_wrong_with_the_router(tmp_path):
    (tmp_path / "whole.conf").write_text(
        f"events {{}}\nhttp {{ include {NGINX}; }}\npid {tmp_path}/pid;\nerror_log {tmp_path}/log;\n"
    )
    done = subprocess.run(["nginx", "-t", "-p", str(tmp_path), "-c", "whole.conf"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
