"""What would be, had something been otherwise: stories with their numbers, and two laws."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.domain import commands as cmd
from services.ledger.domain.counterfactual import Supposed, Supposition, suppose
from services.ledger.domain.difference import Look
from services.ledger.domain.explain import explain, figures
from services.ledger.domain.policies import ALL_SCHEMES
from services.ledger.domain.refusals import LoanNotActive, SuppositionInvalid, TermsInvalid
from services.ledger.domain.terms import Terms
from services.ledger.domain.waterfall import CIVIL_CODE_561
from shared.audit.evaluate import evaluate
from tests.services.ledger.domain.desk import NOW, Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, TERMS, act, examples

ALWAYS = datetime.max.replace(tzinfo=UTC)
ON = date(2026, 4, 20)


def told() -> Desk:
    """
    A loan of 12,000.00 in twelve parts, 1,120.00 on 5 February.

    Paid on time, then 10 days late with a late fee of 50.00; the April instalment was paid in part.
    """
    desk = Desk()
    desk.go_to(date(2026, 2, 5))
    desk.repay("1120.00")
    desk.go_to(date(2026, 3, 15))
    desk.ask(
        cmd.ApplyCharge, value_on=desk.on, amount_minor=5_000, currency="CNY", reason="late fee"
    )
    desk.repay("1115.50")
    desk.go_to(date(2026, 4, 10))
    desk.repay("600.00", on=date(2026, 4, 4))
    desk.go_to(ON)
    return desk


def version_of(desk: Desk, name: str, number: int = 1) -> int:
    """Return the version of the n-th event of a name."""
    found = [v for v, event in enumerate(desk.events, 1) if type(event).__name__ == name]
    return found[number - 1]


def supposed(desk: Desk, known_at: datetime = ALWAYS, **what: object) -> Supposed:
    return suppose(desk.events, Look(ON, known_at), Supposition(**what))


def test_what_would_be() -> None:
    """
    Each supposition changes what the rules say it changes, to the cent.

    1,000.00 ten days late at 18 % over 360 days bear 5.00; 50.00 fifteen days late bear 0.37.
    """
    desk = told()
    first, second = (version_of(desk, "RepaymentPosted", k) for k in (1, 2))
    fee, on_time = version_of(desk, "ChargeApplied"), date(2026, 3, 5)
    # what is supposed                       | days | principal | penalty | fees | arrears
    table = [
        ({"without": (first,)}, 31, 99_924, 777, 5_000, 109_924),
        ({"without": (second,)}, 31, 97_550, 758, 5_000, 107_550),
        ({"without": (fee,)}, 0, -5_000, -37, 0, -5_000),
        ({"value_dates": ((second, on_time),)}, 0, -500, -4, 0, -500),
        ({"grace_days": 60}, 0, -500, -412, 0, -500),
        ({"penalty_rate_annual": Decimal(0)}, 0, -500, -412, 0, -500),
        ({"waterfall": CIVIL_CODE_561}, 0, 45_050, 338, 0, 45_050),
    ]
    names = ("days_past_due", "principal_outstanding", "penalty_outstanding", "fees_outstanding")
    for what, *wanted in table:
        changes = supposed(desk, **what).changes
        found = [changes.get(name, 0) for name in (*names, "arrears")]
        assert found == wanted, what


def test_had_it_been_learned_on_time() -> None:
    """On 6 April nobody knew of the money of 4 April; had they, 600.00 less would be owed."""
    desk = told()
    late = version_of(desk, "RepaymentPosted", 3)
    learned = datetime(2026, 4, 10, 9, tzinfo=UTC)
    events = [
        msgspec.structs.replace(event, recorded_at=learned) if k >= late else event
        for k, event in enumerate(desk.events, start=1)
    ]
    look = Look(date(2026, 4, 6), learned - timedelta(days=4))

    found = suppose(events, look, Supposition(recorded_on_time=(late,)))

    assert found.changes["payoff"] == -60_000
    assert figures(found.actual)["arrears"] > figures(found.supposed)["arrears"] > 0


def test_another_policy_has_other_buckets() -> None:
    """The days stay; the schemes that look at them are more."""
    found = supposed(told(), delinquency=ALL_SCHEMES)

    assert found.changes == {}
    assert found.supposed.terms.delinquency is ALL_SCHEMES
    assert found.actual.terms.delinquency is not ALL_SCHEMES


def test_a_reversal_can_be_left_out() -> None:
    """Had the debit not been returned, its money would have counted."""
    desk = told()
    repaid = desk.events[version_of(desk, "RepaymentPosted") - 1].repayment_id
    desk.ask(cmd.ReverseRepayment, repayment_id=repaid, reason="returned")

    found = supposed(desk, without=(version_of(desk, "RepaymentReversed"),))

    assert found.changes["days_past_due"] == -31
    assert found.changes["principal_outstanding"] == -99_924


def test_what_cannot_be_supposed_says_why() -> None:
    """An event that is not there, the opening, a term out of range, a loan never paid out."""
    desk = told()
    for what in ({"without": (99,)}, {"without": (0,)}, {"without": (1,)}):
        with pytest.raises(SuppositionInvalid):
            supposed(desk, **what)
    with pytest.raises(TermsInvalid):
        supposed(desk, grace_days=61)
    with pytest.raises(LoanNotActive):
        supposed(desk, without=(version_of(desk, "LoanDisbursed"),))


def test_the_same_supposition_has_the_same_name() -> None:
    """Its hash says what was supposed, and nothing else."""
    assert Supposition(grace_days=5).sha256 == Supposition(grace_days=5).sha256
    assert Supposition(grace_days=5).sha256 != Supposition(grace_days=6).sha256
    assert Supposition().sha256 != Supposition(without=(2,)).sha256


@settings(max_examples=examples(60), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_with_nothing_supposed_it_is_what_it_is(
    terms: Terms, acts: list[tuple[str, int, int]]
) -> None:
    """The current policy reproduces reality, row by row, on any loan, at any instant."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    for known_at in (ALWAYS, NOW + timedelta(seconds=3)):
        found = suppose(desk.events, Look(desk.on, known_at), Supposition())
        assert found.supposed == found.actual
        assert found.changes == {}
    assert suppose(desk.events, Look(desk.on, ALWAYS), Supposition()).actual.rows == (
        desk.account.timeline(desk.on).rows
    )


@settings(max_examples=examples(60), deadline=None)
@given(terms=TERMS, acts=ACTS, grace=st.integers(0, 60), left=st.integers(0, 99))
def test_a_supposed_figure_is_explained_like_a_real_one(
    terms: Terms, acts: list[tuple[str, int, int]], grace: int, left: int
) -> None:
    """Whatever is left out: the record stays, and each figure recomputes from its tree."""
    desk = Desk(terms, STARTS_ON)
    for what, days, share in acts:
        act(desk, what, days, share)
    others = [v for v in range(3, len(desk.events) + 1)]
    without = (others[left % len(others)],) if others else ()
    before = list(desk.events)

    found = suppose(
        desk.events, Look(desk.on, ALWAYS), Supposition(grace_days=grace, without=without)
    )

    assert desk.events == before
    for name, value in figures(found.supposed).items():
        assert evaluate(explain(found.supposed, name)) == value
