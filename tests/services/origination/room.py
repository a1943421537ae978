"""Origination alone over a database: its ledger and its bank do as they are told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.desk import Desk
from services.origination.application.disbursing import Disbursing
from services.origination.application.holding import hold
from services.origination.compose import APPLICATION_ID
from services.origination.domain.application import Application
from services.origination.domain.guarantors import Guarantor
from shared.kernel.errors import Unavailable
from shared.runtime.database import open_database
from shared.runtime.records import Records
from tests.services.origination.counterparts import TODAY, Bank, FakeLedger
from tests.services.origination.killing import NOW, POLICIES, TOLD, disburse_request


async def register(desk: Desk, guarantor_ref: str, net_assets_minor: int) -> None:
    """Take a guarantor or an insurer in, with what it owns."""
    house = Guarantor(
        guarantor_ref=guarantor_ref,
        currency="CNY",
        net_assets_minor=net_assets_minor,
        elsewhere_minor=0,
        small_borrowers=False,
        stated_on=TODAY,
    )
    async with desk.records.work() as work:
        await work.put(house, guarantor_ref)


@dataclass
class Room:
    """The desk, its ledger and its bank."""

    desk: Desk
    ledger: FakeLedger
    bank: Bank

    async def store(self, application: Application) -> None:
        async with self.desk.records.work() as work:
            held = await hold(work, Application, application.application_id)
            await self.desk.keep(held, application)

    async def disburse(self, request_id: str = "") -> pb.Application:
        return await Disbursing(self.desk, self.bank).disburse(disburse_request("A-1", request_id))

    async def resume(self) -> Application:
        await Disbursing(self.desk, self.bank).resume()
        return await self.desk.load("A-1")

    def repaid(self, loan_id: str) -> dict[str, int]:
        return {name: amount for name, (_, amount) in self.ledger.loans[loan_id].back.items()}


class NotOpen:
    """A ledger whose OpenLoan does not answer yet."""

    def __init__(self, ledger: FakeLedger) -> None:
        self.ledger = ledger

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def OpenLoan(self, request: Any) -> Any:
        raise Unavailable("the ledger does not answer")


@asynccontextmanager
async def open_room(folder: Path) -> AsyncIterator[Room]:
    """Open a room over an empty database in a folder."""
    engine = open_database(f"sqlite+aiosqlite:///{folder}/origination.db")
    ledger, records = FakeLedger(), Records(engine)
    await records.create(APPLICATION_ID)
    try:
        yield Room(Desk(records, ledger, POLICIES, *TOLD, lambda: NOW), ledger, Bank())
    finally:
        await engine.dispose()
