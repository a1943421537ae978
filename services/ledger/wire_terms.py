"""A contract's terms as a message and back."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from lending.ledger.v1 import loan_pb2

from services.ledger.domain.chart import POSTING_POLICIES
from services.ledger.domain.policies import (
    CN_CONSUMER,
    POLICIES,
    DelinquencyPolicy,
    policy_in_force,
)
from services.ledger.domain.terms import (
    FirstPeriod,
    Overpayment,
    Prepayment,
    RepaymentMethod,
    ShortMonth,
    Terms,
)
from services.ledger.domain.waterfall import OLDEST_FIRST, WATERFALLS, FutureRule, Waterfall
from shared.kernel.calendars import BusinessDayRule
from shared.kernel.dates import DayCount, parse_date
from shared.kernel.errors import InvalidArgument
from shared.kernel.money import plain_decimal
from shared.runtime.requests import FieldMissing

Chosen = TypeVar("Chosen", bound=StrEnum)


class PolicyUnknown(InvalidArgument):
    """No policy has this name and version."""


class LoanView(StrEnum):
    """How much of a loan an answer shows."""

    FULL = "FULL"
    BASIC = "BASIC"


def chosen(kind: type[Chosen], message: Any, number: int, field: str) -> Chosen:
    """
    Read an enum value; not stated means the first of the kind.

    Raises:
        FieldMissing: the number is not one of the message's values.
    """
    if number == 0:
        return _first(kind)
    try:
        return _named(kind, message, number)
    except ValueError:
        names = ", ".join(kind)
        raise FieldMissing(f"{number} is not a value", field=field, expected=names) from None


@lru_cache(maxsize=256)
def _named(kind: type[Chosen], message: Any, number: int) -> Chosen:
    """Return the value of a number; a ValueError is not kept."""
    prefix = message.Name(0).removesuffix("UNSPECIFIED")
    return kind(message.Name(number).removeprefix(prefix))


def stated(kind: type[Chosen], message: Any, number: int, field: str) -> Chosen:
    """
    Read an enum value that must be stated.

    Raises:
        FieldMissing: it is not, or the number is not one of the message's values.
    """
    if number == 0:
        raise FieldMissing("it is not stated", field=field, expected=", ".join(kind))
    return chosen(kind, message, number, field)


@lru_cache(maxsize=64)
def _first(kind: type[Chosen]) -> Chosen:
    return next(iter(kind))


def terms(message: loan_pb2.Terms) -> Terms:
    """Read a contract's terms."""
    for name in ("method", "day_count"):
        if getattr(message, name) == 0:
            raise FieldMissing(f"{name} is not set", field=f"terms.{name}", expected="a value")
    pb, rate = loan_pb2, message.down_payment_rate
    return Terms(
        currency=message.currency,
        principal_minor=message.principal_minor,
        rate_annual=plain_decimal(message.rate_annual, field="terms.rate_annual"),
        method=chosen(RepaymentMethod, pb.RepaymentMethod, message.method, "terms.method"),
        day_count=chosen(DayCount, pb.DayCount, message.day_count, "terms.day_count"),
        instalments=message.instalments,
        months_per_instalment=message.months_per_instalment,
        first_due_on=parse_date(message.first_due_on, field="terms.first_due_on"),
        grace_days=message.grace_days,
        penalty_rate_annual=plain_decimal(
            message.penalty_rate_annual, field="terms.penalty_rate_annual"
        ),
        days_per_instalment=message.days_per_instalment,
        due_day=message.due_day,
        disbursements_max=message.disbursements_max or 1,
        down_payment_rate=plain_decimal(rate, field="terms.down_payment_rate")
        if rate
        else Decimal(0),
        **_plan(message),
        **_agreed(message),
        **_policies(message),
    )


def _plan(message: loan_pb2.Terms) -> dict[str, Any]:
    """Read what shapes the instalments and what lateness costs."""
    pb = loan_pb2
    return dict(
        principal_grace_instalments=message.principal_grace_instalments,
        interest_grace_instalments=message.interest_grace_instalments,
        interest_free_instalments=message.interest_free_instalments,
        instalment_multiple_minor=message.instalment_multiple_minor or 1,
        even_out_last=message.even_out_last,
        calendar=message.calendar,
        business_day_rule=chosen(
            BusinessDayRule,
            pb.BusinessDayRule,
            message.business_day_rule,
            "terms.business_day_rule",
        ),
        prepayment_fee_rate=plain_decimal(
            message.prepayment_fee_rate, field="terms.prepayment_fee_rate"
        )
        if message.prepayment_fee_rate
        else Decimal(0),
        short_month=chosen(ShortMonth, pb.ShortMonth, message.short_month, "terms.short_month"),
        first_period=chosen(
            FirstPeriod, pb.FirstPeriod, message.first_period, "terms.first_period"
        ),
        cost_ceiling=message.cost_ceiling,
        fees_elsewhere_minor=message.fees_elsewhere_minor,
        penalty_on_interest=message.penalty_on_interest,
        penalty_from_grace=message.penalty_from_grace,
    )


def _agreed(message: loan_pb2.Terms) -> dict[str, Any]:
    """Read agreed instalments; none unless the method is AGREED."""
    field = "terms.agreed.due_on"
    return {
        "due_dates": tuple(parse_date(one.due_on, field=field) for one in message.agreed),
        "agreed": tuple((one.principal_minor, one.interest_minor) for one in message.agreed),
    }


