"""A ledger process as its callers, its subscribers and its auditors meet it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

import nats
import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from shared.runtime.streams import STREAM
from tests.system.conftest import Desk
from tests.system.processes import ROOT, CallRefused

LEDGER = "lending.ledger.v1.LedgerService"
TERMS = {
    "currency": "CNY",
    "principalMinor": "1200000",
    "rateAnnual": "0.12",
    "method": "REPAYMENT_METHOD_LEVEL_INSTALMENT",
    "dayCount": "DAY_COUNT_THIRTY_360",
    "instalments": 12,
    "monthsPerInstalment": 1,
    "firstDueOn": "2026-02-05",
    "graceDays": 3,
    "penaltyRateAnnual": "0.18",
}


def cny(amount_minor: int) -> dict[str, str]:
    return {"amountMinor": str(amount_minor), "currency": "CNY"}


APPROVED = {"reason": "reviewed", "approvedBy": "Li"}
TOLD_SO = {"ground": "ACCELERATION_GROUND_ARREARS", "notifiedOn": "2026-04-10"}
STORY = [
    ("AdvanceBusinessDate", {"to": "2026-01-05"}),
    ("OpenLoan", {"loanId": "L-1", "borrowerRef": "B-1", "product": "p", "terms": TERMS}),
    ("DisburseLoan", {"loanId": "L-1", "valueOn": "2026-01-05", "amount": cny(1_200_000)}),
    ("AdvanceBusinessDate", {"to": "2026-02-07"}),
    ("PostRepayment", {"loanId": "L-1", "valueOn": "2026-02-07", "amount": cny(50_000)}),
    ("AdvanceBusinessDate", {"to": "2026-04-20"}),
    ("PostRepayment", {"loanId": "L-1", "valueOn": "2026-03-05", "amount": cny(106_000)}),
    ("ReverseRepayment", {"loanId": "L-1", "repaymentId": "r-4", "reason": "returned debit"}),
    ("AccelerateLoan", {"loanId": "L-1", "effectiveOn": "2026-04-20", **TOLD_SO, **APPROVED}),
    ("WithdrawAcceleration", {"loanId": "L-1", **APPROVED}),
    (
        "ChangeDelinquencyPolicy",
        {
            "loanId": "L-1",
            "effectiveOn": "2026-04-20",
            "delinquencyPolicy": "cn-consumer/4",
            **APPROVED,
        },
    ),
    ("ChargeOffLoan", {"loanId": "L-1", "effectiveOn": "2026-04-20", "reason": "no hope"}),
    ("PostRecovery", {"loanId": "L-1", "valueOn": "2026-04-20", "amount": cny(90_000)}),
]


def tell(desk: Desk, after: dict[int, object] | None = None) -> dict[str, object]:
    """Tell the story; `after` holds what else happens after a step."""
    for number, (method, body) in enumerate(STORY):
        desk.ledger.call(f"{LEDGER}/{method}", requestId=f"r-{number}", **body)
        if after and number in after:
            after[number]()
    return desk.ledger.call(f"{LEDGER}/GetLoan", loanId="L-1")


def received(desk: Desk, wanted: int) -> list[tuple[str, int]]:
    """Return event and sequence of everything a plain subscriber gets of the stream."""

    async def listen() -> list[tuple[str, int]]:
        client = await nats.connect(f"nats://127.0.0.1:{desk.nats_port}")
        context = client.jetstream()
        await until_there(context)
        found = await context.subscribe("lending.v1.delinquency.>", ordered_consumer=True)
        messages = []
        while len(messages) < wanted:
            message = await found.next_msg(timeout=15)
            messages.append((message.subject.split(".")[3], int(message.headers["ce-sequence"])))
        await client.close()
        return messages

    return asyncio.run(listen())


async def until_there(context: JetStreamContext) -> None:
    """Wait until the relay, which starts beside the ledger, has made its stream."""
    for _ in range(150):
        try:
            await context.stream_info(STREAM)
            return
        except NotFoundError:
            await asyncio.sleep(0.1)


def replay(desk: Desk) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "services.ledger", "replay"],
        cwd=ROOT,
        env={**os.environ, **desk.ledger.environment},
        capture_output=True,
        text=True,
    )


TOLD = [
    # 2026-02-07: two days late, inside grace; then 500.00 of 1066.19.
    *("instalment_due", "delinquency_started", "grace_entered", "bucket_changed", "bucket_changed"),
    *("repayment_posted", "partially_cured"),
    # Up to 2026-04-20: grace is over, two more instalments are missed.
    *("grace_expired", "instalment_due", "instalment_missed", "bucket_changed"),
    *("instalment_due", "instalment_missed", "bucket_changed"),
    # Money that counts from 2026-03-05 restates the days since.
    *("repayment_posted", "timeline_restated", "bucket_changed", "rolled_back", "partially_cured"),
    # The first debit is returned: the loan is as late again.
    *("repayment_reversed", "timeline_restated", "instalment_missed", "bucket_changed"),
    # Everything is declared due and that is taken back; two more schemes say how late it is.
    *("accelerated", "acceleration_withdrawn", "policy_changed"),
    *("bucket_changed", "bucket_changed"),
    *("charged_off", "recovery_posted", "bucket_changed", "bucket_changed"),
    *("rolled_back", "partially_cured"),
]


def test_the_life_of_a_loan_through_an_independent_client(desk: Desk) -> None:
    """Every step counts once, every delinquency event arrives in order, and replay agrees."""
    loan = tell(desk)

    events = received(desk, len(TOLD))

    assert loan["status"] == "LOAN_STATUS_CHARGED_OFF"
    assert loan["recoveredMinor"] == "90000"
    assert [sequence for _, sequence in events] == list(range(1, len(events) + 1))
    assert [name for name, _ in events] == TOLD
    assert desk.ledger.stop() == 0
    audit = replay(desk)
    assert audit.returncode == 0, audit.stdout + audit.stderr
    assert "journal_lines" in audit.stdout


def test_killed_after_every_step_the_story_ends_the_same(desk: Desk) -> None:
    """kill -9 loses nothing that was answered, and repeats nothing that was published."""

    def restart() -> None:
        desk.ledger.kill()
        desk.ledger.start()

    loan = tell(desk, {number: restart for number in (2, 4, 5, 7, 8, 9)})

    assert loan["status"] == "LOAN_STATUS_CHARGED_OFF"
    assert loan["recoveredMinor"] == "90000"
    events = received(desk, len(TOLD))
    assert events == [(name, number) for number, name in enumerate(TOLD, start=1)]


def test_nats_down_the_ledger_keeps_accepting(desk: Desk) -> None:
    """Repayments are posted while NATS is away; the relay catches up when it is back."""
    loan = tell(desk, {3: desk.stop_nats, 8: desk.start_nats})

    assert loan["recoveredMinor"] == "90000"
    events = received(desk, len(TOLD))
    assert events == [(name, number) for number, name in enumerate(TOLD, start=1)]


def test_the_same_request_twice_has_one_effect(desk: Desk) -> None:
    """A repeated request id gets the first answer; with another body it is refused."""
    for number, (method, body) in enumerate(STORY[:5]):
        desk.ledger.call(f"{LEDGER}/{method}", requestId=f"r-{number}", **body)
    method, body = STORY[4]

    first = desk.ledger.call(f"{LEDGER}/{method}", requestId="r-4", **body)
    with pytest.raises(CallRefused) as refusal:
        other = {**body, "amount": cny(50_001)}
        desk.ledger.call(f"{LEDGER}/{method}", requestId="r-4", **other)

    assert sum(int(slot["amountMinor"]) for slot in first["allocations"]) == 50_000
    assert refusal.value.code == "failed_precondition"
    assert "request id was used with another body" in refusal.value.text


BAD = [
    ("GetLoan", {"loanId": "L-404"}, "not_found", "does not exist"),
    ("GetLoan", {"loanId": "L/1"}, "invalid_argument", "is not an id"),
    ("OpenLoan", {"loanId": "L-2", "borrowerRef": "B", "product": "p"}, "invalid_argument", "set"),
    ("PostRepayment", {"loanId": "L-1", "valueOn": "2026-2-7"}, "invalid_argument", "not a date"),
    ("PostRepayment", {"loanId": "L-404", "valueOn": "2026-02-07"}, "not_found", "exist"),
    ("AdvanceBusinessDate", {"to": "2025-01-01"}, "invalid_argument", "before the business"),
    *[
        (
            "OpenLoan",
            {
                "loanId": "L-2",
                "borrowerRef": "B",
                "product": "p",
                "terms": {**TERMS, "rateAnnual": rate},
            },
            "invalid_argument",
            "plain decimal",
        )
        for rate in ("NaN", "1e400", "1_000", "٠.١", "Infinity", "")
    ],
]


def test_bad_input_gets_a_clear_error_and_changes_nothing(desk: Desk) -> None:
    """Each wrong request names what is wrong; the loan's version stays as it was."""
    for number, (method, body) in enumerate(STORY[:3]):
        desk.ledger.call(f"{LEDGER}/{method}", requestId=f"r-{number}", **body)
    before = desk.ledger.call(f"{LEDGER}/GetLoan", loanId="L-1")["version"]

    for number, (method, body, code, text) in enumerate(BAD):
        request = body if method == "GetLoan" else {"requestId": f"bad-{number}", **body}
        with pytest.raises(CallRefused) as refusal:
            desk.ledger.call(f"{LEDGER}/{method}", **request)
        assert (refusal.value.code, text in refusal.value.text) == (code, True), refusal.value.text

    assert desk.ledger.call(f"{LEDGER}/GetLoan", loanId="L-1")["version"] == before
