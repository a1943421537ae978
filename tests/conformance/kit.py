"""The conformance kit: what a subscriber has to stand, each by name, against a real NATS."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from shared.runtime.bus import Bus
from shared.subscriber.checkpoints import LANE
from tests.conformance.candidates import Candidate
from tests.conformance.histories import checkpoints, new_signer
from tests.conformance.loans import Lane, lanes
from tests.conformance.messages import Sent, publish
from tests.conformance.stage import MakeCandidate, Stage

KILLED_SECONDS, WIPED_SECONDS, SETTLED_SECONDS = 2.0, 3.0, 2.0
SLOW_SECONDS, DYING_SECONDS, FULL_SECONDS = 5.0, 15.0, 3.0
NOT_CHECKED, SAME = "NOT_CHECKED", "the same comes of it as undisturbed"
Outcome = dict[str, list[str]]


class Finding(NamedTuple):
    """
    What the kit says about one case: its name, and what was wrong; nothing when it passed.

    `unchecked`: the candidate says that it does not look; it neither passed nor failed.
    """

    case: str
    wrong: str
    unchecked: bool = False

    @property
    def verdict(self) -> str:
        """One word or two."""
        return "failed" if self.wrong else "not checked" if self.unchecked else "passed"


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
        await _disk_full(stage, bus, [lane for lane in wanted if lane.phase == 5])
        await stage.until(lambda: _noticed(stage.candidate, wanted))
        findings += _unnoticed(stage.candidate, wanted)
        await publish(bus, [one for lane in wanted for one in lane.late])
        await stage.until(lambda: _as_wanted(stage.candidate, wanted))
        findings += _misheard(stage.candidate, wanted)
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
    await _begun(stage, of)
    reconnects = bus.reconnects
    stage.restart_nats(wiped=False)
    await _connected(bus, reconnects)
    await publish(bus, messages[half:])


async def _broker_slow(stage: Stage, bus: Bus, of: Sequence[Lane]) -> None:
    """The broker stands still in the middle, longer than its heartbeats, and goes on."""
    messages = mixed([list(lane.sent) for lane in of], random.Random(3))
    half = len(messages) // 2
    await publish(bus, messages[:half])
    await _begun(stage, of)
    stage.signal_nats(signal.SIGSTOP)
    await asyncio.sleep(SLOW_SECONDS)
    stage.signal_nats(signal.SIGCONT)
    await publish(bus, messages[half:])


async def _begun(stage: Stage, of: Sequence[Lane]) -> None:
    """Wait until the candidate runs: it has taken in something of these loans."""
    await stage.until(lambda: any(stage.candidate.heard().get(lane.loan_id) for lane in of))


async def _disk_full(stage: Stage, bus: Bus, of: Sequence[Lane]) -> None:
    """No file of the candidate can grow for a while; if it dies of that, it is started again."""
    messages = mixed([list(lane.sent) for lane in of], random.Random(4))
    half = len(messages) // 2
    await publish(bus, messages[:half])
    await _begun(stage, of)
    lived = stage.candidate.alive()
    stage.candidate.limit_files(0)
    await publish(bus, messages[half:])
    await asyncio.sleep(FULL_SECONDS)
    if stage.candidate.alive():
        stage.candidate.limit_files(None)
    elif lived:
        stage.candidate.start()


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
        (lane.faults <= faults or _not_checked(faults, lane))
        and len(heard.get(lane.loan_id, [])) >= lane.heard_first
        for lane in of
    )


def _not_checked(faults: set[tuple[str, str]], lane: Lane) -> bool:
    """Say whether a candidate admits that it does not look; of checkpoints alone it may."""
    return lane.loan_id == LANE and (NOT_CHECKED, LANE) in faults


def _unnoticed(candidate: Candidate, of: Sequence[Lane]) -> list[Finding]:
    """Say which fault was not noticed, which was imagined, and what was heard beyond it."""
    by_loan: dict[str, set[tuple[str, str]]] = {}
    for fault in (faults := candidate.faults()):
        by_loan.setdefault(fault[1].partition("/")[0], set()).add(fault)
    heard, findings = candidate.heard(), []
    for lane in of:
        told = by_loan.get(lane.loan_id, set())
        if _not_checked(faults, lane):
            findings.append(Finding(lane.case, "", unchecked=True))
            continue
        wrong = [f"{name} {why} was not noticed" for why, name in sorted(lane.faults - told)]
        if lane.exact or not lane.faults:
            wrong += [f"{name} {why} is a false alarm" for why, name in sorted(told - lane.faults)]
        got = heard.get(lane.loan_id, [])
        if got != list(range(1, lane.heard_first + 1)):
            wrong.append(f"{lane.loan_id}: heard {got} where 1 to {lane.heard_first} is right")
        findings.append(Finding(lane.case, "; ".join(wrong)))
    return findings


def _misheard(candidate: Candidate, of: Sequence[Lane]) -> list[Finding]:
    """Say which loan was not heard in order, each event once, in the end."""
    heard, findings = candidate.heard(), []
    for lane in of:
        got, right = heard.get(lane.loan_id, []), len(lane.right)
        held = got == list(range(1, right + 1))
        findings.append(
            Finding(lane.case, "" if held else f"{lane.loan_id}: heard {got} of {right}")
        )
    return findings


def differences(
    wanted: Sequence[Lane], quiet: Outcome, rough: Outcome, in_doubt: Collection[str] = ()
) -> list[Finding]:
    """
    Say of which loans something else came than undisturbed.

    `in_doubt`: names of effects of which the candidate says that nobody knows; not compared.
    """
    findings = [Finding(SAME, "")]
    for name in sorted({*quiet, *rough}):
        before, after = Counter(quiet.get(name, [])), Counter(rough.get(name, []))
        for line in sorted(((before - after) + (after - before)).elements()):
            if any(effect in name or effect in line for effect in in_doubt):
                continue
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
        make: Makes the candidate.
        port: Gives a free port.
        seed: Of the disorder.
        backlog: How many events wait for it when it starts.
    Returns:
        One finding per case.
    """
    signer = new_signer()
    wanted, key = [*lanes(backlog), checkpoints(signer)], signer.verifier
    quiet = await calm(Stage(folder / "calm", port(), make, key), wanted)
    stage = Stage(folder / "rough", port(), make, key)
    findings, rough = await disturbed(stage, wanted, seed)
    by_case: dict[str, list[Finding]] = {}
    in_doubt = stage.candidate.in_doubt()
    for finding in [*findings, *differences(wanted, quiet, rough, in_doubt)]:
        by_case.setdefault(finding.case, []).append(finding)
    return [_together(case, found) for case, found in by_case.items()]


def _together(case: str, found: Sequence[Finding]) -> Finding:
    wrong = dict.fromkeys(one.wrong for one in found if one.wrong)
    return Finding(case, "; ".join(wrong), any(one.unchecked for one in found))
