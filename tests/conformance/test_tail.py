"""The command line for people, against a real NATS."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from typer.testing import CliRunner

from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.nats_server import start_nats
from shared.runtime.records import Records, Work
from shared.runtime.telemetry import configure_logging
from shared.subscriber.__main__ import app
from shared.subscriber.event import Event
from shared.subscriber.inbox import create_inbox
from shared.subscriber.subscriber import Subscriber
from shared.subscriber.tail import Wanted, tail
from tests.conformance.books import told_by_the_log
from tests.conformance.messages import chained, event, publish
from tests.conformance.relay_kills import complete
from tests.conformance.test_relay import Post, post, stop
from tests.system.processes import ROOT, free_port

__all__ = ["post"]


async def told(*command: str) -> tuple[int, list[str]]:
    """Run a command; return its code and lines."""
    done = await asyncio.to_thread(CliRunner().invoke, app, list(command))
    return done.exit_code, done.stdout.splitlines()


async def until(done: Callable[[tuple[int, list[str]]], bool], which: Sequence[str]) -> tuple:
    """Return what is parked once it is so, and nothing has changed for a second."""
    found: tuple[int, list[str]] = (0, [])
    for _ in range(40):
        before, found = found, await told("parked", *which)
        if done(found) and before == found:
            break
        await asyncio.sleep(0.7)
    return found


async def test_tail_filters_and_names_gaps(post: Post) -> None:
    """By loan, event and bucket, as table or JSON; what is missing is a line of its own."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    url = ("--nats-url", f"nats://127.0.0.1:{post.port}", "--no-follow")
    gap = chained(event("GAP-1", "CURED") for _ in range(3))
    await publish(post.bus, [gap[0], gap[2]])

    _, loan = await told("tail", *url, "--loan", "L-1", "--json")
    code, changes = await told("tail", *url, "--type", "bucket_changed", "--bucket", "M2")
    _, holes = await told("tail", *url, "--loan", "GAP-1")

    lane = told_by_the_log(post.database)[0]["L-1"]
    assert [json.loads(line)["id"] for line in loan] == [one.id for one in lane]
    assert (code, changes[0].split()[:2]) == (0, ["recorded", "loan"])
    shown = [line for line in changes[1:] if not line.startswith("!!")]
    assert shown and all(" M2 " in line for line in shown)
    assert "!! GAP GAP-1/3" in holes
    await stop(relaying)


async def heard(told: asyncio.Queue[str], name: str) -> list[str]:
    """Return the lines up to the one that has a word, waiting for it."""
    found = [""]
    while name not in found[-1]:
        found.append(await asyncio.wait_for(told.get(), 30))
    return found[1:]


@pytest.mark.parametrize("wiped", [False, True])
async def test_following_outlives_nats(post: Post, wiped: bool) -> None:
    """NATS is killed under it, or comes back empty: it says so, and shows what comes after."""
    first, second = chained(event("TAIL-1", "CURED") for _ in range(2))
    await publish(post.bus, [first])
    lines: asyncio.Queue[str] = asyncio.Queue()

    async def follow() -> None:
        async for line in tail(post.bus, Wanted("TAIL-1"), as_json=False):
            lines.put_nowait(line)

    following = asyncio.create_task(follow())
    await heard(lines, "TAIL-1")
    post.nats.kill()
    await heard(lines, "AWAY")
    post.restart_nats(wiped=wiped)
    await post.bus.ensure_streams()
    said = await heard(lines, "REPLACED" if wiped else "BACK")
    await publish(post.bus, [first, second] if wiped else [second])
    after = await heard(lines, "CURED")
    while "    2 CURED" not in after[-1]:
        after += await heard(lines, "CURED")

    assert len(said) == 1
    assert not any(word in line for line in after for word in ("GAP", "FORKED", "REWRITTEN"))
    await stop(following)


