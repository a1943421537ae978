"""Who bears what a book is expected to lose, what is at stake, and the capital it asks."""

from __future__ import annotations

import asyncio
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lending.ledger.v1 import loan_pb2
from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1.events_pb2 import ApplicationChanged
from typer.testing import CliRunner

from services.risk.adapters.ledger_book import book_row
from services.risk.application.exposures import Exposures
from services.risk.application.portfolio import Portfolios
from services.risk.domain.book import BookRow
from services.risk.domain.capital import AssetClass, risk_weight
from services.risk.domain.loss_sharing import (
    Borne,
    CoverTerms,
    PartnerTerms,
    Secured,
    Security,
    SharingRules,
    loss_sharing,
    risk_weighted,
)
from services.risk.domain.portfolio import valued
from services.risk.domain.staging import Stage
from services.risk.entrypoints.cli import app
from shared.runtime.bus import Bus
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.risk.asking import API, asked, cny, refused
from tests.services.risk.test_portfolio import HAZARDS, MARCH, RULES, SHARING, row
from tests.system.processes import Service

TERMS = msgspec.structs.replace(
    SHARING,
    partners={"P-1": PartnerTerms(first_loss_share=Decimal("0.01"), funding_share=Decimal("0.30"))},
)


def secured(loan_id: str, *promised: tuple[str, str, int]) -> Secured:
    found = [Security(kind=k, provider_ref=p, amount_minor=a) for k, p, a in promised]
    return Secured(loan_id=loan_id, securities=tuple(found))


def shared(
    rows: list[BookRow], losses: list[int], promises: list[Secured], rules: SharingRules = TERMS
) -> dict[tuple[str, str], int]:
    found = loss_sharing(rows, losses, {one.loan_id: one for one in promises}, rules)
    return {(one.role, one.party): one.amount_minor for one in found}


def test_guarantor_then_insurer_then_first_loss_then_funding_shares() -> None:
    """Of 900.00 the guarantor bears 300.00, the insurer 200.00, the partner 12.00 and 30 %."""
    loan = row("L-1", partner_ref="P-1")
    promises = secured("L-1", ("GUARANTOR", "G-1", 30_000), ("INSURANCE", "I-1", 20_000))

    assert shared([loan], [90_000], [promises]) == {
        ("cover", "guarantor G-1"): 30_000,
        ("cover", "insurance I-1"): 20_000,
        ("first loss", "partner P-1"): 1_200,
        ("funding share", "partner P-1"): 11_640,
        ("funding share", "lender"): 27_160,
    }


def test_a_loan_without_promise_or_partner_is_the_lenders() -> None:
    """A partner without terms bears nothing; a thing that can be sold is no payer."""
    rows = [row("L-1", partner_ref="P-9"), row("L-2")]
    promises = secured("L-2", ("COLLATERAL", "car", 90_000))

    assert shared(rows, [500, 700], [promises]) == {("funding share", "lender"): 1_200}


def test_who_waits_longer_than_default_takes_pays_nothing_of_it() -> None:
    """An insurer of 180 days bears no loss of a loan that defaults at 91, but one so late."""
    slow = msgspec.structs.replace(TERMS, covers={"INSURANCE": CoverTerms(waiting_days=180)})
    promises = [secured(name, ("INSURANCE", "I-1", 90_000)) for name in ("L-1", "L-2")]
    rows = [row("L-1"), row("L-2", state="M7", days_past_due=200)]

    assert shared(rows, [500, 700], promises, slow) == {
        ("cover", "insurance I-1"): 700,
        ("funding share", "lender"): 500,
    }


PROMISES = st.lists(
    st.tuples(
        st.sampled_from(["GUARANTOR", "INSURANCE", "COLLATERAL"]),
        st.sampled_from(["G-1", "G-2", "lender"]),
        st.integers(0, 10**7),
    ),
    max_size=3,
)


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.sampled_from(["", "P-1", "P-2"]), PROMISES)),
    st.decimals(0, 1, places=3),
    st.decimals(0, 1, places=3),
)
@settings(max_examples=150, deadline=None)
def test_what_all_bear_is_the_loss(
    loans: list[tuple[int, str, list[tuple[str, str, int]]]], first: Decimal, funding: Decimal
) -> None:
    """To the cent; nobody bears more than was promised for all loans together."""
    terms = PartnerTerms(first_loss_share=first, funding_share=funding)
    rules = msgspec.structs.replace(TERMS, partners={"P-1": terms})
    rows = [row(f"L-{n}", partner_ref=partner) for n, (_, partner, _) in enumerate(loans)]
    promises = [secured(f"L-{n}", *given) for n, (_, _, given) in enumerate(loans)]
    losses = [loss for loss, _, _ in loans]
    found = loss_sharing(rows, losses, {one.loan_id: one for one in promises}, rules)

    assert sum(one.amount_minor for one in found) == sum(losses)
    assert all(one.amount_minor > 0 for one in found)
    for one in found:
        if one.role == "cover":
            assert one.amount_minor <= _promised(promises, one)


def _promised(promises: list[Secured], borne: Borne) -> int:
    every = (one for loan in promises for one in loan.securities)
    return sum(o.amount_minor for o in every if f"{o.kind.lower()} {o.provider_ref}" == borne.party)


