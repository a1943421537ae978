"""A contract is accepted by signatures over its hash, each by a party to it."""

from __future__ import annotations

from services.origination.domain.application import (
    Application,
    Signature,
    Stamp,
    noted,
    stepped,
)
from services.origination.domain.state_machine import (
    ContractAlreadyAccepted,
    Status,
    Step,
    require,
)
from shared.kernel.errors import InvalidArgument


class ContractDiffers(InvalidArgument):
    """The hash is not that of the contract as it stands."""


class PartyUnknown(InvalidArgument):
    """Nobody of this reference is a party to the contract."""


class SignatureNotValid(InvalidArgument):
    """The signature was not made over this hash with this key."""


class KeyNotRegistered(InvalidArgument):
    """A party that registered a key signs with that one."""


SIGNABLE = {Status.CONFIRMED, Status.CONTRACTED, Status.PAYOUT_RETURNED}


def signed(
    now: Application, signature: Signature, contract_sha256: str, stamp: Stamp
) -> Application:
    """
    Take a party's signature; the borrower's accepts the contract.

    Args:
        contract_sha256: Hash of the contract as it stands.
    Raises:
        ContractDiffers: another text was signed.
        PartyUnknown: the signer is neither borrower nor co-borrower.
        ContractAlreadyAccepted: this party has signed it.
        KeyNotRegistered: it registered another key than the one it signed with.
    """
    if now.status not in SIGNABLE:
        require(now.status, Step.ACCEPT)
    if signature.contract_sha256 != contract_sha256:
        raise ContractDiffers(
            "another contract was signed", field="contract_sha256", expected=contract_sha256
        )
    parties = {now.borrower_ref: now.public_key}
    parties |= {c.borrower_ref: c.public_key for c in now.co_borrowers}
    if signature.party_ref not in parties:
        raise PartyUnknown(
            f"{signature.party_ref} is not a party",
            field="party_ref",
            expected=" or ".join(parties),
        )
    registered = parties[signature.party_ref]
    if registered and signature.public_key.lower() != registered:
        raise KeyNotRegistered(
            f"{signature.party_ref} signs with the key that it registered",
            field="public_key",
            expected=registered,
        )
    if any(s.party_ref == signature.party_ref for s in now.signatures):
        raise ContractAlreadyAccepted(
            f"cannot accept: {signature.party_ref} has signed",
            field="party_ref",
            expected="a party that has not signed yet",
        )
    signatures = (*now.signatures, signature)
    if signature.party_ref != now.borrower_ref:
        return noted(now, "sign", stamp, contract_sha256, signatures=signatures)
    changes = {"signatures": signatures, "contract_sha256": contract_sha256}
    return stepped(now, Step.ACCEPT, Status.CONTRACTED, stamp, contract_sha256, **changes)
