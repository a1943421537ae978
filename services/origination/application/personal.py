"""Which of origination's records hold personal data, and whose it is."""

from __future__ import annotations

from services.origination.application.keeping import Shown
from services.origination.domain.application import Application
from shared.runtime.vault import Personal

PERSONAL = {
    Application: Personal(
        subject="borrower_ref",
        paths=frozenset(
            (
                "applicant_name",
                "identity_number",
                "account_ref",
                "co_borrowers.name",
                "co_borrowers.identity_number",
                "payouts.account_ref",
                "proposal.value",
                "draft_json",
                "purpose",
                "attributes",
                "income.source",
                "reviews.reason",
                "trail.note",
                "payouts.returned",
                "payouts.rest_returned",
                "payouts.payoff_by_hand",
                "payouts.rest_by_hand",
                "payouts.disbursal_by_hand",
                "guarantees.collateral.description",
                "guarantees.collateral.registration_number",
                "guarantees.insurance.policy_number",
            )
        ),
        otherwise="application_id",
    ),
    Shown: Personal(
        subject="borrower_ref", paths=frozenset(("zh", "en")), otherwise="application_id"
    ),
}
"""
Names, numbers and accounts, what people and banks wrote, and the texts that state them, whose
hashes stay. Numbers as such, like age and income, are not sealed: without a name they are nobody's.
"""
