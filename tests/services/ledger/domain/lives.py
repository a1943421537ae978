"""Random contracts and random lives for the properties that hold for every loan."""

from __future__ import annotations

import os
from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import strategies as st

from services.ledger.domain import commands as cmd
from services.ledger.domain.chart import POSTING_POLICIES
from services.ledger.domain.facts import AccelerationGround, FactKind
from services.ledger.domain.policies import (
    ALL_SCHEMES,
    CN_CONSUMER,
    CN_CONSUMER_3,
    CN_CONSUMER_4,
    EU_RETAIL_2,
    RBI_RETAIL,
)
from services.ledger.domain.terms import (
    FirstPeriod,
    Overpayment,
    Prepayment,
    RepaymentMethod,
    ShortMonth,
    Terms,
)
from services.ledger.domain.waterfall import (
    CIVIL_CODE_561,
    OLDEST_FIRST,
    PRINCIPAL_FIRST_AFTER_90,
    Component,
    FutureRule,
    PaymentSource,
)
from shared.kernel.dates import DayCount
from shared.kernel.errors import LendingError
from tests.services.ledger.domain.desk import Desk


def examples(count: int) -> int:
    """Return how many random loans a law is tried on; `make laws` tries fifty times as many."""
    return count * int(os.environ.get("LAWS_TIMES", "1"))


STARTS_ON = date(2026, 1, 31)
PLANNED = [m for m in RepaymentMethod if m is not RepaymentMethod.AGREED]
WATERFALLS = [
    msgspec.structs.replace(waterfall, future=rule)
    for waterfall in (OLDEST_FIRST, CIVIL_CODE_561, PRINCIPAL_FIRST_AFTER_90)
    for rule in FutureRule
]
TERMS = st.builds(
    Terms,
    currency=st.just("CNY"),
    principal_minor=st.integers(100, 50_000_000),
    rate_annual=st.decimals(0, 1, places=4),
    method=st.sampled_from(PLANNED),
    day_count=st.sampled_from(DayCount),
    instalments=st.integers(2, 24),
    months_per_instalment=st.integers(1, 3),
    first_due_on=st.dates(date(2026, 2, 15), date(2026, 3, 31)),
    due_day=st.sampled_from([0, 0, 31, 30]),
    grace_days=st.integers(0, 10),
    penalty_rate_annual=st.decimals(0, 1, places=3),
    down_payment_rate=st.sampled_from([Decimal(0), Decimal(0), Decimal("0.25")]),
    principal_grace_instalments=st.integers(0, 1),
    interest_grace_instalments=st.integers(0, 1),
    interest_free_instalments=st.integers(0, 1),
    instalment_multiple_minor=st.sampled_from([1, 1, 100]),
    even_out_last=st.booleans(),
    waterfall=st.sampled_from(WATERFALLS),
    overpayment=st.sampled_from(Overpayment),
    prepayment=st.sampled_from(Prepayment),
    prepayment_fee_rate=st.sampled_from([Decimal(0), Decimal(0), Decimal("0.013")]),
    rebate_unearned=st.booleans(),
    penalty_on_interest=st.booleans(),
    penalty_from_grace=st.booleans(),
    delinquency=st.sampled_from(
        [CN_CONSUMER, ALL_SCHEMES, CN_CONSUMER_3, CN_CONSUMER_4, EU_RETAIL_2, RBI_RETAIL]
    ),
    posting_policy=st.sampled_from(sorted(POSTING_POLICIES)),
).flatmap(
    lambda terms: st.builds(
        msgspec.structs.replace,
        st.just(terms),
        short_month=st.sampled_from(ShortMonth) if terms.due_day else st.just(ShortMonth.LAST_DAY),
        first_period=st.sampled_from(FirstPeriod)
        if terms.day_count is DayCount.PERIOD_360
        else st.just(FirstPeriod.WHOLE),
    )
)
WHAT = ["wait", "repay", "repay", "backdate", "reverse", "charge", "dated", "plan", "off"]
WHAT += ["pause", "resume", "holiday", "waive", "refund", "goodwill", "settle", "sell", "bounce"]
WHAT += ["judge", "accelerate", "withdraw"]
ACTS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(1, 45), st.integers(1, 100)),
    min_size=1,
    max_size=12,
)


