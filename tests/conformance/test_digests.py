"""The digest of a day: what was told of all loans, so that nobody misses a loan's last event."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import structlog
from prometheus_client import REGISTRY
from structlog.testing import capture_logs
from typer.testing import CliRunner

from services.ledger.adapters.digests import day_so_far
from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.application.following import Follower
from services.ledger.wire_digest import DayTold
from shared.runtime.reading import Message
from shared.runtime.streams import DELINQUENCY, DIGEST, STATE, STATE_STREAM
from shared.subscriber.__main__ import app
from shared.subscriber.digests import DayCount, days_of
from shared.subscriber.subscriber import Subscriber
from tests.conformance.books import (
    ENDS_ON,
    days_closed,
    make_book,
    more_loans,
    read_all,
)
from tests.conformance.relay_kills import complete
from tests.conformance.test_following import follower
from tests.conformance.test_relay import LOANS, Post, post, stop

__all__ = ["post"]

INCOMPLETE = (
    "duebook_subscriber_events_total",
    {"subscriber": "desk", "outcome": "DAY_INCOMPLETE"},
)


async def test_each_day_says_what_was_told_since_the_one_before(post: Post) -> None:
    """By type, bucket and currency; the chain of days is that of the ledger's."""
    _, relaying = await post.relay("one")
    assert await complete(post.bus, post.database) == []
    await more_loans(post.folder)
    assert await complete(post.bus, post.database) == []
    await stop(relaying)

    days = await days_of(post.bus)

    assert [day.digest.on for day in days] == days_closed(post.database)
    assert all(day.missing == {} for day in days)
    last = next(day.digest for day in days if day.digest.on == ENDS_ON.isoformat())
    assert last.events == sum(last.events_by_type.values())
    assert last.events_by_type["REPAYMENT_POSTED"] == 2 * LOANS
    (money,) = last.money
    assert money.repaid_minor == sum(50_000 + k for k in range(LOANS)) + LOANS * 20_000
    moved = {(m.scheme, m.bucket_from, m.bucket_to): m.count for m in last.moves}
    assert moved["m", "M2", "M3"] == LOANS
    assert last.events_by_type["BUCKET_CHANGED"] == sum(moved.values())


async def test_the_loss_of_a_loans_last_event_is_noticed(post: Post) -> None:
    """No chain shows it: nothing of that loan comes behind it."""
    _, relaying = await post.relay("one")
    assert await complete(post.bus, post.database) == []
    await stop(relaying)
    messages = await read_all(post.bus, f"{DELINQUENCY}.>", f"{DIGEST}.>")
    loan = [one for one in messages if one.subject.endswith(".L-3")]

    count = DayCount()
    heard = [count.take(one) for one in messages if one is not loan[-1]]

    missing = Counter[str]()
    for day in heard:
        missing.update(day.missing if day else {})
    assert dict(missing) == {loan[-1].headers["ce-type"].rpartition(".")[2]: 1}


async def begun_again(post: Post, messages: Sequence[Message]) -> None:
    """Wipe the streams and publish these alone."""
    post.restart_nats(wiped=True)
    await post.bus.ensure_streams()
    for one in messages:
        headers = {k: v for k, v in one.headers.items() if not k.startswith("Nats-")}
        await post.bus.publish(one.subject, one.body, "", headers)


async def test_a_subscriber_names_the_day_and_the_loan(post: Post) -> None:
    """Its loan's last event never came: the day's digest tells, the states say of which loan."""
    _, relaying = await post.relay("one")
    assert await complete(post.bus, post.database) == []
    await stop(relaying)
    messages = await read_all(post.bus, f"{DELINQUENCY}.>", f"{DIGEST}.>")
    lost = [one for one in messages if one.subject.endswith(".L-3")][-1]
    kept = [one for one in messages if one is not lost]
    kept += await read_all(post.bus, f"{STATE}.*", stream=STATE_STREAM)
    await begun_again(post, kept)
    desk = await follower(post.folder, "desk")
    end = asyncio.Event()

    before = REGISTRY.get_sample_value(*INCOMPLETE) or 0
    # Whatever another test had logged, or not.
    structlog.reset_defaults()
    with capture_logs() as logs:
        following = Subscriber(post.bus, "desk", desk.records.work, desk.hear).run(end)
        running, until = asyncio.create_task(following), monotonic() + 30
        while not any("loan_id" in one for one in logs) and monotonic() < until:
            await asyncio.sleep(0.05)
        end.set()
        await running

    # What the shipped alert DayIncomplete looks at.
    assert REGISTRY.get_sample_value(*INCOMPLETE) == before + 1
    name = lost.headers["ce-type"].rpartition(".")[2]
    said = [(one["event"], one.get("day", one.get("loan_id"))) for one in logs]
    assert said == [
        ("events of a day missing", f"{ENDS_ON}: 1 {name} missing"),
        ("a loan's last events are missing", "L-3"),
    ]
    url = f"sqlite+aiosqlite:///{post.folder}/desk.db"
    asked = ["check", "--subscriber", "desk", "--database-url", url]
    asked += ["--nats-url", f"nats://127.0.0.1:{post.port}"]
    answer = await asyncio.to_thread(CliRunner().invoke, app, asked)
    assert answer.exit_code == 1
    assert f"the stream, {ENDS_ON}: 1 {name} missing" in answer.output
    assert "L-3: knows" in answer.output


async def test_a_digest_that_was_lost_is_told_again(post: Post) -> None:
    """It was the last message, and the stream was rolled back by it: the relay looks."""
    relay, relaying = await post.relay("one")
    assert await complete(post.bus, post.database) == []
    await post.saved(relay.tables)
    await stop(relaying)
    *rest, last = await read_all(post.bus, f"{DELINQUENCY}.>", f"{DIGEST}.>")
    rest += await read_all(post.bus, f"{STATE}.*", stream=STATE_STREAM)
    await begun_again(post, rest)

    _, relaying = await post.relay("one")

    assert await complete(post.bus, post.database) == []
    again = (await read_all(post.bus, f"{DIGEST}.>"))[-1]
    assert (again.subject, again.body) == (last.subject, last.body)
    assert again.headers == last.headers
    await stop(relaying)


async def test_a_stream_of_another_version_keeps_its_subjects(post: Post) -> None:
    """An older one gets the digest's; what a newer one has is not taken away."""
    jetstream = post.bus.client.jsm()
    found = (await post.bus.info()).config
    others = [one for one in found.subjects or () if one != f"{DIGEST}.*"]
    await jetstream.update_stream(found, subjects=[*others, "lending.v1.later.>"])

    await post.bus.ensure_streams()

    subjects = (await post.bus.info()).config.subjects or []
    assert set(subjects) == {*others, f"{DIGEST}.*", "lending.v1.later.>"}


async def test_a_relay_that_begins_counts_the_day_so_far(tmp_path: Path) -> None:
    """Wherever it begins, the digest is the one of a relay that never stopped."""
    await make_book(tmp_path, 2)
    store = open_event_store(f"sqlite+aiosqlite:///{tmp_path}/ledger.db")
    running, position, days = DayTold(), 0, 0

    while (page := Follower(store, decode).page(position, 1)).reached != position:
        position = page.reached
        for row in page.followed:
            running.take(row)
        for closed in page.closed:
            days += bool(running.close(closed).body)
        running.reached = position
        assert day_so_far(Follower(store, decode), position) == running

    store.close()
    assert days == len(days_closed(tmp_path / "ledger.db"))
