"""A second person's word: on exactly this change, by somebody else, and not for ever."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.ledger.domain import commands as cmd
from services.ledger.domain.approvals import HOLDS, ApproverIsMaker, Change, approved, require
from shared.kernel.errors import LendingError
from tests.services.ledger.domain.desk import Desk

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def change(body: str = "ab", approved_by: str = "person/wang") -> Change:
    return Change(
        loan_id="L-1",
        request_id="r-1",
        method="WriteOffLoan",
        body_sha256=body,
        approved_by=approved_by,
    )


@pytest.mark.parametrize(
    ("approver", "asked", "maker", "after", "said"),
    [
        # who approved | what is asked for | by whom | how long after | what is said
        ("person/wang", change(), "person/li", SECOND, "yes"),
        ("person/wang", change(), "person/li", HOLDS - SECOND, "yes"),
        ("person/wang", change(), "person/li", HOLDS, "APPROVAL_EXPIRED"),
        ("person/wang", change(), "person/wang", SECOND, "APPROVER_IS_MAKER"),
        ("person/wang", change("cd"), "person/li", SECOND, "APPROVAL_MISSING"),
        ("person/wang", change(approved_by=""), "person/li", SECOND, "yes"),
        ("person/zhao", change(), "person/li", SECOND, "APPROVER_IS_ANOTHER"),
        ("", change(), "person/li", SECOND, "APPROVAL_MISSING"),
    ],
)
def test_a_change_needs_another_persons_fresh_word(
    approver: str, asked: Change, maker: str, after: timedelta, said: str
) -> None:
    """The same body, another person, within a day; each way to miss it has a reason."""
    theirs = change(approved_by=approver)
    given = [approved(theirs, approver, "a-1", NOW)] if approver else []

    try:
        require(given, asked, maker, NOW + after)
        found = "yes"
    except LendingError as refused:
        found = refused.reason

    assert found == said


def test_the_last_word_counts() -> None:
    """An approval that has expired can be given again."""
    later = NOW + HOLDS
    given = [
        approved(change(), "person/wang", "a-1", NOW),
        approved(change(), "person/wang", "a-2", later),
    ]

    assert require(given, change(), "person/li", later + SECOND).request_id == "a-2"


@pytest.mark.parametrize("last", ["person/li", "person/zhao"])
def test_one_word_that_counts_is_enough(last: str) -> None:
    """The maker's own word, or one of somebody whom the change does not name, takes none away."""
    named = change(approved_by="person/wang")
    given = [
        approved(named, "person/wang", "a-1", NOW),
        approved(change(approved_by=last), last, "a-2", NOW),
    ]

    assert require(given, named, "person/li", NOW + SECOND).request_id == "a-1"


def test_nobody_approves_what_they_ask_for_themselves() -> None:
    """Also where callers are not known: the request names its own asker as the approver."""
    desk = Desk()

    with pytest.raises(ApproverIsMaker):
        desk.ask(
            cmd.PauseInterest,
            from_on=date(2026, 1, 5),
            until_on=date(2026, 1, 6),
            reason="illness",
            approved_by="person/li",
            actor="person/li",
        )
