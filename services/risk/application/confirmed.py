"""What was confirmed of borrowers' incomes, in whatever application or plan it came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.risk.domain.application import Application, VerifiedIncome
from services.risk.domain.indicators import kept_as
from services.risk.domain.reports import Confirmed
from shared.runtime.records import Work

REFERENCE_CHARACTERS_MAX = 140


def name_of(borrower_ref: str, currency: str) -> str:
    """Return under which id a borrower's confirmations in a currency are kept."""
    return f"{kept_as(borrower_ref, REFERENCE_CHARACTERS_MAX)}/{currency}"


async def confirmed_of(work: Work, given: Iterable[Application]) -> dict[str, Confirmed]:
    """Return what was confirmed of the borrowers of applications, by `name_of`."""
    names = {name_of(one.borrower_ref, one.currency) for one in given}
    return await work.get_all(Confirmed, names)


async def keep_confirmed(work: Work, changed: Mapping[str, Confirmed]) -> None:
    """Keep what is known now; nobody else decides meanwhile."""
    await work.put_all(Confirmed, {name: (one, "") for name, one in changed.items()})


async def confirm(work: Work, borrower_ref: str, currency: str, income: VerifiedIncome) -> None:
    """Keep one more confirmation."""
    await work.hold("exposures")
    name = name_of(borrower_ref, currency)
    before = await work.get(Confirmed, name) or Confirmed()
    after = before.with_more(income)
    if after != before:
        await work.put(after, name)
