"""What an explanation counts as paid is what the events paid, for any life of any loan."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings

from services.ledger.adapters.event_mapper import encode, topic_of
from services.ledger.domain.explain import FIGURES, explain
from services.ledger.domain.terms import Terms
from shared.audit.payments import Event, Unpaid, check_paid, money_of
from tests.services.ledger.domain.desk import Desk
from tests.services.ledger.domain.lives import ACTS, TERMS, examples
from tests.services.ledger.domain.test_two_clocks import Acts, about, lived


def stored(desk: Desk) -> list[Event]:
    """Return a loan's events as a pack has them."""
    rows = enumerate(desk.events, start=1)
    return [((k, "loan/L-1", k, topic_of(e)), json.loads(encode(e))) for k, e in rows]


def paid_leaves(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every leaf that names an event."""
    if str(tree.get("from", "")).startswith("event:"):
        yield tree
    for part in tree.get("of", []):
        yield from paid_leaves(part)


@settings(max_examples=examples(200), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_what_is_explained_was_paid(terms: Terms, acts: Acts) -> None:
    """Backdated, reversed, held as credit, settled: nothing that is true is doubted."""
    desk = lived(terms, acts)
    events = stored(desk)

    for on in about(desk):
        line = desk.account.timeline(on)
        money = money_of(events, on.isoformat())
        for figure in FIGURES if line else ():
            check_paid(explain(line, figure), money)


@settings(max_examples=examples(100), deadline=None)
@given(terms=TERMS, acts=ACTS)
def test_what_was_not_paid_is_not_believed(terms: Terms, acts: Acts) -> None:
    """A cent more, a payment left out, or of another loan: each is named."""
    desk = lived(terms, acts)
    money = money_of(stored(desk), desk.on.isoformat())
    tree = explain(desk.account.timeline(desk.on), "principal_outstanding")

    for k, leaf in enumerate(paid_leaves(tree)):
        if leaf["from"].partition(":")[2] not in money.slots:
            continue
        for change in ({"value": str(int(leaf["value"]) + 1)}, {"from": "event:x"}, {"from": "x"}):
            other = copy.deepcopy(tree)
            list(paid_leaves(other))[k].update(change)
            with pytest.raises(Unpaid):
                check_paid(other, money)


@pytest.mark.parametrize("source", ["credit@0", "credit@9", "credit@x", "credit@1"])
def test_a_credit_is_of_an_event_and_of_money(source: str) -> None:
    """A version that is not there, or no money that could have been left over."""
    leaf = {"op": "given", "label": "PRINCIPAL of 1 paid", "value": "5", "from": f"event:{source}"}
    opened = {"effective_on": "2026-01-05"}

    with pytest.raises(Unpaid):
        check_paid(leaf, money_of([((1, "loan/L-1", 1, "lending.ledger.LoanOpened"), opened)], "9"))
