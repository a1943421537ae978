"""Ids stand in subjects, file names and keys: a table of what is one."""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import quote

import pytest

from shared.kernel.money import CurrencyUnknown, minor_digits
from shared.runtime.grpc_errors import status_of
from shared.runtime.requests import IdNotValid, a_loan, an_id

TABLE = [
    # id         | whether it is one
    ("A-1", True),
    ("a.b", True),
    ("A-1.2.x", True),
    ("r" * 64, True),
    ("ab", False),
    ("r" * 65, False),
    ("A-1.", False),
    ("A..1", False),
    (".A-1", False),
    ("-A1", False),
    ("A 1", False),
    ("A-1\n", False),
    ("A*1", False),
    ("账户号", False),
]


@pytest.mark.parametrize(("text", "valid"), TABLE)
def test_what_an_id_is(text: str, valid: bool) -> None:
    """An id can be part of a subject: its dots stand between other characters."""
    if valid:
        assert an_id(text, "loan_id") == a_loan(f"loans/{text}") == text
    else:
        with pytest.raises(IdNotValid):
            an_id(text, "loan_id")


def test_a_refusal_fits_into_metadata() -> None:
    """However long a wrong value is: a call with more than 8 KiB ends as RESOURCE_EXHAUSTED."""
    with pytest.raises(CurrencyUnknown) as refusal:
        minor_digits("元" * 5_000)
    status = status_of(refusal.value)

    assert len(quote(status.message)) + len(b64encode(status.SerializeToString())) < 8 * 1024
