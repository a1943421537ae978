"""Kill the ledger under load, or cut its database connections, and count every id afterwards."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import asyncpg
import grpc
from lending.ledger.v1 import ledger_service_pb2 as pb
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub

from services.ledger.adapters.event_store import open_event_store
from services.ledger.domain.book_events import RequestAnswered
from services.ledger.domain.events import RepaymentPosted
from tests.bench.posting import LOANS, open_book, repayment
from tests.simulation.door import Door, Moment
from tests.system.one_ledger import Ledger

CALLERS = 32
SECONDS_LEAST, SECONDS_MOST = 0.1, 0.6
CUT_SECONDS_MAX = 20.0
AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.ABORTED)


@dataclass
class Tally:
    """What callers asked, what they were told, and what was found wrong."""

    asked: dict[str, pb.PostRepaymentRequest] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    other: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    doubled: int = 0
    half: int = 0

    @property
    def unanswered(self) -> list[pb.PostRepaymentRequest]:
        """The requests whose outcome their callers do not know."""
        return [request for name, request in self.asked.items() if name not in self.told]

    @property
    def so_far(self) -> str:
        """How many were answered, and what was wrong with them at the last look."""
        wrong = f"{self.lost} lost, {self.doubled} doubled, {self.half} half-written"
        return f"{len(self.told):,} answered, {wrong}"


async def kills(
    ledger: Ledger, times: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> Tally:
    """
    Post from many callers, kill -9 after a random time, start again, check, send again; repeat.

    Args:
        ledger: Running, with an empty store.
        times: How often it is killed.
        seed: Of the random times.
        say: Hears of the progress.
    """
    tally, chance = Tally(), random.Random(seed)
    async with ledger.channel() as channel:
        await open_book(LedgerServiceStub(channel))
    for time in range(times):
        known = len(tally.asked)
        async with ledger.channel() as channel:
            over = asyncio.Event()
            load = asyncio.gather(*[_caller(channel, tally, over) for _ in range(CALLERS)])
            await asyncio.sleep(chance.uniform(SECONDS_LEAST, SECONDS_MOST))
            await asyncio.to_thread(ledger.service.kill)
            await load
        await asyncio.to_thread(_check, ledger.url, tally, list(tally.asked)[known:])
        await asyncio.to_thread(ledger.service.start)
        await _send_again(ledger, tally)
        say(f"killed {time + 1} of {times}: {tally.so_far}")
    await asyncio.to_thread(_check, ledger.url, tally, list(tally.asked))
    return tally


async def cuts(
    ledger: Ledger, times: int, seed: int, say: Callable[[str], None] = lambda _: None
) -> Tally:
    """
    Post from many callers while the server ends every connection of the ledger at random moments.

    A moment lies before a COMMIT or after it: the caller cannot know, and sends again.
    """
    tally, chance = Tally(), random.Random(seed)
    async with ledger.channel() as channel:
        await open_book(LedgerServiceStub(channel))
    server = await asyncpg.connect(ledger.url.replace("+asyncpg", ""))
    for time in range(times):
        async with ledger.channel() as channel:
            over = asyncio.Event()
            load = [asyncio.ensure_future(_caller(channel, tally, over)) for _ in range(CALLERS)]
            await asyncio.sleep(chance.uniform(SECONDS_LEAST, SECONDS_MOST))
            await server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            await asyncio.sleep(chance.uniform(SECONDS_LEAST, SECONDS_MOST))
            over.set()
            await asyncio.gather(*load)
        await _send_again(ledger, tally)
        say(f"cut {time + 1} of {times}: {tally.so_far}")
    await server.close()
    await asyncio.to_thread(_check, ledger.url, tally, list(tally.asked))
    return tally


async def commit_cuts(
    ledger: Ledger,
    door: Door,
    moment: Moment,
    times: int,
    seed: int,
    say: Callable[[str], None] = lambda _: None,
) -> Tally:
    """Post from many callers, and cut the writer off from PostgreSQL right at a COMMIT."""
    tally, chance = Tally(), random.Random(seed)
    async with ledger.channel() as channel:
        await open_book(LedgerServiceStub(channel))
    for time in range(times):
        async with ledger.channel() as channel:
            over = asyncio.Event()
            load = [asyncio.ensure_future(_caller(channel, tally, over)) for _ in range(CALLERS)]
            await asyncio.sleep(chance.uniform(SECONDS_LEAST, SECONDS_MOST))
            door.cut_next(moment)
            assert await asyncio.to_thread(door.cut.wait, CUT_SECONDS_MAX)
            await asyncio.sleep(SECONDS_LEAST)
            over.set()
            await asyncio.gather(*load)
        await _send_again(ledger, tally)
        say(f"cut {time + 1} of {times} {moment.value} COMMIT: {tally.so_far}")
    await asyncio.to_thread(_check, ledger.url, tally, list(tally.asked))
    return tally


async def _caller(channel: grpc.aio.Channel, tally: Tally, over: asyncio.Event) -> None:
    """Post repayments until one is not answered, or it is over."""
    stub = LedgerServiceStub(channel)
    while not over.is_set():
        request = repayment()
        tally.asked[request.request_id] = request
        try:
            await stub.PostRepayment(request, timeout=10)
        except grpc.aio.AioRpcError as failure:
            if failure.code() not in AGAIN:
                tally.other[f"{failure.code().name}: {failure.details()}"] += 1
            return
        tally.told.add(request.request_id)


async def _send_again(ledger: Ledger, tally: Tally) -> None:
    """Send every unanswered request again, with the same id, until it is answered."""
    async with ledger.channel() as channel:
        stub = LedgerServiceStub(channel)
        for request in tally.unanswered:
            while True:
                try:
                    await stub.PostRepayment(request, timeout=10, wait_for_ready=True)
                    tally.told.add(request.request_id)
                    break
                except grpc.aio.AioRpcError as failure:
                    if failure.code() not in AGAIN:
                        raise
                    await asyncio.sleep(0.05)


def _check(url: str, tally: Tally, names: list[str]) -> None:
    """Hold the log against what callers were told of these requests, id by id."""
    store, posted, answered = open_event_store(url), Counter[str](), Counter[str]()
    for k in range(LOANS):
        events = store.stream(f"loan/L-{k}")
        posted.update(e.repayment_id for e in events if isinstance(e, RepaymentPosted))
    for name in names:
        requests = store.stream(f"request/{name}")
        answered.update(e.request_id for e in requests if isinstance(e, RequestAnswered))
    store.close()
    tally.lost += len(tally.told - set(posted))
    tally.doubled += sum(count - 1 for count in posted.values())
    tally.half += len((set(posted) & set(names)) ^ set(answered))
