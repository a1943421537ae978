"""The role file that we ship: every method is somebody's, and nothing in it is misspelt."""

from __future__ import annotations

from pathlib import Path

from deploy.security.roles import methods, unknown
from services.ledger.entrypoints.recording import LEDGER_READS
from shared.runtime.roles import matches, read_roles

ROLES = read_roles(Path(__file__).parents[2] / "deploy" / "security" / "roles.toml")


def test_every_method_of_every_service_is_somebodys() -> None:
    """A method that is added to the protos needs a role, or nobody can call it."""
    found = list(methods())

    assert len(found) > 80
    assert [name for name in found if not ROLES.who_may(name)] == []


def test_nothing_in_the_role_file_is_misspelt() -> None:
    """Every pattern fits a method."""
    assert unknown(ROLES) == []


def test_an_auditor_reads_loans_and_nothing_unrecorded() -> None:
    """Every read of a loan that is recorded is an auditor's; so is no other but the date."""
    service = "/lending.ledger.v1.LedgerService/"
    may = [name for name in methods() if name.startswith(service)]
    may = [name.removeprefix(service) for name in may if ROLES.may(("auditor",), name)]

    assert sorted(may) == sorted([*LEDGER_READS, "GetBusinessDate"])


def test_nobody_makes_and_checks() -> None:
    """Who may ask for what needs four eyes may not approve it, and the other way round."""
    approve = [name for name in methods() if "/Approve" in name]
    assert approve

    for method in approve:
        for name in ROLES.who_may(method):
            makes = [
                other
                for other in methods()
                if matches(ROLES.four_eyes, other) or "/Propose" in other
                if ROLES.may((name,), other)
            ]
            assert makes == [], f"{name} approves by {method} and makes"
