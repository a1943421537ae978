"""What origination stored stays readable: a sample of every shape, from the first one on."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from services.origination.application.filling import Filled
from services.origination.application.keeping import Shown
from services.origination.application.parking import Parked
from services.origination.domain.application import Application
from services.origination.domain.guarantors import Guarantor
from services.origination.domain.pledges import Pledge

STORED = Path(__file__).with_name("origination_records.jsonl")
"""Records in the shapes that were stored, by kind; a line is never edited, only added."""
KINDS: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind for kind in (Application, Guarantor, Pledge, Shown, Parked, Filled)
}
SAMPLES = [json.loads(line) for line in STORED.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_stored_record_is_read_and_loses_nothing(sample: dict[str, str]) -> None:
    """Every field that was stored is there when it is stored again, with the value that it had."""
    kind, before = KINDS[sample["kind"]], json.loads(sample["body"])

    after = json.loads(msgspec.json.encode(msgspec.json.decode(sample["body"], type=kind)))

    assert lost(before, after) == []


def test_there_is_a_sample_of_every_field() -> None:
    """A new field comes with a record that has it: who renames one later reads this test."""
    seen = {place for sample in SAMPLES for place in places(json.loads(sample["body"]))}

    assert sorted(set().union(*(fields(kind) for kind in KINDS.values())) - seen) == []


def lost(before: Any, after: Any, at: str = "") -> list[str]:
    """Return where something that was stored is not any more, or is another."""
    if isinstance(before, dict):
        return [
            place
            for name, value in before.items()
            for place in lost(value, after.get(name), f"{at}.{name}")
        ]
    if isinstance(before, list):
        pairs = enumerate(zip(before, after, strict=True))
        return [place for n, (a, b) in pairs for place in lost(a, b, f"{at}[{n}]")]
    return [] if before == after else [at]


def places(node: Any) -> Iterator[str]:
    """Give every name that is filled in, of a record or of a part of one."""
    for one in node if isinstance(node, list) else [node]:
        for name, value in one.items() if isinstance(one, dict) else ():
            if value not in ("", None, [], 0, False):
                yield name
            yield from places(value)


def fields(kind: type[msgspec.Struct]) -> set[str]:
    """Return the names of all fields of a record and of its parts."""
    found: set[str] = set()
    for name, annotation in typing.get_type_hints(kind).items():
        if name in kind.__struct_fields__:
            found.add(name)
            found |= set().union(*map(fields, parts(annotation)), set())
    return found


def parts(annotation: Any) -> list[type[msgspec.Struct]]:
    """Return the records that a field holds."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [part for one in typing.get_args(annotation) for part in parts(one)]
