"""The ledger's followers as processes: each dies alone, and none outlives the ledger."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from tests.system.conftest import Desk
from tests.system.test_ledger_process import LEDGER, STORY, TOLD, received, tell

SECONDS_MAX = 20.0


def children(parent: int) -> dict[str, int]:
    """Return the process ids of a ledger's followers, by command."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            number = int(status.read_text().rpartition(")")[2].split()[1])
            words = (status.parent / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if number == parent and b"services.ledger" in words:
            found[words[-2].decode()] = int(status.parent.name)
    return found


def until(done: Callable[[], bool]) -> bool:
    """Wait until something is so; return whether it ever was."""
    deadline = time.monotonic() + SECONDS_MAX
    while not (so := done()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return so


def both(desk: Desk) -> dict[str, int]:
    """Return the followers once both are there."""
    assert until(lambda: set(children(desk.ledger.process.pid)) == {"follow", "relay"})
    return children(desk.ledger.process.pid)


def test_a_relay_that_dies_is_started_again_alone(desk: Desk) -> None:
    """Read models go on in their process, at a lower priority; each event is published once."""
    before = both(desk)

    def kill_the_relay() -> None:
        killed = both(desk)["relay"]
        os.kill(killed, signal.SIGKILL)
        assert until(lambda: children(desk.ledger.process.pid).get("relay") not in (None, killed))

    tell(desk, {4: kill_the_relay, 7: kill_the_relay})
    after = children(desk.ledger.process.pid)

    assert received(desk, len(TOLD)) == [(name, n) for n, name in enumerate(TOLD, start=1)]
    assert set(before) == set(after) == {"follow", "relay"}
    assert after["follow"] == before["follow"] and after["relay"] != before["relay"]
    nice = {name: os.getpriority(os.PRIO_PROCESS, number) for name, number in after.items()}
    assert nice["relay"] == os.getpriority(os.PRIO_PROCESS, 0) < nice["follow"]


def test_followers_that_hang_do_not_stop_posting(desk: Desk) -> None:
    """With the relay stopped, repayments are answered, and looked up; what waits is told later."""
    number = both(desk)["relay"]
    os.kill(number, signal.SIGSTOP)

    loan = tell(desk)
    assert children(desk.ledger.process.pid)["relay"] == number
    os.kill(number, signal.SIGCONT)

    assert loan["recoveredMinor"] == "90000"
    assert len(received(desk, len(TOLD))) == len(TOLD)


def test_no_follower_outlives_the_ledger(desk: Desk) -> None:
    """The ledger is killed: both are gone, so that no relay of an old ledger publishes on."""
    method, body = STORY[0]
    desk.ledger.call(f"{LEDGER}/{method}", requestId="r-0", **body)
    numbers = list(both(desk).values())

    desk.ledger.kill()

    assert len(numbers) == 2
    assert until(lambda: not any(is_alive(number) for number in numbers))


def is_alive(number: int) -> bool:
    """Say whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
