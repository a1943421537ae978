"""What collections orders from the ledger, its role lets it order, in a house that checks."""

from __future__ import annotations

from pathlib import Path

from services.collections.application.orders import REQUESTS
from shared.runtime.roles import read_roles

ROLES = read_roles(Path("deploy/security/roles.toml"))


def test_every_order_is_one_that_collections_may_give() -> None:
    """Plans, claims, pauses and settlements: none is refused, none waits for a second word."""
    methods = {name: f"/lending.ledger.v1.LedgerService/{name}" for name in REQUESTS}

    forbidden = [n for n, full in methods.items() if not ROLES.may(("collections",), full)]
    waiting = [
        n for n, full in methods.items() if ROLES.needs_second_person(("collections",), full)
    ]

    assert (forbidden, waiting) == ([], [])
