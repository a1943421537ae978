"""Securities beside the offers: who may give one, and which offers its fee makes too dear."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from lending.common.v1 import money_pb2
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination import wire_security
from services.origination.application.desk import Desk
from services.origination.application.holding import hold
from services.origination.application.offering import choose
from services.origination.application.securing import Securing
from services.origination.application.terms import as_json, terms_of
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import (
    Application,
    CoBorrower,
    Offer,
    OfferNotFound,
)
from services.origination.domain.securities import ProviderIsDebtor
from services.origination.domain.state_machine import Status
from shared.kernel.errors import Refused
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.origination.counterparts import FakeLedger
from tests.services.origination.killing import NOW, POLICIES, TOLD, contracted
from tests.services.origination.room import register


class CostCeilingExceeded(Refused):
    """It would cost more than is allowed."""


@dataclass
class Ledger(FakeLedger):
    """Takes no fee on a loan of fewer instalments than it says."""

    instalments_min: int = 12

    async def PreviewLoan(self, request: Any) -> Any:
        terms = request.terms
        if terms.fees_elsewhere_minor and terms.instalments < self.instalments_min:
            raise CostCeilingExceeded("a fee weighs more on a short loan")
        return await FakeLedger.PreviewLoan(self, request)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path}/origination.db")
    records = Records(engine)
    await records.create(APPLICATION_ID)
    made = Desk(records, Ledger(), POLICIES, *TOLD, lambda: NOW)
    async with records.work() as work:
        await made.keep(await hold(work, Application, "A-1"), offered_twice())
    await register(made, "PICC", 100_000_000)
    yield made
    await engine.dispose()


def offered_twice() -> Application:
    """Return an application with an offer over 12 months, which is chosen, and one over 6."""
    offers = []
    for months in (12, 6):
        terms = terms_of(contracted())
        terms.instalments = months
        one = Offer(
            offer_id=f"{months}m",
            grade="A",
            terms_json=as_json(terms),
            total_payable_minor=100_000,
            all_in_rate_annual="0.12",
            principal_minor=100_000,
        )
        offers.append(one)
    other = CoBorrower(borrower_ref="B-2", name="Han Meimei", identity_number="Y")
    return msgspec.structs.replace(
        contracted(),
        status=Status.OFFERED,
        contract_sha256="",
        signatures=(),
        co_borrowers=(other,),
        offers=tuple(offers),
        offer_id="12m",
    )


def insurance(provider: str, fee_minor: int = 5_000) -> pb.AddGuaranteeRequest:
    """Return a policy that the provider sells for a fee."""
    return pb.AddGuaranteeRequest(
        request_id=f"add-{provider}",
        application_id="A-1",
        kind=pb.GUARANTEE_KIND_INSURANCE,
        provider_ref=provider,
        amount=money_pb2.Money(amount_minor=100_000, currency="CNY"),
        fee=money_pb2.Money(amount_minor=fee_minor, currency="CNY"),
        insurance=pb.Insurance(
            policy_number="P-1",
            valid_from="2026-01-01",
            valid_until="2027-12-31",
            cover_share="0.9",
        ),
    )


async def test_a_fee_drops_the_offers_that_nobody_chose(desk: Desk) -> None:
    """The offer chosen bears the fee, the other would not: it is offered no more."""
    secured = await Securing(desk, wire_security).add(insurance("PICC"))

    assert [offer.offer_id for offer in secured.offers] == ["12m"]
    assert secured.terms.fees_elsewhere_minor == 5_000
    with pytest.raises(OfferNotFound):
        await choose(desk, "6m")(await desk.load("A-1"))


async def test_a_fee_that_the_chosen_offer_does_not_bear_is_refused(desk: Desk) -> None:
    """Nothing is secured, and both offers stand."""
    desk.ledger.instalments_min = 13

    with pytest.raises(CostCeilingExceeded):
        await Securing(desk, wire_security).add(insurance("PICC"))

    assert await desk.load("A-1") == offered_twice()


DEBTORS = ["B-1", "B-2"]


@pytest.mark.parametrize("debtor", DEBTORS)
@pytest.mark.parametrize("kind", [pb.GUARANTEE_KIND_INSURANCE, pb.GUARANTEE_KIND_GUARANTOR])
async def test_who_owes_the_loan_does_not_guarantee_it(desk: Desk, debtor: str, kind: Any) -> None:
    """Neither the borrower nor a co-borrower answers for it twice."""
    asked = insurance(debtor, 0)
    asked.kind = kind
    if kind == pb.GUARANTEE_KIND_GUARANTOR:
        asked.ClearField("insurance")

    with pytest.raises(ProviderIsDebtor):
        await Securing(desk, wire_security).add(asked)
