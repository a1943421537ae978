"""The bus with certificates: a real server, each service under its own permissions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import nats
import pytest

from shared.runtime.bus import Bus, BusDown
from shared.runtime.nats_server import start_nats
from shared.runtime.streams import STREAM
from shared.runtime.tls import TlsMissing
from tests.shared.runtime.secured import Secured
from tests.system.processes import free_port
from tests.waiting import until

LOAN = "lending.v1.delinquency.bucket_changed.L-1"


@pytest.fixture
def address(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """A NATS server with the shipped permissions; returns its address for an identity."""
    secured, port = Secured.make(tmp_path / "certs"), free_port()
    server = start_nats(tmp_path / "nats", port, more=secured.nats_settings())
    yield lambda identity: secured.nats_url(port, identity)
    server.terminate()
    server.wait()


async def test_the_ledger_tells_and_others_hear(address: Callable[[str], str]) -> None:
    """With their certificates, over TLS."""
    ledger = await Bus.connect(address("service/ledger"), "ledger")
    await ledger.ensure_streams()
    await ledger.publish(LOAN, b"late", "m-1", {})
    risk = await Bus.connect(address("service/risk"), "risk")

    heard = await risk.last_message(STREAM, LOAN)
    await asyncio.gather(ledger.close(), risk.close())

    assert heard is not None and heard.data == b"late"


async def test_nobody_tells_in_anothers_name(address: Callable[[str], str]) -> None:
    """Risk cannot publish a delinquency event; nobody can delete what was told."""
    ledger = await Bus.connect(address("service/ledger"), "ledger")
    await ledger.ensure_streams()
    await ledger.publish(LOAN, b"late", "m-1", {})
    risk = await Bus.connect(address("service/risk"), "risk")

    with pytest.raises(BusDown):
        await risk.publish(LOAN, b"paid", "m-2", {})
    for bus in (risk, ledger):
        with pytest.raises((TimeoutError, nats.errors.Error)):
            await bus.client.jsm().purge_stream(STREAM)
    last = await risk.last_sequence()
    await asyncio.gather(ledger.close(), risk.close())

    assert last == 1


@pytest.mark.parametrize("who", ["a stranger", "nobody"])
async def test_others_are_not_let_in(address: Callable[[str], str], who: str) -> None:
    """A certificate that no user has, or none at all, opens no connection."""
    url = address("person/li") if who == "a stranger" else address("person/li").partition("?")[0]
    url = url if who == "a stranger" else url.replace("tls://", "nats://")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Bus.connect(url, "who"), 2)


async def test_an_address_without_its_files_says_which(tmp_path: Path) -> None:
    """Not waiting for ever for a server that would not let us in."""
    with pytest.raises(TlsMissing, match=r"needs \?cert=file"):
        await Bus.connect("tls://localhost:1", "who")


async def test_no_server_talks_us_out_of_tls(tmp_path: Path) -> None:
    """A server that does not ask for TLS is not let to hear a word, in the list or at its place."""
    secured, port = Secured.make(tmp_path / "certs"), free_port()
    plain = start_nats(tmp_path / "plain", port)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(Bus.connect(secured.nats_url(port, "service/ledger"), "ledger"), 2)
    plain.terminate()
    plain.wait()


async def test_a_server_that_comes_back_without_tls_stays_away(tmp_path: Path) -> None:
    """What waits to be sent is not sent in the clear, however long; with TLS again it is."""
    secured, port = Secured.make(tmp_path / "certs"), free_port()
    told, log = secured.nats_settings(), tmp_path / "nats" / "nats.log"
    server = start_nats(tmp_path / "nats", port, more=told)
    bus = await Bus.connect(secured.nats_url(port, "service/ledger"), "ledger")
    await bus.ensure_streams()

    async def is_connected() -> bool:
        return bool(bus.client.is_connected and bus.reconnects)

    found = []
    for more in ("", told):
        server.terminate()
        server.wait()
        server = start_nats(tmp_path / "nats", port, more=more)
        if more:
            assert await until(is_connected), log.read_text()
        else:
            await asyncio.sleep(2)
        found.append((bus.client.is_connected, bus.reconnects))
    last = await bus.last_sequence()
    await bus.close()
    server.terminate()
    server.wait()

    assert found == [(False, 0), (True, 1)], log.read_text()
    assert last == 0


@pytest.mark.parametrize("first", [True, False])
async def test_every_server_of_a_cluster_is_called_over_tls(tmp_path: Path, first: bool) -> None:
    """One address without it would be the way in."""
    secured = Secured.make(tmp_path)
    pair = [secured.nats_url(1, "service/ledger"), "nats://localhost:2"]

    with pytest.raises(TlsMissing, match="nats://localhost:2"):
        await Bus.connect(",".join(pair if first else reversed(pair)), "ledger")
