"""An amount is in the currency of what it is about."""

from __future__ import annotations

from shared.kernel.errors import InvalidArgument


class AmountCurrencyDiffers(InvalidArgument):
    """The amount is not in the currency of the loan or claim."""


def same_currency(given: str, wanted: str, field: str) -> None:
    """Raise AmountCurrencyDiffers unless two ISO 4217 codes are the same."""
    if given != wanted:
        raise AmountCurrencyDiffers(f"{given[:8]!r}", field=field, expected=wanted)
