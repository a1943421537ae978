"""Treatment as data: arms, steps, work lists, previews of a change, figures with intervals."""

from __future__ import annotations

from collections import Counter
from datetime import date
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from lending.collections.v1 import work_service_pb2 as pb

from services.collections.adapters.policy_files import read_policies, read_strategy
from services.collections.application.reporting import Reporting
from services.collections.application.working import Working
from services.collections.config import HERE
from services.collections.domain.contact_rules import ProtectionKind
from services.collections.domain.debtor import Protection
from services.collections.domain.treatment import StrategyInvalid, arm_of
from services.collections.entrypoints.work_service import WorkService
from tests.services.collections.counting import share_of
from tests.services.collections.house import a_house, event, hear

(STRATEGY,) = read_policies(HERE / "policies").strategies
TEXT = (HERE / "policies" / "treatment" / "consumer-2026-01.toml").read_text("utf-8")


def test_arms_are_dealt_by_share_and_for_ever() -> None:
    """A borrower keeps the arm; 10,000 are dealt by the shares, within two points."""
    arms = Counter(arm_of(STRATEGY, f"B-{number}") for number in range(10_000))

    assert arm_of(STRATEGY, "B-1") == arm_of(msgspec.structs.replace(STRATEGY), "B-1")
    for arm in STRATEGY.arms:
        assert abs(Decimal(arms[arm.name]) / 10_000 - Decimal(arm.share)) < Decimal("0.02")


WRONG = [
    ('share = "0.05"', 'share = "0.06"'),
    ('arms = ["soft-words"]', 'arms = ["nobody"]'),
    ('id = "early-call"', 'id = "plan-call"'),
    ('id = "early-call"', 'id = "a-name-that-is-too-long"'),
]


@pytest.mark.parametrize(("right", "wrong"), WRONG)
def test_a_strategy_that_does_not_hold_together_is_refused(right: str, wrong: str) -> None:
    """Shares that are not one, an arm that is not there, a step twice: refused at once."""
    with pytest.raises(StrategyInvalid):
        read_strategy(TEXT.replace(right, wrong))


async def test_work_comes_up_by_stage_and_goes_with_the_case(tmp_path: Path) -> None:
    """The more urgent case is on top; a vulnerable person is reviewed, not called; cured: gone."""
    async with a_house(tmp_path) as house:
        for number, arrears in (("1", 50_000), ("2", 900_000), ("3", 100_000)):
            one = event(
                1, "GRACE_EXPIRED", "2026-02-06", 4, loan=f"L-{number}", borrower=f"B-{number}",
                arrears=arrears,
            )  # fmt: skip
            await hear(house, one)
        shield = Protection(
            protection_id="p-1", kind=ProtectionKind.VULNERABLE, from_on=date(2026, 2, 7)
        )
        async with house.desk.records.work() as work:
            await house.debtors.protect(work, "B-3", shield)
        await house.desk.see(date(2026, 2, 9))
        working = Working(house.desk.records, house.desk.contacting)
        service = WorkService(working, Reporting(house.desk.records), lambda: date(2026, 2, 9))

        listed = (await service.ListTasks(pb.ListTasksRequest(), None)).tasks
        assert [(task.loan_id, task.kind, task.due_on) for task in listed] == [
            ("L-2", "CALL", "2026-02-11"),
            ("L-3", "REVIEW", "2026-02-08"),
            ("L-1", "CALL", "2026-02-11"),
        ]
        given = pb.AssignTaskRequest(request_id="a-1", task_id=listed[0].task_id, assignee="ann")
        assert (await service.AssignTask(given, None)).assignee == "ann"
        mine = await service.ListTasks(pb.ListTasksRequest(assignee="ann"), None)
        assert [task.loan_id for task in mine.tasks] == ["L-2"]

        await hear(house, event(2, "CURED", "2026-02-09", 0, loan="L-2", borrower="B-2"))
        left = (await service.ListTasks(pb.ListTasksRequest(), None)).tasks
        assert [task.loan_id for task in left] == ["L-3", "L-1"]


async def test_a_change_shows_whom_it_would_treat_otherwise(tmp_path: Path) -> None:
    """Calls a day earlier: the cases in M1 differ, those in grace do not, and nothing is stored."""
    async with a_house(tmp_path) as house:
        await hear(house, event(1, "GRACE_EXPIRED", "2026-02-06", 4))
        await hear(house, event(1, "GRACE_ENTERED", "2026-02-06", 1, loan="L-2", borrower="B-2"))
        working = Working(house.desk.records, house.desk.contacting)
        service = WorkService(working, Reporting(house.desk.records), lambda: date(2026, 2, 8))
        changed = TEXT.replace("after_days = 3", "after_days = 2")

        answer = await service.PreviewStrategy(
            pb.PreviewStrategyRequest(strategy_toml=changed), None
        )

        assert (answer.cases, answer.different) == (2, 1)
        assert answer.differences[0].loan_id == "L-1"
        new = set(answer.differences[0].steps_after) - set(answer.differences[0].steps_before)
        assert new == {"early-call"}
        assert not (await service.ListTasks(pb.ListTasksRequest(), None)).tasks


def test_intervals_are_wilsons() -> None:
    """81 of 263 is 0.3080 with 0.2553 to 0.3662 (Newcombe 1998, table I, method 3)."""

    def bounds(part: int, whole: int) -> tuple[Decimal, Decimal, Decimal] | None:
        return share_of([(f"B-{n}", n < part) for n in range(whole)]).bounds

    assert bounds(81, 263) == (Decimal("0.3080"), Decimal("0.2553"), Decimal("0.3662"))
    assert bounds(0, 20) == (Decimal(0), Decimal(0), Decimal("0.1611"))
    assert bounds(0, 0) is None
