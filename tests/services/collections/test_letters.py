"""What a letter must say to be a demand, and to be the notice before a credit report."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import msgspec
import pytest
from lending.collections.v1 import contact_service_pb2 as pb

from services.collections.adapters.wording import TEMPLATES, TemplateIncomplete, Templates
from services.collections.application.deciding import plan
from services.collections.application.desk import messages_of
from services.collections.domain.case import Case
from services.collections.domain.message import Letter
from tests.services.collections.house import a_house, event, hear
from tests.services.collections.test_ladder import write
from tests.services.collections.test_recovery import POLICY

WORDS = {
    "loan_id": "L-1",
    "borrower_ref": "B-1",
    "days_past_due": 35,
    "arrears": "1,066.19",
    "currency": "CNY",
    "pay_by": "2026-02-21",
}


@pytest.mark.parametrize("template", POLICY.notice_templates)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_demand_says_by_when_and_what_follows(language: str, template: str) -> None:
    """Pay by a day, or a negative record may follow: told before, in both languages."""
    letter: Letter = Templates("Duebook").letter("m", template, language, "", WORDS)

    assert "2026-02-21" in letter.text
    assert POLICY.report_words[language] in letter.text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_letter_that_hides_it_is_not_sent(tmp_path: Path, language: str) -> None:
    """A demand whose template no longer speaks of the registry is refused, not sent."""
    for path in TEMPLATES.rglob("*.*"):
        copy = tmp_path / path.relative_to(TEMPLATES)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(path.read_text("utf-8"), "utf-8")
    mild = tmp_path / language / "letter.txt"
    mild.write_text(mild.read_text("utf-8").replace(POLICY.report_words[language], "…"), "utf-8")

    with pytest.raises(TemplateIncomplete):
        Templates("Duebook", tmp_path).letter("m", "letter", language, "", WORDS)


async def test_only_a_letter_that_says_so_is_notice_of_a_report(tmp_path: Path) -> None:
    """Of three demands one tells of the registry: an old text and a person's letter do not."""
    async with a_house(tmp_path) as house:
        async with house.desk.records.work() as work:
            await house.debtors.register(work, pb.RegisterDebtorRequest(borrower_ref="B-1"))
        await hear(house, event(1, "BUCKET_CHANGED", "2026-02-06", 35))
        async with house.desk.records.work() as work:
            (letter,) = await messages_of(work, "L-1")
            older = {"name": "L-1.older", "sent_at": datetime(2026, 2, 8, 3, tzinfo=UTC)}
            await plan(work, msgspec.structs.replace(letter, text="诉前通知", **older))
        await write(house, 1, datetime(2026, 2, 9, 3, tzinfo=UTC))

        async with house.desk.records.work() as work:
            case = await work.get(Case, "L-1")
            assert case is not None
            matter = await house.escalating.matter(work, case)
    assert matter.notices == tuple(date(2026, 2, day) for day in (6, 8, 9))
    assert matter.report_notices == (date(2026, 2, 6),)
