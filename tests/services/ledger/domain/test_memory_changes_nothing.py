"""What is in memory changes nothing that is recorded: a ledger started again writes the same."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ledger.adapters.event_mapper import decode, encode, topic_of
from services.ledger.domain import commands as cmd
from services.ledger.domain import events as ev
from services.ledger.domain import frames
from services.ledger.domain.kept import KEEPER
from services.ledger.domain.loan_account import fold
from services.ledger.domain.policies import ALL_SCHEMES, CN_CONSUMER
from services.ledger.domain.schedule import schedule_of
from services.ledger.domain.terms import RepaymentMethod, Terms
from tests.services.ledger.domain.desk import TERMS, Desk
from tests.services.ledger.domain.lives import ACTS, STARTS_ON, act, examples
from tests.services.ledger.domain.lives import TERMS as ANY_TERMS


class Forgetful(Desk):
    """Starts again before every command: the loan is folded from its stored bytes."""

    def ask(self, kind: type[cmd.Asked], /, **asked: object) -> list[ev.Fact]:
        KEEPER.lines.clear()
        frames.forget()
        schedule_of.cache_clear()
        stored = [(topic_of(event), encode(event)) for event in self.events]
        self.account = fold(decode(topic, state) for topic, state in stored)
        return super().ask(kind, **asked)


@settings(max_examples=examples(80), deadline=None)
@given(
    terms=ANY_TERMS,
    parts=st.sampled_from([(1, 0), (1, 0), (3, 0), (3, 60)]),
    acts=ACTS,
)
def test_a_ledger_that_forgets_everything_records_the_same(
    terms: Terms, parts: tuple[int, int], acts: list[tuple[str, int, int]]
) -> None:
    """After any life, paid out at once or in parts, also after the first due dates."""
    count, later = parts
    on = STARTS_ON + timedelta(days=later)
    if count > 1:
        terms = msgspec.structs.replace(terms, first_due_on=date(2026, 3, 31), instalments=24)
    part = str(Decimal(max(1, terms.principal_minor // 3)) / 100) if count > 1 else ""
    kept, forgotten = (kind(terms, on, part, count) for kind in (Desk, Forgetful))

    for desk in (kept, forgotten):
        for what, days, share in acts:
            act(desk, what, days, share)

    assert kept.events == forgotten.events
    assert [encode(e) for e in kept.events] == [encode(e) for e in forgotten.events]


def test_a_policy_changed_back_to_the_first_is_stored_the_same() -> None:
    """Whether a ledger remembers the change or has read it: a later plan has the same bytes."""
    stored = []
    for kind in (Desk, Forgetful):
        desk = kind(msgspec.structs.replace(TERMS, delinquency=ALL_SCHEMES))
        approved = {"effective_on": desk.on, "reason": "agreed", "approved_by": "Li"}
        desk.ask(cmd.ChangeDelinquencyPolicy, policy=CN_CONSUMER, **approved)
        desk.ask(cmd.RestructureLoan, rate_annual=Decimal("0.05"), **approved)
        stored.append([encode(event) for event in desk.events])

    assert stored[0] == stored[1]


def test_a_reversed_repayment_is_named_whatever_is_in_memory() -> None:
    """Its money lies elsewhere, nowhere: said by a ledger that has just looked at its date too."""
    said = []
    for desk in (Desk(), Forgetful()):
        desk.go_to(date(2026, 3, 20))
        fee = {"amount_minor": 500, "currency": "CNY", "reason": "late fee"}
        desk.ask(cmd.ApplyCharge, value_on=desk.on, **fee)
        posted = desk.repay("100.00", date(2026, 2, 10))
        repayment_id = posted[0].repayment_id
        done = desk.ask(cmd.ReverseRepayment, repayment_id=repayment_id, reason="returned")
        restated = [event for event in done if isinstance(event, ev.TimelineRestated)]
        said.append([event.reallocated == (repayment_id,) for event in restated])

    assert said == [[True], [True]]


def test_a_loan_first_paid_out_after_a_due_date_is_aged_the_same() -> None:
    """4,000.00 on 10 February, due from 5 March: eleven instalments of 363.64, not of 333.33."""
    terms = msgspec.structs.replace(TERMS, method=RepaymentMethod.EQUAL_PRINCIPAL)
    for kind in (Desk, Forgetful):
        desk = kind(terms, date(2026, 2, 10), "4000.00", 3)
        desk.go_to(date(2026, 3, 9))

        assert desk.account.standing.principal_overdue_minor == 36_364
