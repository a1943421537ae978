"""Say what the loan costs, in both languages, so that what was shown can be proven later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application import writing
from services.origination.application.desk import Desk, Prepared
from services.origination.application.educating import education
from services.origination.application.keeping import Shown, shown_id
from services.origination.application.offering import cost_of
from services.origination.application.refinancing import payoff
from services.origination.application.terms import concluded, terms_of
from services.origination.domain.application import Application, ShownCost
from services.origination.domain.cost import Cost
from services.origination.domain.disclosure import confirmed, disclosed
from services.origination.domain.payouts import net_of
from services.origination.domain.state_machine import Status, Step, require
from shared.kernel.errors import NotFound, Refused
from shared.runtime.records import Work
from shared.runtime.vault import SHREDDED


class DocumentNotFound(NotFound):
    """No such document was made for the application."""


class DocumentShredded(Refused):
    """The document's text was destroyed with the borrower's key; its hash is left."""


@dataclass(slots=True)
class Disclosing:
    """Shows what a loan costs, and has it confirmed after it could be read."""

    desk: Desk
    reading_seconds: int | None = None

    def reading_seconds_min(self, application: Application) -> int:
        """Return for how long a disclosure is to be read: the setting, else the product's row."""
        if self.reading_seconds is not None:
            return self.reading_seconds
        return self.desk.product(application).reading_seconds_min

    async def show(self, request: pb.ApplicationRequest) -> pb.Disclosure:
        """Show what the chosen offer costs; shown again, it is to be read again."""
        return await self.desk.once(request, "ShowDisclosure", self._shown, pb.Disclosure)

    async def _shown(self, found: Application) -> Prepared:
        require(found.status, Step.SHOW)
        today = await self.desk.today(found)
        await self.desk.expire(found, today)
        preview = await self.desk.preview(terms_of(found), today)
        cost = cost_of(preview)
        paid_off = await payoff(self.desk, found, today)
        net = net_of(preview.terms.principal_minor, paid_off)
        product = self.desk.product(found, today)
        text = writing.disclosure(found, product, preview, cost, paid_off)
        taught = education(found, product, preview, text.sha256)
        shown = ShownCost(
            on=today,
            total_payable_minor=cost.total_payable_minor,
            all_in_rate_annual=cost.nominal_annual,
            payoff_minor=paid_off,
        )

        async def keep_text(work: Work) -> None:
            await self.desk.show(work, found, "DISCLOSURE", text)
            await self.desk.show(work, found, "EDUCATION", taught)

        answer = pb.Disclosure(
            text_zh=text.zh,
            text_en=text.en,
            disclosure_sha256=text.sha256,
            payoff_minor=paid_off,
            net_payout_minor=net,
            education_text_zh=taught.zh,
            education_text_en=taught.en,
            education_sha256=taught.sha256,
            apr_method=product.apr_method,
            apr=cost.apr(product.apr_method),
            **_figures(preview, cost),
        )

        hashes = text.sha256, taught.sha256
        after = disclosed(found, hashes, shown, self.desk.stamp())
        answer.application_id = after.application_id
        answer.reading_seconds_min = self.reading_seconds_min(after)
        return Prepared(after, keep_text, lambda _: answer)

    async def confirm(self, request: pb.ConfirmDisclosureRequest) -> pb.Application:
        """Take the word that the disclosure was read."""

        async def prepare(found: Application) -> Prepared:
            stamp, seconds = self.desk.stamp(), self.reading_seconds_min(found)
            return Prepared(confirmed(found, request.disclosure_sha256, stamp, seconds))

        return await self.desk.step(request, "ConfirmDisclosure", prepare)

    async def document(self, application_id: str, kind: str, sha256: str) -> writing.Written:
        """
        Return a document as it was shown; the last one when no hash is given.

        Raises:
            DocumentNotFound: none of this kind, or of this hash, was made.
            DocumentShredded: its text was destroyed with the borrower's key.
        """
        found = await self.desk.load(application_id)
        if kind == "CONTRACT" and found.status is Status.CONFIRMED:
            text = self.contract(concluded(found, await self.desk.today(found)))
            if sha256 in ("", text.sha256):
                return text
        wanted = sha256 or _LAST[kind](found)
        async with self.desk.records.work() as work:
            shown = await work.get(Shown, shown_id(application_id, kind, wanted))
        if shown is None or not wanted:
            raise DocumentNotFound(
                f"{application_id} has no such {kind.lower()}",
                field="sha256" if sha256 else "kind",
                expected="the hash of one that was shown" if sha256 else "one that was shown",
            )
        if shown.zh == SHREDDED:
            raise DocumentShredded(
                f"the text with the hash {wanted} was shredded",
                field="kind",
                expected="no step; its hash is all that is left",
            )
        return writing.Written(shown.zh, shown.en, shown.sha256)

    def contract(self, application: Application) -> writing.Written:
        """Write the contract of an application whose terms bear its date."""
        terms = terms_of(application)
        return writing.contract(application, self.desk.product(application), terms)


def _figures(preview: Any, cost: Cost) -> dict[str, Any]:
    return {
        "all_in_rate_annual": str(cost.nominal_annual),
        "effective_rate_annual": str(cost.effective_annual),
        "total_payable_minor": cost.total_payable_minor,
        "net_proceeds_minor": cost.net_proceeds_minor,
        "instalments": preview.instalments,
    }


_LAST: dict[str, Any] = {
    "DISCLOSURE": lambda a: a.disclosure_sha256,
    "EDUCATION": lambda a: a.education_sha256,
    "CONTRACT": lambda a: a.contract_sha256,
    "ADVERSE_ACTION": lambda a: a.notice_sha256,
}
