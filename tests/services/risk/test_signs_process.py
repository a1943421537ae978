"""Signs that are no event of a loan, through a process: a bureau's report, and applications."""

from __future__ import annotations

from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.events_pb2 import ApplicationChanged

from shared.runtime.bus import Bus
from tests.conformance.messages import chained
from tests.services.risk.asking import API, asked, cny, reported
from tests.services.risk.test_decision_process import exposed, tell
from tests.services.risk.test_plan_affordability import API as PLANS
from tests.services.risk.test_plan_affordability import asked as plan
from tests.services.risk.test_risk_process import alerts, publish, recorded_now
from tests.system.processes import Service


async def lent(risk: Service, nats_url: str, **more: Any) -> None:
    """Have B-1 get the loan L-A-1, which people approved, and wait until risk knows it."""
    large = {"amount": cny(20_000_000), "monthlyIncome": cny(10_000_000), "borrowerRef": "B-1"}
    large |= more
    risk.call(f"{API}/ScoreApplication", **asked(1, **large))
    await tell(nats_url, "DISBURSED", 7)
    await exposed(risk, 20_000_000)


async def test_a_report_and_applications_warn_of_a_borrower(risk: Service, nats_url: str) -> None:
    """A borrower with a loan who applies with many enquiries is warned of; a stranger is not."""
    loan = {"borrowerRef": "B-1", "bureauReport": reported(enquiries30d=6)}
    await lent(risk, nats_url)
    risk.call(f"{API}/ScoreApplication", **asked(2, **loan))
    risk.call(f"{API}/ScoreApplication", **asked(3, **{**loan, "borrowerRef": "B-9"}))
    found = await alerts(risk, 1)

    assert [(one["indicator"], one["loanId"]) for one in found] == [
        ("ALERT_INDICATOR_ENQUIRIES_MANY", "L-A-1")
    ]
    assert (found[0]["raisedOn"], found[0]["knownOn"]) == ("2026-01-04", "2026-01-05")
    assert found[0]["evidence"] == ["report/pboc/r-1"]


async def applied(nats_url: str, *told: tuple[str, str, str]) -> None:
    """Publish applications of B-1 as origination does: id, status and date of each."""
    bus = await Bus.connect(nats_url, "origination")
    for name, status, on in told:
        one = pb.Application(
            application_id=name,
            borrower_ref="B-1",
            status=pb.ApplicationStatus.Value(f"APPLICATION_STATUS_{status}"),
            currency="CNY",
            applied_on=on,
        )
        body = ApplicationChanged(application=one).SerializeToString()
        subject = f"lending.v1.origination.application_{status.lower()}.{name}"
        await bus.publish(subject, body, f"{name}/{status}", {})
    await bus.close()


async def test_applying_again_and_again_warns_of_a_borrower(risk: Service, nats_url: str) -> None:
    """The third application within the window warns; a draft, or a later step, is none."""
    await lent(risk, nats_url)
    await applied(
        nats_url,
        ("A-2", "DRAFT", "2026-02-01"),
        ("A-3", "SUBMITTED", "2026-02-02"),
        ("A-3", "DECLINED", "2026-02-02"),
        ("A-4", "SUBMITTED", "2026-02-20"),
        ("A-4", "WITHDRAWN", "2026-02-20"),
        ("A-5", "SUBMITTED", "2026-03-20"),
        ("A-6", "SUBMITTED", "2026-03-25"),
    )
    found = await alerts(risk, 1)

    assert [(one["alertId"], one["evidence"]) for one in found] == [
        ("2026-03-20.L-A-1.APPLIES_AGAIN", ["applied/A-3", "applied/A-4", "applied/A-5"])
    ]


async def test_an_income_that_falls_warns_of_a_borrower(risk: Service, nats_url: str) -> None:
    """Confirmed with an application, and again, lower, with a plan: asked twice, warned once."""
    await lent(risk, nats_url)
    high = {"source": "payroll", "verifiedOn": "2026-01-02", "monthly": cny(500_000)}
    risk.call(f"{API}/ScoreApplication", **asked(2, borrowerRef="B-1", verifiedIncome=high))
    low = {**high, "verifiedOn": "2026-03-01", "monthly": cny(300_000)}
    lower = {"borrowerRef": "B-1", "loanId": "L-A-1", "verifiedIncome": low}
    risk.call(f"{PLANS}/AssessAffordability", **plan(7, **lower, validateOnly=True))
    assert "alerts" not in risk.call(f"{API}/ListAlerts")
    for _ in range(2):
        risk.call(f"{PLANS}/AssessAffordability", **plan(1, **lower))
    (found,) = await alerts(risk, 1)

    assert (found["alertId"], found["knownOn"]) == (
        "2026-03-01.L-A-1.INCOME_FALLING",
        "2026-03-05",
    )
    assert found["evidence"] == [
        "income/CNY/payroll/2026-01-02/500000",
        "income/CNY/payroll/2026-03-01/300000",
    ]


async def test_a_guarantor_in_default_warns_of_the_borrower(risk: Service, nats_url: str) -> None:
    """B-2 answers for the loan of B-1, and falls more than 90 days behind with a loan of B-2's."""
    await lent(risk, nats_url, guarantorRef="B-2")
    bucket = {"scheme": "m", "bucket_from": "M3", "bucket_to": "M4", "log_version": 9}
    fallen = recorded_now("BUCKET_CHANGED", "2026-03-06", **bucket)
    fallen.loan_id, fallen.borrower_ref = "L-9", "B-2"
    await publish(nats_url, *chained([fallen]))
    (found,) = await alerts(risk, 1)

    assert found["alertId"] == "2026-03-06.L-A-1.GUARANTOR_IN_DEFAULT"
    assert (found["borrowerRef"], found["evidence"]) == ("B-1", ["guarantor/L-9/1"])


async def test_a_returned_debit_and_late_payers_warn(risk: Service, nats_url: str) -> None:
    """From the stream: thrice paid late, the last time after the bank took the money back."""
    money = {"amount_minor": 90_000}
    told = [
        recorded_now("INSTALMENT_DUE", "2026-01-05"),
        recorded_now("DELINQUENCY_STARTED", "2026-01-06"),
        recorded_now("CURED", "2026-01-08"),
        recorded_now("INSTALMENT_DUE", "2026-02-05"),
        recorded_now("DELINQUENCY_STARTED", "2026-02-06"),
        recorded_now("CURED", "2026-02-10"),
        recorded_now("REPAYMENT_REVERSED", "2026-02-20", reason="posted twice", **money),
        recorded_now("INSTALMENT_DUE", "2026-03-05"),
        recorded_now("REPAYMENT_REVERSED", "2026-03-06", reason="returned debit", **money),
        recorded_now("DELINQUENCY_STARTED", "2026-03-06"),
        recorded_now("CURED", "2026-03-12"),
    ]
    await publish(nats_url, *chained(told))
    found = await alerts(risk, 2)

    assert [one["alertId"] for one in found] == [
        "2026-03-06.L-1.DEBIT_RETURNED",
        "2026-03-12.L-1.PAYS_LATER",
    ]
