"""Whether the stream of states holds the last state of every loan, said in the stream itself."""

from __future__ import annotations

from uuid import uuid4

from lending.ledger.v1.events_pb2 import DelinquencyStatesTold

from shared.runtime.bus import Bus
from shared.runtime.streams import STATES_TOLD


async def say_states_told(bus: Bus, *, whole: bool, loans: int = 0) -> None:
    """
    Publish whether all states are told, in place of what was said before.

    Args:
        bus: Where the stream is.
        whole: False before states are told again from the log's start: some are old until the end.
        loans: How many have a state, at least.
    Raises:
        BusDown: it may be said or not; say it again.
    """
    headers = {
        "ce-specversion": "1.0",
        "ce-id": f"states-told/{uuid4()}",
        "ce-source": "duebook/ledger",
        "ce-type": "lending.ledger.v1.DelinquencyStatesTold",
        "content-type": "application/protobuf",
    }
    body = DelinquencyStatesTold(whole=whole, loans=loans).SerializeToString()
    await bus.publish(STATES_TOLD, body, headers["ce-id"], headers)
