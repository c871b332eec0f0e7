"""Ray Serve's replicas on one log answer as one, while the one that writes is killed and Ray puts another in its place.

Ray comes with errata[ray], which isn't among what tests need: skipped without. Its replicas are processes of this machine here.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest
import yaml

from errata.serve.keys.opening import open_keys
from errata.serve.ports import bound
from tests.cli.runs import SRC
from tests.log.servers import ask, database
from tests.serve.replicas.crowd import Crowd, judge

EXAMPLE = SRC.parent / "examples/serve/ray.yaml"
START_S = 420.0
WRITERS, QUESTIONS = 3, 5


@contextmanager
def run(store: str, folder: Path, secret: str, replicas: int) -> Iterator[str]:
    """`serve run` with the example's file, its store, its port and its size put in; where it is asked."""
    with closing(bound("127.0.0.1", 0)) as at:
        port = at.getsockname()[1]
    held = yaml.safe_load(EXAMPLE.read_text())
    held["http_options"]["port"] = port
    held["applications"][0]["args"]["store"] = store
    held["applications"][0]["deployments"][0] |= {"num_replicas": replicas, "ray_actor_options": {"num_cpus": 0.1}}
    (folder / "app.yaml").write_text(yaml.safe_dump(held))
    environment = {**os.environ, "PYTHONPATH": str(SRC), "RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
    command = [str(Path(sys.executable).with_name("serve")), "run", "app.yaml"]
    with (folder / "ray.log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        url, deadline = f"http://127.0.0.1:{port}", time.monotonic() + START_S
        while not ready(url, secret):
            assert process.poll() is None, (folder / "ray.log").read_text()
            assert time.monotonic() < deadline, (folder / "ray.log").read_text()
            time.sleep(0.5)
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def ready(url: str, secret: str) -> bool:
    try:
        return httpx.get(f"{url}/v1/me", headers={"Authorization": f"Bearer {secret}"}, timeout=30).status_code == 200
    except httpx.TransportError:
        return False


@pytest.mark.skipif(find_spec("ray") is None, reason="Ray isn't installed: pip install 'errata[ray]'")
@pytest.mark.timeout(3600)
@pytest.mark.proof(sample=24, full=300)
def test_rays_replicas_answer_as_one_while_the_one_that_writes_is_killed(tiny, tmp_path, trials, record):
    store = database()
    with closing(open_keys(store)) as keys:
        secret = keys.add("ann", "approve", "main")
    with run(store, tmp_path, secret, 3) as url:
        crowd = Crowd(url, [], secret=secret)
        begun = time.monotonic()
        futures = crowd.run(edits=trials, writers=WRITERS, more=QUESTIONS)
        crowd.reached(trials // 3)
        ((holder, reached),) = ask("SELECT holder, url FROM errata.leases WHERE branch = 'main'", url=store)
        assert reached, "each replica names a port of its own"
        os.kill(int(re.findall(r"process (\d+)", holder)[0]), signal.SIGKILL)
        for one in futures:
            one.result()
        seconds = time.monotonic() - begun
        log: list[dict] = []
        with httpx.Client(base_url=url, timeout=60, headers={"Authorization": f"Bearer {secret}"}) as client:
            assert client.get("/v1/log/verify").json()["verified"] is True
            while page := client.get("/v1/log", params={"limit": 1000, "after": len(log)}).json()["data"]:
                log += page
    found = judge(crowd, log, tiny, store)
    record.update(found._asdict())
    record.update(edits=len(crowd.acknowledged), questions=len(crowd.seen), sent_again=sum(crowd.tries.values()))
    record.update(entries=len(log), longest_until_acknowledged_s=round(crowd.longest_s, 2), seconds=round(seconds, 1))
    assert len(crowd.acknowledged) == trials // WRITERS * WRITERS
    assert (found.lost, found.too_old, found.no_version, found.wrong) == (0, 0, 0, 0), (found, crowd.tries)
