"""Stored events are read for ever: one real sample of every topic and version."""

from __future__ import annotations

import json
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import astuple

from services.ledger.adapters.event_mapper import TOPICS, TopicUnknown, decode, encode, topic_of

SAMPLES = [
    json.loads(line)
    for line in Path(__file__).with_name("ledger_events.jsonl").read_text("utf-8").splitlines()
]


def test_every_topic_has_a_sample() -> None:
    """A new event, or a new version of one, adds a stored sample."""
    assert {sample["topic"] for sample in SAMPLES} == set(TOPICS)


@pytest.mark.parametrize("sample", SAMPLES, ids=[s["topic"] for s in SAMPLES])
def test_a_stored_event_is_read_for_ever(sample: dict[str, str]) -> None:
    """What was stored decodes, says everything that was stored, and survives another writing."""
    state = sample["state"].encode()

    event = decode(sample["topic"], state)

    assert topic_of(event) == sample["topic"]
    assert unsaid(event, json.loads(state)) == []
    assert decode(sample["topic"], encode(event)) == event


def unsaid(event: object, stored: object, path: str = "") -> list[str]:
    """Name what was stored and is not in the event that was read."""
    if isinstance(stored, dict):
        get = event.get if isinstance(event, dict) else partial(getattr, event)
        return [one for k, v in stored.items() for one in unsaid(get(k), v, f"{path}.{k}")]
    if isinstance(stored, list):
        parts = astuple(event) if isinstance(event, Struct) else tuple(event)
        pairs = zip(parts, stored, strict=False)
        return [one for k, (e, v) in enumerate(pairs) for one in unsaid(e, v, f"{path}[{k}]")]
    if isinstance(event, datetime):
        return [] if event == datetime.fromisoformat(str(stored)) else [path]
    same = event == stored or str(event) == str(stored)
    return [] if same or event is stored is None else [path]


def test_an_unknown_topic_is_refused() -> None:
    """A log written by a newer version is not guessed at."""
    with pytest.raises(TopicUnknown):
        decode("lending.ledger.RepaymentPosted:99", b"{}")