@dataclass
class Watching:
    """Somebody who watches one loan, and what they see."""

    post: Post
    lines: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def follow(self) -> None:
        """Watch until cancelled."""
        async for line in tail(self.post.bus, Wanted(), as_json=False):
            self.lines.put_nowait(line)

    async def until(self, word: str) -> list[str]:
        """Return the lines up to the one that has a word."""
        return await heard(self.lines, word)


@pytest.mark.parametrize("longer", [False, True], ids=["shorter", "longer than it was read"])
async def test_a_stream_that_was_rolled_back_is_said_to_be(post: Post, longer: bool) -> None:
    """NATS is restored to an older state: the person is told, and misses nothing since."""
    first, second, third = chained(event("TAIL-1", "CURED", f"2026-02-0{n}") for n in (1, 2, 3))
    (other,) = chained([event("TAIL-2", "CURED")])
    await publish(post.bus, [first])
    backup = post.folder / "backup"
    post.restart_nats(from_copy=shutil.copytree(post.folder / "nats", backup))
    await post.bus.ensure_streams()
    watching = Watching(post)
    following = asyncio.create_task(watching.follow())
    await watching.until("TAIL-1")
    await publish(post.bus, [second])
    await watching.until("TAIL-1")
    if longer:
        # The relay was faster than the person: where they stood there is another event now.
        elsewhere = free_port()
        restored = start_nats(backup, elsewhere)
        bus = await Bus.connect(f"nats://127.0.0.1:{elsewhere}", "relay")
        await publish(bus, [other, second, third])
        await bus.close()
        restored.terminate()
        restored.wait()
    post.restart_nats(from_copy=backup)
    said = (await watching.until("REPLACED"))[-1]
    if not longer:
        await post.bus.ensure_streams()
        await publish(post.bus, [other, second, third])
    after = await watching.until("    3 CURED")
    await stop(following)

    assert f"read up to 2 and ends at {4 if longer else 1} now" in said
    assert [line.split()[2:4] for line in after] == [["TAIL-2", "1"], ["TAIL-1", "3"]]


async def test_what_is_parked_is_listed_and_driven_again(post: Post) -> None:
    """Three failures put an event aside; mended, it is heard after a redrive, and nothing lacks."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    configure_logging("test", "CRITICAL")
    database = f"sqlite+aiosqlite:///{post.folder}/subscriber.db"
    records, broken, heard = Records(open_database(database)), {"L-2/3"}, []
    await create_inbox(records.engine)

    async def hear(one: Event, _: Work) -> None:
        if one.id in broken:
            raise ValueError("a bug")
        heard.append(one.id)

    which = ("--database-url", database, "--subscriber", "desk")
    url = ("--nats-url", f"nats://127.0.0.1:{post.port}")
    made = Subscriber(post.bus, "desk", records.work, hear)
    following = asyncio.create_task(made.run(asyncio.Event()))
    waiting = await until(lambda found: any("L-2/" in line for line in found[1]), which)
    lacking = await told("check", *which, *url)
    broken.clear()
    asked = await told("redrive", *which, "--loan", "L-2")
    mended = await until(lambda found: not found[1], which)
    whole = await told("check", *which, *url)

    assert (waiting[0], waiting[1][0]) == (1, "L-2/3\tPOISON\tValueError: a bug")
    assert lacking[0] == 1 and lacking[1][0].startswith("L-2: knows 2 of")
    assert asked[1] == [f"{len(waiting[1])} events will be tried again"]
    assert (mended[0], mended[1], whole[0]) == (0, [], 0)
    assert [name for name in heard if name.startswith("L-2/")][-1] == waiting[1][-1].split("\t")[0]
    await stop(relaying, following)
    await records.engine.dispose()


def test_a_wrong_address_is_said_plainly() -> None:
    """Nobody answers there: the option is named, no traceback is shown."""
    words = [sys.executable, "-m", "shared.subscriber", "tail", "--nats-url", "nats://127.0.0.1:1"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2
    assert "does not answer" in done.stderr and "Traceback" not in done.stderr
