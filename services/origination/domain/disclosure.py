"""What was disclosed is read before it is confirmed, and holds until the money is paid out."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from services.origination.domain.application import (
    Application,
    Offer,
    ShownCost,
    Stamp,
    stepped,
)
from services.origination.domain.products import Product
from services.origination.domain.state_machine import Status, Step
from shared.kernel.errors import InvalidArgument, Refused

RATE_TOLERANCE = Decimal("0.00125")
CHOOSE_AGAIN = "an offer chosen again, and shown"
APPLY_AGAIN = "this application withdrawn, and a new one"
"""By how much the annual cost may pass what was disclosed: 12 CFR 1026.22(a)(2)."""


class DisclosureReadTooBriefly(Refused):
    """The disclosure has not been on show for long enough to be read."""


class DisclosureDiffers(InvalidArgument):
    """The hash is not that of the disclosure shown last."""


class DisclosureOutOfDate(Refused):
    """Signed or paid out today the loan would be dearer, or under other law, than disclosed."""


def disclosed(
    now: Application, hashes: tuple[str, str], cost: ShownCost, stamp: Stamp
) -> Application:
    """
    Record that the cost was shown.

    Args:
        hashes: Of the disclosure, and of the text about lateness that was shown with it.
    """
    sha256, education = hashes
    shown = {"disclosure_sha256": sha256, "education_sha256": education, "shown_cost": cost}
    return stepped(now, Step.SHOW, Status.DISCLOSED, stamp, sha256, disclosed_at=stamp.at, **shown)


def confirmed(now: Application, sha256: str, stamp: Stamp, seconds: int) -> Application:
    """
    Record that the cost was read.

    Args:
        sha256: Hash of what was read.
        stamp: When it was confirmed.
        seconds: For how long it must have been on show.
    Raises:
        DisclosureDiffers: another text was shown last.
        DisclosureReadTooBriefly: it was on show for less.
    """
    after = stepped(now, Step.CONFIRM, Status.CONFIRMED, stamp, sha256)
    if sha256 != now.disclosure_sha256:
        raise DisclosureDiffers(
            "another disclosure was shown last",
            field="disclosure_sha256",
            expected=now.disclosure_sha256,
        )
    assert now.disclosed_at is not None
    earliest = now.disclosed_at + timedelta(seconds=seconds)
    if stamp.at < earliest:
        raise DisclosureReadTooBriefly(
            f"the disclosure is to be read for {seconds} seconds",
            field="application_id",
            expected=f"confirmed at {earliest.isoformat()} or later",
            seconds_min=seconds,
        )
    return after


def check_law(disclosed: Product, today: Product) -> None:
    """
    Let a contract be made under the law that was disclosed.

    Raises:
        DisclosureOutOfDate: ceiling or cooling-off days have changed since.
    """
    law = [
        (p.cost_ceiling, p.cooling_off_days, p.cooling_off_interest_owed)
        for p in (disclosed, today)
    ]
    if law[0] != law[1]:
        raise DisclosureOutOfDate(
            f"{today.code} has another ceiling or other cooling-off days since it was disclosed",
            field="application_id",
            expected=CHOOSE_AGAIN,
        )


def check_cost(disclosed: ShownCost | None, offer: Offer | None, today: ShownCost) -> None:
    """
    Let money be paid out for no more than was disclosed.

    Args:
        disclosed: What was shown last; None for what was shown before this was kept.
        offer: The offer chosen, which counts in that case.
    Raises:
        DisclosureOutOfDate: the total is higher, or the annual cost by more than the tolerance.
    """
    total, rate = today.total_payable_minor, today.all_in_rate_annual
    total_max, rate_max = total, rate
    if disclosed is not None:
        total_max = disclosed.total_payable_minor
        rate_max = disclosed.all_in_rate_annual + RATE_TOLERANCE
    elif offer is not None:
        total_max = offer.total_payable_minor
    if total > total_max or rate > rate_max:
        raise DisclosureOutOfDate(
            f"paid out on {today.on} the loan would cost {total}, {rate} a year;"
            f" up to {total_max}, {rate_max} a year was disclosed",
            field="application_id",
            expected=CHOOSE_AGAIN,
        )
