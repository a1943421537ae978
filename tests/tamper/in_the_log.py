"""What somebody with write access to the log's table can do to it."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec

from tests.services.ledger.domain.desk import TERMS
from tests.tamper.vault import Row, Vault, live, sealed


def said(row: Row) -> dict[str, Any]:
    """Return what an event says."""
    return json.loads(row.state)


def repayment(vault: Vault, loan_id: str = "L-0") -> Row:
    """Return the first repayment of a loan: the auditor's checkpoint covers it."""
    return vault.rows(f"loan/{loan_id}", "RepaymentPosted")[0]


def one_cent_more(vault: Vault) -> None:
    """A repayment's amount is raised by one cent, and nothing else."""
    event = said(row := repayment(vault))
    vault.write(row, {**event, "amount_minor": event["amount_minor"] + 1})


def amount_and_postings(vault: Vault) -> None:
    """A repayment is raised with its allocations and postings: it balances."""
    event = said(row := repayment(vault))
    event["amount_minor"] += 100
    event["allocations"][-1][2] += 100
    cash, other = event["postings"][0], event["postings"][-1]
    event["postings"][0] = [cash[0], cash[1] + 100]
    event["postings"][-1] = [other[0], other[1] - 100]
    vault.write(row, event)


def one_posting(vault: Vault) -> None:
    """One of the two postings of a repayment is raised."""
    event = said(row := repayment(vault))
    event["postings"][0][1] += 1
    vault.write(row, event)


def accrual_lowered(vault: Vault) -> None:
    """A month's accrual books a hundred less, in balance."""
    event = said(row := vault.rows("accrual/CNY")[0])
    for posting, by in zip(event["postings"], (-100, 100), strict=False):
        posting[1] += by
    vault.write(row, event)


