"""Write `protos/asyncapi.json`, all a subscriber must know, from the protos: `make setup` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import EnumValueDescriptorProto
from lending.common.v1.retirement_pb2 import retired_type

from deploy.proto_text import Protos, read_protos
from shared.runtime.retirement import HEADERS
from shared.runtime.streams import (
    CHECKPOINT,
    DELINQUENCY,
    DIGEST,
    STATE,
    STATE_STREAM,
    STATES_TOLD,
    STREAM,
)
from shared.subscriber.chain import GENESIS

FOLDER = Path(__file__).parents[1] / "protos"
TARGET, COMPILED = FOLDER / "asyncapi.json", FOLDER.parent / "build" / "protos.binpb"
LEDGER = "lending.ledger.v1"
TYPES, PREFIX = f"{LEDGER}.DelinquencyEventType", "DELINQUENCY_EVENT_TYPE_"
PROTOBUF = "application/vnd.google.protobuf;version=3"
OTHERS = (
    # stream subject                                        | message
    ("lending.v1.risk.decision_made.{id}", "lending.risk.v1.DecisionMade"),
    ("lending.v1.risk.alert_raised.{id}", "lending.risk.v1.AlertRaised"),
    ("lending.v1.risk.alert_withdrawn.{id}", "lending.risk.v1.AlertWithdrawn"),
    ("lending.v1.origination.{event}.{id}", "lending.origination.v1.ApplicationChanged"),
    ("lending.v1.collections.{event}.{id}", "lending.collections.v1.CaseChanged"),
)
SERVERS = {
    "local": {
        "host": "127.0.0.1:7422",
        "protocol": "nats",
        "description": "NATS with JetStream as `make run` starts it; yours is elsewhere.",
    }
}
ABOUT = """\
What happens to loans, in order per loan, each event once, and provably complete.

Events of a loan carry numbers without gaps (ce-sequence) and the hash of the event before
(ce-previoushash). The hash of an event is SHA-256 over the 32 bytes of its previous hash and then
its body; the first one's previous hash is 64 zeros. A number above the next one is a gap; the next
number with another previous hash is a fork; a known number with another hash is a rewrite.
The x-order of the message says the same to a program. "{…}" in an address is one token of the
subject; x-jetstream is the stream that keeps it. Read with consumers of your own, acknowledge
nothing or explicitly, and keep how far you are beside what you made of it.

