"""The chart of accounts and the posting policies, as data."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from services.ledger.domain.waterfall import Component, PaymentSource


class AccountKind(StrEnum):
    """Which side of the books an account is on: assets and expenses grow by debits."""

    ASSET = "ASSET"
    LIABILITY = "LIABILITY"
    INCOME = "INCOME"
    EXPENSE = "EXPENSE"


class LedgerAccount(NamedTuple):
    """One account of the general ledger."""

    name: str
    kind: AccountKind
    english: str
    chinese: str


CASH = "assets:cash"
PRINCIPAL = "loans:principal"
INTEREST_RECEIVABLE = "assets:interest_receivable"
PENALTY_RECEIVABLE = "assets:penalty_receivable"
FEES_RECEIVABLE = "assets:fees_receivable"
UNALLOCATED = "liabilities:unallocated"
GUARANTORS = "liabilities:guarantors"
CREDITORS = "liabilities:creditors"
INTEREST_INCOME, PENALTY_INCOME = "income:interest", "income:penalty"
FEE_INCOME, COST_INCOME = "income:fees", "income:costs_recovered"
RECOVERIES, TRANSFERS = "income:recoveries", "income:transfers"
CHARGE_OFFS, SETTLEMENTS, GOODWILL = (
    "expense:charge_offs",
    "expense:settlements",
    "expense:goodwill",
)

CHART = {
    account.name: account
    for account in (
        LedgerAccount(CASH, AccountKind.ASSET, "Cash at bank", "银行存款"),
        LedgerAccount(PRINCIPAL, AccountKind.ASSET, "Loans, principal", "贷款本金"),
        LedgerAccount(INTEREST_RECEIVABLE, AccountKind.ASSET, "Interest receivable", "应收利息"),
        LedgerAccount(PENALTY_RECEIVABLE, AccountKind.ASSET, "Penalty receivable", "应收罚息"),
        LedgerAccount(FEES_RECEIVABLE, AccountKind.ASSET, "Fees receivable", "应收费用"),
        LedgerAccount(UNALLOCATED, AccountKind.LIABILITY, "Unallocated receipts", "暂收款"),
        LedgerAccount(GUARANTORS, AccountKind.LIABILITY, "Paid by guarantors", "担保代偿款"),
        LedgerAccount(CREDITORS, AccountKind.LIABILITY, "Collected for buyers", "应付受让方"),
        LedgerAccount(INTEREST_INCOME, AccountKind.INCOME, "Interest income", "利息收入"),
        LedgerAccount(PENALTY_INCOME, AccountKind.INCOME, "Penalty income", "罚息收入"),
        LedgerAccount(FEE_INCOME, AccountKind.INCOME, "Fee income", "手续费收入"),
        LedgerAccount(COST_INCOME, AccountKind.INCOME, "Costs recovered", "追偿费用收入"),
        LedgerAccount(RECOVERIES, AccountKind.INCOME, "Recoveries", "已核销收回"),
        LedgerAccount(TRANSFERS, AccountKind.INCOME, "Result of transfers", "贷款转让损益"),
        LedgerAccount(CHARGE_OFFS, AccountKind.EXPENSE, "Charge-offs", "贷款核销"),
        LedgerAccount(SETTLEMENTS, AccountKind.EXPENSE, "Let go in settlements", "和解减免"),
        LedgerAccount(GOODWILL, AccountKind.EXPENSE, "Goodwill credits", "商誉减免"),
    )
}
"""Every account that a posting can name."""

INCOME_OF = {
    Component.COST: COST_INCOME,
    Component.PENALTY: PENALTY_INCOME,
    Component.FEE: FEE_INCOME,
    Component.INTEREST: INTEREST_INCOME,
}


class PostingPolicy(NamedTuple):
    """
    Which account a payment of each component credits, and whether income is booked when earned.

    With `accrues`, charges are income when charged, interest and penalty at each month end.
    """

    policy: str
    credited: dict[Component, str]
    accrues: bool = False


POSTING_POLICIES = {
    policy.policy: policy
    for policy in (
        PostingPolicy("cash/1", {**INCOME_OF, Component.PRINCIPAL: PRINCIPAL}),
        PostingPolicy(
            "accrual/1",
            {
                Component.COST: FEES_RECEIVABLE,
                Component.PENALTY: PENALTY_RECEIVABLE,
                Component.FEE: FEES_RECEIVABLE,
                Component.INTEREST: INTEREST_RECEIVABLE,
                Component.PRINCIPAL: PRINCIPAL,
            },
            accrues=True,
        ),
    )
}
"""The posting policies that a contract can name."""

DEBITED = dict.fromkeys(PaymentSource, CASH) | {PaymentSource.GOODWILL: GOODWILL}
"""Where money of each source comes from."""
