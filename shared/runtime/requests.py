"""Reading requests: ids, texts and money that are there and in range, or a clear error."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal

from lending.common.v1 import money_pb2

from shared.kernel.errors import InvalidArgument
from shared.kernel.money import AMOUNT_MINOR_MAX, AmountTooLarge, minor_digits, plain_decimal

SHARE_CHARACTERS_MAX = 8
# Ids are parts of subjects: no subject has an empty part between, or behind, its dots.
_ID = re.compile(r"(?=.{3,64}\Z)[A-Za-z0-9][A-Za-z0-9_:-]*(\.[A-Za-z0-9_:-]+)*")


class IdNotValid(InvalidArgument):
    """An id has 3 to 64 ASCII letters, digits and . _ : - characters; a dot only between others."""


class FieldMissing(InvalidArgument):
    """A field that must be set is empty."""


class TextTooLong(InvalidArgument):
    """A text has at most 200 characters."""


class ShareNotValid(InvalidArgument):
    """A share is a plain decimal from 0 to 1, of at most eight characters."""


class InstantNotValid(InvalidArgument):
    """An instant is RFC 3339 with an offset, such as 2026-03-05T09:00:00Z."""


class AmountNotPositive(InvalidArgument):
    """The amount is above zero."""


class NumberOutOfRange(InvalidArgument):
    """The number lies outside its range."""


def an_id(text: str, field: str) -> str:
    """Return a valid id, or raise IdNotValid."""
    if not _ID.fullmatch(text):
        raise IdNotValid(
            f"{text[:70]!r} is not an id",
            field=field,
            expected="3 to 64 of A-Z a-z 0-9 . _ : -",
        )
    return text


def an_identity(text: str, field: str) -> str:
    """Return who acts: an id, or one of a certificate, such as person/li."""
    kind, _, name = text.rpartition("/")
    an_id(name if kind in ("person", "service") else text, field)
    return text


def a_loan(text: str) -> str:
    """Return a loan's id, given as such or as its resource name (AIP-122): loans/L-000042."""
    return an_id(text.removeprefix("loans/"), "loan_id")


def a_text(text: str, field: str) -> str:
    """Return a text that is there and has at most 200 characters."""
    if not text.strip():
        raise FieldMissing(f"{field} is empty", field=field, expected="some text")
    if len(text) > 200:
        raise TextTooLong(f"{field} is too long", field=field, expected="at most 200 characters")
    return text


def an_instant(text: str, field: str) -> datetime:
    """Return an instant with its offset, or raise InstantNotValid."""
    try:
        instant = datetime.fromisoformat(text)
        if instant.tzinfo is None:
            raise ValueError(text)
    except ValueError:
        raise InstantNotValid(
            f"{text[:40]!r} is not an instant", field=field, expected="2026-03-05T09:00:00Z"
        ) from None
    return instant


def a_number(number: int, field: str, least: int, most: int) -> int:
    """Return a number within its range, or raise NumberOutOfRange."""
    if not least <= number <= most:
        raise NumberOutOfRange(f"{field} is {number}", field=field, expected=f"{least} to {most}")
    return number


def a_share(text: str, field: str) -> Decimal:
    """Return a share of a whole, such as 0.30; nought is nought, however it is written."""
    share = plain_decimal(text, field=field)
    if not 0 <= share <= 1 or len(text) > SHARE_CHARACTERS_MAX:
        expected = f"0 to 1, at most {SHARE_CHARACTERS_MAX} characters"
        raise ShareNotValid(f"{text[:20]!r} is no share", field=field, expected=expected)
    return share or Decimal(0)


def an_amount(amount: money_pb2.Money, field: str, *, positive: bool = True) -> int:
    """Return minor units of a known currency, in range; above zero if asked."""
    minor_digits(amount.currency)
    if abs(amount.amount_minor) > AMOUNT_MINOR_MAX:
        raise AmountTooLarge(
            f"{amount.amount_minor} is too large", field=field, expected=f"up to {AMOUNT_MINOR_MAX}"
        )
    if amount.amount_minor < (1 if positive else 0):
        raise AmountNotPositive(
            f"{amount.amount_minor} is too small",
            field=field,
            expected="above 0" if positive else "0 or more",
        )
    return amount.amount_minor
