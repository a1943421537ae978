"""What an auditor reads of the log and of the whole book, part by part."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lending.ledger.v1 import audit_service_pb2 as pb
from lending.ledger.v1.ledger_service_pb2 import Look

from services.ledger.adapters.event_store import EventStore, open_event_store
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.entrypoints import book_reads
from services.ledger.entrypoints.book_reads import BookReads
from services.ledger.entrypoints.spool import Spool, sha256_of
from shared.audit.checkpoints import load_signer, read_checkpoint
from shared.audit.merkle import grown, root
from shared.kernel.errors import LendingError
from tests.tamper.vault import ORIGIN, Vault, new_vault

NOW = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Vault:
    return new_vault(tmp_path_factory.mktemp("reads") / "original")


@pytest.fixture
def reads(vault: Vault) -> Iterator[BookReads]:
    store = open_event_store(vault.log_url)
    yield reads_of(store)
    store.close()


def reads_of(store: EventStore) -> BookReads:
    return BookReads(store, lambda: date(2026, 7, 10), lambda: NOW)


def events_of(reads: BookReads, **asked: Any) -> list[pb.LoggedEvent]:
    """Return the events of an answer, its parts put together."""
    request = pb.StreamEventsRequest(**asked)
    return [one for part in parts_of(reads.events(request)) for one in part.events]


def parts_of(answer: AsyncIterator[Any]) -> list[Any]:
    """Return the parts of an answer without its progress."""

    async def collected() -> list[Any]:
        return [part async for part in answer if not part.HasField("progress")]

    return asyncio.run(collected())


def test_the_whole_book_is_what_was_sealed(reads: BookReads, vault: Vault) -> None:
    """Every event in the log's order; their leaves lead to the root of the signed checkpoint."""
    found = events_of(reads)

    stored = vault.rows()
    assert [(one.position, one.stream, one.version) for one in found] == [
        (row.position, row.stream, row.version) for row in stored
    ]
    assert [one.body_json.encode() for one in found] == [row.state for row in stored]
    key = load_signer(ORIGIN, vault.folder / "signing.key").verifier
    signed = read_checkpoint(vault.kept, key)
    leaves = [one.leaf_hash for one in found[: signed.size]]
    tree = dict(grown(0, leaves, lambda node: b""))
    assert root(signed.size, tree.__getitem__) == signed.root


