"""A proposed policy told beside the live stream: labelled, by itself, and true."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from services.ledger.adapters.event_mapper import decode
from services.ledger.adapters.event_store import open_event_store
from services.ledger.adapters.retelling import Preview, Retelling, following, preview_of
from services.ledger.adapters.spilling import Spilling
from services.ledger.adapters.telling import LABEL, ExperimentTaken
from services.ledger.application.following import Follower
from services.ledger.domain.book_events import BusinessDateAdvanced
from services.ledger.domain.counterfactual import Supposition
from services.ledger.domain.delinquency import TransitionType
from services.ledger.domain.events import Fact, RepaymentPosted, TransitionRecorded
from services.ledger.domain.policies import POLICIES
from services.ledger.domain.shadow import Shadow
from shared.runtime.bus import Bus
from shared.runtime.reading import Message, Reader
from shared.runtime.streams import PREVIEW_STREAM, STREAM
from tests.conformance.books import (
    by_loan,
    make_book,
    more_loans,
    read_all,
    told_by_the_log,
    wanted,
)
from tests.conformance.relay_kills import complete
from tests.conformance.test_relay import LOANS, Post, post, stop
from tests.conformance.test_tail import told

__all__ = ["post"]
PROPOSED = Supposition(delinquency=POLICIES["eu-retail/1"], grace_days=0)


async def previewed(bus: Bus, experiment: str) -> list[Message]:
    """Return the messages of an experiment, as stored."""
    reader = Reader(bus.client, PREVIEW_STREAM, [f"lending.preview.{experiment}.>"])
    found: list[Message] = []
    while await reader.left():
        found += await reader.batch(1_000, 5.0)
    await reader.close()
    return found


def facts(database: Path) -> list[Fact | BusinessDateAdvanced]:
    """Return what a log says of loans and days, in its order."""
    store = open_event_store(f"sqlite+aiosqlite:///{database}")
    found = [decode(row.topic, row.state) for row in store.log(0, 100_000)]
    store.close()
    return [event for event in found if isinstance(event, Fact | BusinessDateAdvanced)]


async def test_with_nothing_supposed_a_shadow_is_the_log(tmp_path: Path) -> None:
    """Days closed, money, money from a month ago: event for event, byte for byte, by loan."""
    await make_book(tmp_path, LOANS)
    await more_loans(tmp_path)
    log, shadow = facts(tmp_path / "ledger.db"), Shadow(Supposition())

    told = [fact for event in log for fact, _ in shadow.take(event)]

    loans = {fact.loan_id for fact in told}
    assert len(loans) == LOANS + 5
    for loan_id in loans:
        right = [event for event in log if isinstance(event, Fact) and event.loan_id == loan_id]
        assert [one for one in told if one.loan_id == loan_id] == right


async def test_another_grace_moves_what_follows_and_no_money(tmp_path: Path) -> None:
    """Five days of grace instead of three: the money stays, grace expires two days later."""
    await make_book(tmp_path, 2)
    log = facts(tmp_path / "ledger.db")

    shadows = [Shadow(Supposition(grace_days=days)) for days in (3, 5)]
    then, now = ([f for event in log for f, _ in one.take(event)] for one in shadows)

    assert [one for one in now if isinstance(one, RepaymentPosted)] == [
        one for one in then if isinstance(one, RepaymentPosted)
    ]
    assert expired(then)[0] + timedelta(days=2) == expired(now)[0]


def expired(told: list[Fact]) -> list[date]:
    """Return the dates on which the grace of some loan expired."""
    return [
        one.effective_on
        for one in told
        if isinstance(one, TransitionRecorded)
        and any(change.type is TransitionType.GRACE_EXPIRED for change in one.transitions)
    ]


async def test_the_policy_in_force_as_a_preview_tells_the_same(post: Post) -> None:
    """Numbers, bodies and hashes are those of the live stream, and told again nothing doubles."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    store = open_event_store(f"sqlite+aiosqlite:///{post.database}")

    made = [preview_of(store, decode, post.bus, "as-it-is", Supposition()) for _ in range(2)]
    count = [await one.tell() for one in made]
    await more_loans(post.folder)
    count.append(await made[0].tell())

    right = wanted(told_by_the_log(post.database)[0])
    assert by_loan(await previewed(post.bus, "as-it-is")) == right
    assert (count[1], count[0] + count[2]) == (0, sum(map(len, right.values())))
    store.close()
    await stop(relaying)


