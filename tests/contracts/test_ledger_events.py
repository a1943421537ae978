"""Stored events are read for ever: one real sample of every topic and version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.ledger.adapters.event_mapper import TOPICS, TopicUnknown, decode, encode, topic_of

SAMPLES = [
    json.loads(line)
    for line in Path(__file__).with_name("ledger_events.jsonl").read_text("utf-8").splitlines()
]


def test_every_topic_has_a_sample() -> None:
    """A new event, or a new version of one, adds a stored sample."""
    assert {sample["topic"] for sample in SAMPLES} == set(TOPICS)


@pytest.mark.parametrize("sample", SAMPLES, ids=[s["topic"] for s in SAMPLES])
def test_a_stored_event_is_read_and_written_alike(sample: dict[str, str]) -> None:
    """What was stored decodes, and encodes to the same bytes under the same topic."""
    state = sample["state"].encode()

    event = decode(sample["topic"], state)

    assert (topic_of(event), encode(event)) == (sample["topic"], state)


def test_an_unknown_topic_is_refused() -> None:
    """A log written by a newer version is not guessed at."""
    with pytest.raises(TopicUnknown):
        decode("lending.ledger.RepaymentPosted:99", b"{}")
