"""Acceleration (加速到期): the letter that says so, and what the ledger is told, once."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from lending.ledger.v1 import ledger_service_pb2 as ledger_pb
from lending.ledger.v1 import loan_pb2

from services.collections.application import trail
from services.collections.application.desk import Desk
from services.collections.application.orders import Orders
from services.collections.application.tasks import open_task
from services.collections.domain import acceleration as domain
from services.collections.domain.legal import Grounds
from services.collections.domain.matter import Matter, Step, Taken
from services.collections.domain.treatment import Doing, Due
from services.collections.domain.treatment import Step as Treatment
from shared.runtime.records import Work

LOOK_DAYS = 2


@dataclass(slots=True)
class Accelerating:
    """Carries out what two persons decided about declaring everything due."""

    desk: Desk
    orders: Orders

    async def follow(self, work: Work, matter: Matter, grounds: Grounds) -> Matter:
        """Do what follows from the step that was just approved; return its matter."""
        taken = matter.steps[-1]
        if taken.step is Step.ACCELERATION_NOTICE:
            await self._announce(work, matter, grounds)
        if taken.step not in domain.OF_THE_LEDGER:
            return matter
        ordered = msgspec.structs.replace(taken, order_id=_order_id(matter))
        after = msgspec.structs.replace(matter, steps=(*matter.steps[:-1], ordered))
        request = _request(after, ordered, grounds)
        await self.orders.place(work, "acceleration", matter.matter_id, request)
        return after

    async def _announce(self, work: Work, matter: Matter, grounds: Grounds) -> None:
        """Plan the letter; it leaves through the gate, and what stops it is a task for people."""
        taken, case, rules = matter.steps[-1], grounds.case, grounds.policy.acceleration
        assert rules is not None
        stage, opened_on = case.episodes[-1].stage, case.episodes[-1].opened_on
        count = sum(1 for one in matter.steps if one.step is taken.step)
        letter = Treatment(
            id="acceleration", stages=(stage,), doing=Doing.MESSAGE, template=rules.template
        )
        name = f"{case.loan_id}.{opened_on}.{stage}.acceleration-{count}"
        due = Due(name=name, step=letter, stage=stage, since_on=taken.on)
        await self.desk.announce(work, case, due, taken.approved_by, rules.notice_days)

    async def carry_out(self, matter: Matter) -> None:
        """Carry out what was ordered for a matter, if it waits."""
        if matter.ordered is not None:
            await self.orders.carry_out(matter.ordered.order_id)

    async def settle(self, work: Work, matter_id: str, refusal: str) -> None:
        """Write down what the ledger answered; where it refused, somebody looks."""
        found = await work.get(Matter, matter_id)
        assert found is not None
        case = await self.desk.case(work, found.loan_id)
        matter = await work.get(Matter, matter_id)
        assert case is not None and matter is not None
        if matter.ordered is None:
            return
        step, on = matter.ordered.step, matter.ordered.on
        await work.put(domain.told(matter, refusal), matter_id)
        loan, said = (case.borrower_ref, case.loan_id), f"{step}: {refusal or 'done'}"
        await trail.decided(work, loan, self.desk.stamp(on), "LEDGER_TOLD", "collections", said)
        if refusal:
            await open_task(work, case, f"{step}_REFUSED", on, LOOK_DAYS, note=refusal)


def _request(
    matter: Matter, taken: Taken, grounds: Grounds
) -> ledger_pb.AccelerateLoanRequest | ledger_pb.WithdrawAccelerationRequest:
    # Not the borrower's own words: what is in the ledger can never be taken back.
    if taken.step is Step.ACCELERATION_WITHDRAWAL:
        return ledger_pb.WithdrawAccelerationRequest(
            request_id=taken.order_id,
            loan_id=matter.loan_id,
            reason=f"taken back, {grounds.policy.version}",
            approved_by=taken.approved_by,
        )
    notice = domain.notice_of(matter, grounds.policy, grounds.case)
    assert notice is not None
    return ledger_pb.AccelerateLoanRequest(
        request_id=taken.order_id,
        loan_id=matter.loan_id,
        effective_on=taken.on.isoformat(),
        ground=loan_pb2.ACCELERATION_GROUND_ARREARS,
        notified_on=notice.told_on.isoformat(),
        reason=f"arrears after notice, {grounds.policy.version}",
        approved_by=taken.approved_by,
    )


def _order_id(matter: Matter) -> str:
    """Return the id of what is ordered: each approved step has its own, for ever."""
    return f"accelerate-{trail.key_of(matter.matter_id)}-{len(matter.steps)}"
