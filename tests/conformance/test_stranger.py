"""Who has the AsyncAPI document and nothing else reads everything, and checks its order."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from typing import Any

import pytest

from deploy import asyncapi
from shared.runtime.streams import CHECKPOINT, STATE_STREAM, STREAM
from tests.conformance.books import told_by_the_log
from tests.conformance.messages import chained, event, publish, sent
from tests.conformance.relay_kills import complete
from tests.conformance.test_relay import Post, post, stop
from tests.system.processes import ROOT

__all__ = ["post"]
NODE = ROOT / "tests" / "system" / "node"
STRANGER = NODE / "stranger.mjs"
pytestmark = pytest.mark.skipif(
    not (NODE / "node_modules" / "protobufjs").exists() or not shutil.which("node"),
    reason="node is not installed",
)


async def read_by_a_stranger(post: Post) -> dict[str, Any]:
    """Run the stranger; return what it printed."""
    words = ["node", str(STRANGER), str(asyncapi.TARGET), f"nats://127.0.0.1:{post.port}"]
    process = await asyncio.create_subprocess_exec(*words, stdout=-1, stderr=-1)
    out, errors = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, errors.decode()[-2000:]
    return json.loads(out)


def test_no_name_of_ours_is_in_it() -> None:
    """What it knows comes from the document: subjects, headers and types are not in its text."""
    code = re.sub(r"//.*", "", STRANGER.read_text("utf-8"))

    assert not re.search(r"lending|loan|delinquen|checkpoint|ce-|protos/", code, re.IGNORECASE)


async def test_a_stranger_reads_everything(post: Post) -> None:
    """Every event of every loan, in order and chained; states, a checkpoint, other services'."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    await post.bus.publish(CHECKPOINT, b"origin\n1\nroot\n", "", {})
    await post.bus.publish("lending.v1.risk.decision_made.D-1", b"", "", {})
    stored = [await post.bus.last_sequence(STREAM)]
    stored.append((await post.bus.info(STATE_STREAM)).state.messages)

    found = await read_by_a_stranger(post)
    await stop(relaying)

    lanes = told_by_the_log(post.database)[0]
    assert found["faults"] == []
    assert found["keys"] == {name: len(lane) for name, lane in lanes.items()}
    assert sum(found["counts"].values()) == sum(stored)


async def test_a_stranger_notices_what_is_wrong(post: Post) -> None:
    """A gap, a fork, a rewrite, a contradiction, something unreadable, headers that lack."""
    lane = chained(event("L-9", "CURED", f"2026-02-0{day}") for day in range(1, 5))
    forked = sent(event("L-8", "CURED", sequence=1), "f" * 64)
    rewritten = lane[3]._replace(body=lane[3].body.replace(b"09:00", b"08:00"))
    told = [lane[0], lane[0], lane[2], lane[3], rewritten, forked]
    told.append(forked._replace(headers=forked.headers | {"ce-subject": "L-7"}))
    told.append(forked._replace(body=b"\xff", headers=forked.headers | {"ce-subject": "L-6"}))
    more = {"ce-time": "x", "ce-recordedtime": "x", "ce-causation": "x"}
    await publish(post.bus, [one._replace(headers=one.headers | more) for one in told])
    await publish(post.bus, [chained([event("L-5", "CURED")])[0]])

    faults = (await read_by_a_stranger(post))["faults"]

    assert [fault for fault in faults if not fault.startswith(("HEADERS", "UNREADABLE"))] == [
        *("GAP L-9/3", "REWRITTEN L-9/4", "FORKED L-8/1", "KEY L-7/1", "FORKED L-7/1"),
    ]
    assert [fault.split()[0] for fault in faults].count("UNREADABLE") == 1
    assert any(fault.startswith("HEADERS") and "L-5" in fault for fault in faults)