def test_cut_short_anywhere_it_goes_on_behind_the_last_event(
    reads: BookReads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was received and what comes behind it is the whole, wherever the cut is."""
    monkeypatch.setattr(book_reads, "EVENTS_MAX", 7)
    whole = events_of(reads)
    for cut in range(0, len(whole), 11):
        seen = whole[:cut]
        after = seen[-1].position if seen else 0
        assert seen + events_of(reads, after_position=after) == whole


def test_the_events_of_one_loan(reads: BookReads, vault: Vault) -> None:
    """Those of its stream, in order, with the places that they have in the log."""
    found = events_of(reads, loan_id="loans/L-1")

    assert [one.position for one in found] == [row.position for row in vault.rows("loan/L-1")]
    assert [one.version for one in found] == list(range(1, len(found) + 1))
    assert {one.loan_id for one in found} == {"L-1"}
    behind = found[4].position
    assert events_of(reads, loan_id="L-1", after_position=behind) == found[5:]
    assert events_of(reads, loan_id="L-1", until_position=behind) == found[:5]


def test_the_events_of_a_period(reads: BookReads) -> None:
    """By the time of recording without its last instant, by value date with its last day."""
    whole = events_of(reads)
    times = sorted({one.recorded_at for one in whole if one.recorded_at})
    since, until = times[len(times) // 4], times[len(times) // 2]
    recorded = events_of(reads, recorded_since=since, recorded_until=until)
    counting = events_of(reads, effective_since="2026-02-01", effective_until="2026-02-28")

    at = datetime.fromisoformat
    assert recorded == [
        one for one in whole if one.recorded_at and at(since) <= at(one.recorded_at) < at(until)
    ]
    assert recorded and recorded[0].recorded_at == since
    assert counting == [one for one in whole if one.effective_on[:7] == "2026-02"]
    assert counting


def test_the_events_of_some_kinds(reads: BookReads) -> None:
    """Named as they are called; the amount and who asked beside the stored bytes."""
    found = events_of(reads, kinds=["RepaymentPosted", "RepaymentReversed"])

    assert {one.kind for one in found} == {"RepaymentPosted", "RepaymentReversed"}
    assert all(one.amount_minor > 0 and one.request_id and one.actor for one in found)
    assert {one.topic for one in found} == {f"lending.ledger.{one.kind}" for one in found}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"after_position": -1}, "POSITION_UNKNOWN"),
        ({"after_position": 9, "until_position": 8}, "POSITION_UNKNOWN"),
        ({"until_position": 10**9}, "POSITION_UNKNOWN"),
        ({"recorded_since": "yesterday"}, "INSTANT_NOT_VALID"),
        ({"effective_since": "2026-02-30"}, "DATE_NOT_VALID"),
        ({"effective_since": "2026-03-01", "effective_until": "2026-02-01"}, "PERIOD_EMPTY"),
        ({"recorded_since": NOW.isoformat(), "recorded_until": NOW.isoformat()}, "PERIOD_EMPTY"),
        ({"kinds": ["RepaymentPosted", "Bribed"]}, "EVENT_KIND_UNKNOWN"),
        ({"loan_id": "L-404"}, "LOAN_NOT_FOUND"),
    ],
)
def test_what_cannot_be_read_says_why(reads: BookReads, asked: dict[str, Any], reason: str) -> None:
    """Before anything is told."""
    with pytest.raises(LendingError) as refused:
        events_of(reads, **asked)

    assert refused.value.reason == reason
    assert refused.value.field


def test_a_long_log_is_read_in_little_memory(tmp_path: Path) -> None:
    """Ten times the events take no more of it: pages, not the log, are in memory."""
    store = open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    peaks = []
    for first, last in ((0, 3_000), (3_000, 30_000)):
        store.append([(f"request/r-{k}", 0, [_answered(k)]) for k in range(first, last)])
        tracemalloc.start()
        assert asyncio.run(_count(reads_of(store))) == last
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    store.close()

    assert peaks[1] < 1.3 * peaks[0] < 8 << 20


def _answered(number: int) -> RequestAnswered:
    return RequestAnswered(
        request_id=f"r-{number}",
        body_sha256="0" * 64,
        loan_id="L-1",
        loan_version=1,
        business_on=None,
    )


async def _count(reads: BookReads) -> int:
    return sum([len(part.events) async for part in reads.events(pb.StreamEventsRequest())])


def test_the_book_then_and_as_known_now(reads: BookReads) -> None:
    """On 5 March, before and after the debit bounced: one loan, by what was learned of it."""
    [bounced] = [one for one in events_of(reads, loan_id="L-1") if one.kind == "RepaymentReversed"]
    before = datetime.fromisoformat(bounced.recorded_at) - timedelta(microseconds=1)
    looks = {"before": Look(effective_on=bounced.effective_on, known_at=before.isoformat())}
    asked = pb.CompareBookRequest(**looks, after=Look(effective_on=bounced.effective_on))

    parts = parts_of(reads.compare(asked))

    [book] = parts[-1].books
    loans = [one for part in parts for one in part.loans]
    assert asked.after.known_at == NOW.isoformat()
    assert (book.currency, book.loans, book.unexplained) == ("CNY", 4, {})
    assert book.loans_changed == len(loans)
    by_cause = {one.cause: one for one in book.causes}
    assert by_cause["RepaymentReversed"].loans == 1
    assert by_cause["RepaymentReversed"].changes["principal_outstanding"] > 0
    for figure in {*book.before, *book.after}:
        change = book.after.get(figure, 0) - book.before.get(figure, 0)
        assert sum(one.changes.get(figure, 0) for one in loans) == change
        assert sum(one.changes.get(figure, 0) for one in book.causes) == change
    [late] = [one for one in loans if one.loan_id == "L-1"]
    assert "RepaymentReversed" in {step.cause for step in late.steps}


def test_the_book_alone(reads: BookReads) -> None:
    """The same sums without the loans; a look before all of them knows none."""
    early = Look(effective_on="2026-02-01", known_at="2020-01-01T00:00:00Z")
    whole = pb.CompareBookRequest(before=early, after=Look(effective_on="2026-04-20"))
    alone = pb.CompareBookRequest(before=early, after=Look(effective_on="2026-04-20"))
    alone.book_only = True

    assert parts_of(reads.compare(alone)) == parts_of(reads.compare(whole))[-1:]
    [nothing] = parts_of(reads.compare(pb.CompareBookRequest(before=early, after=early)))
    assert nothing == pb.CompareBookResponse()


def test_books_are_compared_side_by_side(reads: BookReads) -> None:
    """Two who ask at once get what each would get alone."""

    async def both() -> list[list[Any]]:
        asked = [
            pb.CompareBookRequest(
                before=Look(effective_on=on, known_at="2020-01-01T00:00:00Z"),
                after=Look(effective_on=on),
            )
            for on in ("2026-02-20", "2026-06-20")
        ]
        return await asyncio.gather(*([_all(reads.compare(one)) for one in asked]))

    first, second = asyncio.run(both())
    assert first[-1].books[0].after != second[-1].books[0].after
    assert not first[-1].books[0].unexplained and not second[-1].books[0].unexplained


async def _all(answer: AsyncIterator[Any]) -> list[Any]:
    return [part async for part in answer if not part.HasField("progress")]


def test_a_recorded_answer_is_kept_whole_until_it_is_told(reads: BookReads) -> None:
    """The parts come out as they went in, and the hash is that of asking again."""
    request = pb.StreamEventsRequest()
    parts = parts_of(reads.events(request))
    with Spool() as spool:
        for part in parts:
            spool.put(part)
        assert list(spool.parts()) == parts
        assert spool.sha256 == asyncio.run(sha256_of(reads.events(request)))
    request.kinds.append("LoanOpened")
    assert asyncio.run(sha256_of(reads.events(request))) != spool.sha256
