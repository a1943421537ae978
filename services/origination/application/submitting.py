"""Applications are drafted, as often as need be, and submitted once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import msgspec
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.desk import ApplicationChangedMeanwhile, Desk
from services.origination.application.holding import hold, read
from services.origination.application.offering import valid_until
from services.origination.application.ports import Forms
from services.origination.application.refinancing import payoff
from services.origination.application.shredding import refuse_shredded
from services.origination.application.trials import trying
from services.origination.domain.application import Application, check_applied_on, noted, stepped
from services.origination.domain.payouts import net_of
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import InvalidArgument
from shared.runtime.records import Work


class FactNotYetKnown(InvalidArgument):
    """A consent or a confirmation is of the business date, or of a day before it."""


@dataclass(slots=True)
class Submitting:
    """Takes forms in: unfinished ones as drafts, whole ones as applications."""

    desk: Desk
    forms: Forms

    async def draft(self, request: pb.SubmitApplicationRequest) -> pb.Application:
        """
        Keep a form as far as it is filled in; a later one takes its place.

        Raises:
            ApplicationAlreadySubmitted: it is a draft no more.
            BorrowerShredded: nothing can be kept of one who was shredded.
        """
        form = self.forms.form(request)
        on = await self.desk.business_on()
        application = self.forms.draft(form, self.desk.policies, on)
        until = valid_until(self.desk, application, on or application.applied_on)
        stamp = self.desk.stamp()

        async def act(work: Work) -> pb.Application:
            await refuse_shredded(work, application)
            held = await hold(work, Application, application.application_id)
            earlier = held.now
            if earlier is not None:
                require(earlier.status, Step.DRAFT)
            trail = earlier.trail if earlier else ()
            now = msgspec.structs.replace(application, trail=trail, valid_until_on=until)
            after = stepped(now, Step.DRAFT, Status.DRAFT, stamp)
            return self.desk.message(await self.desk.keep(held, after))

        with trying(request.validate_only):
            return await self.desk.answer_once(request, pb.Application, act, method="SaveDraft")

    async def submit(self, request: pb.SubmitApplicationRequest) -> pb.Application:
        """
        Take an application in, as far as the product's row of its date allows.

        What the request leaves empty is taken from the draft, if there is one.

        Raises:
            ApplicationDateOutOfRange: it is dated ahead of the business date, or too far back.
            FactNotYetKnown: a consent or a confirmation is dated ahead of the business date.
            BorrowerShredded: nothing can be kept of one who was shredded.
        """
        async with self.desk.records.work() as work:
            first = await work.answered(request, pb.Application)
            earlier = await read(work, Application, request.application_id)
        if first is not None:
            return first
        if earlier is not None:
            require(earlier.status, Step.SUBMIT)
        draft_json = earlier.draft_json if earlier else ""
        on = await self.desk.business_on()
        given = self.forms.whole(draft_json, request, self.desk.policies, on)
        application = await self._checked(given, on)
        stamp, version = self.desk.stamp(), application.policy_version

        async def act(work: Work) -> pb.Application:
            await refuse_shredded(work, application)
            held = await hold(work, Application, application.application_id)
            if held.now != earlier:
                raise ApplicationChangedMeanwhile(
                    "the draft was saved again",
                    field="application_id",
                    expected="the same request again, after a look at the draft",
                )
            if earlier is not None:
                drafted = msgspec.structs.replace(
                    application, status=Status.DRAFT, trail=earlier.trail
                )
                after = stepped(drafted, Step.SUBMIT, Status.SUBMITTED, stamp, version)
            else:
                after = noted(application, Step.SUBMIT, stamp, version)
            return self.desk.message(await self.desk.keep(held, after))

        with trying(request.validate_only):
            return await self.desk.answer_once(request, pb.Application, act)

    async def _checked(self, read: Application, on: date | None) -> Application:
        desk = self.desk
        check_applied_on(read.applied_on, on, desk.applied_days_back_max)
        _check_known(read, on)
        net_of(read.amount_minor, await payoff(desk, read, await desk.today(read)))
        return msgspec.structs.replace(
            read, valid_until_on=valid_until(desk, read, read.applied_on)
        )


def _check_known(read: Application, business_on: date | None) -> None:
    """Refuse what risk could never decide on: it looks at no fact of a day to come."""
    if business_on is None:
        return
    dated = {
        "verified_income.verified_on": read.income.verified_on if read.income else None,
        "income_consented_on": read.income_consented_on,
    }
    for field, on in dated.items():
        if on is not None and on > business_on:
            raise FactNotYetKnown(
                f"{on} is after the business date, {business_on}",
                field=field,
                expected=f"{business_on} or before",
            )
