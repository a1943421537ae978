"""Checks that need nobody else: check digits, dates and ages that fit together."""

from __future__ import annotations

import re
from datetime import date

from services.origination.domain.application import Application, Check

_RESIDENT = re.compile(r"[1-9]\d{5}(\d{8})\d{3}[\dX]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_ACCOUNT = re.compile(r"\d{12,19}")


class IdentityNumberCheck:
    """Reads a resident identity number: form, check digit, and an age that fits the one stated."""

    async def check(self, application: Application) -> Check:
        """
        Return what was found.

        Source:
            GB 11643-1999: 18 characters, the last by ISO 7064 MOD 11-2.
        """
        number = application.identity_number.upper()
        match = _RESIDENT.fullmatch(number)
        if match is None or not _digit_fits(number):
            return _failed(
                "IDENTITY_NUMBER_NOT_VALID", "The identity number is not valid", "身份证号码无效"
            )
        born_on = _born_on(match.group(1))
        if born_on is None or born_on > application.applied_on:
            return _failed(
                "IDENTITY_NUMBER_NOT_VALID", "The identity number is not valid", "身份证号码无效"
            )
        if abs(_age(born_on, application.applied_on) - application.age_years) > 1:
            return Check(
                name="identity",
                outcome="CONTRADICTED",
                code="AGE_CONTRADICTED",
                text_en="The stated age differs from the identity number's",
                text_zh="申报年龄与身份证号码不一致",
            )
        return Check(name="identity", outcome="PASSED")


class BankAccountCheck:
    """Reads a bank card number: its length and its check digit (ISO/IEC 7812-1, Luhn)."""

    async def check(self, application: Application) -> Check:
        """Return what was found."""
        number = application.account_ref
        if not _ACCOUNT.fullmatch(number) or not _luhn(number):
            return Check(
                name="bank_account",
                outcome="FAILED",
                code="BANK_ACCOUNT_NOT_VALID",
                text_en="The bank account's number is not valid",
                text_zh="银行卡号无效",
            )
        return Check(name="bank_account", outcome="PASSED")


def _failed(code: str, text_en: str, text_zh: str) -> Check:
    return Check(name="identity", outcome="FAILED", code=code, text_en=text_en, text_zh=text_zh)


def _digit_fits(number: str) -> bool:
    total = sum(w * int(c) for w, c in zip(_WEIGHTS, number[:17], strict=True))
    return _CHECK_DIGITS[total % 11] == number[17]


def _born_on(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _age(born_on: date, on: date) -> int:
    return on.year - born_on.year - ((on.month, on.day) < (born_on.month, born_on.day))


def _luhn(number: str) -> bool:
    digits = [int(c) for c in reversed(number)]
    doubled = [d * 2 - 9 * (d > 4) for d in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
