"""The one door to borrowers: no attempt, by a person or by us, without a permit from here."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from services.collections.application import trail
from services.collections.application.clock import Clock
from services.collections.application.ports import Policies
from services.collections.domain.case import Case
from services.collections.domain.contact_gate import ContactRefused, check_contact
from services.collections.domain.contact_rules import Channel, Outcome, Party
from services.collections.domain.debtor import Attempt, ContactNotNow, Debtor, DebtorNotFound
from services.collections.domain.disaster import Disaster
from services.collections.domain.permit import Permit
from shared.runtime.records import Records, Work


@dataclass(frozen=True, slots=True)
class Contacting:
    """Gives out permits and remembers attempts."""

    records: Records
    policies: Policies
    clock: Clock

    async def debtor(self, work: Work, borrower_ref: str) -> Debtor:
        """Return a debtor; raise DebtorNotFound."""
        found = await work.get(Debtor, borrower_ref)
        if found is None:
            raise DebtorNotFound(f"no case of {borrower_ref[:64]!r}", field="borrower_ref")
        return found

    async def shielded(self, work: Work, debtor: Debtor) -> Debtor:
        """Return a debtor with what disasters in their region add; not to be stored."""
        async for disaster in work.every(Disaster, state="ON"):
            debtor = disaster.shield(debtor)
        return debtor

    async def debtor_of(self, work: Work, case: Case) -> Debtor:
        """Return the debtor of a case, made from the case the first time."""
        found = await work.get(Debtor, case.borrower_ref)
        if found is not None and case.loan_id in found.loans:
            return found
        found = found or Debtor(borrower_ref=case.borrower_ref, jurisdiction="")
        if not found.jurisdiction:
            strategy = self.policies.strategy(case.last.effective_on)
            where = strategy.jurisdiction_of_currency.get(case.currency, "")
            found = msgspec.structs.replace(found, jurisdiction=where)
        found = msgspec.structs.replace(found, loans=(*found.loans, case.loan_id))
        await work.put(found, found.borrower_ref)
        return found

    async def ask(self, work: Work, attempt: Attempt) -> Permit:
        """
        Say whether an attempt may be made; nothing is remembered.

        Raises:
            ContactRefused: by which rule not, and when the same would be allowed.
        """
        debtor = await self.shielded(work, await self.debtor(work, attempt.borrower_ref))
        attempt = _addressed(attempt, debtor)
        zone = debtor.zones(self.policies.rules_for(debtor, attempt.at.date()))[0]
        rules = self.policies.rules_for(debtor, attempt.at.astimezone(zone).date())
        past = await trail.attempts(work, attempt.borrower_ref, attempt.at)
        others = [one for one in past if one.attempt_id != attempt.attempt_id]
        check_contact(rules, attempt, debtor, others)
        return Permit(attempt, rules.version)

    async def permit(self, work: Work, attempt: Attempt) -> Permit:
        """
        Let an attempt pass and remember it, in the caller's transaction.

        Who asks about the same person elsewhere waits until that ends: never one too many.
        """
        await work.hold(attempt.borrower_ref)
        permit = await self.ask(work, attempt)
        await trail.add_attempt(work, permit.attempt)
        await trail.write(work, _line(permit.attempt, "CONTACT", permit.rules_version))
        return permit

    async def begin(self, work: Work, attempt: Attempt) -> None:
        """Let a person's attempt of now pass; raise ContactNotNow for one of another time."""
        if not self.clock.is_now(attempt.at):
            raise ContactNotNow(
                "an attempt is recorded when it is made", field="at", expected="now, or happened"
            )
        await self.permit(work, attempt)

    async def happened(self, work: Work, attempt: Attempt) -> Attempt:
        """
        Remember an attempt that was made, with the rule that it broke if it broke one.

        Raises:
            DateInTheFuture
        """
        self.clock.has_been(attempt.at.date(), "at")
        try:
            return (await self.permit(work, attempt)).attempt
        except ContactRefused as refusal:
            debtor = await self.debtor(work, attempt.borrower_ref)
            broke = msgspec.structs.replace(_addressed(attempt, debtor), breach=refusal.rule)
            await trail.add_attempt(work, broke)
            await trail.write(work, _line(broke, "BREACH", refusal.facts["policy"]))
            return broke

    async def refused(self, attempt: Attempt, refusal: ContactRefused) -> None:
        """Remember in a transaction of its own that an attempt was not allowed."""
        async with self.records.work() as work:
            said = f"{refusal.rule}: {refusal.message}"
            line = _line(attempt, "REFUSED", refusal.facts["policy"])
            await trail.write(work, msgspec.structs.replace(line, said=said))

    async def finish(self, work: Work, attempt_id: str, outcome: Outcome) -> Attempt:
        """Say how an attempt ended."""
        ended = await trail.finish_attempt(work, attempt_id, outcome)
        await trail.write(work, _line(ended, "CONTACT_ENDED", ""))
        return ended


def _addressed(attempt: Attempt, debtor: Debtor) -> Attempt:
    """Fill in where the debtor is reached, without which nothing counts per number."""
    own = debtor.address(attempt.channel) if attempt.party is Party.DEBTOR else ""
    address = attempt.address or own
    return msgspec.structs.replace(attempt, address=address)


def _line(attempt: Attempt, what: str, policy: str) -> trail.Entry:
    channel: Channel = attempt.channel
    return trail.Entry(
        at=attempt.at,
        borrower_ref=attempt.borrower_ref,
        loan_id=attempt.loan_id,
        what=what,
        by=attempt.by,
        policy=policy,
        said=f"{channel} to {attempt.party}: {attempt.outcome} {attempt.breach}".strip(),
        name=attempt.attempt_id,
    )
