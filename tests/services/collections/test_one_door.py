"""No contact passes by the gate: one place sends, one gives out permits, and both are asked."""

from __future__ import annotations

import ast
import asyncio
import json
from datetime import date
from pathlib import Path

import pytest

from services.collections.application import trail
from services.collections.application.desk import messages_of
from services.collections.domain.case import Case
from services.collections.domain.contact_gate import ContactRefused
from services.collections.domain.contact_rules import Channel, Outcome, ProtectionKind
from services.collections.domain.debtor import Attempt, Protection
from tests.services.collections.house import a_house, event, hear

HOUSE = Path(__file__).resolve().parents[3] / "services" / "collections"
SENDS, PERMITS = {"application/sending.py"}, {"application/contacting.py", "application/sending.py"}
LATE = event(1, "GRACE_ENTERED", "2026-02-06", 1)


def called(name: str) -> set[str]:
    """Return the files in which something of this name is called."""
    found = set()
    for path in HOUSE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                said = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if said == name:
                    found.add(str(path.relative_to(HOUSE)))
    return found


def test_one_place_sends_and_one_permits() -> None:
    """`send` is called in one file, and a permit is made where the gate is asked or begun."""
    assert called("send") == SENDS
    assert called("Permit") == PERMITS


SHIELDS = [
    # protection | channel of an opt-out | what becomes of the reminder
    (None, None, ("SENT", "email", "")),
    (ProtectionKind.CEASED, None, ("CANCELLED", "email", "cn-ceased")),
    (ProtectionKind.DISPUTE, None, ("CANCELLED", "email", "house-dispute")),
    (ProtectionKind.OPT_OUT, Channel.EMAIL, ("SENT", "sms", "")),
    (ProtectionKind.DISASTER, None, ("PLANNED", "email", "house-disaster")),
]


@pytest.mark.parametrize(("kind", "channel", "wanted"), SHIELDS)
async def test_what_is_planned_does_not_pass_by_the_gate(
    tmp_path: Path,
    kind: ProtectionKind | None,
    channel: Channel | None,
    wanted: tuple[str, str, str],
) -> None:
    """A planned reminder is asked about like any call; refused, nothing leaves the house."""
    async with a_house(tmp_path) as house:
        await hear(
            house, event(1, "GRACE_ENTERED", "2026-01-06", 1), event(2, "CURED", "2026-01-07", 0)
        )
        before = len(list((tmp_path / "outbox").glob("*.json")))
        if kind is not None:
            shield = Protection(
                protection_id="p-1", kind=kind, from_on=date(2026, 2, 1), channel=channel
            )
            async with house.desk.records.work() as work:
                await house.debtors.protect(work, "B-1", shield)

        await hear(house, event(3, "GRACE_ENTERED", "2026-02-06", 1))

        async with house.desk.records.work() as work:
            message = (await messages_of(work, "L-1"))[-1]
        left = len(list((tmp_path / "outbox").glob("*.json"))) - before
        assert (message.state, message.channel.lower(), message.why) == wanted
        assert left == (wanted[0] == "SENT")


async def test_fifty_agents_at_once_are_never_one_too_many(tmp_path: Path) -> None:
    """Fifty agents want to call the same borrower in the same minute: three may, then none."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE)

        async def call(number: int) -> bool:
            attempt = Attempt(
                attempt_id=f"call-{number}",
                borrower_ref="B-1",
                loan_id="L-1",
                at=trail.noon(date(2026, 2, 10)).replace(hour=2),
                channel=Channel.CALL,
                outcome=Outcome.IN_PROGRESS,
                by=f"agent-{number}",
            )
            try:
                async with house.desk.records.work() as work:
                    await house.desk.contacting.permit(work, attempt)
            except ContactRefused as refusal:
                await house.desk.contacting.refused(attempt, refusal)
                return False
            return True

        allowed = await asyncio.gather(*(call(number) for number in range(50)))

        async with house.desk.records.work() as work:
            lines = await trail.read(work, "B-1")
        assert sum(allowed) == 3
        assert sum(line.what == "REFUSED" for line in lines) == 47
        assert {line.policy for line in lines if line.what == "REFUSED"} == {"cn/2026-01-30"}


async def test_a_message_outside_hours_waits_and_says_why(tmp_path: Path) -> None:
    """Where the zone is unknown the reminder waits for an hour that is fit in every zone."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, currency="USD"))

        async with house.desk.records.work() as work:
            (message,) = await messages_of(work, "L-1")

        assert message.planned_at.isoformat() == "2026-02-06T18:00:00+00:00"
        assert message.sent_at == message.planned_at
        assert (message.state, message.rules) == ("SENT", "us/2021-11-30")


async def test_hearing_everything_again_sends_nothing(tmp_path: Path) -> None:
    """The whole stream heard a second and a third time: not a file more, not a line changed."""
    stream = [
        event(1, "GRACE_ENTERED", "2026-02-06", 1),
        event(2, "GRACE_EXPIRED", "2026-02-09", 4),
        event(3, "BUCKET_CHANGED", "2026-03-08", 31),
        event(4, "CURED", "2026-03-09", 0),
        event(5, "GRACE_ENTERED", "2026-04-06", 1),
    ]
    async with a_house(tmp_path) as house:
        await hear(house, *stream)
    first = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "outbox").iterdir()}
    async with a_house(tmp_path) as house:
        await hear(house, *stream, *reversed(stream))
        await house.desk.see(date(2026, 4, 6))
        await house.desk.sending.send_due()

    again = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "outbox").iterdir()}
    texts = [json.loads(path.read_text("utf-8")) for path in (tmp_path / "outbox").iterdir()]
    assert again == first and len(first) == 4
    assert all(text["wording"].startswith("zh/") and "退订" in text["text"] for text in texts)


async def test_a_late_reminder_is_not_sent_when_it_is_no_longer_true(tmp_path: Path) -> None:
    """Heard years late, the reminder of a stage that has passed stays in the house."""
    async with a_house(tmp_path, clock="wall") as house:
        await hear(house, event(1, "GRACE_ENTERED", "2020-02-06", 1))

        async with house.desk.records.work() as work:
            (message,) = await messages_of(work, "L-1")
        assert message.state == "CANCELLED"
        assert message.why.endswith(" days late")
    assert not (tmp_path / "outbox").exists()


async def test_an_older_event_heard_later_does_not_remind_again(tmp_path: Path) -> None:
    """M1 is heard before grace, which moves the day on which the episode began: one reminder."""
    async with a_house(tmp_path) as house:
        await hear(house, event(2, "GRACE_EXPIRED", "2026-02-09", 4))
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1))
        await hear(house, event(3, "INSTALMENT_MISSED", "2026-02-10", 5))

        async with house.desk.records.work() as work:
            messages = await messages_of(work, "L-1")
        assert [(one.stage, one.state) for one in messages] == [("M1", "SENT")]


async def test_history_read_again_by_a_new_house_sends_nothing(tmp_path: Path) -> None:
    """A house that lost its database reads the stream as history: cases come back, mute."""
    async with a_house(tmp_path) as house:
        await hear(house, LATE, event(2, "GRACE_EXPIRED", "2026-02-09", 4), replay=True)

        async with house.desk.records.work() as work:
            case = await work.get(Case, "L-1")
        await house.desk.see(date(2026, 2, 10))
        await house.desk.sending.send_due()
        async with house.desk.records.work() as work:
            messages = await messages_of(work, "L-1")
        assert case is not None and case.open
        assert {(one.state, one.why) for one in messages} == {("CANCELLED", "heard as history")}
    assert not (tmp_path / "outbox").exists()
