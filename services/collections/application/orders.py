"""Orders to the ledger: written down with the decision, carried out after it, once each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from google.protobuf.message import Message as Proto
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb

from services.collections.application.ports import Ledger
from shared.kernel.errors import LendingError
from shared.runtime.records import Records, Work

REQUESTS: Mapping[str, type[Any]] = {
    "RestructureLoan": ledger_pb.RestructureLoanRequest,
    "SettleLoan": ledger_pb.SettleLoanRequest,
    "PostGuaranteePayment": ledger_pb.PostGuaranteePaymentRequest,
    "AccelerateLoan": ledger_pb.AccelerateLoanRequest,
    "WithdrawAcceleration": ledger_pb.WithdrawAccelerationRequest,
    "PauseDelinquency": ledger_pb.PauseDelinquencyRequest,
    "ResumeDelinquency": ledger_pb.ResumeDelinquencyRequest,
}
Settle = Callable[[Work, str, str], Awaitable[None]]


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """One command to the ledger; `body` is its request, whose request id makes it happen once."""

    order_id: str
    subject: str
    subject_id: str
    method: str
    body: bytes
    state: str = "DUE"
    refusal: str = ""


@dataclass(slots=True)
class Orders:
    """Carries orders out; `settle` per subject writes down the end: its id and a refusal, or ""."""

    records: Records
    ledger: Ledger
    settle: dict[str, Settle]

    async def place(self, work: Work, subject: str, subject_id: str, request: Proto) -> str:
        """Write an order down in the caller's transaction; return its id."""
        await self.place_all(work, subject, [(subject_id, request)])
        return str(request.request_id)  # type: ignore[attr-defined]

    async def place_all(self, work: Work, subject: str, asked: Sequence[tuple[str, Proto]]) -> None:
        """Write orders down in the caller's transaction; one that is there already is the same."""
        orders = [_order(subject, subject_id, request) for subject_id, request in asked]
        known = await work.get_all(Order, [order.order_id for order in orders])
        new: dict[str, tuple[Order, str]] = {}
        for order in orders:
            same = known.get(order.order_id, order)
            assert same.body == order.body, f"order {order.order_id} says something else"
            if order.order_id not in known:
                new[order.order_id] = (order, order.state)
        await work.put_all(Order, new)

    async def carry_out_due(self) -> None:
        """Carry out what is due, oldest id first."""
        async with self.records.work() as work:
            due = [order async for order in work.every(Order, state="DUE")]
        for order in due:
            await self.carry_out(order.order_id)

    async def carry_out(self, order_id: str) -> None:
        """
        Carry out one order.

        Raises:
            LendingError: the ledger is away; the order stays due.
        """
        async with self.records.work() as work:
            order = await work.get(Order, order_id)
        if order is None or order.state != "DUE":
            return
        refusal = ""
        try:
            request = REQUESTS[order.method].FromString(order.body)
            await getattr(self.ledger, order.method)(request)
        except LendingError as refused:
            if refused.retry:
                raise
            refusal = refused.reason
        async with self.records.work() as work:
            state = "REFUSED" if refusal else "DONE"
            done = msgspec.structs.replace(order, state=state, refusal=refusal)
            if not await work.move(done, order_id, ("DUE", state)):
                return
            await self.settle[order.subject](work, order.subject_id, refusal)


def _order(subject: str, subject_id: str, request: Any) -> Order:
    method = type(request).__name__.removesuffix("Request")
    assert method in REQUESTS
    return Order(
        order_id=str(request.request_id),
        subject=subject,
        subject_id=subject_id,
        method=method,
        body=request.SerializeToString(),
    )
