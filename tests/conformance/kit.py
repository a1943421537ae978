"""The conformance kit: what a subscriber has to stand, each by name, against a real NATS."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from shared.runtime.bus import Bus
from shared.runtime.nats_server import start_nats
from tests.conformance.candidates import Candidate
from tests.conformance.loans import Lane, lanes
from tests.conformance.messages import Sent, publish

QUIET_SECONDS, KILLED_SECONDS, WIPED_SECONDS, SETTLED_SECONDS = 8.0, 2.0, 3.0, 2.0
SLOW_SECONDS, DYING_SECONDS = 5.0, 15.0
SAME = "the same comes of it as undisturbed"
Outcome = dict[str, list[str]]
MakeCandidate = Callable[[str, Path], Candidate]


class Finding(NamedTuple):
    """What the kit says about one case: its name, and what was wrong; nothing when it passed."""

    case: str
    wrong: str


@dataclass
class Stage:
    """One NATS and one candidate."""

    folder: Path
    port: int
    make: MakeCandidate
    nats: subprocess.Popen[bytes] | None = None
    candidate: Candidate = field(init=False)

    @property
    def url(self) -> str:
        """Where NATS is."""
        return f"nats://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Bus]:
        """Start NATS and make the candidate; stop both at the end."""
        self.nats = start_nats(self.folder / "nats", self.port)
        self.candidate = self.make(self.url, self.folder / "candidate")
        bus = await Bus.connect(self.url, "kit")
        await bus.ensure_streams()
        try:
            yield bus
        finally:
            self.candidate.kill()
            await bus.close()
            self.stop_nats()

    def restart_nats(self, *, wiped: bool) -> None:
        """kill -9 the broker and start it again, with its files or without."""
        self.stop_nats()
        if wiped:
            shutil.rmtree(self.folder / "nats")
        self.nats = start_nats(self.folder / "nats", self.port)

    def signal_nats(self, number: int) -> None:
        """Send the broker a signal."""
        if self.nats is not None:
            self.nats.send_signal(number)

    def stop_nats(self) -> None:
        """kill -9 the broker."""
        if self.nats is not None:
            self.nats.kill()
            self.nats.wait()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait until something is so, or until nothing has happened any more for a while."""
        changed_at, before = monotonic(), -1
        while not done() and monotonic() - changed_at < QUIET_SECONDS:
            heard = sum(len(numbers) for numbers in self.candidate.heard().values())
            if (now := heard + len(self.candidate.faults())) != before:
                changed_at, before = monotonic(), now
            await asyncio.sleep(0.1)


async def calm(stage: Stage, wanted: Sequence[Lane]) -> Outcome:
    """Deliver everything in order to an undisturbed candidate; return what came of it."""
    async with stage.opened() as bus:
        stage.candidate.start()
        await publish(bus, [one for lane in wanted for one in lane.right])
        await stage.until(lambda: _as_wanted(stage.candidate, wanted))
        return await _settled(stage.candidate)


async def disturbed(
    stage: Stage, wanted: Sequence[Lane], seed: int
) -> tuple[list[Finding], Outcome]:
    """Deliver the same as badly as it can be delivered; return what the candidate missed."""
    chance, findings = random.Random(seed), []
    async with stage.opened() as bus:
        await publish(bus, [one for lane in wanted if lane.phase == 0 for one in lane.sent])
        stage.candidate.start()
        first = [lane for lane in wanted if lane.phase < 2]
        now = [list(lane.sent) for lane in first if lane.phase == 1]
        await publish(bus, mixed(now, chance))
        await stage.until(lambda: _noticed(stage.candidate, first))
        await _killed(stage, bus, [lane for lane in wanted if lane.phase == 2])
        await _broker_killed(stage, bus, [lane for lane in wanted if lane.phase == 3])
        await _broker_slow(stage, bus, [lane for lane in wanted if lane.phase == 4])
        await stage.until(lambda: _noticed(stage.candidate, wanted))
        findings += [Finding(lane.case, _unnoticed(stage.candidate, lane)) for lane in wanted]
        await publish(bus, [one for lane in wanted for one in lane.late])
        await stage.until(lambda: _as_wanted(stage.candidate, wanted))
        findings += [Finding(lane.case, _misheard(stage.candidate, lane)) for lane in wanted]
        findings.append(await _wiped(stage, bus, wanted))
        return findings, await _settled(stage.candidate)


async def _settled(candidate: Candidate) -> Outcome:
    """Return what came of the events once it stands still: effects may follow in their own time."""
    found, before = candidate.outcome(), None
    while found != before:
        await asyncio.sleep(SETTLED_SECONDS)
        found, before = candidate.outcome(), found
    return found


async def _killed(stage: Stage, bus: Bus, of: Sequence[Lane]) -> None:
    """kill -9 twice in the middle of an event, and once while nothing happens."""
    messages = mixed([list(lane.sent) for lane in of], random.Random(1))
    half = len(messages) // 2
    for part, after in ((messages[:half], 3), (messages[half:], 2), ([], 0)):
        stage.candidate.kill()
        stage.candidate.start(kill_after=after)
        await publish(bus, part)
        await asyncio.sleep(KILLED_SECONDS)
        if after:
            await asyncio.to_thread(stage.candidate.wait, DYING_SECONDS)
    stage.candidate.kill()
    stage.candidate.start()


