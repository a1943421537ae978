"""Where payer or ledger refuse for good, two persons say what becomes of the money."""

from __future__ import annotations

from dataclasses import dataclass

from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.booked import check_books, is_booked
from services.origination.application.desk import SERVICE, Desk, Prepared
from services.origination.application.disbursing import Disbursing
from services.origination.domain.application import Application, noted, stepped
from services.origination.domain.payouts import PayoutNotFound
from services.origination.domain.proposals import Proposal, is_seconded
from services.origination.domain.resolutions import (
    FACTS,
    Hangs,
    Outcome,
    PayoutNotStuck,
    hangs_at,
    resolved,
)
from services.origination.domain.state_machine import Status, Step, require
from shared.runtime.identity import actor
from shared.runtime.requests import FieldMissing, a_number, a_text, an_identity

SAID_MAX = 100


@dataclass(slots=True)
class Resolving:
    """Takes people's word on a payout that hangs, and carries it on."""

    desk: Desk
    disbursing: Disbursing

    async def resolve(self, request: pb.ResolvePayoutRequest) -> pb.Application:
        """
        Take one person's word; the second one's same word counts, and the payout goes on.

        Raises:
            PayoutNotFound, PayoutNotStuck, OutcomeNotPossible, ProposerIsTheSame, StepOutOfOrder
        """
        if request.outcome not in range(1, 5):
            raise FieldMissing("outcome is not set", field="outcome", expected="an outcome")
        name = pb.PayoutOutcome.Name(request.outcome).removeprefix("PAYOUT_OUTCOME_")
        outcome, said = Outcome(name), a_text(request.reference[: SAID_MAX + 1], "reference")
        a_number(len(said), "reference", 1, SAID_MAX)
        named = an_identity(request.resolved_by, "resolved_by") if request.resolved_by else ""
        by = actor(named, field="resolved_by")

        async def intend(found: Application) -> Prepared:
            require(found.status, Step.RESOLVE)
            if found.payouts[-1].payout_id != request.payout_id:
                raise PayoutNotFound(
                    f"{request.payout_id[:64]!r} is not under way",
                    field="payout_id",
                    expected=found.payouts[-1].payout_id,
                )
            return await self._intend(found, outcome, said, by)

        begun = await self.desk.begin(request, "ResolvePayout", intend)
        if request.validate_only:
            return begun
        return self.desk.message(await self.disbursing.finish(request.application_id))

    async def _intend(self, found: Application, outcome: Outcome, said: str, by: str) -> Prepared:
        last, stamp, at = found.payouts[-1], self.desk.stamp(by), hangs_at(found.payouts[-1])
        after = resolved(last, outcome, said, await self.desk.today(found))
        assert at is not None, "what does not hang is not resolved"
        await self._ask_the_ledger(found, at, outcome, said)
        # A reference is a fact that both saw; other reasons each may put in own words.
        word = f"{last.payout_id} {at} {outcome}"
        word += f": {said}" if (at, outcome) in FACTS else ""
        note = f"{word}; {said}"
        if not is_seconded(found.proposal, Step.RESOLVE, word, by):
            waits = Proposal(what=Step.RESOLVE, value=word, by=by, at=stamp.at)
            return Prepared(noted(found, "propose-resolve", stamp, note, proposal=waits))
        # What the ledger may still hear of is not back before the ledger would not book it.
        is_back = bool(after.returned) and at is not Hangs.DISBURSAL
        status = found.status_once_returned if is_back else Status.DISBURSING
        changes = {"payouts": (*found.payouts[:-1], after), "proposal": None}
        return Prepared(stepped(found, Step.RESOLVE, status, stamp, note, **changes))

    async def _ask_the_ledger(
        self, found: Application, at: Hangs, outcome: Outcome, said: str
    ) -> None:
        """
        Let people's word count only where the ledger's books do not say otherwise.

        Raises:
            PayoutNotStuck: the ledger has taken it meanwhile, and the payout goes on by itself.
            OutcomeNotPossible: its books say otherwise.
        """
        if at in (Hangs.ORDER, Hangs.REST_ORDER):
            return
        if await is_booked(self.desk, found, at):
            if found.proposal is not None:
                stamp, last = self.desk.stamp(SERVICE), found.payouts[-1].payout_id
                await self.desk.swap(found, noted(found, "booked", stamp, last, proposal=None))
            raise PayoutNotStuck(
                f"the ledger has taken its {at} by now",
                field="payout_id",
                expected="no step; it goes on by itself",
            )
        if at is Hangs.DISBURSAL:
            await check_books(self.desk, found, outcome, said)
