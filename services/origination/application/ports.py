"""What origination asks of others beside risk and ledger, and how it is asked itself."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple, Protocol

from lending.origination.v1 import origination_service_pb2 as pb
from lending.origination.v1 import security_service_pb2 as security_pb

from services.origination.domain.application import Application, Check
from services.origination.domain.guarantors import Guarantor
from services.origination.domain.products import Policies
from services.origination.domain.securities import Guarantee
from shared.kernel.errors import Refused, Unavailable


class PayerUnavailable(Unavailable):
    """Who pays out does not answer: asked again with the same id, it pays at most once."""


class PayerRefuses(Refused):
    """Who pays out refuses the order as it is: asked again it would, so people are to say."""


class PayoutOrder(NamedTuple):
    """Money to be paid out once; `payout_id` is what makes it once."""

    payout_id: str
    account_ref: str
    amount_minor: int
    currency: str
    value_on: date


class PayoutAnswer(NamedTuple):
    """What became of an order: the payer's reference, or why the money came back."""

    reference: str
    returned: str = ""


class Payouts(Protocol):
    """Pays money out; the same id again gets the first answer and moves nothing."""

    async def pay(self, order: PayoutOrder) -> PayoutAnswer:
        """
        Pay an order out.

        Raises:
            PayerUnavailable: nobody knows whether it was paid; ask again.
            PayerRefuses: it takes no such order, now or later.
        """
        ...


class Checker(Protocol):
    """Checks one thing about an applicant."""

    async def check(self, application: Application) -> Check:
        """Return what was found; it may take its time, and raise Unavailable."""
        ...


class Forms(Protocol):
    """Reads the form that an applicant fills in."""

    def form(self, request: pb.SubmitApplicationRequest, /) -> pb.SubmitApplicationRequest:
        """Read what a draft must have: its ids, and a product."""
        ...

    def draft(
        self, given: pb.SubmitApplicationRequest, policies: Policies, business_on: date | None, /
    ) -> Application:
        """Return a draft; what is not filled in yet is empty."""
        ...

    def whole(
        self,
        draft_json: str,
        request: pb.SubmitApplicationRequest,
        policies: Policies,
        business_on: date | None,
        /,
    ) -> Application:
        """Read an application; what is empty is the draft's, and its date the business date."""
        ...


class SecurityMessages(Protocol):
    """Reads what secures a loan; everything wrong in a request is named."""

    def guarantee(self, request: pb.AddGuaranteeRequest, /) -> Guarantee:
        """Read a security."""
        ...

    def guarantor(self, request: security_pb.RegisterGuarantorRequest, /) -> Guarantor:
        """Read a guarantor's figures."""
        ...

    def lien(self, request: security_pb.RegisterLienRequest, /) -> tuple[str, date]:
        """Read the registration of a lien: its number and date."""
        ...

    def guarantor_message(self, given: Guarantor, /) -> security_pb.Guarantor:
        """Return a guarantor as a message."""
        ...
