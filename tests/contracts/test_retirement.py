"""How a type or a field of events goes: announced in the contract and by messages themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from grpc_tools import protoc
from lending.ledger.v1 import events_pb2

from deploy.asyncapi import retirement_of
from deploy.proto_text import read_protos
from shared.runtime.reading import Message
from shared.runtime.retirement import faults_of, retirement_headers
from shared.subscriber.event import read_event
from tests.conformance.messages import chained, event

HERE = Path(__file__).parent
PROTOS = HERE.parents[1] / "protos"
GOOGLE = Path(protoc.__file__).with_name("_proto")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example as protoc compiles it."""
    target = tmp_path_factory.mktemp("retiring") / "retiring.binpb"
    folders = [f"-I{folder}" for folder in (PROTOS, HERE, GOOGLE)]
    asked = ["protoc", *folders, "--include_source_info", f"-o{target}", "retiring.proto"]
    assert protoc.main(asked) == 0
    return target


@pytest.fixture(scope="module")
def example(compiled: Path) -> tuple[Any, Any]:
    """Its enum of types and its message."""
    (file,) = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file
    pool = descriptor_pool.Default()
    pool.Add(file)
    told = pool.FindMessageTypeByName("lending.example.v1.Told")
    types = pool.FindEnumTypeByName("lending.example.v1.ToldType")
    return types, message_factory.GetMessageClass(told)


def test_a_message_of_a_type_that_goes_says_so(example: tuple[Any, Any]) -> None:
    """From when nobody should begin with it, from when it may be missing, what to read instead."""
    types, told = example

    assert retirement_headers(types, "TOLD_TYPE_GRACE_ENTERED", told(loan_id="L-1")) == {
        "ce-deprecated": "2027-01-01",
        "ce-sunset": "2027-06-30",
        "ce-successor": "TOLD_TYPE_DELINQUENCY_STARTED",
    }
    assert retirement_headers(types, "TOLD_TYPE_CURED", told(loan_id="L-1")) == {}


def test_a_field_that_goes_is_named_where_it_is_set(example: tuple[Any, Any]) -> None:
    """Beside the type, and only by messages that carry it."""
    types, told = example

    both = retirement_headers(types, "TOLD_TYPE_GRACE_ENTERED", told(bucket="M1"))

    assert both["ce-sunset"] == "2027-06-30,bucket=2027-12-31"
    only = retirement_headers(types, "TOLD_TYPE_CURED", told(bucket="M1"))
    assert only["ce-successor"] == "bucket=buckets"


def test_a_subscriber_reads_until_when(example: tuple[Any, Any]) -> None:
    """By name; the headers change neither number nor hash of the event."""
    types, told = example
    (plain,) = chained([event("L-1", "CURED")])
    more = retirement_headers(types, "TOLD_TYPE_GRACE_ENTERED", told(bucket="M1"))
    now = datetime(2027, 1, 2, tzinfo=UTC)

    was, heard = (
        read_event(Message(plain.subject, plain.body, headers, 1, now))
        for headers in (plain.headers, plain.headers | more)
    )

    assert heard.sunsets == {"": "2027-06-30", "bucket": "2027-12-31"}
    assert (was.sunsets, was.hash) == ({}, heard.hash)


def test_the_document_says_it_too(compiled: Path, example: tuple[Any, Any]) -> None:
    """Of a type its channel, of both the proto text."""
    protos = read_protos(compiled)

    values = protos.enums["lending.example.v1.ToldType"].value
    assert retirement_of(values[1]) == {}
    assert retirement_of(values[2])["x-retirement"]["sunsetOn"] == "2027-06-30"
    text = protos.text("lending.example.v1.Told")
    assert "string bucket = 2 [deprecated = true];" in text


def test_what_goes_without_notice_is_named(example: tuple[Any, Any]) -> None:
    """A mark without dates, dates without a mark, and less than half a year."""
    types, told = example

    assert faults_of(types, told.DESCRIPTOR) == [
        "TOLD_TYPE_GRACE_EXPIRED goes after 31 days",
        "TOLD_TYPE_GRACE_EXPIRED is retired, and not marked deprecated",
        "scheme is deprecated, and nothing says until when",
    ]


def test_nothing_of_the_ledgers_events_goes_without_notice() -> None:
    """Whatever is marked in the contract says until when, in time."""
    types = events_pb2.DelinquencyEventType.DESCRIPTOR
    for name in ("DelinquencyEvent", "DelinquencyState", "DelinquencyDigest"):
        assert faults_of(types, events_pb2.DESCRIPTOR.message_types_by_name[name]) == []
