"""Questions to the whole book: what if, and what changed between two looks, by cause."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, date, datetime, timedelta

import pytest
from typer.testing import CliRunner

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.book_questions import (
    difference_of_book,
    streams,
    suppose_book,
    worst,
)
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.difference import Look
from services.ledger.domain.events import Fact, RepaymentReversed
from services.ledger.entrypoints.book_cli import app
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
        assert all(was == would for was, would in found.buckets)


def test_the_book_under_another_grace(loans: dict[str, list[Fact]]) -> None:
    """Sixty days of grace: no penalty yet; the sums are those of the loans that differ."""
    found = suppose_book(loans, Look(ON, ALWAYS), Supposition(grace_days=60))

    for figure in ("penalty_outstanding", "payoff"):
        change = sum(changes.get(figure, 0) for _, changes in found.changed)
        assert found.supposed[figure] - found.actual[figure] == change < 0
    assert sum(found.buckets.values()) == found.loans == 4
    assert len(worst(found.changed, 1)) == 1


def test_what_was_learned_is_told_by_cause(loans: dict[str, list[Fact]]) -> None:
    """On 5 March, before and after the debit bounced: the reversal made the loan late."""
    bounced = next(e for e in loans["L-1"] if isinstance(e, RepaymentReversed))
    on, known = bounced.effective_on, bounced.recorded_at - timedelta(microseconds=1)
    heard: list[tuple[int, int]] = []

    found = difference_of_book(
        loans, Look(on, known), Look(on, ALWAYS), lambda k, of: heard.append((k, of))
    )

    assert found.unexplained() == {}
    assert found.loans["RepaymentReversed"] == {"L-1"}
    assert found.causes["RepaymentReversed"]["principal_outstanding"] > 0
    assert heard[-1] == (4, 4)


def test_between_any_two_looks_the_causes_sum(loans: dict[str, list[Fact]]) -> None:
    """Forward and back, on both clocks."""
    instants = [loans["L-0"][k].recorded_at for k in (1, 4, -1)]
    looks = [Look(on, at) for on in (date(2026, 2, 20), date(2026, 7, 10)) for at in instants]
    for before in looks:
        for after in looks:
            assert difference_of_book(loans, before, after).unexplained() == {}


def test_the_same_from_the_command_line(vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
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
    causes = [name for name in whole if name not in ("figure", "before", "after")]
    assert sum(int(whole[name]) for name in causes) == int(whole["after"])

    code, said = ask("suppose", "2026-04-20", "--grace-days", "60", "--as", "json")
    found = {row["figure"]: row for row in json.loads(said)}
    assert code == 0
    assert found["payoff"]["difference"] < 0
    assert ask("suppose", "2026-04-20", "--grace-days", "61")[0] == 2
    assert ask("suppose", "yesterday")[0] == 2
    assert ask("suppose", "2026-04-20", "--allocation", "mine")[0] == 2
