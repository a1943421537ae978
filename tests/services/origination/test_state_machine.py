"""Every step from every status: where it leads, or which fact stands in its way."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.origination.domain.state_machine import (
    ALLOWED,
    Status,
    Step,
    StepOutOfOrder,
    follow,
    require,
    table,
)

README = Path(__file__).resolve().parents[3] / "services" / "origination" / "README.md"

UNDECIDED = """
review     | application_not_referred
choose     | application_not_decided
show       | application_not_decided
confirm    | disclosure_not_shown
accept     | disclosure_not_confirmed
disburse   | contract_not_accepted
pay        | payout_not_under_way
return     | payout_not_under_way
resolve    | payout_not_under_way
cancel     | loan_not_paid_out
settle     | cancellation_not_under_way
reopen     | cancellation_not_under_way
withdraw   | WITHDRAWN
expire     | EXPIRED
"""
OFFERED = f"""
{UNDECIDED}
decide     | application_already_decided
choose     | OFFERED
secure     | OFFERED
"""
SIGNED = f"""
{OFFERED}
choose     | contract_already_accepted
secure     | contract_already_accepted
show       | contract_already_accepted
confirm    | contract_already_accepted
accept     | contract_already_accepted
disburse   | DISBURSING
"""
LIVES = {
    # status: what differs from the rows it starts from
    Status.SUBMITTED: f"""{UNDECIDED}
        decide | OFFERED REFERRED DECLINED
        secure | SUBMITTED""",
    Status.REFERRED: f"""{UNDECIDED}
        decide | application_already_decided
        review | REFERRED OFFERED DECLINED
        secure | REFERRED""",
    Status.OFFERED: f"{OFFERED}\nshow | DISCLOSED",
    Status.DISCLOSED: f"{OFFERED}\nshow | DISCLOSED\nconfirm | CONFIRMED",
    Status.CONFIRMED: f"""{OFFERED}
        show | disclosure_already_confirmed
        confirm | disclosure_already_confirmed
        accept | CONTRACTED""",
    Status.CONTRACTED: f"{SIGNED}\nchoose | OFFERED",
    Status.PAYOUT_RETURNED: f"{SIGNED}\nchoose | OFFERED",
}
DRAFT = {
    Step.DRAFT: "DRAFT",
    Step.SUBMIT: "SUBMITTED",
    Step.WITHDRAW: "WITHDRAWN",
    Step.EXPIRE: "EXPIRED",
}
STOPPED = {
    # status: what stands in the way of every step, unless it is one of these
    Status.DISBURSING: (
        "payout_under_way",
        {
            Step.PAY: "DISBURSED",
            Step.RETURN: "PAYOUT_RETURNED DISBURSED",
            Step.RESOLVE: "DISBURSING PAYOUT_RETURNED DISBURSED",
        },
    ),
    Status.DISBURSED: (
        "loan_is_paid_out",
        {
            Step.DISBURSE: "DISBURSING",
            Step.CANCEL: "CANCELLING",
            Step.RETURN: "CANCELLING",
            Step.REDIRECT: "DISBURSED",
        },
    ),
    Status.CANCELLING: (
        "cancellation_under_way",
        {Step.SETTLE: "CANCELLED", Step.REOPEN: "DISBURSED"},
    ),
    Status.CANCELLED: ("loan_is_cancelled", {}),
    Status.DECLINED: ("application_is_declined", {}),
    Status.WITHDRAWN: ("application_is_withdrawn", {}),
    Status.EXPIRED: ("application_is_expired", {}),
}
INNER = {
    Step.PAY: "payout_not_under_way",
    Step.RETURN: "payout_not_under_way",
    Step.RESOLVE: "payout_not_under_way",
    Step.SETTLE: "cancellation_not_under_way",
    Step.REOPEN: "cancellation_not_under_way",
}


def expected(status: Status, step: Step) -> str:
    """Return the statuses a step may lead to, else the reason of its refusal."""
    if status is Status.DRAFT:
        return DRAFT.get(step, "application_not_submitted")
    if step in (Step.DRAFT, Step.SUBMIT) and status in (Status.WITHDRAWN, Status.EXPIRED):
        return f"application_is_{status.lower()}"
    if step in (Step.DRAFT, Step.SUBMIT):
        return "application_already_submitted"
    if status in LIVES and step is Step.REDIRECT:
        return status
    if status in LIVES:
        rows = (line.split("|") for line in LIVES[status].splitlines() if line.strip())
        return {name.strip(): said.strip() for name, said in rows}[step]
    reason, allowed = STOPPED[status]
    if status in (Status.DISBURSING, Status.DISBURSED, Status.CANCELLING):
        return allowed.get(step) or INNER.get(step, reason)
    return reason


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("step", Step)
def test_each_step_from_each_status(status: Status, step: Step) -> None:
    """A step is taken where the table lets it; refused, the fact in its way is the reason."""
    said = expected(status, step)

    if said.isupper():
        assert [str(s) for s in ALLOWED[status][step]] == said.split()
        assert [follow(status, step, s) for s in ALLOWED[status][step]] == said.split()
    else:
        with pytest.raises(
            StepOutOfOrder, match=f"cannot {step}: the application is {status}"
        ) as r:
            require(status, step)
        assert r.value.reason == said.upper()
        assert type(r.value) is not StepOutOfOrder


def test_the_readme_shows_the_machine() -> None:
    """The table that people read is the one that decides."""
    assert table() in README.read_text("utf-8")


def test_every_status_can_be_reached_and_left_or_is_an_end() -> None:
    """From DRAFT every status can be reached; only four are ends."""
    reached, found = {Status.DRAFT}, [Status.DRAFT]
    for status in found:
        for leads in ALLOWED[status].values():
            found += [s for s in leads if s not in reached]
            reached.update(leads)

    assert reached == set(Status)
    ends = {status for status in Status if not ALLOWED[status]}
    assert ends == {Status.CANCELLED, Status.DECLINED, Status.WITHDRAWN, Status.EXPIRED}


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_no_money_without_what_was_read_and_signed(chance: Random) -> None:
    """Before money moves, the offer as it last was has been shown, confirmed and accepted."""
    status, since = Status.DRAFT, []
    while ALLOWED[status] and len(since) < 50:
        step = chance.choice(list(ALLOWED[status]))
        status = follow(status, step, chance.choice(ALLOWED[status][step]))
        since = [] if step in (Step.CHOOSE, Step.SECURE) else [*since, step]
        if step is Step.DISBURSE:
            agreed = [s for s in since if s in (Step.SHOW, Step.CONFIRM, Step.ACCEPT)]
            assert agreed[-3:] == [Step.SHOW, Step.CONFIRM, Step.ACCEPT]
