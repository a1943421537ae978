"""Questions to the whole book: what if, and what changed between two looks, by cause."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.book_questions import (
    difference_of_book,
    drawn,
    streams,
    suppose_book,
    worst,
)
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.difference import Look, figures_at
from services.ledger.domain.events import Fact, RepaymentReversed
from services.ledger.domain.refusals import SuppositionInvalid
from services.ledger.entrypoints.book_cli import app
from shared.kernel.dates import DayCount
from tests.tamper.vault import Vault, new_vault

ALWAYS = datetime.max.replace(tzinfo=UTC)
ON = date(2026, 4, 20)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("questions") / "original")


@pytest.fixture(scope="module")
def loans(vault: Vault) -> dict[str, list[Fact]]:
    store = open_event_store(vault.log_url)
    found = streams(store, decode)
    store.close()
    return found


def test_with_nothing_supposed_the_book_is_what_it_is(loans: dict[str, list[Fact]]) -> None:
    """No loan differs, on any date."""
    for on in (date(2026, 1, 5), ON, date(2026, 7, 10)):
        found = suppose_book(loans, Look(on, ALWAYS), Supposition())
        assert (found.loans, found.changed) == (4, [])
        assert found.actual == found.supposed
        assert all(was == would for _, was, would in found.buckets)


def test_the_book_under_another_grace(loans: dict[str, list[Fact]]) -> None:
    """Sixty days of grace: no penalty yet; the sums are those of the loans that differ."""
    found = suppose_book(loans, Look(ON, ALWAYS), Supposition(grace_days=60))

    for figure in ("penalty_outstanding", "payoff"):
        change = sum(one.changes.get(figure, 0) for one in found.changed)
        assert found.supposed[figure] - found.actual[figure] == change < 0
    in_five_tiers = [n for (scheme, *_), n in found.buckets.items() if scheme == "five_tier"]
    assert sum(in_five_tiers) == found.loans == 4
    assert len(worst(found.changed, 1)) == 1


def test_the_book_under_other_edges(loans: dict[str, list[Fact]]) -> None:
    """No figure moves; who is late is in another tier; a scheme that nobody has changes nothing."""
    edges = ((0, "NORMAL"), (1, "LOSS"))
    found = suppose_book(loans, Look(ON, ALWAYS), Supposition(scheme_edges=(("five_tier", edges),)))

    assert found.actual == found.supposed
    late = [
        loan_id
        for loan_id, events in loans.items()
        if figures_at(events, Look(ON, ALWAYS)).get("days_past_due")
    ]
    assert [one.loan_id for one in found.changed] == late != []
    for one in found.changed:
        assert one.buckets == {"five_tier": ("SPECIAL_MENTION", "LOSS")}
        assert sum(len(step.buckets) for step in one.steps) == 1

    none = suppose_book(loans, Look(ON, ALWAYS), Supposition(scheme_edges=(("rbi", edges),)))
    assert (none.untouched, none.changed) == (4, [])
    with pytest.raises(SuppositionInvalid):
        suppose_book(loans, Look(ON, ALWAYS), Supposition(scheme_edges=(("m", ((1, "A"),)),)))


def test_the_same_word_draws_the_same_loans(loans: dict[str, list[Fact]]) -> None:
    """Another word may draw others; more than there are is all."""
    assert drawn(loans, 2, "dice").keys() == drawn(loans, 2, "dice").keys()
    assert len({tuple(drawn(loans, 2, word)) for word in "abcdefgh"}) > 1
    assert drawn(loans, 99, "dice") == loans


def test_what_was_learned_is_told_by_cause(loans: dict[str, list[Fact]]) -> None:
    """On 5 March, before and after the debit bounced: the reversal made the loan late."""
    bounced = next(e for e in loans["L-1"] if isinstance(e, RepaymentReversed))
    on, known = bounced.effective_on, bounced.recorded_at - timedelta(microseconds=1)
    heard: list[int] = []

    found = difference_of_book(loans.items(), Look(on, known), Look(on, ALWAYS), heard.append)[
        "CNY"
    ]

    assert found.unexplained() == {}
    assert found.loans["RepaymentReversed"] == 1
    assert found.causes["RepaymentReversed"]["principal_outstanding"] > 0
    assert heard == [1, 2, 3, 4]


def test_between_any_two_looks_the_causes_sum(loans: dict[str, list[Fact]]) -> None:
    """Forward and back, on both clocks."""
    instants = [loans["L-0"][k].recorded_at for k in (1, 4, -1)]
    looks = [Look(on, at) for on in (date(2026, 2, 20), date(2026, 7, 10)) for at in instants]
    for before in looks:
        for after in looks:
            for found in difference_of_book(loans.items(), before, after).values():
                assert found.unexplained() == {}


def _kept(ask: Callable[..., tuple[int, str]], folder: Path) -> None:
    """A counterfactual is kept beside the record: what, of which loans, and why each differs."""
    path = folder / "kept.json"
    asked = ["--day-count", "ACT_360", "--sample", "3", "--seed", "dice", "--keep", str(path)]
    assert ask("suppose", "2026-04-20", *asked)[0] == 0
    kept = json.loads(path.read_text())
    supposition = Supposition(day_count=DayCount.ACT_360)
    assert kept["label"] == supposition.label
    assert kept["supposition_sha256"] == supposition.sha256
    assert (kept["sample"], kept["seed"], kept["loans"]) == (3, "dice", 3)
    assert kept["changed"]
    for one in kept["changed"]:
        assert [step["what"] for step in one["steps"]] == ["day_count ACT_360"]
        assert one["steps"][0]["changes"] == one["changes"]


def test_the_same_from_the_command_line(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """As CSV and as JSON; what cannot be asked is refused in one line."""
    monkeypatch.setenv("LEDGER_DATABASE_URL", vault.log_url)

    def ask(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, arguments)
        return result.exit_code, result.stdout

    code, said = ask("compare", "2026-03-05", "--known", "2020-01-01T00:00:00Z", "--as", "csv")
    rows = list(csv.DictReader(io.StringIO(said)))
    assert code == 0
    assert rows[0]["before"] == "0"
    whole = next(row for row in rows if row["figure"] == "principal_outstanding")
    causes = [name for name in whole if name not in ("currency", "figure", "before", "after")]
    assert sum(int(whole[name]) for name in causes) == int(whole["after"])

    code, said = ask("suppose", "2026-04-20", "--grace-days", "60", "--as", "json")
    found = {row["figure"]: row for row in json.loads(said)}
    assert code == 0
    assert found["payoff"]["difference"] < 0
    _kept(ask, tmp_path)
    assert ask("suppose", "2026-04-20", "--day-count", "ACT_361")[0] == 2
    assert ask("suppose", "2026-04-20", "--edges", "five_tier")[0] == 2
    assert ask("suppose", "2026-04-20", "--edges", "five_tier:1=A")[0] == 2
    assert ask("suppose", "2026-04-20", "--grace-days", "61")[0] == 2
    assert ask("suppose", "yesterday")[0] == 2
    assert ask("suppose", "2026-04-20", "--allocation", "mine")[0] == 2
