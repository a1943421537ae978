"""The public APIs of the suite, as any caller reaches them."""

from __future__ import annotations

from typing import Any

import grpc
from lending.collections.v1.collections_service_pb2_grpc import CollectionsServiceStub
from lending.ledger.v1.ledger_service_pb2_grpc import LedgerServiceStub
from lending.origination.v1.origination_service_pb2_grpc import OriginationServiceStub

from deploy.local.settings import Settings
from shared.runtime.grpc_client import open_channel


class Clients:
    """One channel per service."""

    def __init__(self, settings: Settings) -> None:
        names = ("origination", "ledger", "collections")
        self.channels: dict[str, grpc.aio.Channel] = {
            name: open_channel(settings.target(name), 60.0) for name in names
        }
        self.origination: Any = OriginationServiceStub(self.channels["origination"])
        self.ledger: Any = LedgerServiceStub(self.channels["ledger"])
        self.collections: Any = CollectionsServiceStub(self.channels["collections"])

    async def close(self) -> None:
        """Close every channel."""
        for channel in self.channels.values():
            await channel.close()
