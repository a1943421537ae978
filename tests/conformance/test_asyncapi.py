"""The AsyncAPI document says what is published, and suffices to build a subscriber that holds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lending.ledger.v1.events_pb2 import DelinquencyEvent, DelinquencyState

from deploy import asyncapi
from shared.runtime.streams import configs
from tests.conformance import kit
from tests.conformance.__main__ import maker
from tests.conformance.books import make_book, told_by_the_log
from tests.conformance.histories import CASE
from tests.system.processes import ROOT, free_port

DOCUMENT = json.loads(asyncapi.TARGET.read_text("utf-8"))
NODE = ROOT / "tests" / "system" / "node"


def matches(pattern: str, subject: str) -> bool:
    """Say whether a subject is in a stream, as NATS sees it."""
    wanted, given = pattern.split("."), subject.split(".")
    for number, token in enumerate(wanted):
        if token == ">":
            return len(given) > number
        if number >= len(given) or token not in ("*", given[number]):
            return False
    return len(wanted) == len(given)


async def test_what_the_ledger_publishes_is_in_the_document(tmp_path: Path) -> None:
    """Subject, type and headers of real messages are those that the document states."""
    await make_book(tmp_path, 2)
    events, _ = told_by_the_log(tmp_path / "ledger.db")
    required = set(DOCUMENT["components"]["schemas"]["Headers"]["required"])
    stated = set(DOCUMENT["components"]["schemas"]["Headers"]["properties"])

    for one in [message for lane in events.values() for message in lane]:
        name = one.headers["ce-type"].removeprefix("lending.ledger.v1.")
        address = DOCUMENT["channels"][name]["address"]
        assert address.replace("{loanId}", one.headers["ce-subject"]) == one.subject
        assert required <= set(one.headers) <= stated | {"content-type"}


def test_every_channel_is_kept_by_its_stream() -> None:
    """Each address lies in the subjects of the stream that the document names."""
    streams = {config.name: config.subjects or [] for config in configs()}

    for name, channel in DOCUMENT["channels"].items():
        subject = channel["address"].replace("{", "").replace("}", "")
        patterns = streams[channel["x-jetstream"]]
        assert any(matches(pattern, subject) for pattern in patterns), name


def test_the_document_is_made_from_the_protos() -> None:
    """It is as the generator writes it today, and holds every field with its comment."""
    assert asyncapi.document() == DOCUMENT
    for kind in (DelinquencyEvent, DelinquencyState):
        schema = DOCUMENT["components"]["messages"][kind.DESCRIPTOR.name]["payload"]["schema"]
        lines = schema.splitlines()
        for field in kind.DESCRIPTOR.fields:
            place = next(k for k, text in enumerate(lines) if f" {field.name} = " in text)
            assert lines[place - 1].strip().startswith("//"), field.name


@pytest.mark.parametrize("looks", [True, False])
async def test_a_subscriber_built_from_the_document_passes_the_kit(
    tmp_path: Path, looks: bool
) -> None:
    """With nats.js: it takes all in, notices every fault; without a key it says what it skips."""
    if not (NODE / "node_modules" / "protobufjs").exists():
        pytest.skip("node is not installed: the independent subscriber cannot run")
    without = "" if looks else "env -u LEDGER_VERIFIER_KEYS "
    command = f"{without}node {NODE}/conforming.mjs {asyncapi.TARGET}"

    findings = await kit.run(tmp_path, maker("", command, ""), free_port)

    assert [(one.case, one.wrong) for one in findings if one.wrong] == []
    unchecked = [one.case for one in findings if one.verdict == "not checked"]
    assert unchecked == ([] if looks else [CASE])