def act(desk: Desk, what: str, days: int, share: int) -> None:
    """Do one thing; a refusal changes nothing and is fine."""
    desk.go_to(desk.on + timedelta(days=days))
    try:
        for kind, asked in _asked(desk, what, share):
            desk.ask(kind, **asked)
    except LendingError:
        return


def _asked(desk: Desk, what: str, share: int) -> list[tuple[type[cmd.Asked], dict[str, object]]]:
    """Return the command that a word stands for."""
    on, line = desk.on, desk.account.timeline(desk.on)
    money = {"amount_minor": max(1, line.payoff * share // 100), "currency": "CNY"}
    back, later = on - timedelta(days=share), on + timedelta(days=share)
    receive = cmd.PostRecovery if line.charged_off_on else cmd.PostRepayment
    charges = [f.fact_id for f in desk.account.facts if f.kind is FactKind.CHARGE]
    approved = {"reason": "hardship", "approved_by": "Li"}
    out = {"amount_minor": sum(amount for _, amount in line.paid_out), "currency": "CNY"}
    dated = {"component": Component.PENALTY, "due_on": later}
    sale = {"creditor_ref": "fund", "price_minor": money["amount_minor"], "currency": "CNY"}
    plan = {
        "instalments": share,
        "first_due_on": on + timedelta(days=20),
        "rate_annual": Decimal("0.05"),
    }
    table: dict[str, list[tuple[type[cmd.Asked], dict[str, object]]]] = {
        "repay": [(receive, {"value_on": on, **money})],
        "goodwill": [
            (cmd.PostRepayment, {"value_on": on, "source": PaymentSource.GOODWILL, **money})
        ],
        "backdate": [(cmd.PostRepayment, {"value_on": back, **money})],
        "charge": [(cmd.ApplyCharge, {"value_on": on, "reason": "late fee", **money})],
        "dated": [(cmd.ApplyCharge, {"value_on": on, "reason": "returned", **dated, **money})],
        "waive": [
            (cmd.WaiveCharge, {"value_on": on, "charge_id": c, **approved}) for c in charges[-1:]
        ],
        "refund": [
            (cmd.RefundCredit, {"value_on": on, "reason": "asked", **money, "amount_minor": 1})
        ],
        "settle": [(cmd.SettleLoan, {"value_on": on, **money, **approved})],
        "bounce": [(cmd.ReturnDisbursement, {"value_on": on, **out, **approved})],
        "sell": [(cmd.TransferLoan, {"effective_on": on, **sale, **approved})],
        "off": [(cmd.ChargeOffLoan, {"effective_on": on, "reason": "lost"})],
        "plan": [(cmd.RestructureLoan, {"effective_on": on, **plan, **approved})],
        "holiday": [(cmd.PauseInterest, {"from_on": on, "until_on": later, **approved})],
        "pause": [(cmd.PauseDelinquency, {"from_on": back, "until_on": later, "reason": "flood"})],
        "resume": [(cmd.ResumeDelinquency, {"on": on, "reason": "dry again"})],
        **_reversal(desk, share),
        **_judging(on, share, approved),
    }
    return table.get(what, [])


def _reversal(desk: Desk, share: int) -> dict[str, list[tuple[type[cmd.Asked], dict[str, object]]]]:
    """Return the command that takes some fact back, if there is one."""
    paid = [f.fact_id for f in desk.account.facts if f.kind is not FactKind.CHARGE]
    chosen = paid[share % len(paid) :][:1] if paid else []
    asked = [{"repayment_id": fact_id, "reason": "returned"} for fact_id in chosen]
    return {"reverse": [(cmd.ReverseRepayment, one) for one in asked]}


def _judging(
    on: date, share: int, approved: dict[str, str]
) -> dict[str, list[tuple[type[cmd.Asked], dict[str, object]]]]:
    """Return the commands that judge a loan: by another policy, or as due at once."""
    policy = (CN_CONSUMER_4, ALL_SCHEMES, EU_RETAIL_2)[share % 3]
    asked = {"effective_on": on, "policy": policy, **approved}
    ground = (AccelerationGround.ARREARS, AccelerationGround.MISUSE)[share % 2]
    due = {"effective_on": on, "notified_on": on, "ground": ground, **approved}
    return {
        "judge": [(cmd.ChangeDelinquencyPolicy, asked)],
        "accelerate": [(cmd.AccelerateLoan, due)],
        "withdraw": [(cmd.WithdrawAcceleration, approved)],
    }
