"""Requests into claims and legal steps; claims and matters into messages."""

from __future__ import annotations

import re

from lending.collections.v1 import recovery_service_pb2 as pb

from services.collections.domain.acceleration import Notice, notice_of
from services.collections.domain.agency import Placement
from services.collections.domain.case import Case
from services.collections.domain.claims import Claim, Document, Standin
from services.collections.domain.matter import LegalPolicy, Matter, Step, Taken
from services.collections.wire_contact import WordUnknown
from shared.kernel.dates import parse_date
from shared.kernel.errors import InvalidArgument
from shared.runtime.requests import a_number, a_text, an_amount, an_id

_SHA256 = re.compile(r"[0-9a-f]{64}")
WANTED_MAX = 20


class HashNotValid(InvalidArgument):
    """A SHA-256 is 64 lower-case hexadecimal digits."""


def claim(request: pb.OpenClaimRequest) -> Claim:
    """Read a claim."""
    if request.standin == pb.STANDIN_UNSPECIFIED:
        raise WordUnknown("standin is not set", field="standin", expected="who stands in")
    a_number(len(request.documents_wanted), "documents_wanted", 0, WANTED_MAX)
    return Claim(
        claim_id=an_id(request.request_id, "request_id"),
        loan_id=an_id(request.loan_id, "loan_id"),
        standin=Standin(pb.Standin.Name(request.standin).removeprefix("STANDIN_")),
        standin_ref=a_text(request.standin_ref, "standin_ref"),
        currency=request.cover.currency,
        cover_minor=an_amount(request.cover, "cover"),
        valid_until=parse_date(request.valid_until, field="valid_until"),
        waiting_days=a_number(request.waiting_days, "waiting_days", 0, 720),
        documents_wanted=tuple(a_text(d, "documents_wanted") for d in request.documents_wanted),
    )


def document(request: pb.AddClaimDocumentRequest) -> Document:
    """Read a document."""
    if not _SHA256.fullmatch(request.sha256):
        raise HashNotValid("not a SHA-256", field="sha256", expected="64 hexadecimal digits")
    return Document(a_text(request.kind, "kind"), request.sha256)


def claim_message(claim: Claim) -> pb.Claim:
    """Return a claim as its message."""
    return pb.Claim(
        claim_id=claim.claim_id,
        loan_id=claim.loan_id,
        standin=f"STANDIN_{claim.standin}",
        standin_ref=claim.standin_ref,
        status=f"CLAIM_STATUS_{claim.status}",
        cover_minor=claim.cover_minor,
        valid_until=claim.valid_until.isoformat(),
        waiting_days=claim.waiting_days,
        documents_wanted=claim.documents_wanted,
        documents=[document.kind for document in claim.documents],
        claimed_minor=claim.claimed_minor,
        paid_minor=claim.paid_minor,
        refusal=claim.refusal,
    )


def taken(request: pb.ProposeLegalStepRequest) -> Taken:
    """Read a legal step."""
    if request.step == pb.LEGAL_STEP_UNSPECIFIED:
        raise WordUnknown("step is not set", field="step", expected="a step")
    cost = an_amount(request.cost, "cost", positive=False) if request.HasField("cost") else 0
    return Taken(
        step=Step(pb.LegalStep.Name(request.step).removeprefix("LEGAL_STEP_")),
        on=parse_date(request.on, field="on"),
        proposed_by=a_text(request.proposed_by, "proposed_by").strip(),
        cost_minor=cost,
    )


def matter_message(matter: Matter, policy: LegalPolicy, case: Case) -> pb.LegalMatter:
    """Return a legal matter as its message."""
    until = matter.enforcement_until(policy)
    return pb.LegalMatter(
        loan_id=matter.loan_id,
        steps=[
            pb.TakenStep(
                step=f"LEGAL_STEP_{one.step}",
                status="APPROVED" if one.approved_by else "PROPOSED",
                on=one.on.isoformat(),
                proposed_by=one.proposed_by,
                approved_by=one.approved_by,
                ledger_request_id=one.order_id,
                ledger_outcome=one.outcome,
                refusal=one.refusal,
            )
            for one in matter.steps
        ],
        limitation_on=matter.limitation_on(policy).isoformat(),
        enforcement_until=until.isoformat() if until else "",
        person_checked_on=matter.checked_on.isoformat() if matter.checked_on else "",
        final_due_on=matter.final_due_on.isoformat() if matter.final_due_on else "",
        acceleration_notice=_notice(notice_of(matter, policy, case)),
    )


def _notice(notice: Notice | None) -> pb.AccelerationNotice | None:
    if notice is None:
        return None
    return pb.AccelerationNotice(
        told_on=notice.told_on.isoformat(),
        pay_by=notice.pay_by.isoformat(),
        until_on=notice.until_on.isoformat(),
        paid_on=notice.paid_on.isoformat() if notice.paid_on else "",
    )


def placement_message(one: Placement) -> pb.Placement:
    """Return a placement as its message."""
    return pb.Placement(
        loan_id=one.loan_id,
        agency_ref=one.agency_ref,
        placed_on=one.placed_on.isoformat(),
        placed_by=one.placed_by,
        package_sha256=one.package_sha256,
        recalled_on=one.recalled_on.isoformat() if one.recalled_on else "",
        recalled_by=one.recalled_by,
        why=one.why,
        delete_by=one.delete_by.isoformat() if one.delete_by else "",
    )
