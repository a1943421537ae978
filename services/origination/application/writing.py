"""Texts for borrowers, in Chinese and English, and the hash by which they are referred to."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.origination.domain.application import Application
from services.origination.domain.cost import Cost
from services.origination.domain.products import Product
from services.origination.domain.review import decline_reasons
from services.origination.domain.securities import Guarantee
from shared.kernel.money import Rounding, format_amount, round_minor

DISCLOSURE_VERSION = "disclosure/2026-12"
CONTRACT_VERSION = "contract/2026-12"
EDUCATION_VERSION = "education/2026-12"
NOTICE_VERSION = "adverse-action/2026-11"
REASONS_MAX = 4
LATE_EXAMPLE_DAYS = 30
KINDS = {
    "GUARANTEE_KIND_GUARANTOR": ("Guarantor", "保证人", "Guarantee fee", "担保费"),
    "GUARANTEE_KIND_INSURANCE": (
        "Performance guarantee insurance",
        "履约保证保险",
        "Insurance premium",
        "保险费",
    ),
    "GUARANTEE_KIND_COLLATERAL": ("Collateral", "抵押物", "Registration fee", "登记费"),
}
METHODS = {
    "REPAYMENT_METHOD_LEVEL_INSTALMENT": ("level instalments", "等额本息"),
    "REPAYMENT_METHOD_EQUAL_PRINCIPAL": ("equal principal", "等额本金"),
    "REPAYMENT_METHOD_INTEREST_ONLY": ("interest first, principal at the end", "先息后本"),
    "REPAYMENT_METHOD_BULLET": ("everything at the end", "一次性还本付息"),
}
_MARKED = re.compile(r"([\\`*_{}\[\]()<>#+.!|~-])")


class Written(NamedTuple):
    """A Markdown text in both languages; hashed are the Chinese, a zero byte and the English."""

    zh: str
    en: str
    sha256: str


def disclosure(
    application: Application, product: Product, preview: Any, cost: Cost, payoff_minor: int = 0
) -> Written:
    """
    Write what a loan costs.

    Args:
        preview: The ledger's lending.ledger.v1.Loan of the offered terms, paid out on its date.
        cost: All-in cost of the same.
        payoff_minor: What of it pays off the loan that is refinanced, were it paid out that day.
    """
    terms, rows = preview.terms, preview.instalments
    return write(
        "disclosure",
        application_id=application.application_id,
        version=DISCLOSURE_VERSION,
        paid_out_on=preview.effective_on,
        terms=terms,
        rows=rows,
        cost=cost,
        interest_minor=sum(row.interest_due_minor for row in rows),
        fees=[_worded(g) for g in application.guarantees if g.fee_minor],
        guarantees=application.guarantees,
        refinances=application.refinances,
        payoff_minor=payoff_minor,
        apr_method=product.apr_method,
        cooling_off_days=product.cooling_off_days,
        interest_owed=product.cooling_off_interest_owed,
        valid_until_on=application.valid_until_on,
        first_minor=rows[0].principal_due_minor + rows[0].interest_due_minor,
        late_minor=late_example_minor(
            rows[0].principal_due_minor, Decimal(terms.penalty_rate_annual), product.day_count
        ),
        amount=lambda minor: format_amount(minor, terms.currency),
    )


def late_example_minor(
    principal_minor: int, rate_annual: Decimal, day_count: str, days: int = LATE_EXAMPLE_DAYS
) -> int:
    """Return penalty interest of some days on overdue principal, as the ledger accrues it."""
    year = 360 if "360" in day_count else 364 if day_count.endswith("364") else 365
    return round_minor(principal_minor * rate_annual * days / year, Rounding.HALF_EVEN)


def contract(application: Application, product: Product, terms: Any) -> Written:
    """Write the contract of an application whose disclosure was confirmed."""
    return write(
        "contract",
        application=application,
        version=CONTRACT_VERSION,
        terms=terms,
        terms_sha256=hashlib.sha256(application.terms_json.encode()).hexdigest(),
        terms_word={
            lang: {
                "method": METHODS[application.method][place],
                "day_count": product.day_count.removeprefix("DAY_COUNT_"),
            }
            for place, lang in enumerate(("en", "zh"))
        },
        securities=[_worded(g) for g in application.guarantees],
        cooling_off_days=product.cooling_off_days,
        signers=[
            {"ref": person.borrower_ref, "public_key": person.public_key}
            for person in (application, *application.co_borrowers)
        ],
        amount=lambda minor: format_amount(minor, terms.currency),
    )


def adverse_action(application: Application) -> Written:
    """
    Write to the applicant why what was asked for was declined; at most four reasons.

    A counter-offer, where there is one, is named.
    """
    asked = application.asked_decision_json or application.decision_json
    decision, offer = json.loads(asked or "{}"), application.offer
    rules = (
        application.policy_version,
        decision.get("policyVersion"),
        decision.get("modelVersion"),
    )
    return write(
        "adverse_action",
        application_id=application.application_id,
        version=NOTICE_VERSION,
        applied_on=application.applied_on,
        decided_on=application.decided_on,
        amount=format_amount(application.amount_minor, application.currency),
        currency=application.currency,
        reasons=decline_reasons(application)[:REASONS_MAX],
        offer=offer,
        offered=format_amount(offer.principal_minor, application.currency) if offer else "",
        offered_terms=json.loads(offer.terms_json) if offer else {},
        valid_until_on=application.valid_until_on,
        rules=", ".join(rule for rule in rules if rule),
    )


def write(name: str, **words: Any) -> Written:
    """Return a template in both languages with words in it, and the hash of both."""
    zh, en = (
        _TEMPLATES.get_template(f"{name}_{lang}.md").render(words, lang=lang)
        for lang in ("zh", "en")
    )
    return Written(zh, en, hashlib.sha256(f"{zh}\0{en}".encode()).hexdigest())


def _worded(given: Guarantee) -> dict[str, Any]:
    kind_en, kind_zh, fee_en, fee_zh = KINDS[given.kind]
    return {
        "kind": {"en": kind_en, "zh": kind_zh},
        "name_en": fee_en,
        "name_zh": fee_zh,
        "provider_ref": given.provider_ref,
        "fee_minor": given.fee_minor,
        "amount_minor": given.amount_minor,
        "details": _details(given),
    }


def _details(given: Guarantee) -> dict[str, str]:
    policy, thing = given.insurance, given.collateral
    if policy is not None:
        share = _percent(policy.cover_share)
        return {
            "en": f"policy {policy.policy_number}, {_span(policy.valid_from, policy.valid_until)},"
            f" pays {share}, waits {policy.waiting_days} days",
            "zh": f"保单 {policy.policy_number}，{_span(policy.valid_from, policy.valid_until)}，"
            f"赔付比例 {share}，等待期 {policy.waiting_days} 天",
        }
    if thing is not None:
        return {
            "en": f"{thing.description}, valued on {thing.valued_on}",
            "zh": f"{thing.description}，评估日 {thing.valued_on}",
        }
    return {"en": "joint liability", "zh": "连带责任保证"}


def _span(first: date, last: date) -> str:
    return f"{first} – {last}"


def _percent(rate: str | Decimal) -> str:
    """Write a fraction of one as people read rates: 0.0725 -> 7.25 %."""
    text = f"{(Decimal(rate) * 100).normalize():f}"
    return f"{text} %"


_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates"),
    undefined=StrictUndefined,
    autoescape=False,
    keep_trailing_newline=True,
)
_TEMPLATES.filters["md"] = lambda text: _MARKED.sub(r"\\\1", str(text))
_TEMPLATES.globals["percent"] = _percent