def test_what_is_at_stake_is_more_than_principal() -> None:
    """Interest accrued, penalties and fees; without a fee for settling early, which no loss has."""
    loan = loan_pb2.Loan(
        loan_id="L-1",
        terms=loan_pb2.Terms(currency="CNY", rate_annual="0.12"),
        disbursed_on="2026-01-05",
        principal_outstanding_minor=100_000,
        interest_overdue_minor=900,
        penalty_outstanding_minor=50,
        fees_outstanding_minor=20,
        payoff_minor=101_400,
        delinquency=loan_pb2.Delinquency(buckets={"m": "M0", "five_tier": "NORMAL"}),
    )
    with_fee = loan_pb2.Loan()
    with_fee.CopyFrom(loan)
    with_fee.terms.prepayment_fee_rate = "0.03"
    with_fee.payoff_minor += 3_000
    credit = loan_pb2.Loan()
    credit.CopyFrom(loan)
    credit.payoff_minor = 90_000

    found = [book_row(one, MARCH).charges_minor for one in (loan, with_fee, credit)]
    assert found == [1_400, 970, 0]


def test_charges_are_lost_with_the_loan() -> None:
    """In default all of them; before it in the months that a loss takes to come."""
    quiet, charged = row(), row(charges_minor=10_000)
    bad = row("L-2", state="M4", days_past_due=100, charges_minor=10_000)
    losses = [
        valued([[one]], [MARCH], RULES).losses[0]
        for one in (quiet, charged, msgspec.structs.replace(bad, charges_minor=0), bad)
    ]

    assert charged.exposures_minor[:5] == (*(130_000,) * 4, 100_000)
    assert losses[1] > losses[0] > 0
    lgd = sum(one.weight * RULES.lgd * one.lgd_times for one in RULES.scenarios)
    assert losses[3] - losses[2] == pytest.approx(10_000 * lgd, abs=1)


def test_capital_is_of_what_is_not_in_default() -> None:
    """Other retail: the weight of the year's probability of default, times what is at stake."""
    good, bad = row(charges_minor=5_000), row("L-2", state="M4", days_past_due=100)
    alive = 1.0
    for hazard in HAZARDS.by_state[HAZARDS.states.index("M0")][:12]:
        alive *= 1 - hazard
    weight = risk_weight(AssetClass.OTHER_RETAIL, 1 - alive, 0.45)
    stages = [Stage.PERFORMING, Stage.IMPAIRED]

    found = risk_weighted([good, bad], stages, HAZARDS, RULES, SHARING)
    assert found == pytest.approx(125_000 * weight, abs=1)


async def disbursed(nats_url: str) -> None:
    """Publish that the application A-1 became the loan L-1, which G-1 guarantees."""
    told = pb.Application(
        application_id="A-1",
        borrower_ref="B-1",
        status=pb.APPLICATION_STATUS_DISBURSED,
        loan_id="L-1",
        product="consumer-2026",
        currency="CNY",
        amount_minor=120_000,
        guarantees=[
            pb.Guarantee(kind=pb.GUARANTEE_KIND_GUARANTOR, provider_ref="G-1", amount_minor=300),
            pb.Guarantee(
                kind=pb.GUARANTEE_KIND_INSURANCE,
                provider_ref="I-1",
                amount_minor=90_000,
                released_on="2026-03-01",
            ),
        ],
        trail=[pb.TrailEntry()] * 7,
    )
    bus = await Bus.connect(nats_url, "origination")
    await bus.ensure_streams()
    body = ApplicationChanged(application=told).SerializeToString()
    await bus.publish("lending.v1.origination.application_disbursed.A-1", body, "A-1/7", {})
    await bus.close()


class OneLoan:
    """A ledger with one loan."""

    async def on(self, as_of: date, currency: str) -> list[BookRow]:
        return [row("L-1", charges_minor=1_000)]

    async def known(self) -> tuple[date, str]:
        return MARCH, "2026-04-01T08:00:00+00:00"


async def test_a_running_service_says_who_bears_losses(
    risk: Service, nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By rpc and by command the same: the guarantor of the application, and the lender."""
    risk.call(f"{API}/ScoreApplication", **asked(1, amount=cny(120_000), borrowerRef="B-1"))
    await disbursed(nats_url)
    url = f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    records = Records(open_database(url))
    for _ in range(100):
        async with records.work() as work:
            if await work.get(Secured, "L-1"):
                break
        await asyncio.sleep(0.1)
    await Portfolios(Exposures(records), RULES, SHARING).keep(OneLoan(), MARCH, "CNY")
    await records.engine.dispose()
    found = risk.call(f"{API}/GetLossSharing", asOf="2026-03-31", currency="CNY")
    monkeypatch.setenv("RISK_DATABASE_URL", url)
    asked_for = ["losses", "2026-03-31"]
    printed = await asyncio.to_thread(CliRunner().invoke, app, [*asked_for, "--json"])
    table = await asyncio.to_thread(CliRunner().invoke, app, asked_for)
    loss = int(found["lossMinor"])

    assert (found["exposureMinor"], found["sharingVersion"]) == ("121000", "loss-sharing/2026-12")
    assert [(one["party"], int(one["amountMinor"])) for one in found["bearers"]] == [
        ("guarantor G-1", min(300, loss)),
        *([("lender", loss - 300)] if loss > 300 else []),
    ]
    assert 0 < int(found["capitalMinor"]) < int(found["riskWeightedMinor"])
    assert json.loads(printed.output) == {"loans": "1", **found}
    assert "guarantor G-1" in table.output
    wrong = refused(risk, "GetLossSharing", asOf="2026-03-30", currency="CNY")
    assert wrong == ("not_found", "BOOK_NOT_KEPT")
