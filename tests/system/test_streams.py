"""Answers in parts of a real ledger: who may ask, what is recorded first, by client and command."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import grpc
import pytest
from lending import refusals
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1.audit_service_client import LedgerAuditBlockingClient, LedgerAuditClient
from lending.ledger.v1.audit_service_pb2_grpc import LedgerAuditServiceStub

from shared.audit.checkpoints import load_signer
from shared.kernel.errors import LendingError
from tests.system.secured_ledger import secured_ledger
from tests.system.test_audit import audit
from tests.system.test_ledger_process import tell
from tests.system.test_recorded_reads import CALLERS, recorded

ONE = {"loan_id": "L-1"}


async def parts_of(call: Any) -> tuple[list[Any], str]:
    """Return the parts of an answer, and the id of its record."""
    parts = [part async for part in call if not part.HasField("progress")]
    told = dict(await call.trailing_metadata())
    return parts, str(told.get("duebook-read-id", ""))


async def test_who_reads_a_stream_has_a_role_for_it(tmp_path: Path) -> None:
    """An auditor may, a reader of loans may not; the door says who may."""
    async with secured_ledger(tmp_path, *CALLERS) as ledger:
        zhao = ledger("person/zhao", LedgerAuditServiceStub)
        qian = ledger("person/qian", LedgerAuditServiceStub)
        parts, _ = await parts_of(zhao.StreamEvents(pb.StreamEventsRequest(**ONE)))
        for call in (
            qian.StreamEvents(pb.StreamEventsRequest()),
            qian.CompareBook(pb.CompareBookRequest()),
        ):
            with pytest.raises(LendingError) as refused:
                await parts_of(call)
            assert refused.value.reason == "CALLER_MAY_NOT"
            assert refused.value.facts["roles"] == "auditor"

        assert [one.kind for one in parts[0].events][:2] == ["LoanOpened", "LoanDisbursed"]


async def test_what_an_auditor_streams_is_recorded_before_it_is_told(tmp_path: Path) -> None:
    """Question, place in the log and hash; hung up on, it is in the log all the same."""
    async with secured_ledger(tmp_path, *CALLERS) as ledger:
        zhao = ledger("person/zhao", LedgerAuditServiceStub)
        call = zhao.StreamEvents(
            pb.StreamEventsRequest(), metadata=[("duebook-purpose", "yearly audit")]
        )
        async for part in call:
            if part.events:
                break
        [read] = recorded(tmp_path)
        call.cancel()
        assert (read["reader"], read["method"]) == ("person/zhao", "StreamEvents")
        assert read["purpose"] == "yearly audit"
        last = int(json.loads(read["request_json"])["untilPosition"])
        assert part.events[-1].position == last

        _, events = await parts_of(zhao.StreamEvents(pb.StreamEventsRequest(**ONE)))
        _, book = await parts_of(zhao.CompareBook(pb.CompareBookRequest()))
        assert [one["read_id"] for one in recorded(tmp_path)[1:]] == [events, book]
        for read_id in (read["read_id"], events, book):
            again = await zhao.RepeatRead(pb.RepeatReadRequest(read_id=read_id))
            assert again.same, again


async def test_a_refused_stream_is_not_recorded(tmp_path: Path) -> None:
    """It told nothing."""
    async with secured_ledger(tmp_path, *CALLERS) as ledger:
        zhao = ledger("person/zhao", LedgerAuditServiceStub)
        with pytest.raises(LendingError) as refused:
            await parts_of(zhao.StreamEvents(pb.StreamEventsRequest(loan_id="L-404")))

        assert refused.value.reason == "LOAN_NOT_FOUND"
        assert recorded(tmp_path) == []


@pytest.mark.parametrize("desk", ["sqlite"], indirect=True)
async def test_the_client_yields_parts(desk) -> None:
    """With asyncio and without; a refusal has its own class."""
    tell(desk)
    target, asked = f"127.0.0.1:{desk.ledger.port}", pb.StreamEventsRequest(**ONE)
    with LedgerAuditBlockingClient(target) as blocking:
        events = [one for part in blocking.stream_events(asked) for one in part.events]
        with pytest.raises(refusals.EventKindUnknown):
            list(blocking.stream_events(pb.StreamEventsRequest(kinds=["Bribed"])))
    async with LedgerAuditClient(target) as client:
        parts = [part async for part in client.compare_book(pb.CompareBookRequest())]

    assert [one.version for one in events] == list(range(1, len(events) + 1))
    assert parts[-1].books[0].loans == 1
    call = grpc.insecure_channel(target).unary_stream(
        "/lending.ledger.v1.LedgerAuditService/StreamEvents"
    )
    with pytest.raises(grpc.RpcError):
        list(call(b"\xff\xff\xff"))


def test_an_auditor_reads_the_log_by_command(desk, tmp_path: Path) -> None:
    """All of it, held against the signed checkpoint; of one kind; on from a place."""
    tell(desk)
    key = audit(desk, "key").stdout.strip()
    whole = audit(desk, "events", "--as", "csv", "--check", key)
    rows = list(csv.DictReader(io.StringIO(whole.stdout)))
    assert whole.exit_code == 0, whole.stderr
    said = re.search(r"PROVEN: all (\d+) events under the checkpoint, (\d+)", whole.stderr)
    assert said is not None, whole.stderr
    assert int(said[1]) + int(said[2]) == len(rows)
    stranger = load_signer("duebook.local/ledger", tmp_path / "stranger.key").verifier
    assert audit(desk, "events", "--check", stranger).exit_code == 1
    assert audit(desk, "events", "--loan", "L-1", "--check", key).exit_code == 2

    after = rows[len(rows) // 2]["position"]
    rest = audit(desk, "events", "--as", "csv", "--after", after).stdout
    assert [row["position"] for row in csv.DictReader(io.StringIO(rest))] == [
        row["position"] for row in rows[len(rows) // 2 + 1 :]
    ]
    kind = audit(desk, "events", "--kind", "LoanChargedOff", "--bodies", "--as", "json")
    [charged_off] = json.loads(kind.stdout)
    assert json.loads(charged_off["body_json"])["loan_id"] == "L-1"
    refused = audit(desk, "events", "--kind", "Bribed")
    assert (refused.exit_code, "EVENT_KIND_UNKNOWN" in refused.stderr) == (1, True)


def test_an_auditor_compares_the_book_by_command(desk) -> None:
    """As known when the first money came, and now; the causes come to the difference."""
    tell(desk)
    first = json.loads(audit(desk, "events", "--kind", "RepaymentPosted", "--as", "json").stdout)
    known = first[0]["recorded_at"]
    asked = ("compare", "--on", "2026-03-20", "--known-at", known, "--as", "csv")
    book = audit(desk, *asked)
    loans = audit(desk, *asked, "--loans")

    assert (book.exit_code, loans.exit_code) == (0, 0), book.stderr + loans.stderr
    figures = {row["figure"]: row for row in csv.DictReader(io.StringIO(book.stdout))}
    changes: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(loans.stdout)):
        changes[row["figure"]] = changes.get(row["figure"], 0) + int(row["change"])
    assert changes
    for figure, change in changes.items():
        assert int(figures[figure]["after"]) - int(figures[figure]["before"]) == change