def _policies(message: loan_pb2.Terms) -> dict[str, Any]:
    """Read the policies that the terms name."""
    pb = loan_pb2
    return {
        "waterfall": waterfall(message),
        "overpayment": chosen(
            Overpayment, pb.Overpayment, message.overpayment, "terms.overpayment"
        ),
        "prepayment": chosen(Prepayment, pb.Prepayment, message.prepayment, "terms.prepayment"),
        "rebate_unearned": not message.keep_unearned_interest,
        "delinquency": delinquency_policy(message.delinquency_policy, message.concluded_on),
        "posting_policy": _posting(message.posting_policy),
        "concluded_on": parse_date(message.concluded_on, field="terms.concluded_on")
        if message.concluded_on
        else None,
    }


def waterfall(message: loan_pb2.Terms) -> Waterfall:
    """Read the allocation policy that terms name."""
    name = message.allocation_policy or OLDEST_FIRST.policy
    if name not in WATERFALLS:
        raise PolicyUnknown(
            f"{name[:40]!r} is not an allocation policy",
            field="terms.allocation_policy",
            expected=", ".join(WATERFALLS),
        )
    rule = chosen(FutureRule, loan_pb2.FutureRule, message.future_rule, "terms.future_rule")
    return msgspec.structs.replace(WATERFALLS[name], future=rule)


def delinquency_policy(
    name: str, concluded: str, field: str = "terms.delinquency_policy"
) -> DelinquencyPolicy:
    """Read a policy by its version or, without one, the version in force at the contract's date."""
    dated = bool(name) and "/" not in name
    on = parse_date(concluded, field="terms.concluded_on") if concluded or dated else date.min
    if not name:
        return CN_CONSUMER
    found = policy_in_force(name, on) if dated else POLICIES.get(name)
    if found is None:
        raise PolicyUnknown(
            f"{name[:40]!r} is not a delinquency policy{f' in force on {on}' if dated else ''}",
            field=field,
            expected=", ".join(POLICIES),
        )
    return found


def _posting(name: str) -> str:
    if name and name not in POSTING_POLICIES:
        raise PolicyUnknown(
            f"{name[:40]!r} is not a posting policy",
            field="terms.posting_policy",
            expected=", ".join(POSTING_POLICIES),
        )
    return name or "cash/1"


@lru_cache(maxsize=1024)
def terms_message(given: Terms) -> loan_pb2.Terms:
    """Return terms as their message."""
    pb = loan_pb2
    return pb.Terms(
        currency=given.currency,
        principal_minor=given.principal_minor,
        rate_annual=str(given.rate_annual),
        method=pb.RepaymentMethod.Value(f"REPAYMENT_METHOD_{given.method}"),
        day_count=pb.DayCount.Value(f"DAY_COUNT_{given.day_count}"),
        instalments=given.instalments,
        months_per_instalment=given.months_per_instalment,
        first_due_on=given.first_due_on.isoformat(),
        grace_days=given.grace_days,
        penalty_rate_annual=str(given.penalty_rate_annual),
        days_per_instalment=given.days_per_instalment,
        due_day=given.due_day,
        agreed=[
            pb.AgreedInstalment(due_on=on.isoformat(), principal_minor=p, interest_minor=i)
            for on, (p, i) in zip(given.due_dates, given.agreed, strict=False)
        ],
        disbursements_max=given.disbursements_max,
        down_payment_rate=str(given.down_payment_rate),
        principal_grace_instalments=given.principal_grace_instalments,
        interest_grace_instalments=given.interest_grace_instalments,
        interest_free_instalments=given.interest_free_instalments,
        instalment_multiple_minor=given.instalment_multiple_minor,
        even_out_last=given.even_out_last,
        calendar=given.calendar,
        business_day_rule=pb.BusinessDayRule.Value(f"BUSINESS_DAY_RULE_{given.business_day_rule}"),
        short_month=pb.ShortMonth.Value(f"SHORT_MONTH_{given.short_month}"),
        first_period=pb.FirstPeriod.Value(f"FIRST_PERIOD_{given.first_period}"),
        **_policies_message(given),
    )


def _policies_message(given: Terms) -> dict[str, Any]:
    """Return what lateness, early money and costs do, as the message has it."""
    pb = loan_pb2
    return dict(
        allocation_policy=given.waterfall.policy,
        future_rule=pb.FutureRule.Value(f"FUTURE_RULE_{given.waterfall.future}"),
        overpayment=pb.Overpayment.Value(f"OVERPAYMENT_{given.overpayment}"),
        prepayment=pb.Prepayment.Value(f"PREPAYMENT_{given.prepayment}"),
        prepayment_fee_rate=str(given.prepayment_fee_rate) if given.prepayment_fee_rate else "",
        keep_unearned_interest=not given.rebate_unearned,
        delinquency_policy=given.delinquency.policy,
        cost_ceiling=given.cost_ceiling,
        fees_elsewhere_minor=given.fees_elsewhere_minor,
        penalty_on_interest=given.penalty_on_interest,
        penalty_from_grace=given.penalty_from_grace,
        posting_policy=given.posting_policy,
        concluded_on=given.concluded_on.isoformat() if given.concluded_on else "",
    )
