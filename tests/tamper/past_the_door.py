"""What somebody who gets past the API's door can let the ledger do without a second person."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.ledger.domain import commands as cmd
from tests.services.ledger.book import Book
from tests.tamper.vault import HELD, Vault, approve, live, rule, sealed

METHOD, LOAN = "ReverseRepayment", "L-0"


async def reversal(book: Book) -> None:
    """Take back the last repayment of a loan, in the way that the ledger would."""
    stored = book.writer.log.stream(f"loan/{LOAN}")
    repaid = next(e.repayment_id for e in reversed(stored) if hasattr(e, "repayment_id"))
    await book.ask(cmd.ReverseRepayment, LOAN, repayment_id=repaid, reason="asked by phone")


def _done(vault: Vault, do: Callable[[Book], Awaitable[None]]) -> None:
    asyncio.run(live(vault, do))
    asyncio.run(sealed(vault))


def not_approved(vault: Vault) -> None:
    """A reversal is stored, answered and sealed; nobody has approved it."""
    _done(vault, reversal)


def approved_after(vault: Vault) -> None:
    """A reversal is approved once it is done."""

    async def late(book: Book) -> None:
        number = book.count + 1
        await reversal(book)
        named = {"request_id": f"r-{number}", "body_sha256": f"hash-{number}"}
        await approve(book, METHOD, LOAN, **named)

    _done(vault, late)


def approved_otherwise(vault: Vault) -> None:
    """A reversal is approved, and another one is asked for under its id."""

    async def other(book: Book) -> None:
        await approve(book, METHOD, LOAN, body_sha256="of another repayment")
        await reversal(book)

    _done(vault, other)


def approved_by_oneself(vault: Vault) -> None:
    """Who asks for a reversal has approved it."""

    async def own(book: Book) -> None:
        await approve(book, METHOD, LOAN, by="internal")
        await reversal(book)

    _done(vault, own)


def rule_switched_off(vault: Vault) -> None:
    """The ledger is started without roles, reverses, and is started with them again."""

    async def unruled(book: Book) -> None:
        rule(book)
        await reversal(book)
        rule(book, *HELD)

    _done(vault, unruled)


def approval_made_up(vault: Vault) -> None:
    """A reversal is stored, and before it an approval in the name of somebody who gave none."""

    async def made_up(book: Book) -> None:
        await approve(book, METHOD, LOAN, by="Wang")
        await reversal(book)

    _done(vault, made_up)
