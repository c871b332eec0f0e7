"""Three servers on one PostgreSQL log behind a router, the one that writes killed and another one added: nothing that was
acknowledged is unseen at its entry, and no answer is of a version that never was."""

from __future__ import annotations

import time
from contextlib import ExitStack

import httpx
import pytest

from tests.log.servers import ask, database
from tests.serve.processes import Forked, forked
from tests.serve.replicas.crowd import Crowd, judge
from tests.serve.replicas.router import routed

SERVERS, WRITERS, MORE = 3, 3, 2
"""Each change is followed by a question to each server and two to the router: five in all."""


def writes(store: str, servers: list[Forked]) -> Forked:
    """The server that has the branch."""
    ((url,),) = ask("SELECT url FROM errata.leases WHERE branch = 'main'", url=store)
    return next(one for one in servers if one.url == url)


@pytest.mark.timeout(3600)
@pytest.mark.proof(sample=24, full=2000)
def test_servers_on_one_log_answer_as_one_while_one_is_killed_and_one_is_added(tiny, tmp_path, trials, record):
    store, begun = database(), time.monotonic()
    with ExitStack() as held:

        def another(name: str) -> Forked:
            folder = tmp_path / name
            folder.mkdir()
            return held.enter_context(forked(store, cwd=folder))

        servers = [another(str(number)) for number in range(SERVERS)]
        router = held.enter_context(routed([one.url for one in servers]))
        crowd = Crowd(router.url, [one.url for one in servers])
        started = time.monotonic()
        futures = crowd.run(edits=trials, writers=WRITERS, more=MORE)
        crowd.reached(trials // 3)
        gone = writes(store, servers)
        crowd.live.remove(gone.url)
        gone.kill()
        added = another("added")
        ready = httpx.get(f"{added.url}/readyz", params={"min_seq": crowd.newest}, timeout=60)
        assert ready.status_code in (200, 503)
        router.add(added.url)
        crowd.live.append(added.url)
        for one in futures:
            one.result()
        seconds = time.monotonic() - started
        with httpx.Client(base_url=added.url, timeout=60) as client:
            assert client.get("/v1/log/verify").json()["verified"] is True
            log: list[dict] = []
            while page := client.get("/v1/log", params={"limit": 1000, "after": len(log)}).json()["data"]:
                log += page
        for url in crowd.live:
            assert httpx.get(f"{url}/readyz", params={"min_seq": len(log)}, timeout=60).status_code == 200
        assert router.skipped, "the router met the server that is gone"
    found = judge(crowd, log, tiny, store)
    record.update(found._asdict())
    record.update(
        edits=len(crowd.acknowledged),
        questions=len(crowd.seen),
        entries=len(log),
        sent_again=sum(crowd.tries.values()),
        started_in_s=round(started - begun, 1),
        longest_until_acknowledged_s=round(crowd.longest_s, 2),
        seconds=round(seconds, 1),
    )
    assert len(crowd.acknowledged) == trials // WRITERS * WRITERS
    assert len(crowd.seen) >= 4 * len(crowd.acknowledged)
    assert len({one["id"] + str(one["seq"]) for one in crowd.acknowledged}) == len(crowd.acknowledged)
    assert (found.lost, found.too_old, found.no_version, found.wrong) == (0, 0, 0, 0), (found, crowd.tries)