async def _broker_killed(stage: Stage, bus: Bus, of: Sequence[Lane]) -> None:
    messages = mixed([list(lane.sent) for lane in of], random.Random(2))
    half = len(messages) // 2
    await publish(bus, messages[:half])
    reconnects = bus.reconnects
    stage.restart_nats(wiped=False)
    await _connected(bus, reconnects)
    await publish(bus, messages[half:])


async def _broker_slow(stage: Stage, bus: Bus, of: Sequence[Lane]) -> None:
    """The broker stands still in the middle, longer than its heartbeats, and goes on."""
    messages = mixed([list(lane.sent) for lane in of], random.Random(3))
    half = len(messages) // 2
    await publish(bus, messages[:half])
    stage.signal_nats(signal.SIGSTOP)
    await asyncio.sleep(SLOW_SECONDS)
    stage.signal_nats(signal.SIGCONT)
    await publish(bus, messages[half:])


async def _wiped(stage: Stage, bus: Bus, wanted: Sequence[Lane]) -> Finding:
    """The broker comes back empty, and the stream is built again: nothing happens a second time."""
    before, faults = await _settled(stage.candidate), stage.candidate.faults()
    reconnects = bus.reconnects
    stage.restart_nats(wiped=True)
    await _connected(bus, reconnects)
    await publish(bus, [one for lane in wanted for one in lane.right])
    await asyncio.sleep(WIPED_SECONDS)
    wrong = []
    if stage.candidate.outcome() != before:
        wrong.append("something happened a second time")
    wrong += [f"{name} {why} is a false alarm" for why, name in stage.candidate.faults() - faults]
    return Finding("the broker wiped and rebuilt", "; ".join(sorted(wrong)))


async def _connected(bus: Bus, reconnects: int) -> None:
    while bus.reconnects == reconnects:
        await asyncio.sleep(0.05)
    await bus.ensure_streams()


def mixed(queues: list[list[Sent]], chance: random.Random) -> list[Sent]:
    """Return all messages, each lane in its order, the lanes among each other in any."""
    found = []
    while queues := [queue for queue in queues if queue]:
        found.append(chance.choice(queues).pop(0))
    return found


def _as_wanted(candidate: Candidate, of: Sequence[Lane]) -> bool:
    heard = candidate.heard()
    return all(len(heard.get(lane.loan_id, [])) >= len(lane.right) for lane in of)


def _noticed(candidate: Candidate, of: Sequence[Lane]) -> bool:
    heard, faults = candidate.heard(), candidate.faults()
    return all(
        lane.faults <= faults and len(heard.get(lane.loan_id, [])) >= lane.heard_first
        for lane in of
    )


def _unnoticed(candidate: Candidate, lane: Lane) -> str:
    """Say which fault was not noticed, which was imagined, and what was heard beyond it."""
    faults = {one for one in candidate.faults() if one[1].partition("/")[0] == lane.loan_id}
    wrong = [f"{name} {why} was not noticed" for why, name in sorted(lane.faults - faults)]
    if not lane.faults:
        wrong += [f"{name} {why} is a false alarm" for why, name in sorted(faults)]
    got = candidate.heard().get(lane.loan_id, [])
    if got != list(range(1, lane.heard_first + 1)):
        wrong.append(f"{lane.loan_id}: heard {got} where 1 to {lane.heard_first} is right")
    return "; ".join(wrong)


def _misheard(candidate: Candidate, lane: Lane) -> str:
    """Say whether a loan was not heard in order, each event once, in the end."""
    got, right = candidate.heard().get(lane.loan_id, []), len(lane.right)
    return "" if got == list(range(1, right + 1)) else f"{lane.loan_id}: heard {got} of {right}"


def differences(wanted: Sequence[Lane], quiet: Outcome, rough: Outcome) -> list[Finding]:
    """Say of which loans something else came than undisturbed."""
    findings = [Finding(SAME, "")]
    for name in sorted({*quiet, *rough}):
        before, after = Counter(quiet.get(name, [])), Counter(rough.get(name, []))
        for line in sorted(((before - after) + (after - before)).elements()):
            case = next((lane.case for lane in wanted if lane.loan_id in line), SAME)
            findings.append(Finding(case, f"{name} differs: {line[:120]}"))
    return findings


async def run(
    folder: Path, make: MakeCandidate, port: Callable[[], int], seed: int = 1, backlog: int = 0
) -> list[Finding]:
    """
    Hold a candidate against the kit.

    Args:
        folder: Empty; for NATS and the candidate.
        make: Makes the candidate, given the address of NATS and a folder.
        port: Gives a free port.
        seed: Of the disorder.
        backlog: How many events wait for it when it starts.
    Returns:
        One finding per case.
    """
    wanted = lanes(backlog)
    quiet = await calm(Stage(folder / "calm", port(), make), wanted)
    findings, rough = await disturbed(Stage(folder / "rough", port(), make), wanted, seed)
    by_case: dict[str, list[str]] = {}
    for case, wrong in [*findings, *differences(wanted, quiet, rough)]:
        by_case.setdefault(case, []).extend([wrong] if wrong else [])
    return [Finding(case, "; ".join(dict.fromkeys(wrong))) for case, wrong in by_case.items()]
