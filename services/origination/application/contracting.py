"""The contract: its text, who signed it with what evidence, and what must be there before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from lending.origination.v1 import origination_service_pb2 as pb

from services.origination.application.desk import Desk, Prepared
from services.origination.application.disclosing import Disclosing
from services.origination.application.terms import concluded, matures_on, terms_of
from services.origination.domain import conditions
from services.origination.domain.application import Application, Signature
from services.origination.domain.contract import SignatureNotValid, signed
from services.origination.domain.disclosure import check_law
from services.origination.domain.state_machine import Status
from shared.runtime.records import Work
from shared.runtime.requests import a_text, an_id


@dataclass(slots=True)
class Contracting:
    """Takes signatures in; the borrower's is refused while the contract lacks something."""

    desk: Desk
    disclosing: Disclosing

    async def accept(self, request: pb.ApplicationRequest) -> pb.Application:
        """Take the borrower's confirmed click as a signature."""

        async def prepare(found: Application) -> Prepared:
            def click(sha256: str) -> Signature:
                return Signature(
                    party_ref=found.borrower_ref, contract_sha256=sha256, at=self.desk.now()
                )

            return await self._signed(found, found.borrower_ref, click)

        return await self.desk.step(request, "AcceptContract", prepare)

    async def sign(self, request: pb.SignContractRequest) -> pb.Application:
        """Take a signature made with a key."""
        signature = Signature(
            party_ref=an_id(request.party_ref, "party_ref"),
            contract_sha256=a_text(request.contract_sha256, "contract_sha256"),
            at=self.desk.now(),
            public_key=request.public_key,
            signature=request.signature,
        )
        verify(signature)

        async def prepare(found: Application) -> Prepared:
            return await self._signed(found, signature.party_ref, lambda _: signature)

        return await self.desk.step(request, "SignContract", prepare)

    async def _signed(
        self, found: Application, party_ref: str, sign: Callable[[str], Signature]
    ) -> Prepared:
        """
        Return the application with a signature under its contract.

        Args:
            sign: Returns the signature, told the hash of the contract as it stands.
        """
        stamp, stands = self.desk.stamp(party_ref), found.contract_sha256
        if found.status is not Status.CONFIRMED:
            return Prepared(signed(found, sign(stands), stands, stamp))
        today = await self.desk.today(found)
        dated = concluded(found, today)
        text = self.disclosing.contract(dated)
        after = signed(dated, sign(text.sha256), text.sha256, stamp)
        await self.desk.expire(found, today)
        product = self.desk.product(found)
        check_law(product, self.desk.product(found, today))
        lacking = conditions.contract_conditions(found, product, today, matures_on(found))
        conditions.refuse(lacking, "accept")
        # The ledger refuses a contract of today above today's ceiling, whenever it was shown.
        await self.desk.preview(terms_of(dated), today)

        async def keep_text(work: Work) -> None:
            await self.desk.show(work, dated, "CONTRACT", text)

        return Prepared(after, keep_text)


def verify(signature: Signature) -> None:
    """
    Check an Ed25519 signature over the text of the contract's hash.

    Raises:
        SignatureNotValid: key or signature is malformed, or does not fit.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signature.public_key))
        key.verify(bytes.fromhex(signature.signature), signature.contract_sha256.encode())
    except (ValueError, InvalidSignature):
        raise SignatureNotValid(
            "the signature does not fit the hash and the key",
            field="signature",
            expected="Ed25519 over the 64 characters of contract_sha256, hexadecimal",
        ) from None
