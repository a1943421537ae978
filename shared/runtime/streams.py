"""The streams as code: what is kept, for how long, and which settings would lose messages."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

from nats.js.api import PersistMode, RetentionPolicy, StorageType, StreamConfig

STREAM = "LENDING"
STATE_STREAM = "LENDING_STATE"
PREVIEW_STREAM = "LENDING_PREVIEW"
DELINQUENCY = "lending.v1.delinquency"
STATE = "lending.v1.delinquency_state"
STATES_TOLD = "lending.v1.delinquency_states_told"
DIGEST = "lending.v1.delinquency_digest"
CHECKPOINT = "lending.v1.checkpoint"
PREVIEW = "lending.preview"
DUPLICATE_SECONDS = 120.0
PREVIEW_SECONDS = 7 * 86_400.0
REPLICAS_SAFE = 3
FENCING_SINCE = (2, 12)
MONITOR_SECONDS = 3.0

_SERVICES = ("delinquency", "origination", "risk", "collections")


class StreamUnsafe(Exception):
    """A stream is set up so that it can lose acknowledged messages; the text says which setting."""


def configs(replicas: int = 1) -> tuple[StreamConfig, ...]:
    """
    Return what each stream should be: events for ever, the last state per loan, previews a week.

    Args:
        replicas: Servers that keep each message before it is acknowledged.
    """
    return (
        StreamConfig(
            name=STREAM,
            description="What happened, in order per loan; never shortened.",
            subjects=[*(f"lending.v1.{name}.>" for name in _SERVICES), f"{DIGEST}.*", CHECKPOINT],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            duplicate_window=DUPLICATE_SECONDS,
            num_replicas=replicas,
            deny_delete=True,
            deny_purge=True,
        ),
        StreamConfig(
            name=STATE_STREAM,
            description="How late each loan is: the last message per loan.",
            subjects=[f"{STATE}.*", STATES_TOLD],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            duplicate_window=DUPLICATE_SECONDS,
            num_replicas=replicas,
            max_msgs_per_subject=1,
            # A state lost with the power is older than its loan: the next event shows a gap, and
            # the loan is read again. So a single server need not sync each of them.
            persist_mode=PersistMode.ASYNC if replicas == 1 else None,
        ),
        StreamConfig(
            name=PREVIEW_STREAM,
            description="Replays and previews under lending.preview.<experiment>; a week long.",
            subjects=[f"{PREVIEW}.>"],
            storage=StorageType.FILE,
            retention=RetentionPolicy.LIMITS,
            duplicate_window=DUPLICATE_SECONDS,
            num_replicas=replicas,
            max_age=PREVIEW_SECONDS,
        ),
    )


def faults_of(found: StreamConfig) -> list[str]:
    """Return in words what is wrong with the stream of events, whatever the profile."""
    limits = {
        "max_age": found.max_age,
        "max_msgs": found.max_msgs,
        "max_bytes": found.max_bytes,
        "max_msgs_per_subject": found.max_msgs_per_subject,
    }
    faults = [f"{name} is {value}" for name, value in limits.items() if value and value > 0]
    if found.storage != StorageType.FILE:
        faults.append("storage is memory, not file")
    if found.retention != RetentionPolicy.LIMITS:
        faults.append("retention is not by limits: read messages are deleted")
    if found.no_ack:
        faults.append("no_ack is set: nobody says that a message is stored")
    missing = set(configs()[0].subjects or ()) - set(found.subjects or ())
    faults += [f"subject {subject} is not in it" for subject in sorted(missing)]
    return faults


def require_fencing(server: tuple[int, int]) -> None:
    """
    Refuse a server that would pass over the fence on a loan's subjects.

    Raises:
        StreamUnsafe: it is older than 2.12.
    """
    if server < FENCING_SINCE:
        raise StreamUnsafe(f"NATS {server[0]}.{server[1]} does not fence; 2.12 or newer does")


def require_safe(found: StreamConfig, monitor_url: str, *, production: bool) -> None:
    """
    Refuse a stream of events that can lose what it acknowledged.

    Args:
        found: The stream's settings as the server has them.
        monitor_url: Of a single server, http://host:8222; empty where there is none.
        production: Also require three replicas, or a server that syncs every message.
    Raises:
        StreamUnsafe: names every fault.
    """
    faults = faults_of(found)
    if production and (found.num_replicas or 1) < REPLICAS_SAFE:
        faults += _single_server_faults(monitor_url)
    if faults:
        raise StreamUnsafe(f"stream {found.name}: {'; '.join(faults)}")


def _single_server_faults(monitor_url: str) -> list[str]:
    """Return what keeps one server from being safe; the default syncs every two minutes."""
    advice = f"fewer than {REPLICAS_SAFE} replicas"
    if not monitor_url:
        return [f"{advice}, and no monitor address to see whether sync_interval is always"]
    try:
        config = _jetstream(monitor_url)
    except (OSError, ValueError) as failure:
        return [f"{advice}, and the monitor does not answer: {failure}"]
    return [] if config.get("sync_always") else [f"{advice}, and sync_interval is not always"]


def _jetstream(monitor_url: str) -> dict[str, Any]:
    address = f"{monitor_url.rstrip('/')}/jsz"
    with urllib.request.urlopen(address, timeout=MONITOR_SECONDS) as page:
        found: dict[str, Any] = json.load(page).get("config", {})
        return found