To begin without history: note the last sequence of LENDING, read every state of LENDING_STATE,
then read LENDING from behind that sequence, passing over numbers that a loan's state already holds.
DelinquencyStatesTold, read before and after, says whether the states were whole meanwhile.
When a day is closed its digest says how many events of each type came since the digest before, of
all loans: who counts them in the order of the stream knows whether any is missing, the last too.
New types and new fields may appear; take the type from ce-type, and keep what you do not know."""


def document() -> dict[str, Any]:
    """Return the AsyncAPI 3 document."""
    protos = read_protos(COMPILED)
    channels: dict[str, Any] = {}
    for number, value in enumerate(protos.enums[TYPES].value):
        name = value.name.removeprefix(PREFIX)
        if value.number:
            said = protos.comment(TYPES, number)
            channels[name] = _event_channel(name, said) | retirement_of(value)
    channels["DELINQUENCY_STATE"] = _channel(
        f"{STATE}.{{loanId}}", "DelinquencyState", STATE_STREAM
    )
    channels["DELINQUENCY_STATES_TOLD"] = _channel(
        STATES_TOLD, "DelinquencyStatesTold", STATE_STREAM
    )
    channels["DELINQUENCY_DIGEST"] = _channel(f"{DIGEST}.{{on}}", "DelinquencyDigest", STREAM)
    channels["CHECKPOINT"] = _channel(CHECKPOINT, "Checkpoint", STREAM)
    for subject, message in OTHERS:
        channels[message.rpartition(".")[2]] = _channel(subject, message.rpartition(".")[2], STREAM)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Duebook: what happened to loans",
            "version": "1.0.0",
            "description": ABOUT,
            "license": {"name": "Apache-2.0"},
        },
        "servers": SERVERS,
        "defaultContentType": "application/protobuf",
        "channels": channels,
        "operations": {
            f"receive_{name}": {
                "action": "receive",
                "channel": {"$ref": f"#/channels/{name}"},
                "bindings": {"nats": {"bindingVersion": "0.1.0"}},
            }
            for name in channels
        },
        "components": {"messages": _messages(protos), "schemas": {"Headers": _headers()}},
    }


def _event_channel(name: str, said: str) -> dict[str, Any]:
    channel = _channel(f"{DELINQUENCY}.{name.lower()}.{{loanId}}", "DelinquencyEvent", STREAM)
    return {**channel, "description": " ".join(said.split())}


def retirement_of(value: EnumValueDescriptorProto) -> dict[str, Any]:
    """Return when a type of event goes, and what takes its place; nothing for most."""
    if not value.options.HasExtension(retired_type):
        return {}
    one = value.options.Extensions[retired_type]
    dates = {"deprecatedOn": one.deprecated_on, "sunsetOn": one.sunset_on}
    return {"x-retirement": {**dates, "successor": one.successor}}


def _channel(address: str, message: str, stream: str) -> dict[str, Any]:
    parts = {"loanId": "The loan's id.", "on": "The date.", "id": "The id.", "event": "The event."}
    parameters = {
        part: {"description": said} for part, said in parts.items() if f"{{{part}}}" in address
    }
    return {
        "address": address,
        "messages": {message: {"$ref": f"#/components/messages/{message}"}},
        **({"parameters": parameters} if parameters else {}),
        "x-jetstream": stream,
    }


def _messages(protos: Protos) -> dict[str, Any]:
    roots = [f"{LEDGER}.Delinquency{name}" for name in ("Event", "State", "StatesTold", "Digest")]
    roots += [message for _, message in OTHERS]
    found = {root.rpartition(".")[2]: _message(protos, root) for root in roots}
    found["DelinquencyEvent"]["headers"] = {"$ref": "#/components/schemas/Headers"}
    found["DelinquencyEvent"]["x-order"] = _order()
    found["Checkpoint"] = {
        "contentType": "text/plain; charset=utf-8",
        "summary": "The newest signed checkpoint of the sealed log, a C2SP tlog-checkpoint.",
        "headers": _checkpoint_headers(),
        "payload": {"type": "string"},
    }
    return found


def _message(protos: Protos, root: str) -> dict[str, Any]:
    return {
        "name": root,
        "contentType": "application/protobuf",
        "summary": " ".join(protos.comment(root).split()),
        "payload": {"schemaFormat": PROTOBUF, "schema": protos.text(root)},
    }


def _headers() -> dict[str, Any]:
    texts = {
        "ce-specversion": "Always 1.0: CloudEvents, binary mode.",
        "ce-id": "Loan and number, such as L-1/7; the same event always has the same id.",
        "ce-source": "Who says so: duebook/ledger.",
        "ce-type": "lending.ledger.v1. and the type's name.",
        "ce-time": "The date from which it counts.",
        "ce-recordedtime": "When the ledger learned it, RFC 3339.",
        "ce-subject": "The loan.",
        "ce-sequence": "Number of the loan's event, from 1 without gaps.",
        "ce-previoushash": "Hash of the loan's event before, 64 hexadecimal digits.",
        "ce-causation": "The fact in the ledger's log: loan@version.",
        "traceparent": "W3C trace that the fact was posted in, where there is one.",
        "ce-deprecated": "Date from which nobody should begin to rely on this type; field=date of "
        "a field that is set; by commas. Absent where nothing goes.",
        "ce-sunset": "Date from which it may be missing, in the same way.",
        "ce-successor": "What takes its place, in the same way.",
    }
    optional = ("traceparent", *HEADERS)
    required = [name for name in texts if name not in optional]
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    return {"type": "object", "required": required, "properties": properties}


def _order() -> dict[str, Any]:
    """Return, for programs, how the events of a loan follow each other."""
    return {
        "description": "Messages of one key: without gaps, each naming the hash before it.",
        "key": "$message.header#/ce-subject",
        "number": "$message.header#/ce-sequence",
        "previousHash": "$message.header#/ce-previoushash",
        "agrees": {
            "key": ["$message.payload#/loan_id"],
            "number": ["$message.payload#/sequence"],
        },
        "first": {"number": 1, "previousHash": GENESIS},
        "hash": {"algorithm": "sha256", "over": ["previousHash", "body"], "encoding": "hex"},
    }


def _checkpoint_headers() -> dict[str, Any]:
    texts = {
        "ce-size": "Events in the log, as the checkpoint says.",
        "ce-previoussize": "Size of the checkpoint told before; 0 where there was none.",
        "ce-consistency": "RFC 9162 2.1.4 proof that the log only grew since: base64, by blanks.",
    }
    properties = {name: {"type": "string", "description": text} for name, text in texts.items()}
    return {"type": "object", "properties": properties}


def rendered() -> str:
    """Return the document as it is written."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(rendered(), encoding="utf-8")