def charge_off_halved(vault: Vault) -> None:
    """A charge-off takes half of the principal off the books, in balance."""
    row = vault.rows(topic="LoanChargedOff")[0]
    event = said(row)
    halved = [[account, amount // 2] for account, amount in event["postings"]]
    vault.write(row, {**event, "postings": halved})


def loss_hidden(vault: Vault) -> None:
    """A charge-off is booked as interest receivable: no loss is shown, and all balances."""
    row = vault.rows(topic="LoanChargedOff")[0]
    event = said(row)
    for posting in event["postings"]:
        posting[0] = posting[0].replace("expense:charge_offs", "assets:interest_receivable")
    vault.write(row, event)


def garbled(vault: Vault) -> None:
    """An event is overwritten with noise."""
    vault.write(repayment(vault), b"\x00\xff not an event")


def dropped(vault: Vault) -> None:
    """One repayment is deleted."""
    _delete(vault, repayment(vault))


def _delete(vault: Vault, row: Row) -> None:
    vault.log("DELETE FROM ledger_events WHERE POSITION = :position", position=row.position)


def dropped_and_renumbered(vault: Vault) -> None:
    """One repayment is deleted with its request, and the versions after it close the gap."""
    row = repayment(vault)
    _delete(vault, row)
    _delete(vault, vault.rows(f"request/{said(row)['request_id']}")[0])
    for later in vault.rows(row.stream):
        if later.version > row.version:
            vault.log(
                "UPDATE ledger_events SET originator_version = :v WHERE POSITION = :position",
                v=later.version - 1,
                position=later.position,
            )


def cut_short(vault: Vault) -> None:
    """The last ten events are deleted."""
    for row in vault.rows()[-10:]:
        _delete(vault, row)


def swapped(vault: Vault) -> None:
    """Two repayments of one loan change places."""
    first, second = vault.rows("loan/L-0", "RepaymentPosted")[:2]
    vault.write(first, second.state)
    vault.write(second, first.state)


def reordered(vault: Vault) -> None:
    """Two events of different loans change places in the log."""
    first, second = repayment(vault, "L-0"), repayment(vault, "L-1")
    for old, new in ((first.position, -1), (second.position, first.position)):
        _move(vault, old, new)
    _move(vault, -1, second.position)


def _move(vault: Vault, old: int, new: int) -> None:
    vault.log("UPDATE ledger_events SET POSITION = :new WHERE POSITION = :old", new=new, old=old)


def inserted(vault: Vault) -> None:
    """A repayment that nobody made is written at the end of a loan's stream."""
    row = vault.rows("loan/L-1")[-1]
    event = {**said(repayment(vault, "L-1")), "repayment_id": "forged", "request_id": "forged"}
    vault.add("loan/L-1", row.version + 1, "RepaymentPosted", event)


def value_date_back(vault: Vault) -> None:
    """A repayment counts from a week earlier."""
    event = said(row := repayment(vault))
    vault.write(row, {**event, "effective_on": "2026-01-29"})


def learned_earlier(vault: Vault) -> None:
    """A repayment was known a day before it was."""
    event = said(row := repayment(vault))
    vault.write(row, {**event, "recorded_at": shifted(event["recorded_at"], days=-1)})


def shifted(instant: str, *, days: int) -> str:
    moved = datetime.fromisoformat(instant) + timedelta(days=days)
    return moved.isoformat().replace("+00:00", "Z")


def given_to_another(vault: Vault) -> None:
    """A repayment is moved to another loan's stream."""
    row, other = repayment(vault), vault.rows("loan/L-2")[-1]
    vault.log(
        "UPDATE ledger_events SET originator_id = :s, originator_version = :v"
        " WHERE POSITION = :position",
        s=other.stream,
        v=other.version + 1,
        position=row.position,
    )


def called_otherwise(vault: Vault) -> None:
    """A repayment is called a recovery."""
    vault.log(
        "UPDATE ledger_events SET topic = :topic WHERE POSITION = :position",
        topic="lending.ledger.RecoveryPosted",
        position=repayment(vault).position,
    )


def delimiter_shifted(vault: Vault) -> None:
    """The same event with one space: whoever compares values sees no difference."""
    row = repayment(vault)
    vault.write(row, row.state.replace(b'":', b'": ', 1))


def loan_gone(vault: Vault) -> None:
    """A whole loan is removed, with every request about it."""
    for row in vault.rows("loan/L-2"):
        _delete(vault, row)
    for row in vault.rows("request/%"):
        if said(row)["loan_id"] == "L-2":
            _delete(vault, row)


def request_forgotten(vault: Vault) -> None:
    """The answer to a request is deleted, so that it could have its effect again."""
    _delete(vault, vault.rows(f"request/{said(repayment(vault))['request_id']}")[0])


def day_closed_otherwise(vault: Vault) -> None:
    """A closed business date says that no loan changed."""
    row = vault.rows("business-day")[-1]
    vault.write(row, {**said(row), "loans_changed": 0, "loans_touched": 0})


def approved_by_another(vault: Vault) -> None:
    """A waiver was approved by somebody else."""
    row = vault.rows(topic="ChargeWaived")[0]
    vault.write(row, {**said(row), "approved_by": "Wang"})


def lateness_edited(vault: Vault) -> None:
    """A recorded transition says fewer days past due."""
    row = vault.rows("loan/L-2", "TransitionRecorded")[-2]
    event = said(row)
    event["standing"]["days_past_due"] -= 30
    vault.write(row, event)


def clock_set_back(vault: Vault) -> None:
    """The ledger's clock is set back thirty days, a loan is lent, then it is set right."""

    async def post(book: Any) -> None:
        book.now = lambda: datetime.now(UTC) - timedelta(days=30)
        await book.lend("L-9", msgspec.structs.replace(TERMS, first_due_on=date(2026, 8, 5)))

    asyncio.run(live(vault, post))
    asyncio.run(sealed(vault))


def recorded_earlier(vault: Vault) -> None:
    """Money that is posted is made to seem known thirty days ago, before it is sealed."""
    asyncio.run(live(vault, lambda book: book.repay("L-1", 1_000)))
    row = vault.rows("loan/L-1", "RepaymentPosted")[-1]
    earlier = datetime.now(UTC) - timedelta(days=30)
    vault.write(row, {**said(row), "recorded_at": earlier.isoformat()})
    asyncio.run(sealed(vault))


def unsealed_tail_dropped(vault: Vault) -> None:
    """Money is posted, and deleted before it is sealed, read models put back."""
    last = vault.rows()[-1].position
    asyncio.run(live(vault, lambda book: book.repay("L-1", 1_000)))
    for row in vault.rows():
        if row.position > last:
            _delete(vault, row)
    for name in ("loan_summary", "instalments", "journal_lines", "positions"):
        vault.read(f"DELETE FROM {name}")
    vault.check()


def forged_with_the_bank(vault: Vault) -> None:
    """Money comes that is not the borrower's, and is posted as the borrower's."""
    asyncio.run(live(vault, lambda book: book.repay("L-1", 1_000)))
    asyncio.run(sealed(vault))


def forged_through_the_api(vault: Vault) -> None:
    """Somebody with a login posts money that never came."""
    asyncio.run(live(vault, lambda book: book.repay("L-1", 1_000), paid=False))
    asyncio.run(sealed(vault))
