"""What is going to be retired, told by headers of the very messages that it is in."""

from __future__ import annotations

from datetime import date
from functools import cache

from google.protobuf.descriptor import Descriptor, EnumDescriptor
from google.protobuf.message import Message
from lending.common.v1.retirement_pb2 import Retirement, retired_field, retired_type

NOTICE_DAYS_MIN = 180
HEADERS = ("ce-deprecated", "ce-sunset", "ce-successor")


def retirement_headers(types: EnumDescriptor, value: str, body: Message) -> dict[str, str]:
    """
    Return the headers that say what of a message is going to be retired; none for most.

    Args:
        types: The enum of the types of events.
        value: Name of the value that is the message's type.
        body: The message; of its fields those that are set.
    """
    found = [("", one)] if (one := _types(types).get(value)) else []
    fields = _fields(body.DESCRIPTOR)
    if fields:
        names = [field.name for field, _ in body.ListFields()]
        found += [(f"{name}=", fields[name]) for name in names if name in fields]
    if not found:
        return {}
    return {
        "ce-deprecated": ",".join(name + one.deprecated_on for name, one in found),
        "ce-sunset": ",".join(name + one.sunset_on for name, one in found),
        "ce-successor": ",".join(name + one.successor for name, one in found),
    }


@cache
def _types(types: EnumDescriptor) -> dict[str, Retirement]:
    return {
        value.name: value.GetOptions().Extensions[retired_type]
        for value in types.values
        if value.GetOptions().HasExtension(retired_type)
    }


@cache
def _fields(message: Descriptor) -> dict[str, Retirement]:
    return {
        one.name: one.GetOptions().Extensions[retired_field]
        for one in message.fields
        if one.GetOptions().HasExtension(retired_field)
    }


def faults_of(types: EnumDescriptor, message: Descriptor) -> list[str]:
    """Return in words what is wrong with how types and fields are retired."""
    faults = []
    marked = {value.name for value in types.values if value.GetOptions().deprecated}
    marked |= {one.name for one in message.fields if one.GetOptions().deprecated}
    retired = _types(types) | _fields(message)
    faults += [
        f"{name} is deprecated, and nothing says until when" for name in marked - set(retired)
    ]
    faults += [f"{name} is retired, and not marked deprecated" for name in set(retired) - marked]
    for name, one in retired.items():
        notice = date.fromisoformat(one.sunset_on) - date.fromisoformat(one.deprecated_on)
        if notice.days < NOTICE_DAYS_MIN:
            faults.append(f"{name} goes after {notice.days} days")
    return sorted(faults)
