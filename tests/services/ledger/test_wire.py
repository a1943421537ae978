"""Requests as callers write them: names, policies without a version."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1 import loan_pb2

from services.ledger import wire
from services.ledger.wire_terms import PolicyUnknown, terms, terms_message
from shared.kernel.dates import DateNotValid
from shared.runtime.requests import IdNotValid
from tests.services.ledger.domain.desk import TERMS

NOW = datetime(2026, 3, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize("name", ["L-000042", "loans/L-000042"])
def test_a_loan_is_named_by_its_id_or_its_resource_name(name: str) -> None:
    """Both mean the same loan."""
    asked = pb.ResumeDelinquencyRequest(
        request_id="r-1", loan_id=name, on="2026-03-05", reason="found"
    )
    assert wire.resumption(asked, NOW).loan_id == "L-000042"


@pytest.mark.parametrize("name", ["", "loans/", "loan/L-000042", "loans/loans/L-1", "L 42"])
def test_another_name_is_refused(name: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(IdNotValid) as refused:
        wire.resumption(pb.ResumeDelinquencyRequest(loan_id=name), NOW)
    assert refused.value.field == "loan_id"


def _named(policy: str, concluded_on: str) -> str:
    message = loan_pb2.Terms()
    message.CopyFrom(terms_message(TERMS))
    message.delinquency_policy, message.concluded_on = policy, concluded_on
    return terms(message).delinquency.policy


@pytest.mark.parametrize(
    ("policy", "concluded_on", "found"),
    [
        ("", "", "cn-consumer/1"),
        ("cn-consumer/2", "", "cn-consumer/2"),
        ("cn-consumer", "2023-07-01", "cn-consumer/3"),
        ("eu-retail", "2020-12-31", "eu-retail/1"),
        ("eu-retail", "2021-01-01", "eu-retail/2"),
        ("rbi-retail", "2026-01-01", "rbi-retail/1"),
    ],
)
def test_a_policy_without_version_is_the_one_in_force_at_the_contract(
    policy: str, concluded_on: str, found: str
) -> None:
    """The contract keeps the version, whatever comes into force later."""
    assert _named(policy, concluded_on) == found


def test_no_policy_before_it_was_in_force() -> None:
    """Nor for a contract without a date."""
    with pytest.raises(PolicyUnknown):
        _named("cn-consumer", "2023-06-30")
    with pytest.raises(PolicyUnknown):
        _named("moon-retail", "2026-01-01")
    with pytest.raises(DateNotValid):
        _named("cn-consumer", "")