async def test_a_proposed_policy_leaves_the_live_stream_alone(post: Post) -> None:
    """Other events under another name, each with the policy's hash; the live bytes are the same."""
    _, relaying = await post.relay("one")
    await complete(post.bus, post.database)
    before, store = (
        await read_all(post.bus),
        open_event_store(f"sqlite+aiosqlite:///{post.database}"),
    )
    last = await post.bus.last_sequence(STREAM)

    count = await preview_of(store, decode, post.bus, "eu", PROPOSED).tell()

    found, after = await previewed(post.bus, "eu"), await read_all(post.bus)
    assert await post.bus.last_sequence(STREAM) == last
    assert [(one.subject, one.body, one.headers) for one in after] == [
        (one.subject, one.body, one.headers) for one in before
    ]
    assert len(found) == count
    assert {one.headers[LABEL] for one in found} == {PROPOSED.sha256}
    assert all(one.subject.startswith("lending.preview.eu.delinquency.") for one in found)
    live, supposed = by_loan(before), by_loan(found)
    assert len(supposed) == LOANS and all(live[name] != supposed[name] for name in supposed)
    assert not any("GRACE_ENTERED" in one.headers["ce-type"] for one in found)
    with pytest.raises(ExperimentTaken):
        await preview_of(store, decode, post.bus, "eu", Supposition()).tell()
    with pytest.raises(ExperimentTaken):
        await Retelling(Follower(store, decode), post.bus, "eu").tell()
    store.close()
    await stop(relaying)


async def test_a_preview_is_watched_by_its_name(post: Post) -> None:
    """Tail shows the experiment's events with its hash, no fault, and none of the live ones."""
    store = open_event_store(f"sqlite+aiosqlite:///{post.database}")
    count = await preview_of(store, decode, post.bus, "eu", PROPOSED).tell()
    url = ("--nats-url", f"nats://127.0.0.1:{post.port}", "--no-follow")

    code, lines = await told("tail", *url, "--preview", "eu", "--json")
    _, loan = await told("tail", *url, "--preview", "eu", "--loan", "L-1", "--json")
    _, none = await told("tail", *url, "--json")

    rows = [json.loads(line) for line in lines]
    assert (code, len(rows), none) == (0, count, [])
    assert {row["policysha256"] for row in rows} == {PROPOSED.sha256}
    assert [json.loads(line) for line in loan] == [r for r in rows if r["loan_id"] == "L-1"]
    store.close()


@pytest.mark.parametrize("wiped", [False, True])
async def test_following_the_log_outlives_nats(post: Post, wiped: bool) -> None:
    """Killed, or back empty, while the log grows: all of it is told, nothing twice."""
    store = open_event_store(f"sqlite+aiosqlite:///{post.database}")
    await post.bus.ensure_streams()

    def made() -> Preview:
        return preview_of(store, decode, post.bus, "as-it-is", Supposition())

    said: asyncio.Queue[int | None] = asyncio.Queue()

    async def follow() -> None:
        async for count in following(made, 0.1):
            said.put_nowait(count)

    task = asyncio.create_task(follow())
    first = await asyncio.wait_for(said.get(), 30)
    post.nats.kill()
    assert await asyncio.wait_for(said.get(), 30) is None
    await more_loans(post.folder)
    post.restart_nats(wiped=wiped)
    second = await asyncio.wait_for(said.get(), 30)

    right = wanted(told_by_the_log(post.database)[0])
    async with asyncio.timeout(30):
        assert by_loan(await previewed(post.bus, "as-it-is")) == right
    assert second + (0 if wiped else first) == sum(map(len, right.values()))
    await stop(task)
    store.close()


@pytest.mark.parametrize("held_max", [1, 3])
async def test_a_shadow_holds_few_accounts_and_says_the_same(tmp_path: Path, held_max: int) -> None:
    """Accounts that are written out and read back are the accounts that were."""
    await make_book(tmp_path, LOANS)
    log = facts(tmp_path / "ledger.db")
    spilling = Spilling(held_max)
    small, large = Shadow(PROPOSED, spilling), Shadow(PROPOSED)

    held = []
    for event in log:
        assert list(small.take(event)) == list(large.take(event))
        held.append(len(spilling.held))

    assert max(held) == held_max
    assert dict(spilling) == large.accounts and len(spilling) == LOANS
